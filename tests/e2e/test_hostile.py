"""Lock, `.pvt` and configuration files come from git, perhaps from a stranger."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command
from tests.e2e.relay import relay
from tests.e2e.weather import assert_sentence, without_cache
from tests.projects import Document, ProjectBuilder, Tree, digest, dump, tree, tree_digest
from tests.servers import S3Server

BODY = b"evil\n"


@pytest.fixture(name="evil_bucket", scope="module")
def _evil_bucket(new_bucket: Callable[[], str], server: S3Server) -> str:
    bucket, name = new_bucket(), digest(BODY)
    buckets.put(server, bucket, f"p/files/{name[:2]}/{name[2:]}", BODY)
    return bucket


@pytest.fixture(name="victim")
def _victim(tmp_path: Path, evil_bucket: str) -> Path:
    """A project beside files that belong to nobody's pipeline; the bucket has the evil object."""
    home = tmp_path / "home"
    (home / "outside").mkdir(parents=True)
    (home / "outside" / "sentinel").write_text("untouched")
    (home / "project" / ".git" / "hooks").mkdir(parents=True)
    (home / "project" / ".git" / "config").write_text("[core]\n")
    (home / "project" / "data").mkdir()
    ProjectBuilder(home / "project").config(f"remotes:\n  origin: s3://{evil_bucket}/p\n")
    return home / "project"


def lock(*outs: Document) -> str:
    return dump({"code_manifest": {}, "params": {}, "deps": [], "outs": list(outs)})


def a_file(path: str) -> Document:
    return {"key": None, "hash": digest(BODY), "path": path}


def a_directory(path: str, *relpaths: str, empty: tuple[str, ...] = ()) -> Document:
    manifest = [
        {"relpath": name, "hash": digest(BODY), "size": len(BODY), "isexec": False}
        for name in relpaths
    ]
    extra: Document = {"empty_dirs": list(empty)} if empty else {}
    whole = tree_digest(manifest, empty)  # who makes a lock by hand makes its hash right
    return {"key": None, "hash": whole, "path": path, "manifest": manifest, **extra}


def around(victim: Path) -> tuple[Tree, dict[str, bytes]]:
    """Everything that must stay as it is: outside of the project, and git's and Pivot's own."""
    inside = {
        path.relative_to(victim).as_posix(): path.read_bytes()
        for part in (".git", ".pivot/stages", ".pivot/config.yaml")
        for path in ([victim / part] if (victim / part).is_file() else (victim / part).rglob("*"))
        if path.is_file()
    }
    return tree(victim.parent / "outside"), inside


WAYS_OUT = [
    *("../outside/x", "../outside/sentinel", "data/../../outside/x", "data/../../../etc/x"),
    *("data/sub/../../../outside/x", "..", ".", "./x", "x/.", "x/..", "data/..", "../project/x"),
    *("/", "//", "/tmp/pivot-hostile/x", "//tmp/pivot-hostile/x", "/proc/self/cwd/x", "x//"),
    *("data//x", "data/./x", "data/x\0y", "\0", "data/x\0/../../../outside/y"),
    *(".git", ".git/", ".git/config", ".git/hooks/post-checkout", ".git/objects/info/alternates"),
    *(".GIT/hooks/post-checkout", ".Git/config", ".gIT", "sub/.git/config", "sub/.git", "a/b/.GIT"),
    *(".git /config", ".git./config", ".git...", ".git . /x", ".git::$INDEX_ALLOCATION/config"),
    *(".git:x", "git~1/config", "GIT~1", "sub/Git~1/hooks/x", ".g\u200cit/config"),
    *("\u200d.git/x", ".gi\u202et", "\ufeff.GIT/config", "data\\.git\\config", ".git\\config"),
    *(".pivot", ".pivot/config.yaml", ".pivot/stages/train.lock", ".pivot/cache/files/ab/cd"),
    *(".PIVOT/stages/x.lock", "sub/.pivot/config.yaml", "pivot~1/config.yaml", ".pivot./x"),
]


@pytest.mark.parametrize(
    ("path", "command"),
    [*((path, "pull") for path in WAYS_OUT), *((path, "push") for path in WAYS_OUT[::5])],
)
def test_an_output_that_leaves_the_workspace(
    path: str, command: str, victim: Path, pivot: Command
) -> None:
    (victim / ".pivot/stages/evil.lock").write_text(lock(a_file(path)))
    before = around(victim)

    done = pivot(command, cwd=victim)

    assert_sentence(done, 5, "unsafe path", "evil.lock")
    assert around(victim) == before


