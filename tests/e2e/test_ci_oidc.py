"""A job with a role, against an STS that checks tokens and a store that ends sessions in time."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from pivot.aws import Credentials
from pivot.ci.event import Event
from pivot.ci.github import GitHub
from pivot.ci.oidc import find_role_credentials
from pivot.config import load_config
from pivot.errors import ExitCode, RemoteDenied
from pivot.fetch import fetch
from pivot.progress import VerboseMeter
from pivot.project import find_project
from pivot.push import push
from pivot.session import Session
from tests import buckets
from tests.e2e.ci import Runner
from tests.e2e.weather import OBJECTS, make_project, without_cache
from tests.servers import S3Server, fault_proxy, seaweedfs
from tests.servers.identity import BEARER, ROLE, Issuer, issuing

LIFETIME = 8  # seconds that a session lasts


@pytest.fixture(name="issuer", scope="module")
def _issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture(name="cloud", scope="module")
def _cloud(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with seaweedfs(tmp_path_factory.mktemp("cloud"), issuer.roles(f"{LIFETIME}s")) as server:
        server.make_bucket("jobs")
        yield server


class Job:
    """A job on GitHub that may assume `ROLE`, and what it shows and is given."""

    def __init__(self, issuer: Issuer, cloud: S3Server) -> None:
        self.cloud = cloud
        self.log = io.StringIO()
        self.host = GitHub({}, self.log, Event("push", trusted=True, reason="a push"))
        self.secrets: list[str] = []
        self.given: list[Credentials] = []
        self.variables = issuer.environment() | {"AWS_ENDPOINT_URL_STS": cloud.url}

    def provider(
        self, role: str = ROLE, variables: Mapping[str, str] | None = None
    ) -> Callable[[], Credentials]:
        provide = find_role_credentials(
            self.variables | dict(variables or {}), role, region="us-east-1", mask=self._mask
        )

        def remember() -> Credentials:
            found = provide()
            if found not in self.given:
                self.given.append(found)
            return found

        return remember

    def session(self, root: Path, *, url: str = "", jobs: int = 4) -> Session:
        """Make the session of a command in the project at *root*, with the store at *url*."""
        project = find_project(root, {})
        return Session(
            project,
            load_config(project, root / "nobody's"),
            {"AWS_ENDPOINT_URL_S3": url or self.cloud.url, "AWS_REGION": "us-east-1"},
            jobs,
            VerboseMeter(self.log),
            credentials=self.provider(),
        )

    def _mask(self, secret: str) -> None:
        self.secrets.append(secret)
        self.host.mask(secret)


@pytest.fixture(name="job")
def _job(issuer: Issuer, cloud: S3Server) -> Job:
    return Job(issuer, cloud)


def test_a_job_pushes_and_another_fetches(job: Job, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "jobs")
    clone = without_cache(project, tmp_path / "clone")

    pushed = push(job.session(project))
    (fetched,) = fetch(job.session(clone))

    assert (pushed.transferred, pushed.problems) == (OBJECTS, ())
    assert (fetched.transferred, fetched.problems) == (OBJECTS, ())
    assert len(job.given) == 2


def test_a_step_pushes_with_its_role_and_shows_no_secret(
    job: Job, issuer: Issuer, tmp_path: Path
) -> None:
    job.cloud.make_bucket("steps")
    project = make_project(tmp_path / "project", "steps")
    before = len(issuer.tokens)
    run = Runner(project, tmp_path / "temporary", job.variables)

    step = run(
        "push",
        variables={"AWS_ENDPOINT_URL_S3": job.cloud.url},
        role_to_assume=ROLE,
        aws_region="us-east-1",
        log_level="debug",
    )

    assert step.code == 0, step.everything
    assert (step.outputs["status"], step.outputs["transferred"]) == ("complete", str(OBJECTS))
    assert len(buckets.keys(job.cloud, "steps")) == OBJECTS
    tokens = issuer.tokens[before:]
    masked = step.commands("add-mask")
    assert len(tokens) == 1
    assert set(tokens) < set(masked)
    assert len(set(masked) - {BEARER}) == 4  # with key, secret and session token
    shown = [line for line in step.everything.split("\n") if not line.startswith("::add-mask::")]
    assert not [line for line in shown for secret in (*masked, BEARER) if secret in line]


def test_a_step_without_the_permission_says_which_one(job: Job, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "jobs")
    run = Runner(project, tmp_path / "temporary", {"AWS_ENDPOINT_URL_S3": job.cloud.url})

    step = run("push", role_to_assume=ROLE, aws_region="us-east-1")

    assert (step.code, step.outputs["status"]) == (4, "failed")
    assert "id-token: write" in step.log


def test_other_credentials_of_the_machine_are_not_asked_for(job: Job, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    aws = Path.home() / ".aws"
    aws.mkdir()
    (aws / "config").write_text(f"[default]\ncredential_process = touch '{asked}'\n")

    done = push(job.session(make_project(tmp_path / "project", "jobs")))

    assert done.problems == ()
    assert not asked.exists()


def test_a_push_outlives_its_first_credentials(job: Job, issuer: Issuer, tmp_path: Path) -> None:
    job.cloud.make_bucket("long")
    many = {f"data/{number:02}.bin": b"%d" % number for number in range(60)}
    project = make_project(tmp_path / "project", "long", dict(many))
    before = len(issuer.tokens)

    with fault_proxy(job.cloud) as proxy:
        proxy.delay = 0.4
        with job.host.group("push"), job.host.raw():
            done = push(job.session(project, url=proxy.url, jobs=2))

    assert done.problems == (), job.log.getvalue()
    assert done.transferred == len(buckets.keys(job.cloud, "long")) == len(many)
    tokens = issuer.tokens[before:]
    assert len(job.given) == len(tokens) == len(set(tokens)) >= 2
    assert len({found.key_id for found in job.given}) == len(job.given)
    assert_dead(job.given[0], job.cloud)
    assert_hidden(job)


def assert_dead(found: Credentials, cloud: S3Server) -> None:
    """Make sure that the store refuses what has expired: so the push cannot have lived on it."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

    keys = boto3.Session(found.key_id, found.secret, found.token, region_name="us-east-1")
    with (
        closing(
            keys.client(
                "s3", endpoint_url=cloud.url, config=Config(s3={"addressing_style": "path"})
            )
        ) as s3,
        pytest.raises(ClientError, match="InvalidAccessKeyId"),
    ):
        s3.list_objects_v2(Bucket="long")


