"""`pivot import-dvc`, on a project that the real DVC made and on ones written in its form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command
from tests.documentation import Shell, install_commands, run_page
from tests.e2e.dvc import Content, DvcProject, md5, snapshot, unpack_dvc, verdicts
from tests.e2e.test_report import valid
from tests.projects import digest, objects, tree


@pytest.fixture(name="real")
def _real(tmp_path: Path) -> Path:
    return unpack_dvc(tmp_path)


@pytest.fixture(name="dvc")
def _dvc(tmp_path: Path) -> DvcProject:
    return DvcProject(tmp_path / "project")


def test_nothing_is_to_be_done_where_dvc_had_nothing_to_do(real: Path, bare_pivot: Command) -> None:
    done = bare_pivot("import-dvc", cwd=real)

    assert (done.code, done.err) == (0, "")
    seen = verdicts(real)
    assert set(seen.values()) == {"same"}
    assert {"train", "grid@1_flat", "letters@a", "area@north", "nlp/count"} <= seen.keys()
    assert "Stages: 0 ran, 0 restored, 13 unchanged" in bare_pivot("repro", cwd=real).out


def test_what_dvc_has_stays_as_it_is(real: Path, bare_pivot: Command) -> None:
    before = snapshot(real)

    bare_pivot("import-dvc", cwd=real)

    assert snapshot(real) == before


def test_every_content_enters_the_cache_under_our_name(real: Path, bare_pivot: Command) -> None:
    bare_pivot("import-dvc", cwd=real)

    found = objects(real / ".pivot/cache")
    assert {digest(data) for data in found.values()} == found.keys()
    assert b"0.001 weights\n" in found.values()
    assert b"echo part\n" in found.values()
    assert b"v1\n" not in found.values()  # done.txt is not cached


def test_a_dry_run_tells_all_and_writes_nothing(real: Path, bare_pivot: Command) -> None:
    before = snapshot(real)

    dry = bare_pivot("import-dvc", "--dry-run", cwd=real)

    assert snapshot(real) == before
    assert not (real / ".pivot").exists()
    done = bare_pivot("import-dvc", cwd=real)
    assert dry.code == 0
    told = done.out.replace("Converted ", "Would convert ", 1)
    assert told.startswith(dry.out.rstrip())


def test_the_report_has_the_form_of_the_schema(real: Path, bare_pivot: Command) -> None:
    dry = valid(bare_pivot("import-dvc", "--json", "-n", cwd=real).out, "import")
    run = valid(bare_pivot("import-dvc", "--json", cwd=real).out, "import")

    assert (dry.pop("dry_run"), run.pop("dry_run")) == (True, False)
    assert dry == run
    assert run["documents"] == ["pivot.yaml", "nlp/pivot.yaml"]
    assert run["tracked"] == ["data/images", "data/raw.csv"]
    assert run["settings"]["default_remote"] == "storage"


def test_what_has_no_counterpart_is_named_with_its_line(real: Path, bare_pivot: Command) -> None:
    report = json.loads(bare_pivot("import-dvc", "--json", cwd=real).out)

    lines = {path: (real / path).read_text().splitlines() for path in ("dvc.yaml", ".dvc/config")}
    seen = {lines[note["path"]][note["line"] - 1].strip() for note in report["notes"]}
    assert seen == {
        "plots:",
        "grid:",
        "area:",
        "meta: {owner: ana}",
        "cmd: echo ${options} > options.txt",
        "profile = ana",
        "url = gs://lab-bucket/dvc",
    }
    assert all(note["cure"] for note in report["notes"])


def test_templates_and_comments_are_kept(real: Path, bare_pivot: Command) -> None:
    bare_pivot("import-dvc", cwd=real)

    text = (real / "pivot.yaml").read_text()
    assert text.startswith("# The pipeline of the example.\n")
    assert "prepare.sh   # the script" in text
    assert "  # Train on what prepare made.\n  train:\n" in text
    assert "- sh train.sh ${train.lr}" in text
    assert "seed: ${seeds}" in text


def test_a_teammate_can_pull_what_was_imported(
    real: Path, tmp_path: Path, bare_pivot: Command
) -> None:
    (tmp_path / "nas").mkdir()
    bare_pivot("import-dvc", cwd=real)
    bare_pivot("config", "set", "remotes.here", f"file://{tmp_path}/nas", cwd=real)
    pushed = bare_pivot("push", "-r", "here", cwd=real)
    copy = tmp_path / "copy"
    documents = [*(real / ".pivot").rglob("*.lock"), *real.rglob("*.pvt")]
    for path in [*documents, real / ".pivot/config.yaml"]:
        target = copy / path.relative_to(real)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())

    pulled = bare_pivot("pull", "-r", "here", cwd=copy)

    assert (pushed.code, pulled.code) == (0, 0), pulled
    mine = {path: node[0] for path, node in tree(real).items()}
    theirs = {path: node[0] for path, node in tree(copy).items() if not path.endswith(".pvt")}
    assert "data/images/sub/2.txt" in theirs
    assert theirs == {path: mine[path] for path in theirs if path in mine}


def test_line_ends_of_dvc_2_are_no_change(tmp_path: Path, bare_pivot: Command) -> None:
    dvc = DvcProject(tmp_path / "project", legacy=True)
    dvc.stage(
        {"table.csv": b"a\r\nb\r\n", "parts": {"x.txt": b"x\r\n", "y.bin": b"\0\r\n"[:1]}},
        {"source.txt": b"source\r\n"},
    )

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 0, done
    assert verdicts(dvc.root) == {"make": "same"}
    assert b"a\r\nb\r\n" in objects(dvc.root / ".pivot/cache").values()


def test_executable_files_and_empty_directories_are_no_change(
    dvc: DvcProject, bare_pivot: Command
) -> None:
    dvc.stage({"tree": {"run.sh": b"run", "a/b.txt": b"b"}}, {"src": {"main.py": b"1"}})
    (dvc.root / "tree/run.sh").chmod(0o755)
    (dvc.root / "tree/a/empty").mkdir()

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 0, done
    assert verdicts(dvc.root) == {"make": "same"}


def test_a_dependency_that_changed_makes_the_stage_run(
    dvc: DvcProject, bare_pivot: Command
) -> None:
    dvc.stage({"out.txt": b"out"})
    dvc.write("source.txt", "edited")

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 0, done
    assert "no lock  make: the dependency source.txt is not as it was" in done.out
    assert verdicts(dvc.root) == {"make": "no lock"}


def test_a_dependency_that_changed_is_recorded_as_it_was_if_dvc_has_it(
    dvc: DvcProject, bare_pivot: Command
) -> None:
    dvc.stage({"out.txt": b"out"})
    dvc.store(b"source\n")
    dvc.write("source.txt", "edited")

    bare_pivot("import-dvc", cwd=dvc.root)

    assert digest(b"source\n") in (dvc.root / ".pivot/stages/make.lock").read_text()
    assert verdicts(dvc.root) == {"make": "differs"}


def test_a_command_that_changed_makes_the_stage_run(dvc: DvcProject, bare_pivot: Command) -> None:
    dvc.stage({"out.txt": b"out"})
    text = (dvc.root / "dvc.yaml").read_text()
    dvc.write("dvc.yaml", text.replace("make it", "make it so"))

    bare_pivot("import-dvc", cwd=dvc.root)

    assert verdicts(dvc.root) == {"make": "differs"}


def test_a_parameter_that_changed_makes_the_stage_run(dvc: DvcProject, bare_pivot: Command) -> None:
    stage = {"cmd": "x", "params": ["lr"], "outs": ["out.txt"]}
    dvc.yaml("dvc.yaml", {"stages": {"one": stage, "two": stage | {"outs": ["two.txt"]}}})
    ran = {"cmd": "x", "outs": [dvc.record("out.txt", b"out")]}
    second = ran | {"outs": [dvc.record("two.txt", b"two")]}
    dvc.lock(
        {
            "one": ran | {"params": {"params.yaml": {"lr": 1}}},
            "two": second | {"params": {"params.yaml": {"lr": 2}}},
        }
    )
    dvc.write("params.yaml", "lr: 2\n")
    dvc.place("out.txt", b"out")
    dvc.place("two.txt", b"two")

    bare_pivot("import-dvc", cwd=dvc.root)

    assert verdicts(dvc.root) == {"one": "differs", "two": "same"}


def test_an_output_is_taken_from_the_workspace_if_dvc_has_lost_it(
    dvc: DvcProject, bare_pivot: Command
) -> None:
    dvc.stage({"out.txt": b"out"})
    dvc.object(md5(b"out")).unlink()

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 0, done
    assert list(objects(dvc.root / ".pivot/cache").values()) == [b"out"]


def test_an_output_that_is_nowhere_is_missing(dvc: DvcProject, bare_pivot: Command) -> None:
    dvc.stage({"out.txt": b"out"})
    dvc.object(md5(b"out")).unlink()
    (dvc.root / "out.txt").unlink()

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 3, done
    assert f"Error: out.txt: {md5(b'out')} is not in DVC's cache" in done.err
    assert "dvc fetch" in done.err
    assert (dvc.root / "pivot.yaml").exists()
    assert verdicts(dvc.root) == {"make": "no lock"}


@pytest.mark.parametrize("legacy", [False, True])
def test_a_damaged_object_is_not_taken(legacy: bool, tmp_path: Path, bare_pivot: Command) -> None:
    dvc = DvcProject(tmp_path / "project", legacy)
    dvc.stage({"out.txt": b"out", "tree": {"a.txt": b"a"}})
    dvc.yaml("data.dvc", {"outs": [dvc.record("data", b"data")]})
    damaged = dvc.object(md5(b"out"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"OUT")
    (dvc.root / "out.txt").unlink()

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 5, done
    assert str(damaged) in done.err
    assert verdicts(dvc.root) == {"make": "no lock"}
    assert b"OUT" not in objects(dvc.root / ".pivot/cache").values()
    assert (dvc.root / "data.pvt").exists()


@pytest.fixture(name="damaged")
def _damaged(dvc: DvcProject) -> DvcProject:
    """Two stages read tracked images of which one is damaged, and a third has nothing of it."""
    images = {"imgs/1.png": b"one", "imgs/2.png": b"two"}
    listed: Content = {"1.png": b"one", "2.png": b"two"}
    dvc.yaml("imgs.dvc", {"outs": [dvc.record("imgs", listed)]})
    stages, ran = {}, {}
    for name, read in (("a", "imgs"), ("b", "imgs"), ("c", "c.in")):
        stages[name] = {"cmd": name, "deps": [read], "outs": [f"{name}.out"]}
        content = listed if read == "imgs" else b"c"
        ran[name] = {
            "cmd": name,
            "deps": [dvc.record(read, content)],
            "outs": [dvc.record(f"{name}.out", name.encode())],
        }
    dvc.yaml("dvc.yaml", {"stages": stages})
    dvc.lock(ran)
    for path, data in (images | {"c.in": b"c"}).items():
        dvc.place(path, data)
    bad = dvc.object(md5(b"two"))
    bad.chmod(0o644)
    bad.write_bytes(b"TWO")
    return dvc


def test_what_was_not_written_is_neither_counted_nor_added(
    damaged: DvcProject, bare_pivot: Command
) -> None:
    done = bare_pivot("import-dvc", cwd=damaged.root)

    assert done.code == 5, done
    assert done.out.splitlines() == [
        "  write    pivot.yaml",
        "  lock     c",
        "  no lock  a: imgs/2.png is damaged in DVC's cache",
        "  no lock  b: imgs/2.png is damaged in DVC's cache",
        "Converted 3 stage(s), 1 with a lock; 4 object(s), 6 B",
        "",
        "Next:",
        "  pivot import-dvc --force   # when the errors are mended; keep DVC's files until then",
        "  pivot repro --dry-run   # what DVC would run, and no more",
        "  git add .pivot pivot.yaml",
    ]
    assert sorted(objects(damaged.root / ".pivot/cache").values()) == [b"a", b"b", b"c", b"one"]


def test_a_damaged_object_is_one_error_with_all_that_need_it(
    damaged: DvcProject, bare_pivot: Command
) -> None:
    done = bare_pivot("import-dvc", cwd=damaged.root)

    bad = f"{damaged.object(md5(b'two'))} hashes to {md5(b'TWO')}, and was not taken"
    assert done.err.splitlines() == [
        f"Error: imgs/2.png: {bad} (stages a, b; imgs.dvc)",
        "Tip: delete the file, run 'dvc fetch', then 'pivot import-dvc --force'",
    ]


def test_a_report_on_damaged_objects_has_each_stage(
    damaged: DvcProject, bare_pivot: Command
) -> None:
    dry = valid(bare_pivot("import-dvc", "--json", "-n", cwd=damaged.root).out, "import")
    run = valid(bare_pivot("import-dvc", "--json", cwd=damaged.root).out, "import")

    assert (dry["problems"], dry["objects"]) == ([], {"count": 5, "bytes": 9})
    assert run["objects"] == {"count": 4, "bytes": 6}
    assert [problem["owner"] for problem in run["problems"]] == ["a", "b", "imgs.dvc"]
    assert {stage["name"]: bool(stage["lock"]) for stage in run["stages"]} == {
        "a": False,
        "b": False,
        "c": True,
    }
    assert all(bool(stage["reason"]) != bool(stage["lock"]) for stage in run["stages"])
    assert not any(line.startswith(("git rm", "git commit")) for line in run["next"])
    assert any(line.startswith("git rm") for line in dry["next"])


def test_what_was_mended_is_taken_by_the_next_run(damaged: DvcProject, bare_pivot: Command) -> None:
    bare_pivot("import-dvc", cwd=damaged.root)
    damaged.object(md5(b"two")).write_bytes(b"two")

    done = bare_pivot("import-dvc", "--force", cwd=damaged.root)

    assert (done.code, done.err) == (0, "")
    assert "3 stage(s), 3 with a lock; 5 object(s), 9 B" in done.out
    assert "  git add .pivot pivot.yaml imgs.pvt\n" in done.out
    assert "  git rm -r --ignore-unmatch dvc.yaml dvc.lock .dvc .dvcignore '*.dvc'\n" in done.out


def test_the_cache_is_found_where_the_configuration_says(
    dvc: DvcProject, tmp_path: Path, bare_pivot: Command
) -> None:
    dvc.stage({"out.txt": b"out"})
    (dvc.root / ".dvc/cache").rename(tmp_path / "shared")
    (dvc.root / "out.txt").unlink()
    dvc.write(".dvc/config.local", "[cache]\n    dir = ../../shared\n")

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 0, done
    assert list(objects(dvc.root / ".pivot/cache").values()) == [b"out"]


def test_links_into_the_cache_of_dvc_are_named_and_can_be_replaced(
    dvc: DvcProject, bare_pivot: Command
) -> None:
    dvc.stage({"out.txt": b"out", "tree": {"a.txt": b"a"}})
    for path, data in (("out.txt", b"out"), ("tree/a.txt", b"a")):
        (dvc.root / path).unlink()
        (dvc.root / path).symlink_to(dvc.object(md5(data)))

    done = bare_pivot("import-dvc", cwd=dvc.root)
    before = verdicts(dvc.root)
    bare_pivot("checkout", "--force", "out.txt", "tree", cwd=dvc.root)

    assert "out.txt: 2 output(s) are symlinks into DVC's cache" in done.out
    assert "pivot checkout --force out.txt tree" in done.out
    assert before == {"make": "differs"}
    assert verdicts(dvc.root) == {"make": "same"}
    assert dvc.object(md5(b"out")).read_bytes() == b"out"


def test_imported_data_is_tracked_without_its_source(dvc: DvcProject, bare_pivot: Command) -> None:
    source = {"path": "model.bin", "repo": {"url": "https://example.org/models", "rev_lock": "1"}}
    dvc.yaml("model.bin.dvc", {"deps": [source], "outs": [dvc.record("model.bin", b"model")]})

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 0, done
    assert "model.bin.dvc:2: imported from https://example.org/models (model.bin)" in done.out
    assert digest(b"model") in (dvc.root / "model.bin.pvt").read_text()


def test_what_is_there_is_overwritten_with_force_only(dvc: DvcProject, bare_pivot: Command) -> None:
    dvc.stage({"out.txt": b"out"})
    dvc.write("pivot.yaml", "# mine\n")

    refused = bare_pivot("import-dvc", cwd=dvc.root)
    forced = bare_pivot("import-dvc", "--force", cwd=dvc.root)
    again = bare_pivot("import-dvc", cwd=dvc.root)

    assert refused.code == 2, refused
    assert "Error: pivot.yaml: exists already" in refused.err
    assert forced.code == 0, forced
    assert again.code == 2, again
    assert ".pivot/stages/make.lock" in again.err


def test_without_a_dvc_project_there_is_nothing_to_import(
    tmp_path: Path, bare_pivot: Command
) -> None:
    done = bare_pivot("import-dvc", cwd=tmp_path)

    assert done.code == 2, done
    assert "No DVC project" in done.err


def test_a_project_inside_of_another_is_refused(dvc: DvcProject, bare_pivot: Command) -> None:
    dvc.stage({"out.txt": b"out"})
    (dvc.root.parent / ".pivot").mkdir()

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 2, done
    assert "inside of the Pivot project" in done.err


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("dvc.yaml", "stages:\n  a:\n    cmd: [\n", "dvc.yaml: line"),
        ("dvc.yaml", "stages:\n  a:\n    deps: [b]\n", "dvc.yaml: line 2: stage a: 'cmd' must be"),
        (
            "dvc.yaml",
            "stages:\n  a:\n    cmd: echo ${lr}\n",
            "dvc.yaml: line 3: ${lr} is not found",
        ),
        ("dvc.yaml", "stages:\n  a:\n    cmd: x\n    outs: b\n", "line 4: stage a: 'outs' must be"),
        ("dvc.yaml", "vars: [no.yaml]\n", "line 1: no.yaml is not there"),
        ("dvc.lock", "schema: '2.0'\nstages: [a]\n", "dvc.lock: line 2: stages must be a mapping"),
        ("x.dvc", "outs:\n- md5: beef\n  path: x\n", "x.dvc: line 2: md5 must be 32"),
        (".dvc/config", "[core]\nremote\n", ".dvc/config: line 2: is neither"),
        ("dvc.yaml", "a: " + "[" * 5000, "dvc.yaml: line 1"),
    ],
)
def test_a_document_that_is_not_valid_is_named_with_its_line(
    path: str, text: str, said: str, dvc: DvcProject, bare_pivot: Command
) -> None:
    dvc.stage({"out.txt": b"out"})
    dvc.write(path, text)

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 8, done
    assert said in done.err
    assert not (dvc.root / ".pivot").exists()


def test_no_document_reaches_out_of_the_project(
    dvc: DvcProject, tmp_path: Path, bare_pivot: Command
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"secret")
    (dvc.root / "link").symlink_to(tmp_path)
    listing = json.dumps([{"md5": md5(b"secret"), "relpath": "../../secret.txt"}]).encode()
    name = dvc.store(listing, f"{md5(listing)}.dir")
    entry = {"hash": "md5", "md5": md5(b"secret"), "size": 6}
    paths = ["../secret.txt", "/etc/passwd", ".git/config", "link/secret.txt"]
    stages = {f"s{n}": {"cmd": "x", "outs": [path]} for n, path in enumerate(paths)}
    stages["tree"] = {"cmd": "x", "outs": ["tree"]}
    dvc.yaml("dvc.yaml", {"stages": stages})
    ran = {f"s{n}": {"cmd": "x", "outs": [entry | {"path": path}]} for n, path in enumerate(paths)}
    tree_entry = {"path": "tree", "hash": "md5", "md5": name}
    dvc.lock(ran | {"tree": {"cmd": "x", "outs": [tree_entry]}})
    dvc.yaml("out.dvc", {"outs": [entry | {"path": "../secret.txt"}]})

    done = bare_pivot("import-dvc", cwd=dvc.root)

    assert done.code == 5, done
    assert objects(dvc.root / ".pivot/cache") == {}
    for said in (
        "../secret.txt is not in the project",
        "/etc/passwd",
        ".git and .pivot",
        "out.dvc",
    ):
        assert said in done.out + done.err


def test_the_example_of_the_page_does_what_it_says(tmp_path: Path, bare_pivot: Command) -> None:
    page = (ROOT / "docs/import-dvc.md").read_text(encoding="utf-8")
    dvc = DvcProject(tmp_path / "demo")
    raw, clean, model = b"b\na\n", b"a\nb\n", b"0.1 are all my weights"
    sources: dict[str, Content] = {"train.sh": b"echo $1\n", "metrics.json": b"{}\n"}
    dvc.write("dvc.yaml", page.partition("$ cat dvc.yaml\n")[2].partition("$ pivot")[0])
    dvc.write(
        ".dvc/config",
        "[core]\n    remote = storage\n['remote \"storage\"']\n    url = s3://my-bucket/dvc\n"
        "    profile = ana\n",
    )
    dvc.write("params.yaml", "lr: 0.1\n")
    dvc.write(".gitignore", "/raw.csv\n/clean.csv\n/model.txt\n")
    dvc.yaml("raw.csv.dvc", {"outs": [dvc.record("raw.csv", raw)]})
    tidy = dvc.record("clean.csv", clean)
    dvc.lock(
        {
            "clean": {
                "cmd": "sort raw.csv > clean.csv",
                "deps": [dvc.record("raw.csv", raw)],
                "outs": [tidy],
            },
            "train": {
                "cmd": "sh train.sh 0.1",
                "deps": [tidy, dvc.record("train.sh", b"echo $1\n", cached=False)],
                "params": {"params.yaml": {"lr": 0.1}},
                "outs": [
                    dvc.record("metrics.json", b"{}\n", cached=False),
                    dvc.record("model.txt", model),
                ],
            },
        }
    )
    for path, content in {
        **sources,
        "raw.csv": raw,
        "clean.csv": clean,
        "model.txt": model,
    }.items():
        dvc.place(path, content)
    environment = bare_pivot.environment
    environment |= {"PATH": install_commands(tmp_path / "bin", [sys.executable, "-m", "pivot"])}
    for words in (["init", "-q"], ["add", "*.dvc", "dvc.*"], ["commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=dvc.root, env=environment, check=True)

    count = run_page(page, Shell(tmp_path, environment))

    assert count == 9
    assert verdicts(dvc.root) == {"clean": "same", "train": "same"}
