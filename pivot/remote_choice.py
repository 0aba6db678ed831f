"""Which remotes a command means: a chain to read from, or each one to push to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.config import RemoteSettings
from pivot.errors import UsageError
from pivot.remote_url import parse_remote_url

if TYPE_CHECKING:
    from pivot.config import Config


def read_chain(config: Config, names: str | None = None) -> RemoteSettings:
    """Choose what to read from: *names*, else `read_remotes`, else as `Config.remote` does.

    *names* are of one remote, or of several with commas between, which are asked in their order.
    Raises `UsageError` for one that there is not.
    """
    chosen = _split(names)
    if not chosen:
        value, level = config.get("read_remotes")
        chosen = list(value) if isinstance(value, list) else []
        for name in chosen:
            if name not in config.remotes:
                raise UsageError(
                    f"read_remotes ({level} config) names '{name}', and there is no such remote",
                    hint="Run 'pivot remote list' to see available remotes",
                )
    links = tuple(config.remote(name) for name in chosen) or (config.remote(),)
    if len(links) == 1:
        return links[0]
    names = ",".join(link.name for link in links)
    return RemoteSettings(names, ", ".join(link.url for link in links), chain=links)


def examined(config: Config, name: str | None = None) -> RemoteSettings:
    """Choose which remote `doctor` examines: *name*, else the default, else the first to read from.

    Raises `UsageError` for one that there is not.
    """
    settled = config.get("default_remote")[0] or not config.get("read_remotes")[0]
    if name is not None or settled:
        return config.remote(name)
    found = read_chain(config)
    return found.chain[0] if found.chain else found


def destinations(config: Config, names: str | None = None) -> tuple[RemoteSettings, ...]:
    """Choose what to push to: each of *names*, see `read_chain`, or the default.

    Raises `UsageError` for one that there is not, or that is not to be written to.
    """
    found = pushed_to(config, names)
    for remote in found:
        check_writable(config, remote)
        if len(found) > 1:  # none is written to when the name of another is wrong
            _check_url(remote)
    return found


def pushed_to(config: Config, names: str | None = None) -> tuple[RemoteSettings, ...]:
    """Choose what others push to, as `destinations`, though we may not; raises `UsageError`."""
    return tuple(config.remote(name) for name in _split(names)) or (config.remote(),)


def check_writable(config: Config, remote: RemoteSettings) -> None:
    """Raise `UsageError` for a remote that is not to be written to."""
    if option := closed_by(remote):
        key = f"remote_options.{remote.name}.{option}"
        raise UsageError(
            f"remote '{remote.name}' is {option.replace('_', '-')} "
            f"({key}, {config.get(key)[1]} config): nothing is written to it",
            hint="choose another one with -r NAME; 'pivot remote list' shows all",
        )


def closed_by(remote: RemoteSettings) -> str:
    """Name the option for which nothing is written to *remote*; empty if it is written to."""
    options = {"read_only": remote.read_only, "anonymous": remote.anonymous}
    return next((option for option, is_set in options.items() if is_set), "")


def _split(names: str | None) -> list[str]:
    """Take several names apart; each counts once."""
    parts = [name.strip() for name in (names or "").split(",")]
    return list(dict.fromkeys(name for name in parts if name))


def _check_url(remote: RemoteSettings) -> None:
    try:
        parse_remote_url(remote.url)
    except UsageError as error:
        raise UsageError(f"remote '{remote.name}' {error.message}", hint=error.hint) from error
