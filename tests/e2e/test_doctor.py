"""`pivot doctor` finds what is wrong, says so once with its cure, and leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pivot.doctor.examine import Patient, doctor
from pivot.doctor.report import doctor_json
from pivot.transfer import Meter
from tests import buckets
from tests.conftest import Command, Done
from tests.e2e.test_report import valid
from tests.projects import ProjectBuilder, digest
from tests.servers import FaultProxy, S3Server, fault_proxy, tls
from tests.servers.hostile import MODIFIED, Bucket, Told, error, hostile

Seen = dict[str, dict[str, Any]]


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", f"s3://{bucket}/p")


def make_project(root: Path, url: str) -> Path:
    builder = ProjectBuilder(root)
    builder.config(f"remotes:\n  origin: {url}\nremote:\n  retries: 0\n  connect_timeout: 5\n")
    return root


@pytest.fixture(name="proxy", scope="module")
def _proxy(server: S3Server) -> Iterator[FaultProxy]:
    with fault_proxy(server) as proxy:
        yield proxy


@pytest.fixture(name="through")
def _through(proxy: FaultProxy) -> Iterator[S3Server]:
    """See the server through the proxy, which is well again afterwards."""
    proxy.requests.clear()
    yield proxy.server
    proxy.heal()


def ask(place: Path, at: S3Server | None, *, read_only: bool = False, **more: str) -> Any:
    """Ask as the command does, without the time that it takes to start."""
    environment = (at.environment() if at is not None else {}) | more
    found = doctor(Patient(place, environment, Meter()), read_only=read_only)
    return read(Done(found.code, *doctor_json(found).out, ""))


def read(done: Done) -> tuple[Any, Seen]:
    """Read the report, and its checks by name."""
    report = valid(done.out, "doctor")
    assert report["exit_code"] == done.code
    assert re.fullmatch(r"(Waiting for \S+ \(\d+ s\)\n)*", done.err), done.err
    return report, {check["name"]: check for check in report["checks"]}


def failed(seen: Seen) -> list[str]:
    return [name for name, check in seen.items() if check["state"] == "failed"]


def test_all_works_and_nothing_is_left(
    project: Path, server: S3Server, bucket: str, pivot: Command
) -> None:
    before = sorted(project.rglob("*"))
    report, seen = read(pivot("doctor", "--json", cwd=project))

    assert {check["state"] for check in seen.values()} == {"ok"}
    assert (report["pull"], report["push"], report["exit_code"]) == ("yes", "yes", 0)
    assert (report["remote"], report["url"]) == ("origin", f"s3://{bucket}/p")
    assert buckets.keys(server, bucket) == []
    assert sorted(project.rglob("*")) == before


def test_read_only_sends_no_write(
    project: Path, server: S3Server, bucket: str, proxy: FaultProxy, through: S3Server
) -> None:
    buckets.put(server, bucket, f"p/files/{digest(b'x')[:2]}/{digest(b'x')[2:]}", b"x")

    report, seen = ask(project, through, read_only=True)

    assert report["read_only"]
    assert (report["pull"], report["push"], report["exit_code"]) == ("yes", "unknown", 0)
    assert seen["put"]["state"] == seen["links"]["state"] == "not asked"
    sent = {(method, target) for method, target in proxy.requests if target != "/"}
    assert {method for method, _ in sent} == {"GET", "HEAD"}
    assert not (project / ".pivot/cache").exists()


def test_keys_that_only_read_are_no_fault_of_pull(
    project: Path, server: S3Server, bucket: str
) -> None:
    report, seen = ask(project, server.with_keys("reader", "readersecret"))

    assert (report["pull"], report["push"], report["exit_code"]) == ("yes", "no", 4)
    assert failed(seen) == ["put"]
    assert seen["put"]["permission"] == f"s3:PutObject on arn:aws:s3:::{bucket}/p/*"
    assert "pivot remote policy origin --role main" in seen["put"]["cure"]
    assert seen["multipart"]["state"] == "not asked"
    assert seen["delete"]["state"] == "ok"


WRONG: dict[str, tuple[dict[str, str], str, int, str]] = {
    "the secret": ({"AWS_SECRET_ACCESS_KEY": "false"}, "keys", 4, "the secret key is wrong"),
    "no credentials": ({"AWS_ACCESS_KEY_ID": ""}, "credentials", 4, "no AWS credentials found"),
    "a dead endpoint": (
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        "endpoint",
        6,
        "connection refused",
    ),
    "no such name": (
        {"AWS_ENDPOINT_URL": "https://nosuch.invalid"},
        "endpoint",
        6,
        "its name is not known",
    ),
    "no endpoint at all": ({"AWS_ENDPOINT_URL": "nonsense"}, "credentials", 2, "must be a URL"),
    "a level of integrity": ({"PIVOT_INTEGRITY": "some"}, "configuration", 2, "must be auto or"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_once_with_its_cure(
    what: str, project: Path, server: S3Server
) -> None:
    variables, name, code, said = WRONG[what]

    report, seen = ask(project, server, **variables)

    assert (failed(seen), report["exit_code"]) == ([name], code)
    assert said in seen[name]["seen"]
    assert (report["pull"], report["push"]) == ("no", "no")
    states = [check["state"] for check in seen.values()]
    assert "ok" not in states[states.index("failed") :] or what == "a level of integrity"


def test_a_bucket_that_is_not_there(tmp_path: Path, pivot: Command) -> None:
    project = make_project(tmp_path / "project", "s3://nosuch-bucket/p")

    done = pivot("doctor", cwd=project)

    assert done.code == 1
    assert "failed     bucket         s3://nosuch-bucket/p: there is no such bucket\n" in done.out
    assert "cure: check the name" in done.out
    assert done.out.endswith("\n'origin': pull does not work, push does not work\n")


@pytest.mark.parametrize(("ahead", "code"), [(3600, 4), (-3600, 4), (120, 0)])
def test_a_clock_that_is_wrong(
    ahead: float, code: int, project: Path, proxy: FaultProxy, through: S3Server
) -> None:
    proxy.ahead = ahead

    report, seen = ask(project, through, read_only=True)

    assert report["exit_code"] == code
    assert seen["clock"]["state"] == ("failed" if code else "warning")
    assert seen["clock"]["cure"].startswith("set the clock")
    assert (seen["list"]["state"] == "not asked") == bool(code)


def test_a_service_without_conditions_and_a_role_that_may_not_list_are_warned_of(
    project: Path, bucket: str, proxy: FaultProxy, through: S3Server
) -> None:
    proxy.not_implemented_conditional = True
    proxy.deny_list = True

    report, seen = ask(project, through)

    assert [n for n, c in seen.items() if c["state"] == "warning"] == ["list", "put-if-absent"]
    assert (report["pull"], report["push"], report["exit_code"]) == ("yes", "yes", 0)
    assert "If-None-Match" in seen["put-if-absent"]["seen"]
    assert seen["list"]["permission"] == f"s3:ListBucket on arn:aws:s3:::{bucket}, s3:prefix p/*"


def test_credentials_that_have_expired(project: Path, proxy: FaultProxy, through: S3Server) -> None:
    proxy.deny_all("ExpiredToken")

    report, seen = ask(project, through)

    assert (failed(seen), report["exit_code"]) == (["keys"], 4)
    assert "have expired" in seen["keys"]["seen"]
    assert "aws sso login" in seen["keys"]["cure"]


def test_a_profile_is_named_and_its_secret_is_not(
    project: Path, server: S3Server, bare_pivot: Command
) -> None:
    (bare_pivot.home / ".aws").mkdir()
    (bare_pivot.home / ".aws/config").write_text(
        f"[profile lab]\nregion = us-east-1\nendpoint_url = {server.url}\n"
    )
    (bare_pivot.home / ".aws/credentials").write_text(
        "[lab]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI7\n"
    )

    done = bare_pivot("doctor", "-v", cwd=project, AWS_PROFILE="lab")

    assert done.code == 4
    assert "~/.aws/credentials, profile 'lab', key …MPLE, without an end" in done.out
    for secret in ("AKIAIOSFODNN7", "wJalrXUtnFEMI7"):
        assert secret not in done.out + done.err


def test_credentials_of_a_process_are_told_with_their_end(
    project: Path, server: S3Server, bare_pivot: Command
) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=9)).isoformat()
    made = {"Version": 1, "Expiration": soon, "SessionToken": "secret-token-1"}
    made |= {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI7"}
    (bare_pivot.home / "keys.json").write_text(json.dumps(made))
    (bare_pivot.home / ".aws").mkdir()
    (bare_pivot.home / ".aws/config").write_text(
        f"[default]\nregion = us-east-1\nendpoint_url = {server.url}\n"
        f"credential_process = cat {bare_pivot.home}/keys.json\n"
    )

    done = bare_pivot("doctor", cwd=project)

    assert "warning    credentials    a process, key …MPLE, for 9 min more\n" in done.out
    assert "secret-token-1" not in done.out


def test_a_certificate_that_nobody_vouches_for_and_a_server_that_has_none(
    project: Path, server: S3Server, tmp_path: Path
) -> None:
    plain = {"AWS_ENDPOINT_URL": server.url.replace("http:", "https:")}
    with tls(server, tmp_path / "tls") as secure:
        bare = {"AWS_ENDPOINT_URL": secure.url}
        known = bare | {"REQUESTS_CA_BUNDLE": str(secure.ca_bundle)}
        unknown, told = ask(project, server, read_only=True, **bare)
        report, seen = ask(project, server, **known)
    _, without = ask(project, server, read_only=True, **plain)

    assert (failed(told), unknown["exit_code"]) == (["endpoint"], 6)
    assert "its certificate is not trusted" in told["endpoint"]["seen"]
    assert "it does not speak TLS" in without["endpoint"]["seen"]
    assert {check["state"] for check in seen.values()} == {"ok"}
    assert seen["endpoint"]["seen"] == f"{secure.url} answers, over TLS"
    assert report["push"] == "yes"


def test_an_interrupt_leaves_nothing_behind(
    project: Path, bucket: str, proxy: FaultProxy, through: S3Server, pivot: Command
) -> None:
    proxy.delay = 0.2

    with pivot.start("doctor", cwd=project, **through.environment()) as process:
        wait_for(lambda: any(method == "PUT" for method, _ in proxy.requests), process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (130, ""), err
    assert "Interrupted." in err
    deadline = time.monotonic() + 60
    while proxy._in_flight and time.monotonic() < deadline:
        time.sleep(0.05)  # what was on its way when the command ended arrives all the same
    assert buckets.keys(proxy.upstream, bucket) == []


def wait_for(seen: Any, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)


def test_a_configuration_that_cannot_be_read_and_no_project_at_all(
    tmp_path: Path, bare_pivot: Command
) -> None:
    (tmp_path / "project/.pivot").mkdir(parents=True)
    (tmp_path / "project/.pivot/config.yaml").write_text("remotes: [\n")

    broken, seen = read(bare_pivot("doctor", "--json", cwd=tmp_path / "project"))
    quiet = bare_pivot("doctor", "-q", cwd=tmp_path)

    assert (failed(seen), broken["exit_code"]) == (["configuration"], 8)
    assert (quiet.code, quiet.out) == (2, "")
    assert quiet.err.startswith("failed     project        No .pivot directory found")


def test_several_remotes_without_a_default(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "s3://one/p\n  two: s3://two/p")

    report, seen = ask(project, None)

    assert (failed(seen), report["exit_code"]) == (["remote"], 2)
    assert seen["links"]["state"] == "ok"


def test_a_folder(tmp_path: Path, bare_pivot: Command) -> None:
    folder = tmp_path / "folder"
    project = make_project(tmp_path / "project", folder.as_uri())
    before = sorted(tmp_path.rglob("*"))

    missing = bare_pivot("doctor", cwd=project)
    left = sorted(tmp_path.rglob("*"))
    folder.mkdir()
    report, seen = ask(project, None, PIVOT_CACHE_DIR=str(tmp_path / "cache"))

    assert missing.code == 1
    assert "there is no such folder" in missing.out
    assert "not asked  list, get, put, put-if-absent, delete: folder failed\n" in missing.out
    assert {check["state"] for check in seen.values()} == {"ok"}
    assert (report["pull"], report["push"]) == ("yes", "yes")
    assert left == before
    assert sorted(tmp_path.rglob("*")) == sorted([*before, folder])


def test_a_cache_that_is_a_file(project: Path, tmp_path: Path, server: S3Server) -> None:
    (tmp_path / "cache").write_text("")

    report, seen = ask(project, server, PIVOT_CACHE_DIR=str(tmp_path / "cache"))

    assert (failed(seen), report["exit_code"]) == (["cache"], 7)
    assert (report["pull"], report["push"]) == ("no", "yes")


def test_the_policy_that_is_printed_is_for_the_remote(
    project: Path, tmp_path: Path, bucket: str, bare_pivot: Command
) -> None:
    bare_pivot("remote", "add", "nas", tmp_path.as_uri(), cwd=project)

    printed = bare_pivot("remote", "policy", "origin", "--role", "main", cwd=project)
    folder = bare_pivot("remote", "policy", "nas", "--role", "main", cwd=project)
    unknown = bare_pivot("remote", "policy", "nosuch", "--role", "main", cwd=project)

    assert printed.code == 0
    assert re.findall(r'"(arn:[^"]*)"', printed.out) == [
        f"arn:aws:s3:::{bucket}",
        f"arn:aws:s3:::{bucket}/p/*",
    ]
    assert (folder.code, unknown.code) == (2, 2)
    assert "is a folder" in folder.err


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "tmp").write_text("in the way")
    project = make_project(tmp_path / "project", folder.as_uri())

    report, seen = ask(project, None)

    assert (failed(seen), report["exit_code"]) == (["put"], 7)
    assert (report["pull"], report["push"]) == ("yes", "no")
    assert (folder / "tmp").read_text() == "in the way"


DATA = b"pivot doctor was here\n"
REFUSAL = (
    b"<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::111122223333:user/ana is not "
    b"authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:1:key/2 because"
    b" no identity-based policy allows the kms:GenerateDataKey action</Message></Error>"
)


def test_a_kms_key_that_may_not_be_used_is_named_as_the_service_names_it(
    tmp_path: Path, server: S3Server
) -> None:
    def lie(_: Bucket, method: str, key: str, __: Mapping[str, str]) -> Told | None:
        return Told(403, REFUSAL) if method == "PUT" else None

    project = make_project(tmp_path / "project", "s3://bucket/p")
    with hostile(Bucket({}, lie=lie)) as url:
        report, seen = ask(project, server, AWS_ENDPOINT_URL=url)

    assert (failed(seen), report["exit_code"]) == (["put"], 4)
    assert seen["put"]["permission"] == "kms:GenerateDataKey on the KMS key of the bucket"
    assert seen["put"]["cure"].endswith("--role main --kms-key ARN")
    assert seen["clock"]["seen"] == "the service does not tell the time"


def test_how_objects_are_encrypted_is_told(tmp_path: Path, server: S3Server) -> None:
    """The service knows no other methods than GET, HEAD and PUT."""

    def lie(_: Bucket, method: str, key: str, __: Mapping[str, str]) -> Told | None:
        if method == "PUT":
            return Told(412, error("PreconditionFailed"))
        if method == "HEAD" and key:
            kept = {"x-amz-server-side-encryption": "aws:kms", "Last-Modified": MODIFIED}
            return Told(200, DATA, kept | {"ETag": '"x"'})
        return None

    project = make_project(tmp_path / "project", "s3://bucket/p")
    with hostile(Bucket({"p/doctor/left": DATA}, lie=lie)) as url:
        report, seen = ask(project, server, AWS_ENDPOINT_URL=url)

    assert failed(seen) == ["multipart"]
    assert (report["pull"], report["push"]) == ("yes", "no")
    assert "doctor/left stays" in seen["put"]["seen"]
    assert seen["encryption"]["seen"] == "aws:kms"


@pytest.mark.parametrize(
    ("named", "state", "told"),
    [
        ("", "ok", "eu-test-1, as AWS tells"),
        ("us-east-1", "warning", "the bucket is in eu-test-1, us-east-1 is configured"),
    ],
)
def test_the_region_that_the_service_tells_is_used_where_nobody_names_one(
    named: str, state: str, told: str, tmp_path: Path, server: S3Server
) -> None:
    def lie(_: Bucket, method: str, key: str, __: Mapping[str, str]) -> Told | None:
        return Told(403, b"", {"x-amz-bucket-region": "eu-test-1"}) if method == "HEAD" else None

    project = make_project(tmp_path / "project", "s3://bucket/p")
    with hostile(Bucket({}, lie=lie)) as url:
        more = {"AWS_ENDPOINT_URL": url, "AWS_REGION": named}
        _, seen = ask(project, server, read_only=True, **more)

    assert (seen["region"]["state"], seen["region"]["seen"].partition(":")[0]) == (state, told)


def test_what_comes_back_damaged_is_found(
    project: Path, proxy: FaultProxy, through: S3Server
) -> None:
    proxy.corrupt(1)

    report, seen = ask(project, through)

    assert (failed(seen), report["exit_code"]) == (["get"], 5)


def test_who_waits_for_an_answer_may_say_how_long(
    project: Path, proxy: FaultProxy, through: S3Server, pivot: Command
) -> None:
    proxy.stall = True

    done = pivot("doctor", "--timeout", "1s", cwd=project, **through.environment())

    assert (done.code, done.out) == (124, "")


def test_scratch_objects_of_others_are_left_for_a_day(
    project: Path, server: S3Server, bucket: str
) -> None:
    buckets.put(server, bucket, f"p/doctor/{'a' * 32}", DATA)

    _, seen = ask(project, server)

    assert seen["delete"]["seen"] == "may delete: nothing is left of this"
    assert buckets.keys(server, bucket) == [f"p/doctor/{'a' * 32}"]
