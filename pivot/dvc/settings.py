"""Read `.dvc/config`, to the keys of our configuration; pure."""

from __future__ import annotations

import os
import re
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from pivot.dvc.notes import Note
from pivot.errors import InvalidDocument, UsageError
from pivot.frozen import frozen
from pivot.keys import parse_setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Section = Mapping[str, tuple[str, int]]

CONFIG, LOCAL = ".dvc/config", ".dvc/config.local"
_REMOTE = re.compile(r"""['"]?remote\s*"(.*?)"\s*['"]?""")
_OPTIONS = {"endpointurl": "endpoint", "region": "region"}
_SECRETS = frozenset({"access_key_id", "secret_access_key", "session_token"})
_HARMLESS = frozenset({"url", "use_ssl", "verify"})


@frozen
class Settings:
    """What the configuration says: where DVC's *cache* is, and *keys* of our configuration.

    *flags* and *lists* say how DVC writes true, false and lists of a mapping in a command.
    """

    cache: Path
    keys: Mapping[str, str] = field(default_factory=dict)
    flags: str = "store_true"
    lists: str = "nargs"
    notes: tuple[Note, ...] = ()


def read_settings(shared: bytes | None, local: bytes | None, root: Path) -> Settings:
    """Read `.dvc/config` and the user's own `config.local` of the project at *root*.

    What is of one user only is not taken over. Raises `InvalidDocument`.
    """
    common = _sections(shared or b"", CONFIG)
    own = _sections(local or b"", LOCAL)
    both = {name: {**common.get(name, {}), **own.get(name, {})} for name in {*common, *own}}
    place = both.get("cache", {}).get("dir", (str(root / ".dvc/cache"), 0))[0]
    parsing = both.get("parsing", {})
    keys: dict[str, str] = {}
    notes: list[Note] = []
    for title, section in common.items():
        if match := _REMOTE.fullmatch(title):
            notes += _remote(match[1], section, keys, root)
    default, line = common.get("core", {}).get("remote", ("", 0))
    if f"remotes.{default}" in keys:
        keys["default_remote"] = default
    elif default:
        notes.append(Note(CONFIG, line, f"the default remote '{default}' was not converted", _ADD))
    notes += _own(own)
    return Settings(
        Path(os.path.normpath(root / ".dvc" / place)),
        keys,
        parsing.get("bool", ("store_true", 0))[0],
        parsing.get("list", ("nargs", 0))[0],
        tuple(notes),
    )


_ADD = "pivot remote add NAME s3://bucket/prefix"


def _sections(data: bytes, document: str) -> dict[str, dict[str, tuple[str, int]]]:
    """Read an INI file as DVC writes it: each key with its value and line."""
    found: dict[str, dict[str, tuple[str, int]]] = {}
    section = found.setdefault("", {})
    problems: list[str] = []
    for number, raw in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = found.setdefault(line[1:-1].strip(), {})
        elif "=" in line:
            key, _, value = line.partition("=")
            value = re.sub(r"\s#.*$", "", value).strip()
            section[key.strip().lower()] = (value.strip("'\""), number)
        else:
            problems.append(f"line {number}: is neither a [section] nor 'key = value'")
    if problems:
        raise InvalidDocument(document, problems)
    return found


def _remote(name: str, section: Section, keys: dict[str, str], root: Path) -> Iterator[Note]:
    """Add a remote to *keys*, and note what cannot be."""
    url, line = section.get("url", ("", 0))
    wanted = {f"remotes.{name}": _url(url, root)}
    for theirs, ours in _OPTIONS.items():
        if theirs in section and url.startswith("s3://"):
            wanted[f"remote_options.{name}.{ours}"] = section[theirs][0]
    try:
        for key, text in wanted.items():
            parse_setting(key, text)
    except UsageError as error:
        cure = "only S3 and shared folders can be remotes: pivot remote add NAME s3://bucket/prefix"
        yield Note(CONFIG, line, f"remote '{name}': {error.message}", cure)
        return
    keys |= wanted
    for option, (value, place) in section.items():
        if option == "profile":
            cure = (
                f"each user runs: pivot config set --global remote_options.{name}.profile {value}"
            )
            yield Note(CONFIG, place, f"remote '{name}': a project may not choose a profile", cure)
        elif option in _SECRETS:
            cure = "remove them from git; put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            yield Note(CONFIG, place, f"remote '{name}': keys are not taken over", cure)
        elif option not in _OPTIONS.keys() | _HARMLESS:
            yield Note(CONFIG, place, f"remote '{name}': the option '{option}' is not known here")


def _url(url: str, root: Path) -> str:
    """Make of a directory, which counts from `.dvc`, a URL."""
    if not url or "://" in url:
        return url
    place = Path(os.path.normpath(root / ".dvc" / os.path.expanduser(url)))
    return place.as_uri()


def _own(own: Mapping[str, Section]) -> Iterator[Note]:
    for title, section in own.items():
        if (match := _REMOTE.fullmatch(title)) and section:
            line = min(line for _, line in section.values())
            cure = f"pivot config set --global remote_options.{match[1]}.KEY VALUE, or AWS_PROFILE"
            what = f"remote '{match[1]}': what only you have set is not taken over"
            yield Note(LOCAL, line, what, cure)
