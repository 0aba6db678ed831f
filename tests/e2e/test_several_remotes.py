"""Several remotes at once: read from the first that has it, push to each; who may do what."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import buckets
from tests.conftest import Command
from tests.e2e.chained import make_chained
from tests.e2e.test_report import valid
from tests.e2e.weather import (
    OBJECTS,
    make_project,
    through,
    without_cache,
)
from tests.projects import ProjectBuilder, digest
from tests.servers import FaultProxy, S3Server, rclone
from tests.servers.policy import Hangup, Refusal, Request
from tests.servers.process import LOOPBACK
from tests.servers.proxy import ReverseProxy
from tests.servers.seaweedfs import OPEN

FIRST = b"first" * 2000


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_chained(tmp_path, bucket)


def test_an_object_is_read_from_the_first_remote_that_has_it(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    assert pivot("push", cwd=project).code == 0
    assert pivot("push", "data/a.bin", "-r", "near", cwd=project).code == 0
    before = buckets.folder_contents(tmp_path / "near")
    clone = without_cache(project, tmp_path / "clone")

    planned = pivot("fetch", "-n", "-r", "near", "-r", "origin", cwd=clone)
    done = pivot("pull", "-r", "near", "-r", "origin", "--json", cwd=clone)

    assert "'near': 1 object(s), 10.0 kB" in planned.out
    assert done.code == 0, done
    tree = valid(done.out, "report")
    (transfer,) = tree["transfers"]
    assert transfer["remote"] == "near,origin"
    sources = {source["remote"]: source["objects"] for source in transfer["sources"]}
    assert sources == {"near": 1, "origin": OBJECTS - 1}
    assert (clone / "data/a.bin").read_bytes() == FIRST
    assert buckets.folder_contents(tmp_path / "near") == before  # nothing is written by a pull


def test_who_cannot_be_asked_is_named_once_and_the_others_are_asked(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    assert pivot("push", cwd=project).code == 0
    clone = without_cache(project, tmp_path / "clone")
    assert pivot("config", "set", "read_remotes", "away,dead,origin", cwd=clone).code == 0

    verified = pivot("verify", cwd=clone)
    pulled = pivot("pull", cwd=clone)

    for done in (verified, pulled):
        assert done.code == 0, done
        assert done.err.count("remote 'away' could not be asked: ") == 1
        assert done.err.count("remote 'dead' could not be asked: ") == 1
    assert (clone / "data/a.bin").read_bytes() == FIRST
    assert (
        "Read from the first that has it: away, dead, origin"
        in pivot("remote", "list", cwd=clone).out
    )


def test_two_clones_meet_by_two_remotes(project: Path, pivot: Command, tmp_path: Path) -> None:
    assert pivot("push", cwd=project).code == 0
    assert pivot("config", "set", "read_remotes", "near,origin", cwd=project).code == 0
    other = without_cache(project, tmp_path / "other")
    ProjectBuilder(project).stage("of/one", {"one.txt": b"made here"})
    ProjectBuilder(other).stage("of/two", {"two.txt": b"made there"})
    assert pivot("push", "of/one", "-r", "near", cwd=project).code == 0
    assert pivot("push", "of/two", "-r", "origin", cwd=other).code == 0
    for source, target in ((project, other), (other, project)):
        shutil.copytree(source / ".pivot/stages", target / ".pivot/stages", dirs_exist_ok=True)

    for root in (project, other):
        pulled = pivot("pull", cwd=root)
        told = json.loads(pivot("status", "--online", "--json", cwd=root).out)
        checked = pivot("push", "--check", "-r", "near", "-r", "origin", cwd=root)
        assert pulled.code == 0, pulled
        assert (root / "one.txt").read_bytes() == b"made here"
        assert (root / "two.txt").read_bytes() == b"made there"
        everywhere = {
            (o["workspace"], o["cache"], o["remote"]) for s in told["stages"] for o in s["outputs"]
        }
        assert everywhere == {("same", "there", "there")}
        assert checked.code == 3, checked  # each remote lacks what the other has
        assert "one.txt: object" in checked.err
        assert "two.txt: object" in checked.err
    assert pivot("push", "-r", "near", "-r", "origin", cwd=other).code == 0
    assert pivot("push", "--check", "-r", "near", "-r", "origin", cwd=project).code == 0


def test_a_refusal_falls_through_and_is_told(
    project: Path, pivot: Command, tmp_path: Path, server: S3Server
) -> None:
    assert pivot("push", "-r", "near", cwd=project).code == 0
    clone = without_cache(project, tmp_path / "clone")

    with through(server, pivot) as (proxy, command):
        proxy.deny_all()
        done = command("pull", "-r", "origin,near", cwd=clone)

    assert done.code == 0, done
    assert done.err.count("remote 'origin' ") == 1, done
    assert (clone / "data/a.bin").read_bytes() == FIRST


def test_a_damaged_copy_is_passed_over(project: Path, pivot: Command, tmp_path: Path) -> None:
    assert pivot("push", "-r", "near", "-r", "origin", cwd=project).code == 0
    name = digest(FIRST)
    copy = tmp_path / "near/files" / name[:2] / name[2:]
    copy.chmod(0o644)
    copy.write_bytes(b"wrong" * 2000)
    clone = without_cache(project, tmp_path / "clone")

    done = pivot("pull", "-r", "near", "-r", "origin", cwd=clone)

    assert done.code == 0, done
    assert f"remote 'near' (file://{tmp_path}/near) has a damaged copy of object {name}" in done.err
    assert (clone / "data/a.bin").read_bytes() == FIRST


def test_a_push_to_two_gives_both_all_though_one_before_them_fails(
    project: Path, pivot: Command, tmp_path: Path, bucket: str, server: S3Server
) -> None:
    planned = pivot("push", "-n", "-r", "near", "-r", "origin", cwd=project)
    done = pivot("push", "-r", "dead", "-r", "near", "-r", "origin", "--json", cwd=project)

    for name in ("near", "origin"):
        assert f"Would push {OBJECTS} file(s) to '{name}'" in planned.out
    assert done.code == 6, done
    tree = valid(done.out, "report")
    codes = {each["remote"]: each["exit_code"] for each in tree["transfers"]}
    assert codes == {"dead": 6, "near": 0, "origin": 0}
    assert len(buckets.keys(server, bucket)) == OBJECTS
    assert len(buckets.folder_contents(tmp_path / "near")) == OBJECTS
    again = pivot("push", "-r", "near", "-r", "origin", cwd=project)
    assert again.out.count(f"0 transferred, {OBJECTS} skipped, 0 failed") == 2


def test_two_services_serve_one_chain(
    project: Path, pivot: Command, tmp_path: Path, server: S3Server
) -> None:
    clone = without_cache(project, tmp_path / "clone")
    with rclone(tmp_path / "rclone") as other:
        other.make_bucket("far")
        lines = {"remotes.far": "s3://far/p", "remote_options.far.endpoint": other.url}
        lines["remote_options.origin.endpoint"] = server.url
        for root in (project, clone):
            for key, value in lines.items():
                assert pivot("config", "set", key, value, cwd=root).code == 0
        keys = other.environment()  # each service knows its own, by a profile of the user's
        profile = pivot.home / ".aws/credentials"
        profile.parent.mkdir()
        profile.write_text(
            f"[far]\naws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n"
        )
        key = "remote_options.far.profile"
        assert pivot("config", "set", "--global", key, "far", cwd=project).code == 0
        pushed = pivot("push", "data/a.bin", "-r", "origin", cwd=project)
        both = pivot("push", "-r", "far", cwd=project)
        done = pivot("pull", "-r", "origin", "-r", "far", cwd=clone)

    assert (pushed.code, both.code, done.code) == (0, 0, 0), (pushed, both, done)
    assert "'origin': 1 object(s)" in done.out
    assert f"'far': {OBJECTS - 1} object(s)" in done.out


def test_a_read_only_remote_is_read_and_never_written_to(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    assert pivot("push", "-r", "near", cwd=project).code == 0
    assert pivot("config", "set", "remote_options.near.read_only", "true", cwd=project).code == 0

    refused = [
        pivot("push", *options, cwd=project)
        for options in (("-r", "near"), ("-r", "origin", "-r", "near"), ("-n", "-r", "near"))
    ]
    clone = without_cache(project, tmp_path / "clone")

    for done in refused:
        assert done.code == 2, done
        assert "remote 'near' is read-only" in done.err
    assert pivot("pull", "-r", "near", cwd=clone).code == 0
    listed = pivot("remote", "list", "--json", cwd=project)
    valid(listed.out, "remotes")
    assert "(read-only)" in pivot("remote", "list", cwd=project).out


def test_an_open_bucket_is_read_without_any_credentials(
    tmp_path: Path, pivot: Command, bare_pivot: Command, server: S3Server
) -> None:
    if OPEN not in [bucket["Name"] for bucket in server.client().list_buckets()["Buckets"]]:
        server.make_bucket(OPEN)
    project = make_project(tmp_path / "project", OPEN)
    assert pivot("push", cwd=project).code == 0
    clone = without_cache(project, tmp_path / "clone")
    for option, value in {"endpoint": server.url, "anonymous": "true"}.items():
        key = f"remote_options.origin.{option}"
        assert bare_pivot("config", "set", key, value, cwd=clone).code == 0

    done = bare_pivot("pull", cwd=clone)
    signed = pivot("pull", cwd=clone, AWS_ACCESS_KEY_ID="unknown")  # would be refused, if sent
    pushed = pivot("push", cwd=clone)

    assert done.code == 0, done
    assert f"{OBJECTS} transferred" in done.out
    assert signed.code == 0, signed
    assert pushed.code == 2, pushed
    assert "remote 'origin' is anonymous" in pushed.err


class Witness(FaultProxy):
    """A service that remembers what each request said of who pays, and whether it was signed."""

    def __init__(self, server: S3Server) -> None:
        super().__init__(server)
        self.said: list[tuple[str, bool]] = []

    def before(self, request: Request) -> Refusal | Hangup | None:
        payer = request.headers.get("x-amz-request-payer", "")
        self.said.append((payer, "authorization" in request.headers))
        return super().before(request)


def test_who_pays_is_said_with_each_request_and_is_the_users_choice(
    project: Path, pivot: Command, server: S3Server
) -> None:
    option = "remote_options.origin"
    witness = Witness(server)
    upstream = urlsplit(server.url)
    where = (upstream.hostname or LOOPBACK, upstream.port or 80)

    refused = pivot("config", "set", f"{option}.requester_pays", "true", cwd=project)
    allowed = pivot("config", "set", "--global", f"{option}.requester_pays", "true", cwd=project)
    with ReverseProxy(where, witness).serving() as port:
        endpoint = {"AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}"}
        pushed = pivot("push", cwd=project, **endpoint)
        signed = list(witness.said)
        witness.said.clear()
        assert pivot("config", "set", f"{option}.anonymous", "true", cwd=project).code == 0
        bare = pivot("verify", cwd=project, **endpoint)

    assert refused.code == 2, refused
    assert "may be set for the user only" in refused.err
    assert (allowed.code, pushed.code) == (0, 0), pushed
    assert len(signed) > OBJECTS
    assert set(signed) == {("requester", True)}
    assert bare.code == 4, bare  # this bucket is not open to everybody
    assert set(witness.said) == {("", False)}  # nobody could be charged


def test_a_folder_that_takes_no_name_does_not_keep_the_others_from_getting_all(
    project: Path, pivot: Command, tmp_path: Path, server: S3Server, bucket: str
) -> None:
    name = digest(b"first" * 2000)
    (tmp_path / "near/files").mkdir()
    (tmp_path / "near/files" / name[:2]).write_text("a file where a directory belongs")

    alone = pivot("push", "-r", "near", cwd=project)
    done = pivot("push", "-r", "near", "-r", "origin", "--json", cwd=project)

    assert alone.code == 7, alone
    assert f"file://{tmp_path}/near: " in alone.err
    codes = {each["remote"]: each["exit_code"] for each in json.loads(done.out)["transfers"]}
    assert codes == {"near": 7, "origin": 0}
    assert done.code == 7, done
    assert len(buckets.keys(server, bucket)) == OBJECTS
