"""One `pivot.yaml` file, to stages. Its keys on disk occur here and in `stage_entry` only."""

from __future__ import annotations

import contextlib
import itertools
import posixpath
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from pivot.errors import InvalidDocument
from pivot.parameters import merge, to_text
from pivot.pipeline.interpolation import interpolate
from pivot.pipeline.stage_entry import Malformed, read_stage
from pivot.schema import explain, place
from pivot.values import Values, parse_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pivot.stage import Stage
    from pivot.values import Position, Typed

    Reader: TypeAlias = Callable[[str], bytes | None]
    """Gives the content of a file, by its path from the project root; `None` for no file."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")
_LONGEST = 200
_FILES = frozenset({"wdir", "deps", "outs", "metrics", "plots"})


def parse_pipeline(
    data: bytes, document: str, read: Reader, partial: list[Stage] | None = None
) -> tuple[tuple[Stage, ...], tuple[str, ...]]:
    """Read the `pivot.yaml` file *document*: its stages, and every problem with its line.

    *read* gives what the file refers to. Stages with problems are left out; to *partial* is added
    what malformed ones read and make, as far as that can be told.
    """
    try:
        values = parse_values(data, document)
        file = _PipelineFile(values, document, read)
        stages = tuple(file.stages())
    except Malformed as error:
        return (), tuple(_explain(values, [error]))
    except InvalidDocument as error:
        other = "" if error.path == document else f"{error.path}: "
        hint = _unquoted(data, error.problems) if error.path == document else ""
        return (), tuple(f"{other}{problem}{hint}" for problem in error.problems)
    if partial is not None:
        partial += file.partial
    return stages, tuple(dict.fromkeys((*_explain(values, file.malformed), *file.problems)))


def _explain(values: Values, malformed: Sequence[Malformed]) -> list[str]:
    if not malformed:
        return []
    return explain(values, "pipeline") or [
        _at(values, error.position, f"{place(error.position)} {error.what}") for error in malformed
    ]


def _unquoted(data: bytes, problems: Sequence[str]) -> str:
    """Say what people forget, if the line that cannot be read looks like it."""
    found = re.match(r"line ([0-9]+): ", problems[0])
    lines = data.splitlines()[int(found[1]) - 2 : int(found[1])] if found else []
    if not any(b"${" in line and re.search(rb"[\[{,]", line.replace(b"${", b"")) for line in lines):
        return ""
    return ': inside of [ ] and { } a text with ${...} must be quoted: "${...}"'


def stage_names(data: bytes, document: str) -> frozenset[str]:
    """Name the stages of a file as far as it can be read: `train` stands for `train@a` as well."""
    try:
        tree = parse_values(data, document).value
    except InvalidDocument:
        return frozenset()
    stages = tree.get("stages") if isinstance(tree, dict) else None
    above = posixpath.dirname(document)
    names = stages if isinstance(stages, dict) else {}
    return frozenset(posixpath.join(above, name) for name in names)


def _at(values: Values, position: Position, text: str) -> str:
    line = values.line(position)
    return f"line {line}: {text}" if line else text


@dataclass
class _PipelineFile:
    """A pipeline file while it is read."""

    values: Values
    document: str
    read: Reader
    problems: list[str] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)
    partial: list[Stage] = field(default_factory=list)

    def stages(self) -> Iterator[Stage]:
        tree = self.values.value
        if not isinstance(tree, dict) or tree.keys() - {"stages", "vars", "pipeline"}:
            raise Malformed((), "must be a mapping with 'stages'")
        if not isinstance(tree.get("pipeline", ""), str):
            raise Malformed(("pipeline",), "must be text")
        scope = self._scope(tree.get("vars"))
        stages = tree.get("stages")
        if stages is None:
            return
        if not isinstance(stages, dict):
            raise Malformed(("stages",), "must be a mapping")
        names: dict[str, str] = {}
        for base, body in stages.items():
            position: Position = ("stages", base)
            if not _NAME.fullmatch(base) or not isinstance(body, dict):
                raise Malformed(position, "must be a name of a stage and a mapping")
            try:
                for name, stage in self._expand(base, body, scope):
                    self._check_name(name, base, names)
                    if stage is not None:
                        yield stage
            except Malformed as error:  # the other stages may have something wrong as well
                self.malformed.append(error)
                self.partial += self._files_of(base, body, scope)

    def _files_of(
        self, base: str, body: Mapping[str, Typed], scope: dict[str, Typed]
    ) -> Iterator[Stage]:
        """Read of a malformed stage what it reads and makes, to see what is wrong with that too."""
        files = {key: value for key, value in body.items() if key in _FILES}
        with contextlib.suppress(Malformed):
            found = read_stage(base, base, {"cmd": "true", **files}, scope, self.document, [])
            if found is not None:
                yield replace(found, line=self.values.line(("stages", base)) or 0)

    def _check_name(self, name: str, base: str, names: dict[str, str]) -> None:
        position: Position = ("stages", base)
        if name in names:
            self._problem(position, f"{base} and {names[name]} both make a stage {name}")
        elif len(posixpath.join(posixpath.dirname(self.document), name)) > _LONGEST:
            self._problem(position, f"{name:.40}… is a name of more than {_LONGEST} characters")
        names[name] = base

    def _problem(self, position: Position, text: str) -> None:
        self.problems.append(_at(self.values, position, text))

    def _scope(self, variables: Typed) -> dict[str, Typed]:
        """Gather what `${...}` may refer to: params.yaml, then `vars` over it."""
        scope = self._load("params.yaml", ("vars",), needed=False)
        if variables is None:
            return scope
        if not isinstance(variables, list):
            raise Malformed(("vars",), "must be a list")
        for number, entry in enumerate(variables):
            position: Position = ("vars", number)
            if isinstance(entry, dict):
                scope = merge(scope, entry)
            elif isinstance(entry, str):
                scope = merge(scope, self._load(entry, position, needed=True))
            else:
                raise Malformed(position, "must be a file or a mapping")
        return scope

    def _load(self, name: str, position: Position, *, needed: bool) -> dict[str, Typed]:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.document), name))
        data = None if path.startswith(("../", "/")) else self.read(path)
        if data is None:
            if needed:
                self._problem(position, f"{place(position)}: {path} is not there")
            return {}
        tree = parse_values(data, path).value
        return tree if isinstance(tree, dict) else {}

    def _expand(
        self, base: str, body: Mapping[str, Typed], scope: dict[str, Typed]
    ) -> Iterator[tuple[str, Stage | None]]:
        """Make one stage, or one for each combination of its matrix."""
        position: Position = ("stages", base)
        if "matrix" not in body:
            yield base, self._read(base, base, body, scope)
            return
        found: list[str] = []
        matrix = interpolate(body["matrix"], scope, found)
        for text in found:
            self._problem((*position, "matrix"), f"{place((*position, 'matrix'))}: {text}")
        if found:
            return
        if not isinstance(matrix, dict) or not matrix:
            raise Malformed((*position, "matrix"), "must be a mapping")
        dimensions: list[list[tuple[str, Typed, str]]] = []
        for dimension, choices in matrix.items():
            if isinstance(choices, dict) and "python" in body:  # each has values of its own there
                choices = list(choices)  # noqa: PLW2901
            if not isinstance(choices, list) or not choices:
                raise Malformed((*position, "matrix", dimension), "must be a list")
            dimensions.append(
                [(dimension, c, _part(dimension, n, c)) for n, c in enumerate(choices)]
            )
        rest = {key: value for key, value in body.items() if key != "matrix"}
        for combination in itertools.product(*dimensions):
            chosen = {dimension: value for dimension, value, _ in combination}
            name = f"{base}@{'_'.join(part for _, _, part in combination)}"
            yield name, self._read(name, base, rest, scope | {"item": chosen} | chosen)

    def _read(
        self, name: str, base: str, body: Mapping[str, Typed], scope: dict[str, Typed]
    ) -> Stage | None:
        position: Position = ("stages", base)
        count = len(self.problems)
        found: list[tuple[Position, str]] = []
        stage = read_stage(name, base, dict(body), scope, self.document, found)
        for inside, text in found:
            self._problem((*position, *inside), f"{place((*position, *inside))}: {text}")
        if stage is None or len(self.problems) > count:
            return None
        return replace(stage, line=self.values.line(position) or 0)


def _part(dimension: str, number: int, value: Typed) -> str:
    """Name a value of a matrix in the name of its stage."""
    if isinstance(value, dict | list):
        return f"{dimension}{number}"
    return re.sub(r"[^A-Za-z0-9.-]", "-", to_text(value)) or "-"
