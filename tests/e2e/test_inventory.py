"""`report`: what a project has, where it is and how it grew, as text, JSON and a page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command
from tests.documentation import Shell, install_commands, run_page
from tests.e2e.test_report import valid
from tests.projects import ProjectBuilder, digest

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PIPELINE = """\
stages:
  split:
    cmd: mkdir parts && echo ape bee cat > parts/a && echo dog eel fox > parts/b
    outs: [parts]
  words:
    cmd: echo gnu hen ibis > words.txt; truncate -s 12 words.txt
    outs: [words.txt]
  best:
    cmd: cp parts/a best.txt
    deps: [parts]
    outs: [best.txt]
"""
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(name="built")
def _built(tmp_path: Path) -> ProjectBuilder:
    """Three commits; the remote has the first model, and the workspace lacks one file."""
    (tmp_path / "remote").mkdir()
    built = ProjectBuilder(tmp_path / "project")
    built.config(f"remotes:\n  nas: file://{tmp_path}/remote\n")
    git(built, "init", "--quiet", "--initial-branch=main")
    built.workspace(".gitignore", b"/tree\n/*.bin\n/.pivot/cache\n")
    built.stage("prep", {"tree": {"a": b"same", "b": b"b" * 6}}, place=True)
    commit(built, "Prepare")
    built.stage("train", {"model.bin": b"m" * 10}, after=["prep"], place=True)
    commit(built, HOSTILE)
    built.stage("train", {"model.bin": b"same"}, after=["prep"], place=True)
    commit(built, "Smaller")
    (built.root / "tree/b").unlink()
    return built


def git(built: ProjectBuilder, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=built.root, check=True)


def commit(built: ProjectBuilder, subject: str) -> None:
    git(built, "add", "--all")
    git(built, "commit", "--quiet", "--message", subject)


def test_it_says_what_there_is_where_it_is_and_how_it_grew(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    name = digest(b"same")
    shelf = built.root.parent / f"remote/files/{name[:2]}"
    shelf.mkdir(parents=True)
    (shelf / name[2:]).write_bytes(b"same")

    done = bare_pivot("report", "--online", "--json", cwd=built.root)

    found = valid(done.out, "inventory")
    assert (done.code, found["remote"], found["name"]) == (0, "nas", "project")
    assert found["files"] == {"count": 3, "bytes": 14}
    assert found["objects"] == {"count": 2, "bytes": 10}
    assert (found["saved"], found["duplicates"][0]["paths"]) == (4, ["model.bin", "tree/a"])
    counts = {
        place: {word: amount["count"] for word, amount in said.items() if amount["count"]}
        for place, said in found["places"].items()
    }
    assert counts == {
        "workspace": {"there": 2, "absent": 1},
        "cache": {"there": 2},
        "remote": {"there": 1, "absent": 1},
    }
    assert [output["path"] for output in found["outputs"]] == ["tree", "model.bin"]
    assert [
        (
            point["subject"],
            point["referred"]["bytes"],
            point["added"]["bytes"],
            point["kept"]["bytes"],
        )
        for point in found["growth"]
    ] == [("Prepare", 10, 10, 10), (HOSTILE, 20, 10, 20), ("Smaller", 10, 0, 20)]


def test_in_short_it_is_a_screen(built: ProjectBuilder, bare_pivot: Command) -> None:
    done = bare_pivot("report", "--commits", "2", cwd=built.root)

    assert done.out.splitlines() == [
        "Stages and data: 2 (2 unknown)",
        "Outputs: 2, 3 file(s), 14 B; 2 object(s), 10 B",
        "Duplicates: 1 object(s), 4 B saved",
        "",
        "Place      There      Differs  Not there  Could not ask",
        "Workspace  2 (8 B)    -        1 (6 B)    -",
        "Cache      2 (10 B)   -        -          -",
        "Remote     not asked",
        "",
        "Largest outputs  Files  Size",
        "tree             2      10 B",
        "model.bin        1      4 B",
        "",
        "Growth over 2 commits: from 20 B to 10 B; all versions 20 B",
    ]


def test_it_needs_no_repository(tmp_path: Path, bare_pivot: Command) -> None:
    ProjectBuilder(tmp_path).stage("prep", {"out.bin": b"out"})

    done = bare_pivot("report", "--json", cwd=tmp_path)

    assert (done.code, valid(done.out, "inventory")["growth"]) == (0, [])


def test_a_remote_that_cannot_be_asked_is_not_one_that_has_nothing(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    shutil.rmtree(built.root.parent / "remote")

    done = bare_pivot("report", "--online", "--html", "r.html", cwd=built.root)
    page = (built.root / "r.html").read_text()

    assert done.code not in {0, 3}, done
    assert done.err.count("Error: ") == 1
    assert "could not ask: 2 objects" in page
    assert "not there: 2 objects" not in page


def test_the_page_is_written_over_nothing(built: ProjectBuilder, bare_pivot: Command) -> None:
    page = built.root / "r.html"
    page.write_text("mine")

    refused = bare_pivot("report", "--html", "r.html", cwd=built.root)
    kept = page.read_text()
    forced = bare_pivot("report", "--html", "r.html", "--force", cwd=built.root)

    assert (refused.code, kept) == (2, "mine")
    assert "r.html exists already" in refused.err
    assert (forced.code, bool(re.fullmatch(r"Wrote r\.html \(\d+\.\d kB\)\n", forced.out))) == (
        0,
        True,
    )
    assert str(built.root.parent) not in page.read_text().replace("&#x27;", "'")


@pytest.mark.parametrize("name", ["nowhere/r.html", "tree"])
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_read(
    name: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot("report", "--html", name, "-f", cwd=built.root)

    assert done.code == 2, done


def test_a_lock_that_git_has_broken_is_told_and_nothing_else_is_lost(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    lock = built.root / ".pivot/stages/prep.lock"
    good = lock.read_text()
    lock.write_text("outs: [\n")
    commit(built, "Broken")
    lock.write_text(good)
    commit(built, "Mended")

    points = valid(bare_pivot("report", "--json", cwd=built.root).out, "inventory")["growth"]

    assert [(point["subject"], point["unread"]) for point in points[-2:]] == [
        ("Broken", 1),
        ("Mended", 0),
    ]


def test_every_example_of_the_page_does_what_it_says(tmp_path: Path, bare_pivot: Command) -> None:
    built = ProjectBuilder(tmp_path / "project")
    (tmp_path / "remote").mkdir()
    built.config(f"remotes:\n  nas: file://{tmp_path}/remote\n")
    built.workspace("pivot.yaml", PIPELINE.encode())
    assert bare_pivot("repro", cwd=built.root).code == 0
    assert bare_pivot("push", cwd=built.root).code == 0
    path = install_commands(tmp_path / "bin", [sys.executable, "-m", "pivot"])

    count = run_page(
        (ROOT / "docs/report.md").read_text(encoding="utf-8"),
        Shell(tmp_path, bare_pivot.environment | {"PATH": path}),
    )

    assert count == 4


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
def test_a_browser_shows_the_page_without_a_complaint(
    built: ProjectBuilder, bare_pivot: Command, tmp_path: Path
) -> None:
    built.stage(HOSTILE.replace("/", ""), {"hostile.bin": b"hostile"})
    assert bare_pivot("report", "--html", "r.html", cwd=built.root).code == 0

    done = subprocess.run(
        [
            *(
                str(BROWSER),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--window-size=1280,900",
            ),
            *("--enable-logging=stderr", f"--user-data-dir={tmp_path}/profile", "--dump-dom"),
            (built.root / "r.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "CONSOLE" not in done.stderr  # where it says what the policy of the page forbids
    assert "<img" not in done.stdout
    assert "&lt;img src=x onerror=alert(1)&gt;" in done.stdout
    assert done.stdout.count("<svg") > 5
