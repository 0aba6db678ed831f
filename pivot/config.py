"""The configuration, merged from its levels, as a value; remotes by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pivot.documents import Value, load_yaml, mapping
from pivot.errors import InvalidDocument, UsageError
from pivot.foreign_text import tell
from pivot.frozen import frozen
from pivot.keys import (
    FLAGS,
    KEYS,
    OPTIONS,
    REMOTE_KEY,
    Integrity,
    Level,
    Link,
    Setting,
    read_setting,
)
from pivot.remote_url import is_exposed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pivot.project import Project


@frozen
class RemoteSettings:
    """A configured remote; an empty *endpoint*, *region* or *profile* is left to the AWS chain.

    *anonymous* sends no credentials, *requester_pays* agrees to be charged, *read_only* keeps us
    from writing. With a *chain* it stands for several, of which the first that has an object is
    read; see `remote_choice`.
    """

    name: str
    url: str
    endpoint: str = ""
    region: str = ""
    profile: str = ""
    anonymous: bool = False
    read_only: bool = False
    requester_pays: bool = False
    chain: tuple[RemoteSettings, ...] = ()


@frozen
class Config:
    """The merged configuration: each key's value with the level that it comes from."""

    settings: Mapping[str, tuple[Setting, Level]]

    def get(self, key: str) -> tuple[Setting | None, Level]:
        """Look a key up: its value and level, or its default, or `None` where it has neither."""
        if key in self.settings:
            return self.settings[key]
        if key in KEYS:
            return KEYS[key].default, Level.DEFAULT
        return None, Level.UNKNOWN

    def number(self, key: str) -> int:
        """Look up a key that holds a whole number."""
        value, _ = self.get(key)
        assert isinstance(value, int), key  # noqa: S101  parsed so
        return value

    @property
    def links(self) -> tuple[Link, ...]:
        """The ways to place a file, to be tried in this order."""
        value, _ = self.get("cache.checkout_mode")
        assert isinstance(value, list)  # noqa: S101  parsed so
        return tuple(Link(name) for name in value)

    def integrity(self, environment: Mapping[str, str]) -> Integrity:
        """Say what to do with contents that no ledger vouches for; PIVOT_INTEGRITY wins.

        Raises `UsageError`.
        """
        chosen = environment.get("PIVOT_INTEGRITY", "").strip() or str(self.get("integrity")[0])
        try:
            return Integrity(chosen.lower())
        except ValueError as error:
            raise UsageError(
                f"PIVOT_INTEGRITY must be {' or '.join(Integrity)}, not {chosen!r}"
            ) from error

    def cache_dir(self, project: Project, environment: Mapping[str, str]) -> Path:
        """Where the cache is; PIVOT_CACHE_DIR wins when it is not blank."""
        chosen = environment.get("PIVOT_CACHE_DIR", "").strip() or str(self.get("cache.dir")[0])
        return project.root / chosen

    @property
    def remotes(self) -> dict[str, RemoteSettings]:
        """Every configured remote by name."""
        found: dict[str, RemoteSettings] = {}
        for key in self.settings:
            if match := REMOTE_KEY.fullmatch(key):
                name = match[1]
                url = str(self.settings[key][0])
                found[name] = RemoteSettings(name, url, **self._options(name))
        return found

    def _options(self, name: str) -> dict[str, Any]:
        """Look up what is set of the options of a remote: texts, and `FLAGS`."""
        keys = {option: f"remote_options.{name}.{option}" for option in OPTIONS}
        return {
            option: self.settings[key][0] for option, key in keys.items() if key in self.settings
        }

    def remote(self, name: str | None = None) -> RemoteSettings:
        """Choose a remote: by *name*, else the default, else the only one; raises `UsageError`."""
        remotes = self.remotes
        if not remotes:
            raise UsageError(
                "No remotes configured. Use 'pivot config set remotes.<name> <url>' to add one.",
                hint="Run 'pivot remote list' to see available remotes",
            )
        wanted = name or str(self.get("default_remote")[0])
        if not wanted and len(remotes) > 1:
            raise UsageError(
                "No default remote set and multiple remotes configured. Use -r <name> to specify a "
                "remote or 'pivot config set default_remote <name>' to set a default."
            )
        wanted = wanted or next(iter(remotes))
        if wanted not in remotes:
            raise UsageError(
                f"Remote '{wanted}' not found",
                hint="Run 'pivot remote list' to see available remotes",
            )
        return remotes[wanted]

    def doubts(self, remote: RemoteSettings) -> tuple[str, ...]:
        """Say what makes *remote* less safe than it looks, and was not its user's choice."""
        if remote.chain:
            return tuple(told for link in remote.chain for told in self.doubts(link))
        key = f"remote_options.{remote.name}.endpoint"
        if self.get(key)[1] is not Level.LOCAL or not is_exposed(remote.endpoint):
            return ()
        told = (
            f"the project's configuration has an endpoint without TLS for remote '{remote.name}', "
            f"{tell(remote.endpoint)}: who is on the way can read and change what is sent; use https://"
        )
        return (told,)


def load_config(project: Project | None, user_file: Path) -> Config:
    """Read and merge the user's and the project's configuration; raises `InvalidDocument`.

    A project may ask for more integrity than its user, never for less; and it may make a remote
    anonymous or read-only, but not undo that its user did.
    """
    settings = load_level(user_file, Level.GLOBAL)
    if project is not None:
        local = load_level(project.config, Level.LOCAL)
        if settings.get("integrity", ("", ""))[0] == Integrity.REQUIRE:
            local.pop("integrity", None)
        for key, (value, _) in settings.items():
            if value is True and key.startswith("remote_options.") and key.endswith(FLAGS):
                local.pop(key, None)
        settings |= local
    return Config(settings)


def load_level(path: Path, level: Level) -> dict[str, tuple[Setting, Level]]:
    """Read the keys of one file; a file that is not there holds none."""
    if not path.exists():
        return {}
    settings: dict[str, tuple[Setting, Level]] = {}
    problems: list[str] = []
    for key, value in _flatten(mapping(load_yaml(path, follow=True), path)):
        if key in settings:
            problems.append(f"'{key}' stands in 'remotes' and in 'folders'")
        try:
            setting = read_setting(key, value, level)
        except ValueError as error:
            problems.append(str(error))
        else:
            if setting is not None:
                settings[key] = (setting, level)
    if problems:
        raise InvalidDocument(path, problems, hint="see 'pivot config list' and 'pivot config set'")
    return settings


def _flatten(tree: Mapping[str, Value], above: str = "") -> list[tuple[str, Value]]:
    """List the leaves by dotted key; our `folders` are shown among the `remotes`."""
    leaves: list[tuple[str, Value]] = []
    for name, value in tree.items():
        key = f"{above}{name}"
        if isinstance(value, dict) and key not in KEYS:
            leaves += _flatten(value, "remotes." if key == "folders" else f"{key}.")
        else:
            leaves.append((key, value))
    return leaves
