"""Several remotes at once: read from the first that has it, push to each; who may do what."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest

from pivot.schema import schema_text
from tests import buckets
from tests.conftest import Command
from tests.e2e.weather import (
    OBJECTS,
    assert_sentence,
    make_project,
    through,
    without_cache,
)
from tests.projects import ProjectBuilder, digest
from tests.servers import FaultProxy, S3Server, rclone
from tests.servers.policy import Hangup, Refusal, Request
from tests.servers.process import LOOPBACK, free_ports
from tests.servers.proxy import ReverseProxy
from tests.servers.seaweedfs import OPEN

FIRST = b"first" * 2000


def check(tree: object, schema: str) -> None:
    """Hold what a command printed against its schema."""
    jsonschema.validate(tree, json.loads(schema_text(schema)))


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    """Make a project with remotes: origin, which has all; near, with nothing; dead; and away."""
    root = make_project(tmp_path / "project", bucket)
    (tmp_path / "near").mkdir()
    (port,) = free_ports(1)
    with open(root / ".pivot/config.yaml", "a", encoding="utf-8") as config:
        config.write(
            f"folders:\n  near: file://{tmp_path}/near\n  away: file://{tmp_path}/not-mounted\n"
            f"remote_options:\n  dead:\n    endpoint: http://{LOOPBACK}:{port}\n"
        )
    text = (root / ".pivot/config.yaml").read_text()
    text = text.replace("remotes:\n", "remotes:\n  dead: s3://nobody/p\n", 1)
    (root / ".pivot/config.yaml").write_text(f"{text}default_remote: origin\n")
    return root


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
    tree = json.loads(done.out)
    check(tree, "report")
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


def test_what_nobody_has_who_could_be_asked_is_not_called_missing(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    clone = without_cache(project, tmp_path / "clone")
    chain = ("-r", "near", "-r", "dead")

    done = {name: pivot(name, *chain, cwd=clone) for name in ("pull", "verify")}
    soft = pivot("fetch", *chain, "--on-miss", "ignore", cwd=clone)
    stands = pivot("status", *chain, cwd=clone)
    told = json.loads(pivot("status", *chain, "--json", cwd=clone).out)
    deep = pivot("verify", *chain, "--deep", cwd=clone)
    check = pivot("push", "--check", *chain, cwd=clone)
    gone = pivot("pull", "-r", "near,origin", cwd=clone)
    none = pivot("pull", "-r", "away,dead", cwd=clone)

    assert check.code == 6, check  # a push would go to both
    assert "is not on remote 'near'" in check.err
    assert "s3://nobody/p: no connection" in check.err
    for each in (*done.values(), soft, deep):
        assert each.code == 6, each
        assert "is not on remote 'near', and remote 'dead' could not be asked" in each.err
    assert stands.code == 6, stands
    assert "unknown" in stands.out
    assert "missing" not in {stage["state"] for stage in told["stages"]}
    assert {output["remote"] for stage in told["stages"] for output in stage["outputs"]} == {
        "unknown"
    }
    assert stands.err.count("Warning: remote 'dead' could not be asked: ") == 1
    assert [text.partition(":")[0] for text in told["warnings"]] == [
        "remote 'dead' could not be asked"
    ]
    assert gone.code == 3, gone
    assert "is not on remote 'near,origin'" in gone.err
    assert none.code == 6, none
    assert "no remote could be asked: 'away': " in none.err


def test_a_check_asks_where_a_push_would_go(project: Path, pivot: Command) -> None:
    assert pivot("push", "-r", "near", cwd=project).code == 0
    assert pivot("config", "set", "read_remotes", "near,origin", cwd=project).code == 0

    read = pivot("verify", cwd=project)
    usual = pivot("push", "--check", cwd=project)
    near = pivot("push", "--check", "-r", "near", cwd=project)
    both = pivot("push", "--check", "-r", "near", "-r", "origin", cwd=project)
    assert pivot("push", cwd=project).code == 0
    after = pivot("push", "--check", "-r", "near", "-r", "origin", cwd=project)

    assert (read.code, near.code, after.code) == (0, 0, 0)
    for each in (usual, both):
        assert_sentence(each, 3, "is not on remote 'origin'")
    assert after.out.count(f"{OBJECTS} of {OBJECTS} object(s) are there") == 2


def test_what_only_looks_reads_the_same_chain(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    assert pivot("push", "-r", "near", cwd=project).code == 0
    assert pivot("config", "set", "read_remotes", "dead,near", cwd=project).code == 0

    clone = without_cache(project, tmp_path / "clone")
    dag = pivot("dag", "--online", cwd=clone)
    report = pivot("report", "--online", "--json", cwd=project)
    named = pivot("report", "-r", "dead", "-r", "near", cwd=project)
    told = json.loads(report.out)

    check(told, "inventory")
    assert told["remote"] == "dead,near"
    assert told["places"]["remote"]["there"]["count"] == OBJECTS
    assert [text.partition(":")[0] for text in told["warnings"]] == [
        "remote 'dead' could not be asked"
    ]
    for done in (dag, named):
        assert done.code == 0, done
        assert done.err.count("Warning: remote 'dead' could not be asked: ") == 1


@pytest.mark.parametrize("word", ["status", "report"])
def test_what_is_nowhere_here_and_on_one_of_two_is_told_to_be_there(
    word: str, project: Path, pivot: Command, tmp_path: Path
) -> None:
    (project / "in.csv").write_text("a,b\n")
    assert pivot("track", "in.csv", cwd=project).code == 0
    (project / "pivot.yaml").write_text(
        "stages:\n  sort: {cmd: sort in.csv > sorted.csv, deps: [in.csv], outs: [sorted.csv]}\n"
    )
    assert pivot("repro", cwd=project).code == 0
    assert pivot("push", "-r", "origin", cwd=project).code == 0
    clone = without_cache(project, tmp_path / "clone")
    shutil.copy(project / "pivot.yaml", clone)

    done = pivot(word, "-r", "near", "-r", "origin", "--json", cwd=clone)

    assert done.code == 0, done
    assert {stage["state"] for stage in json.loads(done.out)["stages"]} <= {"hit", "unknown"}


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


@pytest.mark.parametrize("word", ["doctor", "gc"])
def test_what_takes_one_remote_refuses_two(word: str, project: Path, pivot: Command) -> None:
    assert_sentence(pivot(word, "-r", "near", "-r", "origin", cwd=project), 2, "one remote")


def test_the_doctor_writes_to_no_remote_that_is_closed(
    project: Path, pivot: Command, server: S3Server
) -> None:
    assert pivot("push", cwd=project).code == 0
    with through(server, pivot) as (proxy, command):
        command("config", "set", "remote_options.origin.read_only", "true", cwd=project)
        done = command("doctor", "--json", cwd=project)
        methods = {method for method, _ in proxy.requests}
    told = json.loads(done.out)

    assert done.code == 0, done
    assert not methods & {"PUT", "DELETE"}
    assert (told["pull"], told["push"]) == ("yes", "no")


def test_the_doctor_examines_what_is_read_where_there_is_no_default(
    project: Path, pivot: Command
) -> None:
    text = (project / ".pivot/config.yaml").read_text().replace("default_remote: origin\n", "")
    (project / ".pivot/config.yaml").write_text(f"{text}read_remotes: near,origin\n")

    done = pivot("doctor", cwd=project)
    assert pivot("config", "set", "read_remotes", "near", cwd=project).code == 0
    alone = pivot("doctor", cwd=project)
    assert pivot("config", "set", "default_remote", "typo", cwd=project).code == 0
    wrong = pivot("doctor", cwd=project)

    for each in (done, alone):
        assert each.code == 0, each
        assert "'near' (the first that is read from" in each.out
    assert wrong.code == 2, wrong


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


def test_repro_tells_of_a_remote_that_was_passed_over(
    project: Path, pivot: Command, tmp_path: Path
) -> None:
    ProjectBuilder(project).stage("sort", {"sorted.txt": b"a b"})
    assert pivot("push", cwd=project).code == 0
    clone = without_cache(project, tmp_path / "clone")
    (clone / "pivot.yaml").write_text("stages:\n  sort: {cmd: x, outs: [sorted.txt]}\n")

    chain = ("--allow-missing", "-r", "dead,origin")
    done = pivot("repro", "--dry-run", *chain, cwd=clone)
    told = json.loads(pivot("repro", "--dry-run", "--json", *chain, cwd=clone).out)

    assert done.out.count("Note: remote 'dead' could not be asked: ") == 1, done
    assert [text.partition(":")[0] for text in told["notes"]] == [
        "remote 'dead' could not be asked"
    ]


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
    tree = json.loads(done.out)
    check(tree, "report")
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
    check(json.loads(listed.out), "remotes")
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
