"""Read a `dvc.yaml`, to entries with the stages that each of them makes; pure."""

from __future__ import annotations

import itertools
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pivot.dvc.templates import Templates, plain
from pivot.dvc.variables import Variables
from pivot.errors import InvalidDocument
from pivot.frozen import frozen
from pivot.schema import kind_of
from pivot.values import Values, parse_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.dvc.settings import Settings
    from pivot.pipeline.file import Reader
    from pivot.values import Position, Typed

_MOST_STAGES = 100_000
_TEXTS = ("wdir", "desc")
_FLAGS = ("frozen", "locked", "always_changed")
_PATHS = ("deps", "outs", "metrics", "plots", "params")


@frozen
class Resolved:
    """A stage as DVC runs it: its *name*, and its *body* without templates."""

    name: str
    body: Mapping[str, Typed]


@frozen
class Entry:
    """One entry of `stages`: its *body* is a template, which stands at *position*.

    *items* is what `foreach` says, *matrix* what `matrix` says; both are `None` for a plain stage.
    """

    name: str
    position: Position
    body: Mapping[str, Typed]
    stages: tuple[Resolved, ...]
    items: Typed = None
    matrix: Typed = None


@frozen
class Declared:
    """A `dvc.yaml` file; *scope* is what its templates may refer to."""

    document: str
    values: Values
    tree: Mapping[str, Typed]
    scope: Mapping[str, Typed]
    entries: tuple[Entry, ...]

    def line(self, position: Position) -> int:
        """Find the line of a value, 0 if it is not known."""
        return self.values.line(position) or 0


def read_declared(data: bytes, document: str, read: Reader, settings: Settings) -> Declared:
    """Read the `dvc.yaml` file *document*; *read* gives what it refers to.

    Raises `InvalidDocument` with every problem and its line.
    """
    values = parse_values(data, document)
    tree = values.value
    if not isinstance(tree, dict):
        raise InvalidDocument(document, [f"must be a mapping, not {kind_of(tree)}"])
    file = _File(values, document, settings, Variables(read))
    above = posixpath.dirname(document)
    scope: dict[str, Typed] = {}
    try:
        scope = file.scope(tree.get("vars"), file.variables.default(above), above, ("vars",))
    except _Malformed as error:
        file.wrong(error.position, str(error))
    stages = None if file.problems else tree.get("stages")
    entries: list[Entry] = []
    if isinstance(stages, dict):
        for name, body in stages.items():
            try:
                entries.append(file.entry(name, body, scope))
            except _Malformed as error:
                file.wrong(error.position, str(error))
    elif stages is not None:
        file.wrong(("stages",), f"stages must be a mapping, not {kind_of(stages)}")
    if file.problems:
        raise InvalidDocument(document, list(dict.fromkeys(file.problems)))
    return Declared(document, values, tree, scope, tuple(entries))


class _Malformed(Exception):
    def __init__(self, position: Position, what: str) -> None:
        super().__init__(what)
        self.position = position


