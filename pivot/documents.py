"""Read YAML documents that may be hostile; write files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from typing import TYPE_CHECKING, TypeAlias

from pivot import manifests
from pivot.errors import InvalidDocument, LocalError, UnsafePath, local_error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from yaml._yaml import Mark as FastMark
    from yaml.error import Mark as PlainMark
    from yaml.nodes import MappingNode

    Mark: TypeAlias = FastMark | PlainMark

Value: TypeAlias = manifests.Value
"""A document as text alone."""

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 100
MAX_ALIASES = 1000


def load_yaml(path: Path, *, follow: bool = False) -> Value:
    """Read a YAML file with every scalar as text, so that a hash such as `1234e56789012345` stays.

    An empty file is an empty mapping. Only a regular file is read, and a symlink to one with
    *follow*. Raises `InvalidDocument` with the line, `LocalError`.
    """
    return parse_yaml(read_document(path, follow=follow), path)


def read_document(path: Path, *, follow: bool = False) -> bytes:
    """Read a regular file of bearable size; a symlink to one with *follow* only.

    Raises `InvalidDocument`, `LocalError`.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidDocument(path, ["is not a regular file"])
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InvalidDocument(path, ["is a symlink, which is not followed"]) from error
        raise local_error(error, path) from error
    if len(data) > MAX_BYTES:
        raise InvalidDocument(path, [f"is larger than {MAX_BYTES // 2**20} MiB"])
    return data


def parse_yaml(data: bytes, path: Path | str) -> Value:
    """Read YAML from *data*; *path* is for the error alone. See `load_yaml`."""
    text = _decode(data, path)
    deep = _may_be_deep(text)
    if short := manifests.shorten(text):
        # What goes wrong is said of the whole document, whose lines are the right ones.
        with contextlib.suppress(InvalidDocument):
            value = _parse(short.text, path, deep=deep)
            if short.restore(value):
                return value
    return _parse(text, path, deep=deep)


def _parse(text: str, path: Path | str, *, deep: bool) -> Value:
    import yaml  # noqa: PLC0415  a heavy package, loaded where it is needed

    try:
        if deep:
            _check_limits(text, path)
        loaded: Value | None = yaml.load(text, _text_loader())  # noqa: S506  it makes text alone
    except yaml.YAMLError as error:
        raise InvalidDocument(path, [explain_yaml(error, text.encode())]) from error
    return {} if loaded is None or loaded == "" else loaded


def yaml_text(data: bytes, path: Path | str) -> str:
    """Decode *data* and make sure that a YAML parser survives it.

    Raises `InvalidDocument`, and the error of the parser for what is no YAML.
    """
    text = _decode(data, path)
    if _may_be_deep(text):
        _check_limits(text, path)
    return text


