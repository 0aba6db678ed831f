"""Which configuration keys there are, what each may hold, and at which level it may stand."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from pivot.documents import Value, kind
from pivot.errors import UsageError
from pivot.frozen import frozen
from pivot.remote_url import parse_remote_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Setting: TypeAlias = "str | int | bool | list[str] | dict[str, int]"


class Level(StrEnum):
    """Where a value comes from."""

    LOCAL = "local"
    GLOBAL = "global"
    DEFAULT = "default"
    UNKNOWN = "unknown"


class Integrity(StrEnum):
    """What to do with an object that no ledger has the SHA-256 of."""

    AUTO = "auto"
    """Check it by its xxh64 and size alone, and say so."""
    REQUIRE = "require"
    """Refuse it."""


class Link(StrEnum):
    """How a file of the workspace shares the bytes of its object in the cache."""

    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    COPY = "copy"


@frozen
class Key:
    """One configuration key: its *default*, what it means, and how its text is read.

    *used* is false for keys of the real Pivot that this tool shows and keeps, but does not need.
    """

    default: Setting
    meaning: str
    parse: Callable[[str, Value], Setting]
    used: bool = True


def _text(key: str, value: Value) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"'{key}' must be a text")


def _at_least(least: int) -> Callable[[str, Value], int]:
    words = {0: "a non-negative integer", 1: "a positive integer"}.get(least, "an integer")

    def parse(key: str, value: Value) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9](?:_?[0-9]){0,17}", value):
            number = int(value)
            if number >= least:
                return number
        raise ValueError(f"'{key}' must be {words}")

    return parse


def _links(key: str, value: Value) -> list[str]:
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    allowed = [str(link) for link in Link]
    chosen = [name for name in names if isinstance(name, str) and name]
    if not chosen or len(chosen) != len(names) or any(name not in allowed for name in chosen):
        raise ValueError(f"'{key}' must be a list of hardlink, symlink, copy")
    return chosen


def _names(key: str, value: Value) -> list[str]:
    names = value.split(",") if isinstance(value, str) else value
    if isinstance(names, list):
        chosen = [name.strip() for name in names if isinstance(name, str)]
        if len(chosen) == len(names) and all(map(_NAME.fullmatch, chosen)):
            return list(dict.fromkeys(chosen))
    raise ValueError(f"'{key}' must be a list of names of remotes")


def _integrity(key: str, value: Value) -> str:
    if isinstance(value, str) and value.lower() in list(Integrity):
        return value.lower()
    raise ValueError(f"'{key}' must be {' or '.join(Integrity)}")


def _flag(key: str, value: Value) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError(f"'{key}' must be true or false")


def _resources(key: str, value: Value) -> dict[str, int]:
    if isinstance(value, dict):
        return {name: _at_least(1)(f"{key}.{name}", number) for name, number in value.items()}
    raise ValueError(f"'{key}' must map names to positive integers")


_NAME = re.compile(r"[a-zA-Z0-9_-]+")

KEYS: Mapping[str, Key] = {
    "cache.checkout_mode": Key(
        [str(link) for link in Link], "Checkout strategy (hardlink,symlink,copy)", _links
    ),
    "cache.dir": Key(".pivot/cache", "Local cache directory", _text),
    "core.max_workers": Key(-2, "Most parallel workers", _at_least(-(10**6)), used=False),
    "core.run_history_retention": Key(100, "Keep last N runs", _at_least(1), used=False),
    "core.state_dir": Key(".pivot", "State directory path", _text, used=False),
    "core.unsafe_fingerprinting": Key(False, "Allow unsafe closures", _flag, used=False),  # noqa: FBT003
    "default_remote": Key("", "Default remote name", _text),
    "diff.max_rows": Key(10000, "Max rows for diff operations", _at_least(1), used=False),
    "display.precision": Key(5, "Decimal precision for metrics", _at_least(0), used=False),
    "integrity": Key(
        str(Integrity.AUTO),
        "What no ledger vouches for: auto (weak, with a count) or require (refused)",
        _integrity,
    ),
    "read_remotes": Key([], "Remotes to read from, the first that has it", _names),
    "remote.connect_timeout": Key(10, "Connection timeout (seconds)", _at_least(1)),
    "remote.jobs": Key(64, "Concurrent transfer jobs (unset: as many as help)", _at_least(1)),
    "remote.read_timeout": Key(60, "Longest silence of the remote (seconds)", _at_least(1)),
    "remote.retries": Key(10, "Retry attempts", _at_least(0)),
    "resources": Key({}, "Scheduler resource capacities", _resources, used=False),
    "watch.debounce": Key(300, "Debounce delay (ms)", _at_least(0), used=False),
}
"""Every key with a fixed name, as the real Pivot has them.