@dataclass
class _File:
    """A `dvc.yaml` file while it is read."""

    values: Values
    document: str
    settings: Settings
    variables: Variables
    problems: list[str] = field(default_factory=list)
    made: int = 0

    def wrong(self, position: Position, what: str) -> None:
        line = self.values.line(position)
        self.problems.append(f"line {line}: {what}" if line else what)

    def templates(self, scope: Mapping[str, Typed]) -> Templates:
        return Templates(scope, self.settings.flags, self.settings.lists)

    def scope(
        self, variables: Typed, scope: Mapping[str, Typed], above: str, position: Position
    ) -> dict[str, Typed]:
        """Gather what `${...}` may refer to, see `Variables.gather`."""
        try:
            return self.variables.gather(variables, scope, above)
        except ValueError as error:
            raise _Malformed(position, str(error)) from error

    def entry(self, name: str, body: Typed, scope: Mapping[str, Typed]) -> Entry:
        position: Position = ("stages", name)
        if not isinstance(body, dict):
            raise _Malformed(position, f"stage {name} must be a mapping, not {kind_of(body)}")
        if "foreach" in body:
            return self._foreach(name, body, scope)
        if "matrix" in body:
            template = {key: value for key, value in body.items() if key != "matrix"}
            combinations = self._matrix(name, body["matrix"], scope)
            stages = tuple(
                self._stage(
                    f"{name}@{key}", template, {**scope, "item": item, "key": key}, position
                )
                for key, item in combinations
            )
            return Entry(name, position, template, stages, matrix=body["matrix"])
        return Entry(name, position, body, (self._stage(name, body, scope, position),))

    def _foreach(self, name: str, body: dict[str, Typed], scope: Mapping[str, Typed]) -> Entry:
        position: Position = ("stages", name, "do")
        template = body.get("do")
        if not isinstance(template, dict):
            raise _Malformed(position, f"stage {name}: 'do' must be a mapping")
        items = self._fill(body["foreach"], scope, ("stages", name, "foreach"))
        pairs: list[tuple[str, dict[str, Typed]]]
        if isinstance(items, dict):
            pairs = [(key, {"item": item, "key": key}) for key, item in items.items()]
        elif isinstance(items, list):
            composite = any(isinstance(item, dict | list) for item in items)
            pairs = [
                (str(number) if composite else plain(item), {"item": item})
                for number, item in enumerate(items)
            ]
        else:
            what = f"stage {name}: 'foreach' must be a list or a mapping, not {kind_of(items)}"
            raise _Malformed(position, what)
        unique = dict(pairs)
        stages = tuple(
            self._stage(f"{name}@{key}", template, {**scope, **more}, position)
            for key, more in unique.items()
        )
        return Entry(name, position, template, stages, items=body["foreach"])

    def _matrix(
        self, name: str, matrix: Typed, scope: Mapping[str, Typed]
    ) -> Iterator[tuple[str, dict[str, Typed]]]:
        position: Position = ("stages", name, "matrix")
        lists = self._fill(matrix, scope, position)
        if not isinstance(lists, dict) or not all(isinstance(one, list) for one in lists.values()):
            raise _Malformed(position, f"stage {name}: 'matrix' must be a mapping of lists")
        dimensions = [
            [
                (dimension, value, f"{dimension}{n}" if _composite(value) else plain(value))
                for n, value in enumerate(values if isinstance(values, list) else ())
            ]
            for dimension, values in lists.items()
        ]
        for chosen in itertools.product(*dimensions):
            key = "-".join(part for _, _, part in chosen)
            yield key, {dimension: value for dimension, value, _ in chosen}

    def _stage(
        self, name: str, template: dict[str, Typed], scope: Mapping[str, Typed], position: Position
    ) -> Resolved:
        self.made += 1
        if self.made > _MOST_STAGES:
            raise InvalidDocument(self.document, [f"makes more than {_MOST_STAGES} stages"])
        if "vars" in template:
            wdir = self._fill(template.get("wdir") or ".", scope, (*position, "wdir"))
            above = posixpath.join(posixpath.dirname(self.document), str(wdir))
            scope = self.scope(template["vars"], scope, above, (*position, "vars"))
        body = {
            key: self._fill(value, scope, (*position, key), command=key == "cmd")
            for key, value in template.items()
            if key not in {"vars", "meta"} and value is not None
        }
        self._check(name, body, position)
        return Resolved(name, body)

    def _check(self, name: str, body: Mapping[str, Typed], position: Position) -> None:
        """Make sure that *body* has the form of a stage, as far as it is used."""
        command = body.get("cmd")
        if not command or isinstance(command, dict):
            raise _Malformed((*position, "cmd"), f"stage {name}: 'cmd' must be text or a list")
        for keys, kind, what in (
            (_TEXTS, str, "text"),
            (_FLAGS, bool, "true or false"),
            (_PATHS, list, "a list"),
        ):
            for key in keys:
                if key in body and not isinstance(body[key], kind):
                    found = kind_of(body[key])
                    raise _Malformed(
                        (*position, key), f"stage {name}: '{key}' must be {what}, not {found}"
                    )
        for key in _PATHS:
            items = body.get(key)
            for number, item in enumerate(items if isinstance(items, list) else ()):
                if not isinstance(item, str | dict) or (key == "deps" and isinstance(item, dict)):
                    what = f"stage {name}: {key}[{number}] must be a path, not {kind_of(item)}"
                    raise _Malformed((*position, key, number), what)

    def _fill(
        self, value: Typed, scope: Mapping[str, Typed], position: Position, *, command: bool = False
    ) -> Typed:
        try:
            return self.templates(scope).fill(value, command=command)
        except ValueError as error:
            raise _Malformed(position, str(error)) from error


def _composite(value: Typed) -> bool:
    return isinstance(value, dict | list)
