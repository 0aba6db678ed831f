"""One stage of a `pivot.yaml` file, from its keys on disk to a value."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.errors import UnsafePath
from pivot.parameters import to_text
from pivot.paths import data_path
from pivot.pipeline.interpolation import interpolate
from pivot.stage import DeclaredOutput, ParameterKey, Role, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pivot.values import Position, Typed

_KEYS = frozenset(
    {"cmd", "deps", "outs", "metrics", "plots", "params", "wdir", "env", "desc", "frozen", "always"}
)
_OPTIONS = frozenset({"cache", "persist", "desc"})
_DRAWING = frozenset({"x", "y", "x_label", "y_label", "title", "template", "header"})
_ROLES = {"outs": Role.DATA, "metrics": Role.METRIC, "plots": Role.PLOT}
_DEFAULT_FILE = "params.yaml"


class Malformed(Exception):
    """A value has not the form that the schema asks for, which then explains it."""

    def __init__(self, position: Position, what: str) -> None:
        super().__init__(what)
        self.position = position
        self.what = what


def read_stage(
    name: str,
    base: str,
    body: dict[str, Typed],
    scope: dict[str, Typed],
    document: str,
    problems: list[tuple[Position, str]],
) -> Stage | None:
    """Read the stage *name*, written as *base* in *document*; `${...}` are found in *scope*.

    Adds to *problems*, each with its position in the stage. Raises `Malformed`.
    """
    above = posixpath.dirname(document)
    full, group = posixpath.join(above, name), posixpath.join(above, base)
    if "python" in body:
        if not isinstance(body["python"], str):
            raise Malformed(("stages", base, "python"), "must be text")
        return _Stage(base, body, document, []).read_foreign(full, group)
    filled: dict[str, Typed] = {}
    for key, value in body.items():
        found: list[str] = []
        filled[key] = interpolate(value, scope, found)
        problems += [((key,), text) for text in found]
    if problems:
        return None
    return _Stage(base, filled, document, problems).read(full, group)


class _Stage:
    """A stage while it is read."""

    def __init__(
        self,
        base: str,
        body: Mapping[str, Typed],
        document: str,
        problems: list[tuple[Position, str]],
    ) -> None:
        self._position: Position = ("stages", base)
        self._body = body
        self._document = document
        self._problems = problems
        self._base = posixpath.dirname(document)

    def read(self, name: str, group: str) -> Stage:
        if unknown := self._body.keys() - _KEYS:
            raise Malformed((*self._position, min(unknown)), "is not known")
        directory = self._directory()
        self._base = directory
        keys, values = self._parameters()
        return Stage(
            name,
            group,
            self._document,
            commands=self._commands(),
            directory=directory,
            dependencies=tuple(dict.fromkeys(self._dependencies())),
            outputs=tuple(output for key in _ROLES for output in self._outputs(key)),
            keys=keys,
            values=values,
            environment=self._environment(),
            description=self._text("desc"),
            frozen=self._flag("frozen"),
            always=self._flag("always"),
        )

    def read_foreign(self, name: str, group: str) -> Stage:
        """Read the paths of a stage of the real Pivot, as far as they are plain."""
        bare = Stage(name, group, self._document)
        try:
            stage = replace(
                bare,
                dependencies=tuple(dict.fromkeys(self._dependencies())),
                outputs=tuple(output for key in _ROLES for output in self._outputs(key)),
            )
        except Malformed:
            return bare
        paths = (*stage.dependencies, *(output.path for output in stage.outputs))
        return bare if self._problems or any("${" in path for path in paths) else stage

    def _malformed(self, *inside: str | int, what: str) -> Malformed:
        return Malformed((*self._position, *inside), what)

    def _commands(self) -> tuple[str, ...]:
        found = self._body.get("cmd")
        commands = found if isinstance(found, list) else [found]
        if not commands or any(isinstance(c, dict | list) or c is None for c in commands):
            raise self._malformed("cmd", what="must be text or a list")
        told = tuple(to_text(command) for command in commands)
        for command in told:
            if not command.strip() or "\0" in command:
                self._problems.append((("cmd",), "a command must not be empty or hold a NUL"))
        return told

    def _directory(self) -> str:
        found = self._body.get("wdir", ".")
        if not isinstance(found, str):
            raise self._malformed("wdir", what="must be text")
        if posixpath.normpath(posixpath.join(self._base, found)) == ".":
            return ""
        count = len(self._problems)
        path = self._path(found or ".", "wdir")
        return path if len(self._problems) == count else self._base

    def _path(self, text: str, *inside: str | int) -> str:
        """Make a path of the file a path from the root; it must stay inside the project."""
        path = posixpath.normpath(posixpath.join(self._base, text)) if text else ""
        if "\\" in path:  # the real Pivot takes a lock with such a path for none
            self._problems.append((inside, f"a path must not hold a backslash: {text!r}"))
        try:
            return data_path(path, self._document)
        except UnsafePath as error:
            what = error.message.removeprefix(f"{self._document}: ")
            self._problems.append((inside, f"{what} (it is given as {text!r})"))
            return path

    def _dependencies(self) -> Iterator[str]:
        for path, _, inside in self._items("deps"):
            yield self._path(path, *inside)

    def _outputs(self, key: str) -> Iterator[DeclaredOutput]:
        role = _ROLES[key]
        known = _OPTIONS | _DRAWING if role is Role.PLOT else _OPTIONS
        for path, options, inside in self._items(key, with_options=True):
            if unknown := options.keys() - known:
                raise self._malformed(*inside, min(unknown), what="is not known")
            cached = options.get("cache", role is not Role.METRIC)
            persist = options.get("persist", False)
            if not isinstance(cached, bool) or not isinstance(persist, bool):
                raise self._malformed(*inside, what="has options that are not true or false")
            if not isinstance(options.get("desc", ""), str):
                raise self._malformed(*inside, what="has a description that is not text")
            yield DeclaredOutput(self._path(path, *inside), role, cached, persist)

    def _items(
        self, key: str, *, with_options: bool = False
    ) -> Iterator[tuple[str, Mapping[str, Typed], Position]]:
        """List the paths of *key* with their options, from either form that is allowed."""
        found = self._body.get(key, [])
        if isinstance(found, list):
            for number, item in enumerate(found):
                inside: Position = (key, number)
                if isinstance(item, dict) and with_options and len(item) == 1:
                    path, options = next(iter(item.items()))
                    if not isinstance(options, dict | None):
                        raise self._malformed(*inside, what="has options that are no mapping")
                    yield path, options or {}, inside
                elif isinstance(item, str):
                    yield item, {}, inside
                else:
                    raise self._malformed(*inside, what="must be a path")
        elif isinstance(found, dict):
            for name, item in found.items():
                yield from self._named(item, (key, name), with_options=with_options)
        else:
            raise self._malformed(key, what="must be a list or a mapping")

    def _named(
        self, item: Typed, inside: Position, *, with_options: bool
    ) -> Iterator[tuple[str, Mapping[str, Typed], Position]]:
        options: dict[str, Typed] = {}
        if isinstance(item, dict) and with_options and "path" in item:
            options = dict(item)
            item = options.pop("path")
        paths = item if isinstance(item, list) else [item]
        for path in paths:
            if not isinstance(path, str):
                raise self._malformed(*inside, what="must be a path")
            yield path, options, inside

    def _parameters(self) -> tuple[tuple[ParameterKey, ...], Mapping[str, Typed]]:
        found = self._body.get("params", [])
        if isinstance(found, dict):
            return (), found
        if not isinstance(found, list):
            raise self._malformed("params", what="must be a list or a mapping")
        keys = (key for number, item in enumerate(found) for key in self._keys(number, item))
        return tuple(dict.fromkeys(keys)), {}

    def _keys(self, number: int, item: Typed) -> Iterator[ParameterKey]:
        """List the parameters that one item of a list names."""
        default = posixpath.join(self._base, _DEFAULT_FILE)
        if isinstance(item, str):
            self._check_key(item, number)
            yield ParameterKey(item, default, item)
            return
        if not isinstance(item, dict):
            raise self._malformed("params", number, what="must be a key")
        for file, wanted in item.items():
            if not isinstance(wanted, list | None):
                raise self._malformed("params", number, file, what="must be a list")
            path = self._path(file, "params", number, file)
            if wanted is None:
                yield ParameterKey(path, path, "")
                continue
            for key in wanted:
                if not isinstance(key, str):
                    raise self._malformed("params", number, file, what="must list keys")
                self._check_key(key, number)
                yield ParameterKey(key if path == default else f"{path}:{key}", path, key)

    def _check_key(self, key: str, number: int) -> None:
        if not key:
            self._problems.append((("params", number), "a key must not be empty"))

    def _environment(self) -> dict[str, str]:
        found = self._body.get("env", {})
        if not isinstance(found, dict):
            raise self._malformed("env", what="must be a mapping")
        for name, value in found.items():
            if value is None or isinstance(value, dict | list):
                raise self._malformed("env", name, what="must be text")
            if not name or "=" in name or "\0" in name or "\0" in to_text(value):
                self._problems.append((("env", name), "cannot be a variable"))
        return {name: to_text(value) for name, value in found.items()}

    def _text(self, key: str) -> str:
        found = self._body.get(key, "")
        if not isinstance(found, str):
            raise self._malformed(key, what="must be text")
        return found

    def _flag(self, key: str) -> bool:
        found = self._body.get(key, False)
        if not isinstance(found, bool):
            raise self._malformed(key, what="must be true or false")
        return found
