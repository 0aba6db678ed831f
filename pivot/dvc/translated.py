"""Say one stage of DVC in the keys of `pivot.yaml`, and what of it cannot be said; pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from pivot.dvc.notes import Note
from pivot.dvc.templates import mentions_mapping

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pivot.dvc.declared import Declared, Entry
    from pivot.values import Typed

Dropped = frozenset[tuple[str, int]]
"""Items that are left out, each by its key and number."""

_RENAMED = {"locked": "frozen", "always_changed": "always"}
_KEPT = frozenset({"cmd", "deps", "outs", "metrics", "plots", "params", "wdir", "desc", "frozen"})
_OPTIONS = frozenset({"cache", "persist", "desc"})
_DRAWING = frozenset({"x", "y", "x_label", "y_label", "title", "template", "header"})
_OUTPUTS = ("outs", "metrics", "plots")
_OUTSIDE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|/|~")
_CURES = {
    "meta": "keep it as a comment",
    "checkpoint": "let the command write what it needs to go on into an output that is 'persist'",
    "live": "list what it writes under 'metrics' and 'plots'",
    "remote": "outputs go to the remote that 'pivot push' is given",
    "push": "push other outputs by name: pivot push TARGET...",
    "vars": "",
}
_TOP = {
    "plots": "list the files under 'plots' of the stages that make them",
    "metrics": "list the files under 'metrics' of the stages that make them",
    "params": "list the keys under 'params' of the stages that use them",
    "artifacts": "there is no model registry; keep it in a file of your own",
    "datasets": "download them by hand and run 'pivot track'",
}


def translate(body: Mapping[str, Typed], dropped: Dropped = frozenset()) -> dict[str, Typed]:
    """Say *body* in our keys, in its order; templates stay as they are."""
    made: dict[str, Typed] = {}
    for key, value in body.items():
        ours = _RENAMED.get(key, key)
        said = value
        if isinstance(value, list) and key != "cmd":
            items = [item for n, item in enumerate(value) if (key, n) not in dropped]
            said = [_output(key, item) for item in items] if key in _OUTPUTS else items
        if ours in _KEPT | {"always"} and said not in (None, [], {}):
            made[ours] = said
    if not any(body.get(key) for key in ("deps", "params", *_OUTPUTS)):
        made["always"] = True  # DVC runs a stage that reads and makes nothing every time
    return made


def literal(value: Typed) -> Typed:
    """Make *value* mean itself: no `${` in it is a reference."""
    match value:
        case str():
            return value.replace("${", r"\${")
        case list():
            return [literal(inner) for inner in value]
        case dict():
            return {str(literal(key)): literal(inner) for key, inner in value.items()}
    return value


def outside(body: Mapping[str, Typed], document: str) -> Dropped:
    """Find the items of *body* that are not in the project, or that cannot be read here."""
    wdir = body.get("wdir") or "."
    base = posixpath.normpath(posixpath.join(posixpath.dirname(document), str(wdir)))
    found: set[tuple[str, int]] = set()
    for key in ("deps", *_OUTPUTS, "params"):
        items = body.get(key)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            if key == "params" and isinstance(item, str):
                continue
            for path in item if isinstance(item, dict) else [str(item)]:
                if _is_outside(path, base) or (key == "params" and path.endswith(".py")):
                    found.add((key, number))
    return frozenset(found)


def _is_outside(path: str, base: str) -> bool:
    inside = posixpath.normpath(posixpath.join(base, path))
    return bool(_OUTSIDE.match(path)) or inside in {".", ".."} or inside.startswith("../")


def _output(key: str, item: Typed) -> Typed:
    """Say an output with the options that there are here; metrics are cached in DVC."""
    path, options = _parts(item)
    known = _OPTIONS | _DRAWING if key == "plots" else _OPTIONS
    kept = {name: value for name, value in options.items() if name in known}
    cached = kept.pop("cache", True) is not False
    if cached != (key != "metrics"):
        kept = {"cache": cached, **kept}
    if kept.get("persist") is False:
        del kept["persist"]
    return {path: kept} if kept else path


def _parts(item: Typed) -> tuple[str, dict[str, Typed]]:
    """Divide an item into its path and its options."""
    if isinstance(item, dict) and item:
        path, options = next(iter(item.items()))
        if isinstance(options, list):
            options = options[0] if options else {}
        return path, options if isinstance(options, dict) else {}
    return str(item), {}


def entry_notes(file: Declared, entry: Entry, dropped: Collection[tuple[str, int]]) -> list[Note]:
    """Say what of an entry has no counterpart, and what to do about it."""
    return [*_key_notes(file, entry), *_item_notes(file, entry, dropped)]


def _key_notes(file: Declared, entry: Entry) -> Iterator[Note]:
    for key in entry.body:
        if key not in _KEPT | _RENAMED.keys() | {"vars"}:
            line = file.line((*entry.position, key))
            cure = _CURES.get(key, "remove it")
            yield Note(file.document, line, f"stage {entry.name}: '{key}' is left out", cure)
    if reference := mentions_mapping(entry.body.get("cmd"), file.scope):
        yield Note(
            file.document,
            file.line((*entry.position, "cmd")),
            f"stage {entry.name}: {reference} is a mapping; its options are written out",
            "name each value, as in '--lr ${train.lr}', so that the command follows the parameters",
        )


def _item_notes(
    file: Declared, entry: Entry, dropped: Collection[tuple[str, int]]
) -> Iterator[Note]:
    for key in ("deps", *_OUTPUTS, "params"):
        items = entry.body.get(key)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            position = (*entry.position, key, number)
            path, options = _parts(item)
            line = file.line(position)
            if (key, number) in dropped:
                yield Note(file.document, line, *_dropped_words(entry.name, key, path))
                continue
            if (
                key in _OUTPUTS
                and isinstance(item, dict)
                and isinstance(curves := item[path], list)
                and len(curves) > 1
            ):
                what = f"stage {entry.name}: {path} is drawn once, with the first of its options"
                yield Note(file.document, line, what, "draw the others from files of their own")
            known = _OPTIONS | _DRAWING if key == "plots" else _OPTIONS
            for option in options if key in _OUTPUTS else ():
                if option not in known:
                    place = file.line((*position, path, option))
                    what = f"stage {entry.name}: the option '{option}' of {path} is left out"
                    cure = _CURES.get(option, "keep it as a comment")
                    yield Note(file.document, place, what, cure)


def _dropped_words(stage: str, key: str, path: str) -> tuple[str, str]:
    if key == "params":
        if path.endswith(".py"):
            what = f"stage {stage}: parameters in Python ({path}) are left out"
            return what, f"move them into a YAML file, or list {path} under 'deps'"
        return f"stage {stage}: {path} is outside of the project", "copy it into the project"
    if key == "deps":
        cure = "download it with a stage of its own, and depend on what that makes"
        return f"stage {stage}: the dependency {path} is not in the project", cure
    return (
        f"stage {stage}: the output {path} is not in the project",
        "let the command write into the project, or upload in the command itself",
    )


def top_notes(file: Declared) -> Iterator[Note]:
    """Say what stands outside of the stages and has no counterpart."""
    for key in file.tree:
        if key not in {"stages", "vars"} and file.tree[key]:
            cure = _TOP.get(key, "remove it")
            yield Note(file.document, file.line((key,)), f"'{key}' is left out", cure)