def _decode(data: bytes, path: Path | str) -> str:
    if len(data) > MAX_BYTES:
        raise InvalidDocument(path, [f"is larger than {MAX_BYTES // 2**20} MiB"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDocument(path, [f"is not UTF-8 text (byte {error.start})"]) from error


def dump_yaml(tree: object) -> bytes:
    """Write *tree* to the byte as the real Pivot does; a value that occurs twice stands twice."""
    import yaml  # noqa: PLC0415

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """Writes no aliases."""

        def ignore_aliases(self, _: object) -> bool:
            return True

    writer = manifests.Writer()
    text: str = yaml.dump(writer.shorten(tree), Dumper=Dumper, sort_keys=False)
    return writer.restore(text).encode()


def reads_as_text(text: str) -> bool:
    """Tell whether *text*, written plain, is that text to every reader of YAML 1.1."""
    import yaml  # noqa: PLC0415

    try:
        return bool(yaml.safe_load(text) == text)
    except yaml.YAMLError:
        return False


def mapping(value: Value | None, path: Path | str, place: str = "the document") -> dict[str, Value]:
    """Take *value* as a mapping, or raise `InvalidDocument`."""
    if isinstance(value, dict):
        return value
    raise InvalidDocument(path, [f"{place} must be a mapping, not {kind(value)}"])


def kind(value: object) -> str:
    """Name the type of a loaded value for an error message."""
    names = {dict: "a mapping", list: "a list", str: f"{value!r:.60}", type(None): "nothing"}
    names[tuple] = names[dict]  # an entry of a manifest
    return names.get(type(value), type(value).__name__)


def _text_loader() -> type:
    import yaml  # noqa: PLC0415

    class TextLoader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
        """Every scalar is text, and a key that stands twice is an error."""

        def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[str, Value]:  # noqa: FBT001, FBT002
            made: dict[str, Value] = super().construct_mapping(node, deep=deep)
            if len(made) != len(node.value):
                seen: set[str] = set()
                for key, _ in node.value:
                    if key.value in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"the key {key.value!r} stands twice", key.start_mark
                        )
                    seen.add(key.value)
            return made

    return TextLoader


def _may_be_deep(text: str) -> bool:
    """Tell quickly whether the exact check is needed; what Pivot itself writes never needs it.

    libyaml builds nested collections by recursion and dies of 200,000 `[`; aliases can double a
    document's size at every level.
    """
    if "*" in text or text.count("[") + text.count("{") > MAX_DEPTH // 2:
        return True
    openers = re.compile(
        r"[-?:] ++[-?:] ++(?:[-?:] ++){18}"
    )  # the first two make it three times faster
    return " " * 40 in text or openers.search(text) is not None  # one check too many harms nobody


def _check_limits(text: str, path: Path | str) -> None:
    """Walk the stream of events, which needs no recursion, and stop at what is out of measure."""
    import yaml  # noqa: PLC0415

    depth = aliases = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CLoader", yaml.Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > MAX_DEPTH or aliases > MAX_ALIASES:
            what = f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else "too many aliases"
            raise InvalidDocument(path, [f"line {_line(event.start_mark)}: {what}"])


def _line(mark: Mark | None) -> int:
    return mark.line + 1 if mark is not None else 0


_WORDS = {
    "found unhashable key": "a key must be text",
    "found unconstructable recursive node": "an alias must not stand inside of what it repeats",
    "second occurrence": "an anchor must not stand twice",
    "but found another document": "only one document is expected, and another begins here",
}
"""What PyYAML says in words of its own."""


def explain_yaml(error: Exception, data: bytes = b"") -> str:
    """Say what the parser tripped over in *data* in a few words, with the line."""
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", None)  # of a character that no YAML has
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    problem = _WORDS.get(problem, problem)
    if mark is not None:
        return f"line {mark.line + 1}: {problem}"
    if position is not None and data:
        number = data[:position].count(b"\n") + 1
        return f"line {number}: {problem}"
    return f"not valid YAML: {problem}"


def write_hint(path: Path, data: bytes) -> None:
    """Write what helps the next run and need not be; through no symlink, which git may have."""
    with contextlib.suppress(LocalError):  # next time it is found out again
        write_atomically(path, data, follow=False)
        remove_torn(path.parent, path.name)


def write_atomically(path: Path, data: bytes | Iterable[bytes], *, follow: bool = True) -> None:
    """Give *path* the content *data* whole or not at all, keeping its mode; raises `LocalError`.

    *data* may be in parts. A symlink is *follow*ed, so that a configuration kept elsewhere stays
    there, or replaced.
    """
    try:
        target = path.resolve() if follow else path
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else None
        aside = target.parent / f".{target.name}.{os.urandom(4).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with open(os.open(aside, flags, 0o666), "wb") as file:
                with contextlib.suppress(OSError):
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX)  # see remove_torn
                file.writelines([data] if isinstance(data, bytes) else data)
                if mode is not None:
                    os.fchmod(file.fileno(), mode)
                file.flush()
                os.fsync(file.fileno())
                os.replace(aside, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(aside)
            raise
    except OSError as error:
        raise local_error(error, path) from error
    except RuntimeError as error:  # what Python before 3.13 raises for a loop of symlinks
        raise LocalError(f"{path}: {error}") from error


def write_document(root: Path, path: str, data: bytes | Iterable[bytes]) -> Path:
    """Write the file at *path* below *root* as `write_atomically` does, but through no symlink.

    Raises `UnsafePath`, `LocalError`.
    """
    check_document_path(root, path)
    write_atomically(root / path, data)
    return root / path


def check_document_path(root: Path, path: str) -> None:
    """Refuse a symlink at *path* below *root*, or on the way there.

    Raises `UnsafePath`, and `LocalError` where the file system cannot tell.
    """
    names = path.split("/")
    for end in range(1, len(names) + 1):
        place = "/".join(names[:end])
        try:
            is_link = (root / place).is_symlink()
        except OSError as error:
            raise local_error(error, place) from error
        if is_link:
            raise UnsafePath(
                f"{place} is a symlink: {path} is not written through it",
                hint=f"replace {place} by what it leads to",
            )


def remove_torn(directory: Path, name: str) -> None:
    """Remove what `write_atomically` began in *directory* and was killed over.

    *name* is a pattern for the files that were to be written. What is still being written stays.
    """
    for aside in directory.glob(f".{name}.{'[0-9a-f]' * 8}"):
        with contextlib.suppress(OSError), open(aside, "rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            aside.unlink()
