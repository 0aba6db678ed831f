"""The entries of manifests as text, cut out of YAML and put back; knows nothing of what they mean.

YAML takes ten seconds for 100,000 entries, nearly all of them of one form. An entry of that form is
read and written here; whatever differs from it by a single character is left to YAML. A whole run
of such entries is replaced by one entry in the same place, `{mark: number}`. Nobody can have
written the mark, as it is made up after the document. So if YAML gives that entry back as an
element of a list, it was one, and not part of a longer text; and as it leaves YAML in the state in
which the run would have left it, the document is read as if nothing had been cut.
"""

from __future__ import annotations

import os
import re
from dataclasses import field
from typing import TypeAlias

from pivot.frozen import frozen

Entry: TypeAlias = tuple[str, str, str, str]
"""A regular entry of a manifest: relpath, hash, size and isexec, in a third of the memory."""

Value: TypeAlias = "str | list[Value] | dict[str, Value] | Entry"
"""A document as text alone: numbers, dates and `null` stay the words that stand in the file."""

_NAMES = ("relpath", "hash", "size", "isexec")
_MANIFEST = "manifest:\n"
_FLAGS = {"true": "true", "false": "false"}

_PLAIN = r"""[!-9;-~]*+(?:[ ][!"$-9;-~][!-9;-~]*+)*+"""
"""How a plain scalar may go on: no colon, which could end a key, and no comment after a blank."""

_ENTRY = rf"""
    ^(?P<indent>[ ]*+)-[ ]relpath:[ ](?:
        (?P<plain>[A-Za-z0-9_.(+]{_PLAIN})
      | '(?P<quoted>[ -&(-~]++)'
      | "(?P<escaped>(?:
            [ !#-\[\]-~]++
          | \\(?:["\\]|x[0-9A-F]{{2}}|u(?!D[89A-F])[0-9A-F]{{4}}|U00(?:0[1-9A-F]|10)[0-9A-F]{{4}})
        )++)"
    )\n
    (?P=indent)[ ][ ]hash:[ ](?P<quote>'?)(?P<hash>[0-9a-f]{{16}})(?P=quote)\n
    (?P=indent)[ ][ ]size:[ ](?P<size>[0-9]{{1,18}}+)\n
    (?P=indent)[ ][ ]isexec:[ ](?P<isexec>true|false)\n
"""


def _new_mark() -> str:
    return f"run{os.urandom(16).hex()}"


@frozen
class Shortened:
    """A document's *text* in which one entry, `{mark: number}`, stands for each of the *runs*.

    A run that begins a manifest has tuples, any other has mappings, as YAML makes them.
    """

    text: str
    mark: str
    runs: dict[str, list[Value]]

    def restore(self, value: Value) -> bool:
        """Put the runs back into what YAML made of the text; tell whether each had its place.

        If not, *value* is of no use, and the document is to be read whole.
        """
        left = dict(self.runs)
        seen: set[int] = set()  # an alias is the same object again
        waiting = [value]
        while waiting:
            node = waiting.pop()
            if isinstance(node, str | tuple) or id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, dict):
                waiting += node.values()
                continue
            made: list[Value] = []
            for item in node:
                number = self._number(item)
                if number is None:
                    made.append(item)
                    waiting.append(item)
                elif number in left:
                    made += left.pop(number)
                else:
                    return False
            node[:] = made
        return not left

    def _number(self, item: Value) -> str | None:
        if isinstance(item, dict) and len(item) == 1:
            number = item.get(self.mark)
            return number if isinstance(number, str) else None
        return None


def shorten(text: str) -> Shortened | None:
    """Cut the runs of regular entries out of a document; `None` if it has none."""
    if " relpath: " not in text:
        return None
    mark = _new_mark()
    parts: list[str] = []
    runs: dict[str, list[Value]] = {}
    run: list[Value] = []
    end, column, lean = 0, "", False
    for found in re.finditer(_ENTRY, text, re.MULTILINE | re.VERBOSE):
        indent, plain, quoted, escaped, _, digest, size, isexec = found.groups()
        start = found.start()
        if start != end or indent != column or not runs:
            parts += text[end:start], f"{indent}- {mark}: {len(runs)}\n"
            run = runs[str(len(runs))] = []
            column, lean = indent, _begins_manifest(text, start)
        name = plain or quoted or escaped.encode("ascii").decode("unicode_escape")
        flag = _FLAGS[isexec]  # the same text for all
        if lean:
            run.append((name, digest, size, flag))
        else:
            run.append({"relpath": name, "hash": digest, "size": size, "isexec": flag})
        end = found.end()
    parts.append(text[end:])
    return Shortened("".join(parts), mark, runs) if runs else None