`remote.read_timeout`, `read_remotes` and `integrity` are our own.
"""

_SECTIONS = {"remotes", "folders", "remote_options", *(key.partition(".")[0] for key in KEYS)}
FLAGS = ("anonymous", "read_only", "requester_pays")
"""Options of a remote that are true or false; what is not set is false."""
OPTIONS = ("endpoint", "region", "profile", *FLAGS)
REMOTE_KEY = re.compile(r"remotes\.([a-zA-Z0-9_-]+)")
_OPTION = re.compile(rf"remote_options\.([a-zA-Z0-9_-]+)\.({'|'.join(OPTIONS)})")
_USER_ALONE = {
    "profile": "pivot config set --global {} NAME, or set AWS_PROFILE",
    "requester_pays": "pivot config set --global {} true",
}
"""Options that no project may set: a repository chooses neither whose credentials are used, nor
what is paid for. Each with what to do instead."""


def parse_setting(key: str, text: str) -> Setting:
    """Read what a user wants to set; raises `UsageError` with the reason."""
    check_key(key)
    if key.startswith("remotes."):
        try:
            parse_remote_url(text)
        except UsageError as error:
            raise UsageError(f"'{key}' {error.message}", hint=error.hint) from error
    try:
        return _parse(key, text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def check_key(key: str) -> None:
    """Refuse a key that there is not, with the nearest that there is."""
    if not is_key(key):
        raise UsageError(f"Unknown config key: '{key}'", hint=_nearest(key))


def is_key(key: str) -> bool:
    """Tell whether *key* is one that can be set."""
    return key in KEYS or bool(REMOTE_KEY.fullmatch(key) or _OPTION.fullmatch(key))


def check_level(key: str, level: Level) -> None:
    """Refuse from the project what only its user may choose."""
    option = _OPTION.fullmatch(key)
    if level is Level.LOCAL and option is not None and option[2] in _USER_ALONE:
        raise UsageError(
            f"'{key}' may be set for the user only, not in the project",
            hint=_USER_ALONE[option[2]].format(key),
        )


def _parse(key: str, value: Value) -> Setting:
    if key in KEYS:
        return KEYS[key].parse(key, value)
    if _OPTION.fullmatch(key) and key.endswith(".endpoint"):
        text = _text(key, value)
        if not re.match(r"https?://[^/\s]+", text):
            raise ValueError(f"'{key}' must be a URL such as https://s3.example.org")
        return text
    if key.rpartition(".")[2] in FLAGS and _OPTION.fullmatch(key):
        return _flag(key, value)
    return _text(key, value)


def _lenient(known: Key, key: str, value: Value) -> Setting:
    """Read a key that only the real Pivot uses: its mistakes are not ours to stop at."""
    try:
        return known.parse(key, value)
    except ValueError:
        return str(value)


def read_setting(key: str, value: Value, level: Level) -> Setting | None:
    """Read one value of a file; `None` for a key that is somebody else's."""
    try:
        check_level(key, level)
    except UsageError as error:
        raise ValueError(error.message) from error
    known = KEYS.get(key)
    if known is not None and not known.used:
        return _lenient(known, key, value)
    if is_key(key):
        return _parse(key, value)
    if key.startswith(("remotes.", "remote_options.")):
        raise ValueError(f"unknown key '{key}'")
    if key in _SECTIONS and value:
        raise ValueError(f"'{key}' must be a mapping, not {kind(value)}")
    return None


def _nearest(key: str) -> str:
    import difflib  # noqa: PLC0415

    near = difflib.get_close_matches(key, [*KEYS, "remotes.origin", "remote_options.origin.region"])
    return f"did you mean '{near[0]}'?" if near else "see 'pivot config list'"
