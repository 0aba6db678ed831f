from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests import projects
from tests.projects import SYMLINK_MODE, VERSIONS, Document, Fixture, ProjectBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = (Path(__file__).parent.parent / "docs" / "format.md").read_text(encoding="utf-8")
TREE_LINE = re.compile(r"(?P<mode>[-dl][-rwx]{9}) (?P<size>\d+) (?P<path>.*) (?P<target>\S*)")


def blocks(kind: str) -> list[str]:
    found = re.findall(rf"^```{kind}\n(.*?)^```$", FORMAT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/format.md has no block of {kind}"
    return found


VECTORS = [line.rsplit(" -> ", 1) for block in blocks("vectors") for line in block.splitlines()]


@pytest.fixture(name="fixture", params=[*VERSIONS, SYMLINK_MODE])
def _fixture(request: pytest.FixtureRequest, tmp_path: Path) -> Fixture:
    return projects.unpack(request.param, tmp_path)


@pytest.fixture(name="released", params=VERSIONS)
def _released(request: pytest.FixtureRequest, tmp_path: Path) -> Fixture:
    return projects.unpack(request.param, tmp_path)


def records(document: object) -> Iterator[Document]:
    """Find every mapping in a document that records a hash outside of a manifest."""
    if isinstance(document, dict):
        if "hash" in document:
            yield document
        for key in document.keys() - {"manifest"}:
            yield from records(document[key])
    elif isinstance(document, list):
        for item in document:
            yield from records(item)


@pytest.mark.parametrize(("source", "expected"), VECTORS)
def test_documented_vectors_hold(source: str, expected: str) -> None:
    value = json.loads(source)
    if isinstance(value, str):
        assert projects.digest(value.encode()) == expected
    elif isinstance(value, dict):
        assert projects.tree_digest(value["manifest"], value["empty_dirs"]) == expected
    else:
        assert projects.tree_digest(value) == expected


@pytest.mark.parametrize("source", [source for source, _ in VECTORS if source[0] in "[{"])
def test_documented_directories_show_the_very_bytes_that_are_hashed(source: str) -> None:
    assert json.dumps(json.loads(source), sort_keys=True, separators=(",", ":")) == source


@pytest.mark.parametrize("text", blocks("yaml"))
def test_documented_yaml_is_complete(text: str) -> None:
    document = yaml.safe_load(text)

    assert isinstance(document, dict)
    for record in records(document):
        assert re.fullmatch(r"[0-9a-f]{16}", record["hash"])
        if "manifest" in record:
            empty = record.get("empty_dirs", [])
            assert projects.tree_digest(record["manifest"], empty) == record["hash"]


def test_documented_vectors_cover_hashes_that_look_like_numbers() -> None:
    shown = {digest: yaml.dump(digest, Dumper=yaml.CSafeDumper) for _, digest in VECTORS}

    assert [digest for digest, text in shown.items() if text.startswith("'")]
    assert [digest for digest, text in shown.items() if digest.isdigit() and digest in text[:16]]
    assert [digest for digest in shown if re.fullmatch(r"\d+e\d+", digest)]


def test_fixtures_unpack_with_the_modes_of_their_list(fixture: Fixture) -> None:
    listed = [TREE_LINE.fullmatch(line) for line in _tree_txt(fixture)]

    assert len(listed) > 50
    for line in listed:
        assert line is not None
        if line["path"] == "WORKSPACE-LINKS.txt":
            continue
        path = fixture.root / line["path"]
        permissions = sum(1 << (8 - i) for i, bit in enumerate(line["mode"][1:]) if bit != "-")
        if line["mode"].startswith("l"):
            assert str(path.readlink()) == line["target"]
        elif line["mode"].startswith("d"):
            assert path.is_dir()
            assert not any(path.iterdir())
        else:
            assert path.stat().st_size == int(line["size"])
        if not path.is_symlink():
            assert path.stat().st_mode & 0o777 == permissions


def test_fixtures_hold_nothing_that_their_list_lacks(fixture: Fixture) -> None:
    listed = {line.split(" ", 2)[2].strip() for line in _tree_txt(fixture)}
    listed = {re.sub(r" a\.txt$", "", path) for path in listed}

    found = {
        path.relative_to(fixture.root).as_posix()
        for path in fixture.root.rglob("*")
        if path.is_symlink() or path.is_file()
    }

    assert found - {"TREE.txt"} <= listed


def test_recorded_hashes_are_those_of_the_stored_objects(fixture: Fixture) -> None:
    stored = projects.objects(fixture.bucket if fixture.bucket.exists() else fixture.cache)
    documents = [*projects.locks(fixture).values(), *projects.tracked(fixture).values()]
    directories = files = 0

    for record in records(documents):
        if "manifest" in record:
            directories += 1
            rebuilt = [_rebuilt(entry, stored) for entry in record["manifest"]]
            assert projects.tree_digest(rebuilt, record.get("empty_dirs", [])) == record["hash"]
        elif content := stored.get(record["hash"]):
            files += 1
            assert projects.digest(content) == record["hash"]
            assert len(content) == record.get("size", len(content))
        elif fixture.workspace.exists():  # a metric, or an input that git holds
            kept = [node[0] for node in projects.tree(fixture.project).values()]
            assert record["hash"] in {projects.digest(c) for c in kept if isinstance(c, bytes)}

    assert directories >= 3
    assert files >= 10


def test_every_stored_object_hashes_to_its_name(fixture: Fixture) -> None:
    for place in (fixture.cache, fixture.bucket):
        for name, content in projects.objects(place).items():
            assert projects.digest(content) == name


def test_the_bucket_holds_what_the_cache_holds(released: Fixture) -> None:
    assert projects.objects(released.bucket) == projects.objects(released.cache)


def test_the_writer_reproduces_the_real_documents_byte_for_byte(fixture: Fixture) -> None:
    documents = [*fixture.project.rglob("*.lock"), *fixture.project.rglob("*.pvt")]

    for path in documents:
        text = path.read_text(encoding="utf-8")
        assert not text or projects.dump(yaml.safe_load(text)) == text


def test_a_clone_is_clean_and_holds_the_project(released: Fixture, tmp_path: Path) -> None:
    place = projects.clone(released, tmp_path / "clone")

    def git(*arguments: str) -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
        run = ["git", "-c", "core.quotePath=false", *arguments]
        return subprocess.check_output(run, cwd=place, env=environment, text=True)

    files = {p.relative_to(released.project) for p in released.project.rglob("*") if p.is_file()}
    assert git("status", "--porcelain") == ""
    assert {Path(name) for name in git("ls-files").splitlines()} == files


def test_a_clone_ignores_the_users_git_settings(
    released: Fixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings"
    settings.write_text("[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))

    place = projects.clone(released, tmp_path / "clone")

    assert (place / ".git" / "HEAD").exists()


def test_a_symlink_mode_clone_has_the_usual_layout(tmp_path: Path) -> None:
    fixture = projects.unpack(SYMLINK_MODE, tmp_path)

    place = projects.clone(fixture, tmp_path / "clone")

    assert (place / ".pivot/stages/demo/tree.lock").exists()
    assert (place / ".pivot/config.yaml").exists()
    assert set(projects.tracked(fixture)) == {"data/big.txt", "data/imgs"}
    assert (place / "data/big.txt.pvt").exists()


def test_expected_workspaces_leave_out_what_is_not_stored(released: Fixture) -> None:
    missing = {
        "0.1.0": {"out/tree/empty"},
        "0.2.4": {f"data/imgs/{name}" for name in ("__pycache__/c.pyc", "build/o.txt", "x.swp")}
        | {"data/imgs/emptyd", "data/imgs/link"},
        "0.3.11": {"data/imgs/link"},
        "0.5.11": {"data/imgs/link"},
    }
    whole = projects.tree(released.workspace)

    expected = projects.expected_workspace(released)

    assert whole.keys() - expected.keys() == missing[released.version]
    assert expected.items() <= whole.items()


def test_expected_workspaces_are_made_of_git_files_and_objects(released: Fixture) -> None:
    git = projects.tree(released.project)
    stored = set(projects.objects(released.bucket).values())

    for name, (content, _) in projects.expected_workspace(released).items():
        assert content in stored or content is None or git[name][0] == content


def test_built_outputs_equal_those_the_real_pivot_recorded(tmp_path: Path) -> None:
    fixture = projects.unpack("0.5.11", tmp_path)
    stored = projects.objects(fixture.bucket)
    builder = ProjectBuilder(tmp_path / "built")

    for name in ("demo/tree", "demo/split", "demo/nodeps"):
        (out,) = projects.locks(fixture)[name]["outs"]
        path = builder.stage(name, {out["path"]: _content(out, stored)})

        original = (fixture.project / ".pivot/stages" / f"{name}.lock").read_text(encoding="utf-8")
        assert path.read_text(encoding="utf-8").endswith(original[original.index("\nouts:") :])


def test_built_pvt_files_equal_those_of_the_real_pivot(tmp_path: Path) -> None:
    fixture = projects.unpack("0.5.11", tmp_path)
    stored = projects.objects(fixture.bucket)
    builder = ProjectBuilder(tmp_path / "built")

    for path, document in projects.tracked(fixture).items():
        written = builder.tracked(path, _content(document, stored))

        assert written.read_bytes() == (fixture.project / f"{path}.pvt").read_bytes()


def test_built_projects_hold_what_was_asked_for(tmp_path: Path) -> None:
    builder = ProjectBuilder(tmp_path).config("remotes:\n  origin: s3://bucket\n")
    builder.stage("demo/prep", {"out/a.txt": b"a"}, place=True)
    builder.stage(
        "demo/fit",
        {"out/tree": {"run.sh": (b"#", True), "empty": None}, "metrics/fit.json": b"{}"},
        after=["demo/prep"],
        metrics=["metrics/fit.json"],
    )
    builder.tracked("data/raw", {"x": b"x", "e": None}, place=True)

    lock = yaml.safe_load((tmp_path / ".pivot/stages/demo/fit.lock").read_text())
    assert lock["code_manifest"]["out:demo/fit:metrics_fit_json:tag"] == "metric"
    assert lock["deps"] == [{"producer": "demo/prep", "key": None, "hash": projects.digest(b"a")}]
    assert set(projects.objects(tmp_path).values()) == {b"a", b"#", b"x"}
    assert {name: node[0] for name, node in projects.tree(tmp_path).items()} == {
        "data/raw/e": None,
        "data/raw/x": b"x",
        "data/raw.pvt": (tmp_path / "data/raw.pvt").read_bytes(),
        "metrics/fit.json": b"{}",
        "out/a.txt": b"a",
    }


def _tree_txt(fixture: Fixture) -> list[str]:
    return (fixture.root / "TREE.txt").read_text(encoding="utf-8").splitlines()


def _rebuilt(entry: Document, stored: dict[str, bytes]) -> Document:
    content = stored[entry["hash"]]
    return {**entry, "hash": projects.digest(content), "size": len(content)}


def _content(record: Document, stored: dict[str, bytes]) -> projects.Content:
    if "manifest" not in record:
        return stored[record["hash"]]
    files = {
        entry["relpath"]: (stored[entry["hash"]], entry["isexec"]) for entry in record["manifest"]
    }
    return files | dict.fromkeys(record.get("empty_dirs", ()))