@pytest.mark.parametrize("path", WAYS_OUT)
def test_a_file_of_a_directory_that_leaves_the_workspace(
    path: str, victim: Path, pivot: Command
) -> None:
    (victim / ".pivot/stages/evil.lock").write_text(lock(a_directory("data/tree", path)))
    before = around(victim)

    done = pivot("pull", cwd=victim)

    assert_sentence(done, 5, "unsafe path", "evil.lock")
    assert around(victim) == before
    assert not (victim / "data/tree").exists()


@pytest.mark.parametrize(
    "path", ["../outside/made", "/tmp/pivot-hostile", "a/../../../outside/m", ".git/m"]
)
def test_an_empty_directory_that_leaves_the_workspace(
    path: str, victim: Path, pivot: Command
) -> None:
    out = a_directory("data/tree", "x", empty=(path,))
    (victim / ".pivot/stages/evil.lock").write_text(lock(out))
    before = around(victim)

    done = pivot("pull", cwd=victim)

    assert_sentence(done, 5, "unsafe path", "evil.lock")
    assert around(victim) == before


@pytest.mark.parametrize("path", WAYS_OUT)
def test_tracked_data_that_leaves_the_workspace(path: str, victim: Path, pivot: Command) -> None:
    document = {"path": path, "hash": digest(BODY), "size": len(BODY)}
    (victim / "data/evil.pvt").write_text(dump(document))
    before = around(victim)

    done = pivot("pull", cwd=victim)

    assert_sentence(done, 5, "unsafe path", "data/evil.pvt")
    assert around(victim) == before


@pytest.mark.parametrize("command", ["pull", "checkout", "pull --force"])
@pytest.mark.parametrize("where", ["parent", "inside a directory", "the output itself"])
def test_a_symlink_that_leads_outside_is_not_followed(
    where: str, command: str, victim: Path, pivot: Command
) -> None:
    outside = victim.parent / "outside"
    if where == "parent":
        (victim / "link").symlink_to(outside)
        out = a_file("link/x")
    elif where == "inside a directory":
        (victim / "data/tree").mkdir()
        (victim / "data/tree/sub").symlink_to(outside)
        out = a_directory("data/tree", "sub/sentinel", "sub/x")
    else:
        (victim / "data/out").symlink_to(outside / "sentinel")
        out = a_file("data/out")
    (victim / ".pivot/stages/evil.lock").write_text(lock(out))
    pivot("fetch", cwd=victim)
    before = around(victim)

    done = pivot(*command.split(), cwd=victim)

    assert around(victim) == before
    if where == "the output itself":
        # what the user linked there is the user's: refused, unless it is to be replaced
        assert done.code == (0 if "--force" in command else 1), done
    else:
        assert_sentence(done, 5, "symlink")


def test_a_dangling_symlink_at_the_place_of_an_output_is_not_written_through(
    victim: Path, pivot: Command
) -> None:
    target = victim.parent / "outside" / "new"
    (victim / "data/out").symlink_to(target)
    (victim / ".pivot/stages/evil.lock").write_text(lock(a_file("data/out")))

    done = pivot("pull", "--force", cwd=victim)

    assert done.code == 0, done
    assert not target.exists()
    assert (victim / "data/out").read_bytes() == BODY


def test_a_directory_output_whose_place_is_a_symlink_to_outside(
    victim: Path, pivot: Command
) -> None:
    (victim / "data/tree").symlink_to(victim.parent / "outside")
    (victim / ".pivot/stages/evil.lock").write_text(lock(a_directory("data/tree", "sentinel")))
    before = around(victim)

    done = pivot("pull", cwd=victim)

    assert done.code in {1, 5}, done
    assert around(victim) == before


