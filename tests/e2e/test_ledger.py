"""Ledgers: what a forged object, a stale or a false ledger, and the policy `require` come to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import buckets
from tests.conftest import Command, Done
from tests.e2e.weather import assert_sentence, leftovers, make_project, without_cache
from tests.forgery import forge
from tests.projects import ProjectBuilder, digest, dump, objects
from tests.servers import S3Server

MODEL = b"weights " * 500 + b"the end."
FALSE = forge(MODEL, b"malware ")
LEDGER = ".pivot/digests/make/model.sha256"
OBJECT = f"files/{digest(MODEL)[:2]}/{digest(MODEL)[2:]}"


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str, pivot: Command) -> Path:
    """Make a pushed project, with a ledger."""
    project = make_project(tmp_path / "project", bucket, {"out/model": MODEL})
    done = pivot("push", cwd=project)
    assert done.code == 0, done
    return project


@pytest.fixture(name="clone")
def _clone(project: Path, tmp_path: Path) -> Path:
    return without_cache(project, tmp_path / "clone")


def replace_on_remote(server: S3Server, bucket: str, body: bytes) -> None:
    """Do what somebody can who may write to the bucket."""
    buckets.put(server, bucket, f"p/{OBJECT}", body)


def replace_in_cache(project: Path, body: bytes) -> Path:
    place = project / ".pivot/cache" / OBJECT
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.write_bytes(body)
    place.chmod(0o444)
    return place


def rewrite_lock(project: Path, body: bytes) -> None:
    """Rewrite the lock as a tool does that knows no ledger."""
    root = project.parent / "other"
    ProjectBuilder(root).stage("make/model", {"out/model": body})
    lock = ".pivot/stages/make/model.lock"
    (project / lock).write_bytes((root / lock).read_bytes())
    name = digest(body)
    place = project / ".pivot/cache/files" / name[:2] / name[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(body)
    place.chmod(0o444)


def assert_nothing_false(project: Path) -> None:
    assert FALSE not in objects(project / ".pivot/cache").values()
    assert not (project / "out/model").exists()
    assert leftovers(project) == []


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_push_writes_the_ledger_that_sha256sum_checks(project: Path, pivot: Command) -> None:
    again = pivot("push", cwd=project)
    pulled = pivot("pull", cwd=project)
    checked = subprocess.run(
        ["sha256sum", "--strict", "--check", LEDGER], cwd=project, check=True, capture_output=True
    )

    assert (project / LEDGER).read_text().splitlines()[1:] == [
        f"# {digest(MODEL)}  out/model",
        f"{sha256(MODEL)}  out/model",
    ]
    assert "Wrote" not in again.err
    assert pulled.code == 0
    assert checked.stdout == b"out/model: OK\n"


def test_the_sum_is_metadata_of_the_object_as_well(
    project: Path, server: S3Server, bucket: str
) -> None:
    with contextlib.closing(server.client()) as s3:
        head = s3.head_object(Bucket=bucket, Key=f"p/{OBJECT}")

    assert head["Metadata"] == {"pivot-sha256": sha256(MODEL)}
    assert project


def test_repro_writes_the_same_ledger_as_push(tmp_path: Path, bare_pivot: Command) -> None:
    root, remote = tmp_path / "project", tmp_path / "remote"
    (root / ".pivot").mkdir(parents=True)
    remote.mkdir()
    (root / "pivot.yaml").write_text(
        dump(
            {
                "stages": {
                    "make": {
                        "cmd": "mkdir d && echo 1 > d/a && : > d/b && echo m > m",
                        "outs": ["d"],
                        "metrics": ["m"],
                    }
                }
            }
        )
    )
    (root / ".pivot/config.yaml").write_text(f"folders:\n  nas: {remote.as_uri()}\n")
    ran = bare_pivot("repro", cwd=root)
    written = (root / ".pivot/digests/make.sha256").read_text()
    (root / ".pivot/digests/make.sha256").unlink()
    pushed = bare_pivot("push", cwd=root)

    assert ran.code == pushed.code == 0, (ran, pushed)
    assert "Wrote .pivot/digests/make.sha256" in pushed.err
    assert (root / ".pivot/digests/make.sha256").read_text() == written
    assert written.splitlines()[2:] == [f"{sha256(b'1' + bytes([10]))}  d/a", f"{sha256(b'')}  d/b"]


@pytest.mark.parametrize("word", ["fetch", "pull"])
def test_a_forged_object_on_the_remote_never_comes_in(
    word: str, clone: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    replace_on_remote(server, bucket, FALSE)
    done = pivot(word, cwd=clone)
    assert_nothing_false(clone)
    replace_on_remote(server, bucket, MODEL)
    again = pivot("pull", cwd=clone)

    assert_sentence(done, 5, "out/model", digest(MODEL), sha256(FALSE), sha256(MODEL), LEDGER)
    assert "the copy on the remote is false and was not kept" in done.err
    assert again.code == 0, again
    assert "Checked: 1 by SHA-256, 0 by xxh64 alone" in again.err
    assert (clone / "out/model").read_bytes() == MODEL


def test_without_a_ledger_a_forged_object_passes_and_is_counted_as_weak(
    clone: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    replace_on_remote(server, bucket, FALSE)
    (clone / LEDGER).unlink()
    done = pivot("pull", cwd=clone)
    told = json.loads(pivot("fetch", "--json", cwd=clone).out)

    assert done.code == 0, done
    assert "Checked: 0 by SHA-256, 1 by xxh64 alone" in done.err
    assert (clone / "out/model").read_bytes() == FALSE
    assert told["transfers"][0]["checks"] == {"sha256": 0, "xxh64_only": 0}


def test_an_object_that_says_itself_that_it_is_another_is_not_even_read(
    clone: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    with contextlib.closing(server.client()) as s3:
        s3.put_object(
            Bucket=bucket, Key=f"p/{OBJECT}", Body=MODEL, Metadata={"pivot-sha256": sha256(FALSE)}
        )
    done = pivot("pull", cwd=clone)

    assert_sentence(done, 5, sha256(FALSE))
    assert_nothing_false(clone)


def test_checkout_refuses_what_came_into_the_cache_without_a_ledger(
    clone: Path, pivot: Command
) -> None:
    replace_in_cache(clone, FALSE)
    dry = pivot("checkout", "--dry-run", cwd=clone)
    done = pivot("checkout", cwd=clone)

    for each in (dry, done):
        assert_sentence(each, 5, "out/model", digest(MODEL), sha256(FALSE), sha256(MODEL))
    assert not (clone / "out/model").exists()


@pytest.mark.parametrize("mode", ["hardlink", "symlink", "copy"])
def test_pull_heals_what_was_forged_in_cache_and_workspace(
    mode: str, clone: Path, pivot: Command
) -> None:
    ledger = (clone / LEDGER).read_bytes()
    (clone / LEDGER).unlink()
    replace_in_cache(clone, FALSE)
    weak = pivot("checkout", "--checkout-mode", mode, cwd=clone)
    placed = (clone / "out/model").read_bytes()
    (clone / LEDGER).write_bytes(ledger)
    healed = pivot("pull", "--checkout-mode", mode, cwd=clone)

    assert weak.code == 0, weak
    assert placed == FALSE
    assert healed.code == 0, healed
    assert (clone / "out/model").read_bytes() == MODEL
    assert FALSE not in objects(clone / ".pivot/cache").values()


def test_a_forged_copy_here_is_not_pushed(
    project: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    buckets.delete(server, bucket, f"p/{OBJECT}")
    replace_in_cache(project, FALSE)
    done = pivot("push", cwd=project)

    assert_sentence(done, 5, "the local copy is damaged and was not pushed", sha256(FALSE))
    assert buckets.contents(server, bucket) == {}


def test_a_large_forged_copy_is_not_completed(
    tmp_path: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    body = bytes(9 << 20) + b"0123456789abcdef"
    project = make_project(tmp_path / "large", bucket, {"out/model": body})
    first = pivot("push", cwd=project)
    (key,) = buckets.keys(server, bucket)
    buckets.delete(server, bucket, key)
    place = project / ".pivot/cache" / key.removeprefix("p/")
    place.chmod(0o644)
    place.write_bytes(forge(body, b"false"))
    done = pivot("push", cwd=project)

    assert first.code == 0, first
    assert_sentence(done, 5, "was not pushed")
    assert buckets.keys(server, bucket) == []


def test_a_large_object_has_its_sum_when_it_is_known_before(
    tmp_path: Path, bare_pivot: Command, server: S3Server, bucket: str
) -> None:
    root = tmp_path / "made"
    (root / ".pivot").mkdir(parents=True)
    (root / "pivot.yaml").write_text(
        dump({"stages": {"make": {"cmd": "head -c 9000000 /dev/zero > big", "outs": ["big"]}}})
    )
    (root / ".pivot/config.yaml").write_text(f"remotes:\n  origin: s3://{bucket}/p\n")
    ran = bare_pivot("repro", cwd=root)
    pushed = bare_pivot("push", cwd=root, **server.environment())
    (key,) = buckets.keys(server, bucket)
    with contextlib.closing(server.client()) as s3:
        head = s3.head_object(Bucket=bucket, Key=key)

    assert ran.code == pushed.code == 0, (ran, pushed)
    assert head["Metadata"] == {"pivot-sha256": sha256(bytes(9_000_000))}


class TestRequire:
    """The policy `require`."""

    @pytest.fixture(autouse=True)
    def _weak(self, clone: Path) -> None:
        (clone / LEDGER).unlink()

    @pytest.mark.parametrize("word", ["fetch", "pull", "checkout"])
    @pytest.mark.parametrize("how", ["option", "variable", "user", "project"])
    def test_what_no_ledger_vouches_for_is_refused(
        self, how: str, word: str, clone: Path, pivot: Command
    ) -> None:
        if word == "checkout":
            replace_in_cache(clone, MODEL)
        done = self.ask(how, word, clone, pivot)

        assert_sentence(done, 5, "out/model", digest(MODEL), LEDGER, "pivot push")
        assert not (clone / "out/model").exists()
        if word != "checkout":
            assert objects(clone / ".pivot/cache") == {}

    def ask(self, how: str, word: str, clone: Path, pivot: Command) -> Done:
        match how:
            case "option":
                return pivot(word, "--integrity", "require", cwd=clone)
            case "variable":
                return pivot(word, cwd=clone, PIVOT_INTEGRITY="require")
            case "user":
                pivot("config", "set", "--global", "integrity", "require", cwd=clone)
            case "project":
                pivot("config", "set", "integrity", "require", cwd=clone)
        return pivot(word, cwd=clone)

    def test_the_project_cannot_soften_it(self, clone: Path, pivot: Command) -> None:
        pivot("config", "set", "--global", "integrity", "require", cwd=clone)
        pivot("config", "set", "integrity", "auto", cwd=clone)
        users = pivot("pull", cwd=clone)
        variables = pivot("pull", cwd=clone, PIVOT_INTEGRITY="require")

        assert users.code == variables.code == 5

    def test_push_mends_it(self, clone: Path, project: Path, pivot: Command) -> None:
        (project / LEDGER).unlink()
        pushed = pivot("push", "--integrity", "require", cwd=project)
        (clone / LEDGER).write_bytes((project / LEDGER).read_bytes())
        pulled = pivot("pull", "--integrity", "require", cwd=clone)

        assert pushed.code == 0, pushed
        assert f"Wrote {LEDGER}: commit with the lock files" in pushed.err
        assert pulled.code == 0, pulled

    def test_a_word_that_is_none(self, clone: Path, pivot: Command) -> None:
        done = pivot("pull", cwd=clone, PIVOT_INTEGRITY="much")

        assert_sentence(done, 2, "PIVOT_INTEGRITY must be auto or require, not 'much'")


class TestStale:
    """A lock that another tool has rewritten, beside the ledger of its old content."""

    NEW = b"newer weights " * 100

    @pytest.fixture(autouse=True)
    def _rewritten(self, clone: Path) -> None:
        rewrite_lock(clone, self.NEW)

    def test_it_is_weak_and_a_warning_says_so(self, clone: Path, pivot: Command) -> None:
        done = pivot("checkout", cwd=clone)

        assert done.code == 0, done
        assert (clone / "out/model").read_bytes() == self.NEW
        warning = (
            f"Warning: out/model: {LEDGER} is of another content than .pivot/stages/make/model"
        )
        assert warning in done.err
        assert done.err.count("Warning") == 1

    def test_it_is_refused_where_more_is_required(self, clone: Path, pivot: Command) -> None:
        done = pivot("checkout", "--integrity", "require", cwd=clone)

        assert_sentence(done, 5, "out/model", LEDGER)
        assert not (clone / "out/model").exists()

    def test_the_next_push_writes_it_anew(self, clone: Path, pivot: Command) -> None:
        pushed = pivot("push", cwd=clone)
        done = pivot("checkout", cwd=clone)

        assert pushed.code == done.code == 0, (pushed, done)
        assert f"{sha256(self.NEW)}  out/model" in (clone / LEDGER).read_text()
        assert "Warning" not in done.err


class TestRepro:
    """What `repro` restores and skips."""

    @pytest.fixture(name="made")
    def _made(self, tmp_path: Path, bare_pivot: Command) -> Path:
        """Make a pushed project with one stage, which lacks its output and has no cache."""
        root, remote = tmp_path / "made", tmp_path / "remote"
        (root / ".pivot").mkdir(parents=True)
        remote.mkdir()
        (root / "src").write_bytes(MODEL)
        make = {"cmd": "cp src model", "deps": ["src"], "outs": ["model"]}
        (root / "pivot.yaml").write_text(dump({"stages": {"make": make}}))
        (root / ".pivot/config.yaml").write_text(f"folders:\n  nas: {remote.as_uri()}\n")
        for word in ("repro", "push"):
            done = bare_pivot(word, cwd=root)
            assert done.code == 0, done
        return root

    def test_a_forged_object_is_not_fetched(
        self, made: Path, tmp_path: Path, bare_pivot: Command
    ) -> None:
        shutil.rmtree(made / ".pivot/cache")
        (made / "model").unlink()
        held = tmp_path / "remote" / OBJECT
        held.chmod(0o644)
        held.write_bytes(FALSE)
        done = bare_pivot("repro", "--pull", cwd=made)

        assert FALSE not in objects(made / ".pivot/cache").values()
        assert not (made / "model").exists() or (made / "model").read_bytes() == MODEL
        assert done.code == 5, done

    def test_a_forged_object_of_the_cache_is_not_restored(
        self, made: Path, bare_pivot: Command
    ) -> None:
        (made / ".pivot/cache/checked.json").unlink()
        replace_in_cache(made, FALSE)
        (made / "model").unlink()
        done = bare_pivot("repro", cwd=made)

        assert done.code == 0, done
        assert (made / "model").read_bytes() == MODEL

    @pytest.mark.parametrize("how", ["gone", "stale"])
    def test_the_ledger_of_a_stage_that_is_skipped_is_written_anew(
        self, how: str, made: Path, bare_pivot: Command
    ) -> None:
        ledger = made / ".pivot/digests/make.sha256"
        before = ledger.read_text()
        if how == "gone":
            ledger.unlink()
        else:
            ledger.write_text(before.replace(f"# {digest(MODEL)}", "# 0123456789abcdef"))
        done = bare_pivot("repro", cwd=made)

        assert "1 unchanged" in done.out, done
        assert ledger.read_text() == before


def test_two_contents_of_one_digest_are_told(tmp_path: Path, bare_pivot: Command) -> None:
    root = tmp_path / "twins"
    (root / ".pivot").mkdir(parents=True)
    (root / "a.src").write_bytes(MODEL)
    (root / "b.src").write_bytes(FALSE)
    stages = {n: {"cmd": f"cp {n}.src {n}", "deps": [f"{n}.src"], "outs": [n]} for n in "ab"}
    (root / "pivot.yaml").write_text(dump({"stages": stages}))
    done = bare_pivot("repro", "--jobs", "1", cwd=root)

    assert_sentence(done, 5, digest(MODEL), sha256(MODEL), sha256(FALSE), "forged")
    assert (root / ".pivot/stages/a.lock").exists()
    assert not (root / ".pivot/stages/b.lock").exists()


def test_two_ledgers_that_contradict_each_other(project: Path, pivot: Command) -> None:
    ProjectBuilder(project).stage("other", {"out/copy": MODEL})
    other = project / ".pivot/digests/other.sha256"
    other.write_text(f"# {digest(MODEL)}  out/copy\n{sha256(FALSE)}  out/copy\n")
    done = pivot("pull", cwd=project)

    assert_sentence(done, 5, "two SHA-256", LEDGER, ".pivot/digests/other.sha256")


def test_a_ledger_that_cannot_be_read_ends_the_command(clone: Path, pivot: Command) -> None:
    (clone / LEDGER).write_text("<<<<<<< HEAD\n")
    done = pivot("pull", cwd=clone)

    assert_sentence(done, 8, f"{LEDGER}: line 1: must be a SHA-256, two blanks and a path")
    assert not (clone / "out").exists()


def test_a_ledger_that_cannot_be_written_is_a_warning(project: Path, pivot: Command) -> None:
    (project / LEDGER).unlink()
    (project / ".pivot/digests/make").rmdir()
    (project / ".pivot/digests/make").write_text("in the way")
    done = pivot("push", cwd=project)

    assert done.code == 0, done
    assert "Warning: the ledgers were not written" in done.err


def test_who_changed_a_lock_last_is_said(
    clone: Path, pivot: Command, server: S3Server, bucket: str
) -> None:
    buckets.delete(server, bucket, f"p/{OBJECT}")
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "outputs"]):
        subprocess.run(["git", *command], cwd=clone, env=pivot.environment, check=True)
    done = pivot("pull", cwd=clone)
    told = json.loads(pivot("pull", "--json", cwd=clone).out)
    shallow = clone.parent / "shallow"
    subprocess.run(
        ["git", "clone", "-q", "--depth", "1", clone.as_uri(), str(shallow)],
        env=pivot.environment,
        check=True,
    )
    unsure = pivot("pull", cwd=shallow)

    assert_sentence(done, 3, ".pivot/stages/make/model.lock last changed by Ana, 20")
    assert told["problems"][0]["document"] == ".pivot/stages/make/model.lock"
    assert told["problems"][0]["changed"].startswith("Ana, 20")
    assert "last changed by" in unsure.err