def _begins_manifest(text: str, start: int) -> bool:
    """Tell whether the line before *start* is the key of a manifest and nothing else."""
    end = start - len(_MANIFEST)
    return text.endswith(_MANIFEST, 0, start) and not text[
        text.rfind("\n", 0, end) + 1 : end
    ].strip(" -")


def expand(value: Value) -> Value:
    """Say entries that are tuples as mappings, for what is no manifest of ours."""
    made: dict[int, Value] = {}  # an alias is the same object again

    def full(node: Value) -> Value:
        if isinstance(node, str):
            return node
        if id(node) not in made:
            if isinstance(node, tuple):
                made[id(node)] = dict(zip(_NAMES, node, strict=True))
            elif isinstance(node, dict):
                made[id(node)] = {key: full(inner) for key, inner in node.items()}
            else:
                made[id(node)] = [full(item) for item in node]
        return made[id(node)]

    return full(value)


_DEPTH = 8
_NAME = rf"""(?x)
    (?!(?i:yes|no|true|false|on|off|null)\Z)
    (?: [A-Za-z_] | (?=[^g-wyzG-WYZ/]*+[g-wyzG-WYZ/]) [0-9] )  # no number and no date has these
    {_PLAIN}
"""
_WIDE_NAME = "[A-Za-z0-9_./\u00a1-\u2027\u202a-\ud7ff\ue000-\U0010ffff-]++"
"""Without the letters that have an escape of their own."""
_DIGEST = r"(?=[0-9b]*+[ac-f])[0-9a-f]{16}"
_WIDTH = 50  # YAML folds at a blank beyond 80 columns, and is at most at 2 * _DEPTH + 11 before


@frozen
class Writer:
    """Holds back entries whose form is known while YAML writes the rest of a document."""

    mark: str = field(default_factory=_new_mark)
    runs: list[list[tuple[str, str, int, str]]] = field(default_factory=list)

    def shorten(self, node: object, depth: int = 0) -> object:
        """Copy a document with one entry, `{mark: number}`, in place of each run of entries."""
        if depth == _DEPTH:
            return node
        if type(node) is list:
            return [self.shorten(item, depth + 1) for item in node]
        if type(node) is dict:
            return {
                key: self._shorten_manifest(value)
                if key == "manifest" and type(value) is list
                else self.shorten(value, depth + 1)
                for key, value in node.items()
            }
        return node

    def _shorten_manifest(self, entries: list[object]) -> list[object]:
        made: list[object] = []
        held = False
        for entry in entries:
            form = _form(entry)
            if form is None:
                made.append(entry)
            elif held:
                self.runs[-1].append(form)
            else:
                made.append({self.mark: len(self.runs)})
                self.runs.append([form])
            held = form is not None
        return made

    def restore(self, text: str) -> str:
        """Put the entries into what YAML wrote of the shortened document."""
        parts = re.split(rf"^( *)- {self.mark}: ([0-9]+)\n", text, flags=re.MULTILINE)
        for place in range(1, len(parts), 3):
            indent, number = parts[place], int(parts[place + 1])
            parts[place] = "".join(
                f"{indent}- relpath: {name}\n{indent}  hash: {digest}\n"
                f"{indent}  size: {size}\n{indent}  isexec: {isexec}\n"
                for name, digest, size, isexec in self.runs[number]
            )
            parts[place + 1] = ""
        return "".join(parts)


def _form(entry: object) -> tuple[str, str, int, str] | None:
    """Give the scalars of an entry as YAML writes them; `None` where that is not certain."""
    if type(entry) is not dict or tuple(entry) != _NAMES:
        return None
    name, digest, size, isexec = entry.values()
    if not (type(name) is type(digest) is str and type(size) is int and type(isexec) is bool):
        return None
    if re.fullmatch(_DIGEST, digest) is None:
        return None
    if re.fullmatch(_NAME, name) is not None and (" " not in name or len(name) <= _WIDTH):
        return name, digest, size, "true" if isexec else "false"
    if not name.isascii() and re.fullmatch(_WIDE_NAME, name) is not None:
        return f'"{re.sub("[^!-~]", _escape, name)}"', digest, size, "true" if isexec else "false"
    return None


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code <= 0xFF:  # noqa: PLR2004
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"  # noqa: PLR2004
