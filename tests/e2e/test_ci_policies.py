"""The policies that are printed suffice, and allow no more, where they are really enforced.

Two of them are in the README: tests/unit/test_iam.py holds them equal.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests import buckets
from tests.conftest import Command, Done
from tests.e2e.ci import Runner, Step
from tests.e2e.roles import BUCKET, CLEAN, PREFIX, READ, WRITE, roles
from tests.e2e.weather import OBJECTS, make_project, without_cache
from tests.projects import Content
from tests.servers import S3Server, fault_proxy, seaweedfs
from tests.servers.identity import AUDIENCE, Issuer, issuing

MAIN = "repo:lab/pipeline:ref:refs/heads/main"
TOPIC = "repo:lab/pipeline:ref:refs/heads/topic"
REQUEST = "repo:lab/pipeline:pull_request"
ELSEWHERE = "repo:stranger/pipeline:ref:refs/heads/main"
LIKE_OURS = "repo:lab/pipeline-too:ref:refs/heads/main"
LARGE: dict[str, Content] = {"large.bin": b"0123456789abcdef" * 640 * 1024}  # goes up in parts


@pytest.fixture(name="issuer", scope="module")
def _issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture(name="cloud", scope="module")
def _cloud(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with seaweedfs(tmp_path_factory.mktemp("cloud"), roles(issuer)) as server:
        server.make_bucket(BUCKET)
        server.make_bucket("other-bucket")
        yield server


@pytest.fixture(autouse=True)
def _empty(cloud: S3Server) -> None:
    for key in buckets.keys(cloud, BUCKET):
        buckets.delete(cloud, BUCKET, key)


class Job:
    """A step of a job of the repository `lab/pipeline`, or of another."""

    def __init__(self, issuer: Issuer, cloud: S3Server, root: Path) -> None:
        self.root = root
        self._issuer = issuer
        self._cloud = cloud

    def __call__(self, command: str, project: Path, role: str, subject: str, **inputs: str) -> Step:
        run = self._runner(project, subject, self._cloud.url)
        return run(command, role_to_assume=role, aws_region="us-east-1", **inputs)

    def start(
        self, command: str, project: Path, role: str, subject: str, url: str
    ) -> subprocess.Popen[str]:
        """Start a step that sees the store at *url*, and leave it running."""
        run = self._runner(project, subject, url)
        return run.start(command, role_to_assume=role, aws_region="us-east-1")

    def _runner(self, project: Path, subject: str, url: str) -> Runner:
        self._issuer.subject = subject
        endpoints = {"AWS_ENDPOINT_URL_STS": self._cloud.url, "AWS_ENDPOINT_URL_S3": url}
        return Runner(project, self.root / "temporary", self._issuer.environment() | endpoints)

    def project(self, name: str, outputs: dict[str, Content] | None = None) -> Path:
        project = make_project(self.root / name, BUCKET, outputs)
        config = project / ".pivot/config.yaml"
        config.write_text(config.read_text().replace(f"{BUCKET}/p\n", f"{BUCKET}/{PREFIX}\n"))
        return project


@pytest.fixture(name="job")
def _job(issuer: Issuer, cloud: S3Server, tmp_path: Path) -> Job:
    return Job(issuer, cloud, tmp_path)


def test_main_pushes_and_a_pull_request_pulls(job: Job) -> None:
    project = job.project("project")
    clone = without_cache(project, job.root / "clone")

    pushed = job("push", project, WRITE, MAIN)
    pulled = job("pull", clone, READ, REQUEST)
    verified = job("verify", clone, READ, REQUEST)

    assert (pushed.code, pushed.outputs["transferred"]) == (0, str(OBJECTS)), pushed.everything
    assert (pulled.code, pulled.outputs["cache-hit"]) == (0, "true"), pulled.everything
    assert (verified.code, verified.outputs["status"]) == (0, "complete"), verified.everything


def test_large_objects_and_many_of_them(job: Job, cloud: S3Server) -> None:
    many: dict[str, Content] = {f"d/{number:02}": b"%d" % number for number in range(30)}
    project = job.project("project", LARGE | many)
    clone = without_cache(project, job.root / "clone")

    pushed = job("push", project, WRITE, MAIN)
    again = job("push", project, WRITE, MAIN)
    pulled = job("pull", clone, READ, MAIN)

    assert (pushed.code, pushed.outputs["transferred"]) == (0, "31"), pushed.everything
    assert (again.code, again.outputs["skipped"]) == (0, "31"), again.everything
    assert (pulled.code, pulled.outputs["transferred"]) == (0, "31"), pulled.everything
    assert {key.partition("/")[0] for key in buckets.keys(cloud, BUCKET)} == {PREFIX}


def test_what_nobody_pushed_is_missing_and_not_forbidden(job: Job) -> None:
    clone = without_cache(job.project("project"), job.root / "clone")

    step = job("pull", clone, READ, REQUEST)

    assert (step.code, step.outputs["exit-code"]) == (0, "3"), step.everything
    assert step.outputs["status"] == "miss"


def test_an_interrupted_upload_is_taken_back(job: Job, cloud: S3Server) -> None:
    """AWS asks for `s3:AbortMultipartUpload`; for SeaweedFS it is a part of writing."""
    project = job.project("project", LARGE)

    def uploads() -> list[Any]:
        with closing(cloud.client()) as s3:
            found: list[Any] = s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
            return found

    with fault_proxy(cloud) as proxy:
        proxy.delay = 0.5
        with job.start("push", project, WRITE, MAIN, proxy.server.url) as process:
            wait_until(uploads)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)

    assert process.returncode == 130
    assert uploads() == []


def wait_until(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_role_that_reads_may_not_push(job: Job, cloud: S3Server) -> None:
    step = job("push", job.project("project"), READ, MAIN)

    assert (step.code, step.outputs["status"]) == (4, "failed")
    assert "access denied for writing" in step.log + step.done.err
    assert buckets.keys(cloud, BUCKET) == []


@pytest.mark.parametrize(
    ("role", "subject", "given"),
    [
        (READ, MAIN, True),
        (READ, TOPIC, True),
        (READ, REQUEST, True),
        (READ, ELSEWHERE, False),
        (READ, LIKE_OURS, False),
        (READ, "repo:lab/pipeline:environment:production", False),
        (WRITE, MAIN, True),
        (WRITE, TOPIC, False),
        (WRITE, REQUEST, False),
        (WRITE, ELSEWHERE, False),
        (WRITE, f"{MAIN}-2", False),
    ],
)
def test_who_gets_which_role(role: str, subject: str, given: bool, job: Job) -> None:
    clone = without_cache(job.project("project"), job.root / "clone")

    step = job("pull", clone, role, subject)

    assert step.code == (0 if given else 4), step.everything
    assert ("cannot be assumed" in step.log + step.done.err) is not given


def keys_of(role: str, issuer: Issuer, cloud: S3Server) -> dict[str, str]:
    """Assume a role as anybody might who got hold of a token."""
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    issuer.subject = MAIN
    client = botocore.session.Session().create_client(
        "sts",
        region_name="us-east-1",
        endpoint_url=cloud.url,
        config=Config(signature_version=UNSIGNED),
    )
    with closing(client):
        answer = client.assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="anybody", WebIdentityToken=issuer._sign(AUDIENCE)
        )["Credentials"]
    return {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }


def test_to_clean_up_takes_the_role_for_it(
    job: Job, issuer: Issuer, cloud: S3Server, pivot: Command
) -> None:
    project = job.project("project")
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["commit", "-q", "-m", "x", "--", ".pivot/stages"],
    ):
        subprocess.run(["git", *words], cwd=project, env=pivot.environment, check=True)
    assert job("push", project, WRITE, MAIN).code == 0
    lock = project / ".pivot/stages/make/a.lock"
    lock.unlink()
    subprocess.run(
        ["git", "commit", "-qa", "--amend", "-m", "y"],
        cwd=project,
        env=pivot.environment,
        check=True,
    )

    def clean(role: str, *words: str) -> Done:
        keys = {name.upper(): value for name, value in keys_of(role, issuer, cloud).items()}
        endpoint = {"AWS_ENDPOINT_URL": cloud.url, "AWS_REGION": "us-east-1"}
        return pivot("gc", "-r", "--min-age", "0", *words, cwd=project, **keys, **endpoint)

    assert clean(CLEAN, "--claim").code == 0
    before = buckets.contents(cloud, BUCKET)
    refused = clean(WRITE, "--yes")
    after = buckets.contents(cloud, BUCKET)
    done = clean(CLEAN, "--yes")
    emptied = clean(CLEAN, "--empty-trash", "--yes")

    assert (refused.code, "s3:DeleteObject" in refused.err) == (4, True), refused
    assert "--role gc" in refused.err
    assert before.items() <= after.items()
    assert (done.code, emptied.code) == (0, 0), (done, emptied)
    left = [key for key in buckets.keys(cloud, BUCKET) if "/files/" in key]
    assert len(left) == OBJECTS - 1


KEY = f"{PREFIX}/files/aa/bb"
FORBIDDEN: dict[str, list[tuple[str, dict[str, Any]]]] = {
    READ: [
        ("put_object", {"Key": KEY, "Body": b"x"}),
        ("delete_object", {"Key": KEY}),
        ("get_object", {"Key": "elsewhere"}),
        ("list_objects_v2", {}),
        ("list_objects_v2", {"Prefix": "elsewhere"}),
        ("list_objects_v2", {"Bucket": "other-bucket", "Prefix": f"{PREFIX}/"}),
    ],
    WRITE: [
        ("delete_object", {"Key": KEY}),
        ("put_object", {"Key": "elsewhere", "Body": b"x"}),
        ("get_object", {"Key": "elsewhere"}),
        ("put_object", {"Bucket": "other-bucket", "Key": KEY, "Body": b"x"}),
    ],
    CLEAN: [
        ("delete_object", {"Key": "elsewhere"}),
        ("put_object", {"Key": "elsewhere", "Body": b"x"}),
        ("get_object", {"Key": "elsewhere"}),
        ("list_objects_v2", {"Prefix": "elsewhere"}),
        ("delete_object", {"Bucket": "other-bucket", "Key": KEY}),
    ],
}


@pytest.mark.parametrize("role", FORBIDDEN, ids=lambda role: role.rpartition("/")[2])
def test_nothing_else_is_allowed(role: str, issuer: Issuer, cloud: S3Server) -> None:
    import boto3

    for key in (KEY, "elsewhere"):
        buckets.put(cloud, BUCKET, key, b"theirs")
    keys = keys_of(role, issuer, cloud)
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=cloud.url, **keys)

    with closing(client) as s3:
        assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == b"theirs"
        for call, arguments in FORBIDDEN[role]:
            with pytest.raises(ClientError, match="AccessDenied"):
                getattr(s3, call)(**{"Bucket": BUCKET, **arguments})

    assert buckets.contents(cloud, BUCKET) == {KEY: b"theirs", "elsewhere": b"theirs"}


DIAGNOSES = {
    READ: ("4", "pull works, push does not work", []),
    WRITE: ("0", "pull works, push works", [f"{PREFIX}/doctor/left"]),
    CLEAN: ("0", "pull works, push works", []),
}


@pytest.mark.parametrize("role", DIAGNOSES, ids=lambda role: role.rpartition("/")[2])
def test_the_doctor_says_what_each_role_may(role: str, job: Job, cloud: S3Server) -> None:
    code, verdict, left = DIAGNOSES[role]
    project = job.project("project")

    times = 2 if left else 1  # what stays is one object, however often somebody asks

    for step in [job("doctor", project, role, MAIN) for _ in range(times)]:
        assert (step.outputs["exit-code"], step.code) == (code, int(code)), step.everything
        assert step.outputs["status"] == ("complete" if code == "0" else "failed")
        assert f"'origin': {verdict}\n" in step.log
        assert verdict.capitalize() in step.summary
        assert "identity       arn:aws:sts::" in step.log
        refused = "as is right for all who do not collect garbage" in step.log
        assert refused == (role != CLEAN)
    assert buckets.keys(cloud, BUCKET) == left


def test_the_doctor_writes_nothing_in_a_dry_run(job: Job, cloud: S3Server) -> None:
    step = job("doctor", job.project("project"), READ, REQUEST, dry_run="true")

    assert (step.code, step.outputs["status"]) == (0, "complete"), step.everything
    assert "push was not tried" in step.summary
    assert buckets.keys(cloud, BUCKET) == []


def test_a_project_without_objects_asks_for_nothing(job: Job, pivot: Command) -> None:
    (job.root / "empty/.pivot").mkdir(parents=True)
    config = f"remotes:\n  origin: s3://{BUCKET}/{PREFIX}\n"
    (job.root / "empty/.pivot/config.yaml").write_text(config)

    step = job("pull", job.root / "empty", READ, REQUEST)

    assert (step.code, step.outputs["status"]) == (0, "nothing-to-do"), step.everything