BOMB = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40))
DOCUMENTS = {
    "many brackets": b"outs: " + b"[" * 200_000,
    "many braces": b"outs: " + b"{a: " * 100_000,
    "deep blocks": b"".join(b" " * n + b"- \n" for n in range(3000)),
    "deep blocks in a line": b"- " * 200_000 + b"x",
    "deep mappings in a line": b"? " * 200_000 + b"x",
    "alias bomb": b"a0: &a0 x\n" + BOMB.encode(),
    "recursive alias": b"outs: &a [*a]\n",
    "duplicate keys": b"code_manifest: {}\ncode_manifest: {}\nparams: {}\ndeps: []\nouts: []\n",
    "python tag": b"outs: !!python/object/apply:os.system ['touch pwned']\n",
    "binary": bytes(range(256)) * 10,
    "NUL": b"outs: \x00\n",
    "UTF-16": "outs: []\n".encode("utf-16"),
    "Latin-1": "outs: [é]\n".encode("latin-1"),
    "surrogates": b'outs: "\\uD800"\n',
    "two documents": b"outs: []\n---\nouts: []\n",
    "70 MB": b"# " + b"x" * 70_000_000,
    "a key that is a list": b"? [a, b]\n: c\n",
    "merge key": b"a: &a {b: c}\nouts: {<<: *a}\n",
}


@pytest.mark.parametrize("file", [".pivot/stages/evil.lock", "data/evil.pvt", ".pivot/config.yaml"])
@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_that_is_made_to_break_the_reader(
    text: bytes, file: str, victim: Path, pivot: Command
) -> None:
    (victim / file).write_bytes(text)
    began = time.monotonic()

    done = pivot("push", cwd=victim)

    # most of the configurations are without effect rather than wrong; then there is no remote
    assert done.code == 8 or (file.endswith("config.yaml") and done.code == 2), done
    assert_sentence(done, done.code)
    assert len(done.err) < 2000
    assert time.monotonic() - began < 20
    assert not (victim / "pwned").exists()


@pytest.mark.parametrize(
    "entry",
    ["x", [], {}, {"relpath": "x"}, {"relpath": 3, "hash": digest(BODY), "size": -1}, None],
)
def test_an_entry_of_a_manifest_that_is_of_the_wrong_type(
    entry: object, victim: Path, pivot: Command
) -> None:
    out = {"key": None, "hash": "0" * 16, "path": "data/tree", "manifest": [entry]}
    (victim / ".pivot/stages/evil.lock").write_text(lock(out))

    done = pivot("pull", cwd=victim)

    assert_sentence(done, 8, "evil.lock", "outs[0].manifest[0]")


def test_an_object_that_is_far_larger_than_recorded_is_not_read(
    tmp_path: Path, pivot: Command, bucket: str, server: S3Server
) -> None:
    builder = ProjectBuilder(tmp_path / "project")
    builder.stage("make", {"data/tree": {"x": b"small"}})
    builder.config(f"remotes:\n  origin: s3://{bucket}/p\n")
    clone = without_cache(builder.root, tmp_path / "clone")
    name = digest(b"small")
    buckets.put(server, bucket, f"p/files/{name[:2]}/{name[2:]}", os.urandom(64 << 20))

    with relay(server.url) as meter:
        done = pivot("pull", cwd=clone, AWS_ENDPOINT_URL=meter.url)

    assert_sentence(done, 5, "data/tree/x", "67108864 bytes instead of 5")
    assert meter.received < 16 << 20
    assert not (clone / "data").exists()


CLASHES = {
    "in a directory": [a_directory("data/tree", "Readme", "readme")],
    "composed and not": [a_directory("data/tree", "caf\u00e9", "cafe\u0301")],
    "two outputs": [a_file("data/Readme"), a_file("data/readme")],
}


@pytest.mark.parametrize("outs", CLASHES.values(), ids=CLASHES)
def test_names_that_a_file_system_folds_are_two_files_where_it_does_not(
    outs: list[Document], victim: Path, pivot: Command
) -> None:
    (victim / ".pivot/stages/both.lock").write_text(lock(*outs))

    done = pivot("pull", cwd=victim)

    assert done.code == 0, done
    assert [p.read_bytes() for p in (victim / "data").rglob("*") if p.is_file()] == [BODY] * 2


@pytest.mark.parametrize("command", ["pull", "pull --force"])
@pytest.mark.parametrize("outs", CLASHES.values(), ids=CLASHES)
def test_names_that_the_file_system_folds_are_refused(
    outs: list[Document], command: str, victim: Path, pivot: Command
) -> None:
    (victim / ".pivot/stages/both.lock").write_text(lock(*outs, a_file("data/other")))
    (victim / ".PIVOT").symlink_to(".pivot")  # as a file system has it that folds case

    done = pivot(*command.split(), cwd=victim)

    assert_sentence(done, 5, "one and the same file on this file system")
    assert [path.name for path in (victim / "data").iterdir()] == ["other"]
