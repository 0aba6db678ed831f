"""Explain what is wrong with a document, from its JSON Schema. It decides nothing."""

from __future__ import annotations

import difflib
import itertools
import json
from importlib.resources import files
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

    from pivot.values import Position, Typed, Values

    Schema: TypeAlias = Mapping[str, object]

_KINDS = {
    "string": "text",
    "array": "a list",
    "object": "a mapping",
    "boolean": "true or false",
    "number": "a number",
    "integer": "a whole number",
    "null": "nothing",
}


def schema_text(name: str) -> str:
    """Read the schema of this name that ships with the package."""
    return files("pivot").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")


def explain(values: Values, name: str) -> list[str]:
    """Say each thing in which *values* is not as the schema *name* has it, with line and key.

    Nothing is said of a text with `${`, which stands for a value that is not known here.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415  heavy, and for bad days alone

    validator = Draft202012Validator(json.loads(schema_text(name)))
    told: dict[str, int] = {}
    errors = validator.iter_errors(values.value)
    for error in itertools.chain.from_iterable(map(_leaves, errors)):
        if error.validator in {"type", "anyOf"} and "${" in str(error.instance):
            continue
        for position, text in _sentences(error, values.value):
            line = values.line(position)
            told[f"line {line}: {text}" if line else text] = line or 0
    return sorted(told, key=lambda text: told[text])


def place(position: Position) -> str:
    """Write a position as people do: `stages.train.outs[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in position)
    return text.removeprefix(".") or "the document"


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """List what is wrong; of several forms, in the one that fits up to the deepest place."""
    if not error.context:
        yield error
        return
    inner = max(error.context, key=lambda each: len(each.absolute_path))
    if len(inner.absolute_path) <= len(error.absolute_path):
        # a form that has the right type and fails in something else was meant
        meant = [each for each in error.context if each.validator not in {"type", "anyOf"}]
        yield meant[0] if meant else error
        return
    form = inner.relative_schema_path[0]
    for each in error.context:
        if each.relative_schema_path[0] == form:
            yield from _leaves(each)


def _sentences(error: ValidationError, tree: Typed) -> Iterator[tuple[Position, str]]:
    position = tuple(error.absolute_path)
    where, found = place(position), _at(tree, position)
    schema = error.schema if isinstance(error.schema, dict) else {}
    known: Mapping[str, object] = schema.get("properties", {})
    match error.validator:
        case "additionalProperties" if isinstance(found, dict):
            for key in sorted(found.keys() - known.keys()):
                yield (*position, key), f"{where}: unknown key '{key}'{_near(key, known)}"
        case "required" if isinstance(found, dict):
            # a key that is only misspelt is told as one that is unknown
            unknown = found.keys() - known.keys()
            misspelt = {near for key in unknown for near in _nearest(key, known)}
            for key in sorted(set(schema.get("required", ())) - found.keys() - misspelt):
                yield position, f"{where}: '{key}' is missing"
        case "pattern":  # of a value, or of the key that leads to it
            inside = (str(error.instance),) if isinstance(found, dict) else ()
            text = f"{where}: {error.instance!r} has not the form that is expected here"
            yield (*position, *inside), text
        case "minItems" | "minProperties":
            yield position, f"{where} must not be empty"
        case "maxProperties":
            yield position, f"{where}: one path with its options is expected in each item"
        case _:
            yield position, f"{where} must be {_expectation(schema)}, not {kind_of(found)}"


def _at(tree: Typed, position: Position) -> Typed:
    for part in position:
        match tree, part:
            case dict(), str():
                tree = tree[part]
            case list(), int():
                tree = tree[part]
    return tree


def _near(key: str, known: Iterable[str]) -> str:
    near = _nearest(key, known)
    return f" (did you mean '{near[0]}'?)" if near else ""


def _nearest(key: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(key, known, n=1)


def _expectation(schema: Schema) -> str:
    forms = schema.get("anyOf")
    if isinstance(forms, list):
        return " or ".join(filter(None, dict.fromkeys(_expectation(form) for form in forms)))
    types = schema.get("type")
    names = types if isinstance(types, list) else [types]
    return " or ".join(_KINDS.get(str(name), str(name)) for name in names if name != "null")


def kind_of(value: Typed) -> str:
    """Name the type of a value for an error message."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case bool():
            return "true" if value else "false"
        case _:
            return f"{value!r:.60}"
