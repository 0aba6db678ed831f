"""What `repro` keeps of the user's, what options and keys of a stage mean, and a full disk."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.ugly import Place, stage
from tests.e2e.weather import leftovers
from tests.projects import digest, objects
from tests.torture.namespace import in_namespace


def kept(place: Place, said: str) -> bytes:
    """Read the object that a message names."""
    (name,) = re.findall(r"kept as object ([0-9a-f]{16})", said)
    return (place.root / ".pivot/cache/files" / name[:2] / name[2:]).read_bytes()


def overwrite(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("path", ["out", "tree/in"])
@pytest.mark.parametrize("then", ["first run", "restored", "run again"])
def test_work_of_the_users_is_kept_and_named(path: str, then: str, place: Place) -> None:
    whole = path.partition("/")[0]
    make = "mkdir tree; " if whole == "tree" else ""
    place.write(a=stage(f"{make}echo made > {path}", whole))
    if then != "first run":
        assert place.states() == {"a": "ran"}
    if then == "run again":
        place.write(a=stage(f"{make}: ; echo made > {path}", whole))
    overwrite(place.root / path, "hours of work\n")

    done = place("repro")

    assert done.code == 0, done
    assert f"{path} was there and is replaced" in done.out
    assert kept(place, done.out) == b"hours of work\n"
    assert place.text(path) == "made\n"
    assert place.states() == {"a": "unchanged"}


@pytest.mark.parametrize("spoil", ["chmod 0 out/mine", "touch out/$(printf 'n\\351')"])
def test_what_cannot_be_kept_is_not_removed(spoil: str, place: Place) -> None:
    place.write(a=stage("mkdir out; echo made > out/f", "out"))
    before = place.states()
    overwrite(place.root / "out/mine", "hours of work\n")
    subprocess.run(spoil, shell=True, cwd=place.root, check=True)
    first = place("repro")
    (place.root / "out/mine").chmod(0o600)
    there = place.text("out/mine")
    (place.root / "out").rename(place.root / "elsewhere")
    second = place.states()

    assert before == {"a": "ran"}
    assert first.code == 1
    assert "out is in the way and cannot be kept: out" in first.err
    assert there == "hours of work\n"
    assert second == {"a": "restored"}


@pytest.mark.parametrize("target", ["mine", "nowhere", "theirs", "out"])
@pytest.mark.parametrize("changed", [False, True])
def test_a_symlink_where_an_output_belongs_makes_way(
    target: str, changed: bool, place: Place
) -> None:
    place.write(a=stage("echo made > out", "out"))
    (place.root / "mine").write_text("mine\n")
    overwrite(place.root / "theirs/too", "theirs\n")
    first = place.states()
    (place.root / "out").unlink()
    (place.root / "out").symlink_to(target)
    if changed:
        place.write(a=stage(": ; echo made > out", "out"))

    second = place.states()

    assert first == {"a": "ran"}
    assert second == {"a": "ran" if changed else "restored"}
    assert [place.text(p) for p in ("out", "mine", "theirs/too")] == [
        "made\n",
        "mine\n",
        "theirs\n",
    ]
    assert place.states() == {"a": "unchanged"}


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("locked", [True, False])
def test_what_persists_is_put_back_after_a_failure(
    cached: bool, locked: bool, place: Place
) -> None:
    out = {"db": {"persist": True, "cache": cached}}
    (place.root / "db").write_text("old\n")
    if locked:
        place.write(a=stage("echo first >> db", out))
        assert place.states() == {"a": "ran"}
    before = place.text("db")
    place.write(a=stage("echo more >> db; exit 1", out))
    failed = [place.states(), place.states()]
    place.write(a=stage("echo more >> db", out))

    last = place.states()

    assert failed == [{"a": "failed"}, {"a": "failed"}]
    assert last == {"a": "ran"}
    assert place.text("db") == before + "more\n"
    assert list((place.root / ".pivot/cache/unfinished").iterdir()) == []


def test_an_output_that_git_has_too_is_noted(place: Place) -> None:
    place.write(a=stage("echo 1 > out", "out"))
    (place.root / "out").write_text("0\n")
    subprocess.run(["git", "add", "out"], cwd=place.root, check=True)

    done = place("repro")

    assert done.code == 0, done
    assert "Note: " in done.out
    assert "git rm --cached" in done.out


def test_a_list_of_commands_ends_at_the_first_that_fails(place: Place) -> None:
    place.write(a=stage(["echo 1 >> log", "false", "echo 3 >> log"], {"log": {"cache": False}}))

    done = place("repro")

    assert (done.code, place.text("log")) == (1, "1\n")


def test_a_stage_runs_in_its_directory_with_its_variables(place: Place) -> None:
    (place.root / "sub").mkdir()
    (place.root / "sub/in").write_text("in\n")
    place.write(
        a=stage('cat in > ../out; echo "$A$(basename "$PWD")" >> ../out', "../out", deps=["in"])
        | {"wdir": "sub", "env": {"A": "a  'b' "}}
    )

    assert place.states() == {"a": "ran"}
    assert place.text("out") == "in\na  'b' sub\n"


def test_frozen_and_always(place: Place) -> None:
    frozen = stage("cat in > cold", "cold", deps=["in"])
    (place.root / "in").write_text("1\n")
    place.write(cold=frozen, hot=stage("cat cold > hot", "hot", deps=["cold"], always=True))
    first = place.states()
    (place.root / "in").write_text("2\n")
    place.write(
        cold=frozen | {"frozen": True},
        hot=stage("cat cold > hot", "hot", deps=["cold"], always=True),
    )
    second = place.states()
    (place.root / "cold").unlink()
    third = place.states("--force", "cold")

    assert first == {"cold": "ran", "hot": "ran"}
    assert second == {"cold": "unchanged", "hot": "ran"}
    assert third == {"cold": "restored"}
    assert place.text("cold") == "1\n"


def chain(place: Place, **commands: str) -> None:
    """Stages a → b → c, and d alone; each notes that it ran."""
    (place.root / ".gitignore").write_text("log\n")
    deps = {"a": ["src"], "b": ["a.out"], "c": ["b.out"], "d": ["src"]}
    place.write(
        **{
            name: stage(f"{commands.get(name, ':')}; cat {' '.join(d)} > {name}.out", f"{name}.out")
            | {"deps": d}
            for name, d in deps.items()
        }
    )


def test_what_options_reach(place: Place) -> None:
    chain(place)
    (place.root / "src").write_text("1\n")
    place("repro")
    (place.root / "src").write_text("2\n")

    assert place.states("--single", "b") == {"b": "unchanged"}
    assert place.states("--dry-run", "b") == {"a": "planned", "b": "planned"}
    assert place.states("--downstream", "b") == {"b": "unchanged", "c": "unchanged"}
    assert place.states("b") == {"a": "ran", "b": "ran"}
    assert place.states("--single", "c") == {"c": "ran"}
    assert place.states("--force", "--single", "c") == {"c": "ran"}
    assert place.states("--force", "b") == {"a": "ran", "b": "ran"}
    assert place.states() == {"a": "unchanged", "b": "unchanged", "c": "unchanged", "d": "ran"}


def test_keep_going_runs_what_it_can_and_names_the_rest(place: Place) -> None:
    chain(place, a="exit 1")
    (place.root / "src").write_text("1\n")

    states = place.states("--keep-going")
    done = place("repro", "--keep-going")

    assert states == {"a": "failed", "b": "blocked", "c": "blocked", "d": "ran"}
    assert done.code == 1
    for name in ("b", "c"):
        assert re.search(rf"^Error: stage {name} did not run: .*a", done.err, re.MULTILINE), done


def test_after_a_failure_what_runs_ends_and_no_more_begins(place: Place) -> None:
    place.write(
        bad=stage("while ! [ -e slow.began ]; do sleep 0.01; done; exit 1", "bad.out"),
        slow=stage("touch slow.began; sleep 0.5; echo > slow.out", "slow.out", "slow.began"),
        late=stage("echo > late.out", "late.out"),
    )

    states = place.states("--jobs=2")

    assert states == {"bad": "failed", "slow": "ran", "late": "not run"}
    assert place.lock("slow") is not None
    assert place.lock("late") is None


ON_A_SMALL_DISK = """
mount -t tmpfs -o size=4m,mode=755 none "$0"
cp -a "$1/." "$0"
cd "$0"
code=0
"$PYTHON" -m pivot repro || code=$?
echo "code $code"
cp -a . "$2"
rm -f ballast
exec "$PYTHON" -m pivot repro
"""


@pytest.mark.usefixtures("can_mount")
@pytest.mark.parametrize("ballast", ["3500k", "2500k", "1500k"])
def test_a_full_disk(ballast: str, place: Place, tmp_path: Path) -> None:
    make = "mkdir tree; for n in 1 2 3 4; do head -c 250k /dev/urandom > tree/$n || exit 1; done"
    place.write(first=stage("echo 1 > small", "small"), big=stage(make, "tree"))
    (place.root / ".pivot/config.yaml").write_text("cache:\n  checkout_mode: [copy]\n")
    subprocess.run(f"head -c {ballast} /dev/zero > ballast", shell=True, cwd=place.root, check=True)
    shutil.rmtree(place.root / ".git")
    for name in ("disk", "kept"):
        (tmp_path / name).mkdir()
    places = (tmp_path / "disk", place.root, tmp_path / "kept")

    done = in_namespace(ON_A_SMALL_DISK, *places, pivot=place.pivot, cwd=tmp_path)

    assert done.code == 0, done
    assert "Traceback" not in done.err
    codes = re.findall(r"^code (\d)$", done.out, re.MULTILINE)
    stage_itself = "stage big failed: exit code 1" in done.err
    assert codes == ["1" if stage_itself else "0" if ballast == "1500k" else "7"], done
    held = objects(tmp_path / "kept/.pivot/cache")
    assert all(name == digest(body) for name, body in held.items())
    assert leftovers(tmp_path / "kept") == []
    assert not (tmp_path / "kept/.pivot/stages/big.lock").exists() or codes == ["0"]
