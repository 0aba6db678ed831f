"""What commands report: to people, to programs; and that a dry run tells the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import ROOT, Command, Done
from tests.e2e.small import MODEL, TRANSFERS, TREE, build, lose
from tests.projects import ProjectBuilder, digest

SCHEMAS = ROOT / "pivot" / "schemas"


@pytest.fixture(name="built")
def _built(tmp_path: Path) -> ProjectBuilder:
    return build(tmp_path)


def valid(text: str, schema: str) -> Any:
    found = json.loads(text)
    form = json.loads((SCHEMAS / f"{schema}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(form)
    jsonschema.Draft202012Validator(form).validate(found)
    return found


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("command", TRANSFERS)
def test_the_report_of_a_success_has_the_form_of_the_schema(
    command: str, dry: tuple[str, ...], built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot(command, "--json", *dry, cwd=built.root)

    report = valid(done.out, "report")
    assert (done.code, done.err.count("Error")) == (0, 0), done
    assert (report["command"], report["dry_run"]) == (command, bool(dry))
    assert report["exit_code"] == 0
    assert report["problems"] == []


@pytest.mark.parametrize("command", TRANSFERS)
def test_the_report_of_a_failure_names_every_path(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    lose(built, b"model")
    lose(built, b"bb")

    done = bare_pivot(command, "--json", cwd=built.root)

    report = valid(done.out, "report")
    assert (done.code, report["exit_code"]) == (3, 3)
    found = {(problem["path"], problem["code"]) for problem in report["problems"]}
    assert {(MODEL, 3), (f"{TREE}/b.txt", 3)} <= found


@pytest.mark.parametrize(
    ("arguments", "config", "code"),
    [
        (("nosuch",), None, 2),
        (("-r", "nosuch"), None, 2),
        (("--nosuch",), None, 2),
        (("--jobs", "0"), None, 2),
        ((), "remotes: [\n", 8),
        (("-C", "nowhere"), None, 2),
        ((), "remotes:\n  a: s3://a\n  b: s3://b\n", 2),
    ],
)
@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_command_that_does_not_begin_reports_why(
    command: str,
    arguments: tuple[str, ...],
    config: str | None,
    code: int,
    built: ProjectBuilder,
    bare_pivot: Command,
) -> None:
    if config is not None:
        built.config(config)

    done = bare_pivot(command, "--json", *arguments, cwd=built.root)

    report = valid(done.out, "report")
    assert (done.code, report["exit_code"], report["command"]) == (code, code, command)
    assert [problem["code"] for problem in report["problems"]] == [code]
    assert report["problems"][0]["message"] in done.err


def test_the_report_of_a_pull_that_is_refused_has_the_form_of_the_schema(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    bare_pivot("push", cwd=built.root)
    built.workspace(MODEL, b"mine")
    built.workspace(f"{TREE}/extra.txt", b"mine too")

    refused = valid(bare_pivot("pull", "--json", cwd=built.root).out, "report")
    forced = valid(bare_pivot("pull", "--json", "--force", cwd=built.root).out, "report")

    steps = {row["path"]: row["step"] for row in refused["checkout"]["files"]}
    assert steps == {MODEL: "refuse", f"{TREE}/a.txt": "hold", f"{TREE}/b.txt": "hold"}
    assert forced["checkout"]["restored"] == 3
    assert {row["path"]: row["step"] for row in forced["checkout"]["files"]} == {
        MODEL: "replace",
        f"{TREE}/a.txt": "create",
        f"{TREE}/b.txt": "create",
        f"{TREE}/extra.txt": "remove",
    }


def test_the_lists_have_the_form_of_their_schemas(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    options = ("--endpoint", "https://s3.lab.example.org", "--region", "eu-1", "--default")
    bare_pivot("remote", "add", "lab", "s3://b/p", *options, cwd=built.root)
    profile = ("remote_options.lab.profile", "me")
    bare_pivot("config", "set", "--global", *profile, cwd=built.root)

    for level in ((), ("--local",), ("--global",)):
        valid(bare_pivot("config", "list", "--json", *level, cwd=built.root).out, "config")
    remotes = valid(bare_pivot("remote", "list", "--json", cwd=built.root).out, "remotes")

    assert {remote["name"] for remote in remotes["remotes"]} == {"lab", "nas"}


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        ("config set remote.jobs 7", {"remote.jobs": 7}),
        ("config set cache.checkout_mode copy", {"cache.checkout_mode": ["copy"]}),
        ("config unset folders.nas", None),
        ("config unset remote.jobs", {"remote.jobs": None}),
        ("remote add origin s3://b/p", {"remotes.origin": "s3://b/p"}),
        ("remote default nas", {"default_remote": "nas"}),
        ("remote remove nas", {"remotes.nas": None}),
    ],
)
def test_a_change_is_reported_in_the_form_of_its_schema(
    command: str, changed: dict[str, Any] | None, built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot(*command.split(), "--json", cwd=built.root)

    if changed is None:
        assert (done.code, valid(done.out, "report")["exit_code"]) == (2, 2)
    else:
        assert valid(done.out, "change")["settings"] == changed


def test_one_value_and_a_new_project_have_the_form_of_their_schemas(
    built: ProjectBuilder, bare_pivot: Command, tmp_path: Path
) -> None:
    for key in ("remote.jobs", "cache.checkout_mode", "resources", "remotes.none"):
        asked = bare_pivot("config", "get", key, "--json", cwd=built.root)
        assert valid(asked.out, "value")["key"] == key
    (tmp_path / "new").mkdir()
    made = bare_pivot("init", "--json", cwd=tmp_path / "new")

    assert ".pivot/" in valid(made.out, "change")["created"]


@pytest.mark.parametrize("command", ["config list", "remote list"])
def test_a_list_that_cannot_be_made_reports_why(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    built.config("remotes: [\n")

    done = bare_pivot(*command.split(), "--json", cwd=built.root)

    assert done.code == 8
    assert valid(done.out, "report")["command"] == command.split(maxsplit=1)[0]


@pytest.mark.parametrize(
    "name",
    [
        "report",
        "config",
        "remotes",
        "change",
        "value",
        "repro",
        "stages",
        "dag",
        "pipeline",
        "status",
        "doctor",
        "gc",
        "ci-report",
    ],
)
def test_the_schemas_explain_all_and_allow_nothing_else(name: str) -> None:
    form = json.loads((SCHEMAS / f"{name}.json").read_text())

    jsonschema.Draft202012Validator.check_schema(form)
    for place, node in values(form, name):
        assert node.get("title"), place
        assert node.get("description"), place
        assert "properties" not in node or node.get("additionalProperties") is False, place


def values(form: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the schema of every value that has a name of its own."""
    yield place, form
    for kind in ("properties", "$defs"):
        for name, inner in form.get(kind, {}).items():
            if "$ref" not in inner:
                yield from values(inner, f"{place}.{name}")
    items = form.get("items", {})
    if items and "$ref" not in items and "enum" not in items:
        yield from values(items, f"{place}[]")


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("command", TRANSFERS)
def test_quiet_prints_nothing_but_errors(
    command: str, place: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    arguments = ("-q", command) if place == "before" else (command, "--quiet")

    well = bare_pivot(*arguments, cwd=built.root)
    badly = bare_pivot(*arguments, "nosuch", cwd=built.root)

    assert well == Done(0, "", "")
    assert (badly.code, badly.out) == (2, "")
    assert badly.err.startswith("Error: ")


def test_quiet_changes_the_configuration_without_a_word(
    built: ProjectBuilder, bare_pivot: Command
) -> None:
    assert bare_pivot("-q", "config", "set", "remote.jobs", "7", cwd=built.root) == Done(0, "", "")
    assert bare_pivot("remote", "add", "-q", "b", "s3://b", cwd=built.root) == Done(0, "", "")
    assert "  b: s3://b\n" in bare_pivot("remote", "list", cwd=built.root).out


def everything(directory: Path) -> dict[str, tuple[int, int, int]]:
    """See what a command could change: which files there are, when and how they were written."""
    return {
        path.relative_to(directory).as_posix(): (s.st_mtime_ns, s.st_ino, s.st_mode)
        for path in [directory, *directory.rglob("*")]
        for s in [path.lstat()]
    }


@pytest.fixture(name="scene", params=["push", "fetch", "checkout", "pull"])
def _scene(request: pytest.FixtureRequest, built: ProjectBuilder, bare_pivot: Command) -> str:
    """A command that has something to do, and something that is done already."""
    command: str = request.param
    bare_pivot("push", *(["split"] if command == "push" else []), cwd=built.root)
    if command in {"fetch", "pull"}:
        lose(built, b"model")
        lose(built, b"bb")
    built.workspace(f"{TREE}/a.txt", b"a")
    return command


def test_a_dry_run_changes_nothing(
    scene: str, built: ProjectBuilder, tmp_path: Path, bare_pivot: Command
) -> None:
    before = everything(tmp_path)

    done = bare_pivot(scene, "--dry-run", cwd=built.root)

    assert done.code == 0, done
    assert everything(tmp_path) == before


def test_a_dry_run_plans_what_the_run_then_does(
    scene: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    dry = valid(bare_pivot(scene, "--dry-run", "--json", cwd=built.root).out, "report")
    run = valid(bare_pivot(scene, "--json", cwd=built.root).out, "report")

    assert [part["plan"] for part in dry["transfers"]] == [p["plan"] for p in run["transfers"]]
    for part in run["transfers"]:
        assert part["transferred"] == len(part["plan"]["transfer"])
        assert part["bytes"] == part["plan"]["bytes"] > 0
        assert part["skipped"] == part["plan"]["present"]
    if run["checkout"] is not None:
        assert dry["checkout"]["files"] == run["checkout"]["files"]
        created = [row for row in run["checkout"]["files"] if row["step"] == "create"]
        assert run["checkout"]["restored"] == len(created) == 2


ONE, TWO = "1 already there, 0 missing", "2 already there, 0 missing"
ROWS = ("  data/tree/b.txt  2 B", "  data/model.bin  5 B")
STEPS = (
    "  create  data/tree/b.txt",
    "  create  data/model.bin",
    "Would restore 2 file(s)",
    "Skipped 1 file(s) (already exist)",
)


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        ("push", ("  data/model.bin  5 B", "Would push 1 file(s) to 'nas'", f"Total: 5 B; {TWO}")),
        ("fetch", (*ROWS, "Would fetch 2 file(s) from 'nas'", f"Total: 7 B; {ONE}")),
        ("checkout", STEPS),
        ("pull", (*ROWS, "Would pull 2 file(s) from 'nas'", f"Total: 7 B; {ONE}", *STEPS)),
    ],
    indirect=["scene"],
)
def test_a_dry_run_prints_paths_bytes_and_totals(
    scene: str, expected: tuple[str, ...], built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot(scene, "-n", cwd=built.root)

    assert done == Done(0, "".join(f"{line}\n" for line in expected), "")


@pytest.mark.parametrize(("choice", "code"), [("fail", 3), ("warn", 0), ("ignore", 0)])
@pytest.mark.parametrize("command", TRANSFERS)
def test_on_miss_says_what_a_missing_object_means(
    command: str, choice: str, code: int, built: ProjectBuilder, bare_pivot: Command
) -> None:
    lose(built, b"model")

    done = bare_pivot(command, "train", "--on-miss", choice, cwd=built.root)
    report = bare_pivot(command, "train", "--on-miss", choice, "--json", cwd=built.root)

    assert done.code == code, done
    assert valid(report.out, "report")["exit_code"] == report.code == code
    if command != "checkout":
        word = {"fail": "Error: ", "warn": "Warning: ", "ignore": ""}[choice]
        assert done.err.startswith(word)
        assert (MODEL in done.err) == (choice != "ignore")


@pytest.mark.parametrize("choice", ["warn", "ignore"])
def test_on_miss_softens_nothing_else(
    choice: str, built: ProjectBuilder, tmp_path: Path, bare_pivot: Command
) -> None:
    bare_pivot("push", cwd=built.root)
    lose(built, b"model")
    name = digest(b"model")
    damaged = tmp_path / "remote/files" / name[:2] / name[2:]
    damaged.unlink()
    damaged.write_bytes(b"MODEL")

    done = bare_pivot("pull", "--on-miss", choice, cwd=built.root)

    assert done.code == 5, done
    assert name in done.err
    assert not (built.root / MODEL).exists()


@pytest.mark.parametrize("command", [*TRANSFERS, "verify", "status"])
def test_verbose_names_the_project_once(
    command: str, built: ProjectBuilder, bare_pivot: Command
) -> None:
    done = bare_pivot(command, "--verbose", cwd=built.root)

    assert done.err.count(f"Project root: {built.root}\n") == 1, done
