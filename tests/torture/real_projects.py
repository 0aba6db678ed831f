"""Projects for releases of the real Pivot, no two alike: contents, and pipelines that make them."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Leaf: TypeAlias = tuple[bytes, bool] | None
"""A file's bytes and whether it may be executed, or an empty directory."""
Files: TypeAlias = dict[str, Leaf]

_FIRST = "0.1.0"
_WITHOUT_EMPTY = frozenset({_FIRST, "0.2.4"})
_NAMES = (
    "a.txt",
    "1e5",
    "123",
    "true",
    "null",
    "colon: x",
    "-dash",
    "café",
    "a b",
    "#x",
    "%41",
    "é",
)
_MAKE = """
def make(files, top):
    for name, leaf in files.items():
        path = top / name
        (path if leaf is None else path.parent).mkdir(parents=True, exist_ok=True)
        if leaf is not None:
            path.write_bytes(base64.b64decode(leaf[0]))
            os.chmod(path, 0o755 if leaf[1] else 0o644)
    return top
"""
_NEWER = """\
import base64, json, os, pathlib, tempfile
from typing import Annotated

from pivot import Pipeline, loaders, stage
{make}
{stages}

with Pipeline("demo") as pipeline:
    raw = pipeline.input("raw", t=str, path="data/raw.txt")
    imgs = pipeline.input("imgs", t=pathlib.Path, path="data/imgs", format=loaders.PathOnly())
    count(imgs)
{calls}
"""
_NEWER_STAGE = """
@stage
def tree{n}(raw: str) -> Annotated[pathlib.Path, loaders.PathOnly()]:
    return make(json.loads(raw)["trees"][{n}], pathlib.Path(tempfile.mkdtemp()) / "made")

@stage
def text{n}(raw: str) -> str:
    return json.loads(raw)["texts"][{n}]

@stage
def value{n}(raw: str) -> Annotated[dict, loaders.JSON()]:
    return {{"value": json.loads(raw)["texts"][{n}]}}
"""
_COUNT = """
@stage
def count(imgs: pathlib.Path) -> Annotated[dict, loaders.JSON()]:
    return {"files": sum(path.is_file() for path in imgs.rglob("*"))}
"""
_OLDER = """\
import base64, json, os, pathlib
from typing import Annotated, TypedDict

from pivot import loaders
from pivot.outputs import Dep, Out
from pivot.pipeline.pipeline import Pipeline

pipeline = Pipeline("demo")
{make}
{stages}
"""
_OLDER_STAGE = """
class Made{n}(TypedDict):
    tree: Annotated[pathlib.Path, Out("out/tree{n}", loaders.PathOnly())]
    text: Annotated[pathlib.Path, Out("out/text{n}.txt", loaders.PathOnly())]

def stage{n}(
    raw: Annotated[pathlib.Path, Dep("data/raw.txt", loaders.PathOnly())],
    imgs: Annotated[pathlib.Path, Dep("data/imgs", loaders.PathOnly())],
) -> Made{n}:
    given = json.loads(pathlib.Path(raw).read_text())
    text = pathlib.Path("out/text{n}.txt")
    text.parent.mkdir(exist_ok=True)
    text.write_text(given["texts"][{n}])
    return Made{n}(tree=make(given["trees"][{n}], pathlib.Path("out/tree{n}")), text=text)

pipeline.register(stage{n})
"""


@dataclass(frozen=True)
class RealProject:
    """What stages of a project for *release* make, and the directory that it tracks."""

    release: str
    trees: tuple[Files, ...]
    texts: tuple[str, ...]
    tracked: Files

    @property
    def stages(self) -> int:
        """How many stages there are."""
        return len(self.trees) if self.release == _FIRST else 3 * len(self.trees) + 1

    def write(self, root: Path) -> None:
        """Write the pipeline and its inputs."""
        spec = {"trees": [_plain(files) for files in self.trees], "texts": self.texts}
        (root / "data").mkdir(parents=True)
        (root / "data/raw.txt").write_text(json.dumps(spec))
        for name, leaf in self.tracked.items():
            path = root / "data/imgs" / name
            (path if leaf is None else path.parent).mkdir(parents=True, exist_ok=True)
            if leaf is not None:
                path.write_bytes(leaf[0])
                path.chmod(0o755 if leaf[1] else 0o644)
        numbers = range(len(self.trees))
        if self.release == _FIRST:
            stages = "".join(_OLDER_STAGE.format(n=n) for n in numbers)
            text = _OLDER.format(make=_MAKE, stages=stages)
        else:
            stages = _COUNT + "".join(_NEWER_STAGE.format(n=n) for n in numbers)
            calls = [f"    {name}{n}(raw)" for n in numbers for name in ("tree", "text", "value")]
            text = _NEWER.format(make=_MAKE, stages=stages, calls="\n".join(calls))
        (root / "pipeline.py").write_text(text)

    def kept(self, place: dict[str, bytes | None]) -> dict[str, bytes | None]:
        """Leave out of *place* what the release does not keep."""
        without = self.release in _WITHOUT_EMPTY
        return {name: data for name, data in place.items() if data is not None or not without}


def draw_project(chance: random.Random, release: str) -> RealProject:
    """Make up a project."""
    count = chance.randint(1, 3)
    texts = tuple("".join(chance.choices("ab é\n0", k=chance.randint(1, 40))) for _ in range(count))
    trees = tuple(_draw_files(chance) for _ in range(count))
    return RealProject(release, trees, texts, _draw_files(chance))


def _draw_files(chance: random.Random) -> Files:
    """Make up the content of a directory: no file is where a directory is."""
    files: Files = {"always": (chance.randbytes(chance.randint(1, 200)), False)}
    for name in chance.sample(_NAMES, k=chance.randint(1, len(_NAMES))):
        above = "".join(
            f"{part}/" for part in chance.choices(("sub", "deep er"), k=chance.randint(0, 2))
        )
        body = chance.choice((b"", b"same", chance.randbytes(chance.randint(1, 5000))))
        files[f"{above}{name}"] = None if chance.random() < 0.2 else (body, chance.random() < 0.3)
    return files


def _plain(files: Files) -> dict[str, list[object] | None]:
    return {
        name: None if leaf is None else [base64.b64encode(leaf[0]).decode(), leaf[1]]
        for name, leaf in files.items()
    }
