"""Ledgers: the SHA-256 of every file of an output, in git beside the lock file that names it.

The form is that of GNU `sha256sum`, which checks a workspace by it: a line is the sum, two blanks
and the path from the project root; with a backslash before it where the path has one, or a line
break, which are then escaped. Above the files of each output stands a comment with the digest that
the output had, so that a ledger which another tool left behind is known from a content that is
false.
"""

from __future__ import annotations

import glob
import re
from typing import TYPE_CHECKING, TypeAlias

from pivot.documents import check_document_path, read_document, remove_torn, write_document
from pivot.errors import InvalidDocument, local_error
from pivot.frozen import frozen
from pivot.objects import Digest, Sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@frozen
class Section:
    """What a ledger has of one output: the *digest* that it had, and the *sums* of its files."""

    digest: Digest
    sums: Mapping[str, Sha256]


Ledger: TypeAlias = "Mapping[str, Section]"
"""Sections by the path of the output."""

HEADER = "# SHA-256 of outputs; to check a workspace: sha256sum -c"

_OUTPUT = re.compile(r"# (\\?)([0-9a-f]{16})  (.+)")
_SUM = re.compile(r"(\\?)([0-9a-f]{64}) [ *](.+)")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
_HINT = "restore the file from git, or delete it: 'pivot push' writes it anew"


def ledger_path(document: str) -> str:
    """Name the ledger of a lock or `.pvt` file, both from the project root.

    `.pivot/stages/train.lock` has `.pivot/digests/train.sha256`, and `data/raw.csv.pvt` has
    `.pivot/digests/data/raw.csv.pvt.sha256`.
    """
    above, stages, name = document.rpartition(".pivot/stages/")
    if stages and document.endswith(".lock"):
        return f"{above}.pivot/digests/{name.removesuffix('.lock')}.sha256"
    return f".pivot/digests/{document}.sha256"


def load_ledger(root: Path, path: str) -> Ledger:
    """Read the ledger at *path* of the project at *root*; one that is not there is empty.

    Raises `InvalidDocument`, `UnsafePath`, `LocalError`.
    """
    check_document_path(root, path)
    try:
        (root / path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise local_error(error, path) from error
    return parse_ledger(read_document(root / path), path)


def parse_ledger(data: bytes, document: str) -> Ledger:
    """Take *data* as the content of the ledger *document*; raises `InvalidDocument`."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 text (byte {error.start})"
        raise InvalidDocument(document, [what], hint=_HINT) from error
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        reader.read(number, line.removesuffix("\r"))  # as git may have it on other systems
        if len(reader.problems) > _MOST:
            break
    if reader.problems:
        raise InvalidDocument(document, reader.problems, hint=_HINT)
    return reader.ledger


_MOST = 20


class _Reader:
    """A ledger while it is read."""

    def __init__(self) -> None:
        self.ledger: dict[str, Section] = {}
        self.problems: list[str] = []
        self._output = ""
        self._sums: dict[str, Sha256] = {}

    def read(self, number: int, line: str) -> None:
        if found := _SUM.fullmatch(line):
            path = _unescape(found[3]) if found[1] else found[3]
            if problem := self._add(path, Sha256(found[2])):
                self.problems.append(f"line {number}: {path!r} {problem}")
        elif found := _OUTPUT.fullmatch(line):
            self._output, self._sums = _unescape(found[3]) if found[1] else found[3], {}
            if self._output in self.ledger:
                self.problems.append(f"line {number}: the output {self._output!r} stands twice")
            self.ledger[self._output] = Section(Digest(found[2]), self._sums)
        elif line and not line.startswith("#"):
            self.problems.append(f"line {number}: must be a SHA-256, two blanks and a path")

    def _add(self, path: str, sha256: Sha256) -> str:
        if not self._output or not (path + "/").startswith(f"{self._output}/"):
            return "is not below the output that is named above it"
        if path in self._sums:
            return "stands twice"
        self._sums[path] = sha256
        return ""


def render_ledger(ledger: Ledger) -> bytes:
    """Say *ledger* as the text of its file, sorted."""
    return b"".join(_lines(ledger))


def _lines(ledger: Ledger) -> Iterator[bytes]:
    yield f"{HEADER}\n".encode()
    for output, section in sorted(ledger.items()):
        yield f"# {_line(section.digest, output)}\n".encode()
        for path in sorted(section.sums):
            yield f"{_line(section.sums[path], path)}\n".encode()


def write_ledger(root: Path, path: str, ledger: Ledger) -> bool:
    """Write a ledger whole or not at all, if it is to change; tell whether it was.

    One without sections is removed. Raises `UnsafePath`, `LocalError`.
    """
    place = root / path
    check_document_path(root, path)
    try:
        if not ledger:
            had = place.exists()
            place.unlink(missing_ok=True)
            return had
        if place.is_file() and place.read_bytes() == render_ledger(ledger):
            return False
    except OSError as error:
        raise local_error(error, path) from error
    write_document(root, path, _lines(ledger))
    remove_torn(place.parent, glob.escape(place.name))
    return True


def _line(sum_: str, path: str) -> str:
    escaped = path
    for written, meant in _ESCAPES.items():
        escaped = escaped.replace(meant, written)
    return f"{sum_}  {path}" if escaped == path else f"\\{sum_}  {escaped}"


def _unescape(text: str) -> str:
    return re.sub(r"\\[\\nr]", lambda found: _ESCAPES[found[0]], text)
