"""Decide what a `dvc.yaml` becomes: the tree of a `pivot.yaml`, and which stage is which; pure."""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.dvc.notes import Note
from pivot.dvc.translated import entry_notes, literal, outside, top_notes, translate
from pivot.frozen import frozen
from pivot.pipeline.file import parse_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pivot.dvc.declared import Declared, Entry
    from pivot.pipeline.file import Reader
    from pivot.stage import Stage
    from pivot.values import Typed

NAME = "pivot.yaml"
_ODD = re.compile(r"[^A-Za-z0-9_.@-]")


@frozen
class Match:
    """A *stage* of ours, and how the `dvc.yaml` at *document* calls it."""

    theirs: str
    document: str
    stage: Stage


@frozen
class Converted:
    """What a `dvc.yaml` becomes: the *tree* of *document*; without stages there is none."""

    source: str
    document: str
    tree: Mapping[str, Typed]
    matches: tuple[Match, ...]
    notes: tuple[Note, ...]


@frozen
class _Written:
    """An entry as it is written, and the stages that it makes, in DVC's order."""

    bodies: Mapping[str, Typed]
    stages: tuple[Stage, ...]
    tidy: bool


def convert(file: Declared, read: Reader) -> Converted:
    """Convert *file*; *read* gives what its templates refer to.

    An entry keeps its templates where ours make the very stages of DVC from them, and is written
    out where they do not.
    """
    document = posixpath.join(posixpath.dirname(file.document), NAME)
    variables = [
        entry.partition(":")[0] if isinstance(entry, str) else entry
        for entry in _list(file.tree.get("vars"))
    ]
    writer = _Writer(file, document, variables, read)
    bodies: dict[str, Typed] = {}
    matches: list[Match] = []
    notes = list(top_notes(file))
    templates = False
    for entry in file.entries:
        written = writer.write(entry, notes, taken=bodies.keys())
        if written is None:
            continue
        bodies |= written.bodies
        matches += [
            Match(theirs.name, file.document, stage)
            for theirs, stage in zip(entry.stages, written.stages, strict=True)
        ]
        templates = templates or (written.tidy and "${" in json.dumps(written.bodies))
    scope: dict[str, Typed] = {"vars": variables} if variables and templates else {}
    tree: dict[str, Typed] = {**scope, "stages": bodies} if bodies else {}
    ordered = {key: tree[key] for key in file.tree if key in tree}  # as the author has it
    return Converted(file.document, document, ordered, tuple(matches), _in_order(notes))


def _in_order(notes: Iterable[Note]) -> tuple[Note, ...]:
    return tuple(sorted(notes, key=lambda note: note.line))


@frozen
class _Writer:
    file: Declared
    document: str
    variables: list[Typed]
    read: Reader

    def write(self, entry: Entry, notes: list[Note], taken: Iterable[str]) -> _Written | None:
        """Write one entry; `None` where it makes no stages, or cannot be written."""
        if not entry.stages:
            return None
        dropped = [outside(stage.body, self.file.document) for stage in entry.stages]
        notes += entry_notes(self.file, entry, frozenset().union(*dropped))
        names = _names([stage.name for stage in entry.stages], set(taken))
        bodies: dict[str, Typed] = {
            name: literal(translate(stage.body, left_out))
            for name, stage, left_out in zip(names, entry.stages, dropped, strict=True)
        }
        wanted, problems = self._parse({"stages": bodies})
        if problems:
            told = "; ".join(re.sub(r"^line \d+: ", "", problem) for problem in problems[:3])
            what = f"stage {entry.name} is not converted: {told}"
            notes.append(Note(self.file.document, self._line(entry), what, "write it by hand"))
            return None
        written = self._tidy(entry, dropped[0], wanted) if len(set(dropped)) == 1 else None
        if written is None:
            written = _Written(bodies, wanted, tidy=False)
            notes += self._written_out(entry)
        notes += self._renamed(entry, written.stages)
        return written

    def _tidy(
        self, entry: Entry, dropped: frozenset[tuple[str, int]], wanted: tuple[Stage, ...]
    ) -> _Written | None:
        """Write the entry with its templates, if ours make the same of them."""
        body = translate(entry.body, dropped)
        if entry.matrix is not None:
            body = {"matrix": entry.matrix, **body}
        elif entry.items is not None:
            body = {"matrix": {"item": entry.items}, **body}
        bodies: dict[str, Typed] = {entry.name: body}
        stages, problems = self._parse({"vars": self.variables, "stages": bodies})
        same_names = entry.matrix is not None or (
            [stage.name for stage in stages] == [stage.name for stage in wanted]
        )
        if problems or not same_names or list(map(_bare, stages)) != list(map(_bare, wanted)):
            return None
        return _Written(bodies, stages, tidy=True)

    def _parse(self, tree: Mapping[str, Typed]) -> tuple[tuple[Stage, ...], tuple[str, ...]]:
        text = json.dumps(tree, ensure_ascii=False)  # which is YAML too
        return parse_pipeline(text.encode(), self.document, self.read)

    def _line(self, entry: Entry) -> int:
        return self.file.line(("stages", entry.name))

    def _written_out(self, entry: Entry) -> Iterator[Note]:
        """Say what no longer follows its source, where an entry is written out."""
        document, count = self.file.document, len(entry.stages)
        if isinstance(entry.items, str) or isinstance(entry.matrix, dict):
            what = f"stage {entry.name} is written out as {count} stage(s)"
            cure = "they no longer follow the list that they came from: edit pivot.yaml with it"
            yield Note(document, self._line(entry), what, cure)
        elif entry.items is None and "vars" in entry.body:
            what = f"stage {entry.name}: the values of its 'vars' are filled in"
            cure = "put them into 'vars' at the top of pivot.yaml to have the names back"
            yield Note(document, self._line(entry), what, cure)

    def _renamed(self, entry: Entry, stages: tuple[Stage, ...]) -> Iterator[Note]:
        above = posixpath.dirname(self.document)
        pairs = [
            (theirs.name, ours.name)
            for theirs, ours in zip(entry.stages, stages, strict=True)
            if posixpath.join(above, theirs.name) != ours.name
        ]
        if pairs:
            more = f", and {len(pairs) - 1} more like it" if len(pairs) > 1 else ""
            what = f"stage {pairs[0][0]} is called {pairs[0][1]} here{more}"
            cure = "use the new names on the command line"
            yield Note(self.file.document, self._line(entry), what, cure)


def _names(theirs: list[str], taken: set[str]) -> list[str]:
    """Give each stage a name that ours may have."""
    found: dict[str, None] = {}
    for name in theirs:
        made = plain = _ODD.sub("-", name)
        number = 1
        while made in taken or made in found:
            number += 1
            made = f"{plain}-{number}"
        found[made] = None
    return list(found)


def _bare(stage: Stage) -> Stage:
    return replace(stage, name="", group="", line=0)


def _list(value: Typed) -> list[Typed]:
    return value if isinstance(value, list) else []