def assert_hidden(job: Job) -> None:
    """Make sure that no secret stands in the log but where the runner is told to hide it."""
    shown = [line for line in job.log.getvalue().split("\n") if not line.startswith("::add-mask::")]
    assert len(job.secrets) == 4 * len(job.given)
    assert not [line for line in shown for secret in (*job.secrets, BEARER) if secret in line]


def test_a_role_that_is_not_there(job: Job) -> None:
    with pytest.raises(RemoteDenied, match="role/nobody: the role cannot be assumed: ") as caught:
        job.provider("arn:aws:iam::111122223333:role/nobody")()

    assert caught.value.hint.startswith("its trust policy must allow the token of this job")


def test_a_token_for_somebody_else(job: Job) -> None:
    gitlab = {"GITLAB_CI": "true", "PIVOT_ID_TOKEN": "a.b.c"}

    with pytest.raises(RemoteDenied, match=f"{ROLE}: the role cannot be assumed: "):
        job.provider(variables=gitlab)()


def test_a_job_that_may_not_ask_for_a_token(job: Job, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "jobs")
    stranger = job.provider(variables={"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong"})

    done = push(dataclasses.replace(job.session(project), credentials=stranger))

    (problem,) = done.problems
    assert problem.code is ExitCode.DENIED
    assert problem.message.endswith("identity token: refused (HTTP 401)")
    assert "`permissions: id-token: write`" in problem.hint
