"""`pivot config`: read and change the configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    complete_keys,
    complete_values,
    json_option,
)
from pivot.config import Config, load_config, load_level
from pivot.errors import UsageError
from pivot.keys import KEYS, Level, Setting, check_key, check_level, parse_setting
from pivot.project import user_config
from pivot.report import dump, printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pivot.report import Json


_KEY = click.argument("key", shell_complete=complete_keys)
_GLOBAL = click.option("--global", "use_global", is_flag=True, help="The user's configuration.")
_LOCAL = click.option("--local", "use_local", is_flag=True, help="The project's configuration.")


@click.group(epilog=EXIT_CODES)
def config() -> None:
    """Read and change the configuration.

    The project's is .pivot/config.yaml (commit it); the user's ~/.config/pivot/config.yaml.

    \b
    Examples:
      pivot config set remotes.origin s3://my-bucket/pivot-cache
      pivot config set default_remote origin
      pivot config set remote.jobs 40
      pivot config set remote_options.origin.endpoint https://s3.example.org
      pivot config list
    """


@config.command("set", epilog=EXIT_CODES)
@_KEY
@click.argument("value", shell_complete=complete_values)
@_GLOBAL
@json_option
@common_options
def set_(common: Common, *, key: str, value: str, use_global: bool, as_json: bool) -> None:
    """Set KEY to VALUE; comments and other keys in the file stay.

    KEY is one that 'pivot config list' prints, remotes.NAME for the URL of a remote, or
    remote_options.NAME.endpoint, .region or .profile.

    \b
    Examples:
      pivot config set remotes.origin s3://my-bucket/pivot-cache
      pivot config set remote.jobs 40
      pivot config set --global cache.dir /scratch/pivot-cache
    """
    from pivot.config_file import set_key  # noqa: PLC0415  the editor is heavy

    level = Level.GLOBAL if use_global else Level.LOCAL
    setting = parse_setting(key, value)
    check_level(key, level)
    set_key(_path(common, level), key, setting)
    text = f"Set {key} = {_words(setting)} in {level} config"
    tree = _change({key: setting}, level, changed=True)
    common.answer(text, "config set", tree, as_json=as_json)


@config.command(epilog=EXIT_CODES)
@_KEY
@_GLOBAL
@json_option
@common_options
def unset(common: Common, *, key: str, use_global: bool, as_json: bool) -> None:
    """Remove KEY, so that its default or the user's value applies.

    \b
    Examples:
      pivot config unset remote.jobs
      pivot config unset --global default_remote
    """
    from pivot.config_file import unset_key  # noqa: PLC0415  the editor is heavy

    check_key(key)
    level = Level.GLOBAL if use_global else Level.LOCAL
    path = _path(common, level)
    removed = path.exists() and unset_key(path, key)
    text = f"Removed {key} from" if removed else f"Key {key} not set in"
    tree = _change({key: None}, level, changed=removed)
    common.answer(f"{text} {level} config", "config unset", tree, as_json=as_json)


@config.command(epilog=EXIT_CODES)
@_KEY
@_GLOBAL
@_LOCAL
@json_option
@common_options
def get(common: Common, *, key: str, use_global: bool, use_local: bool, as_json: bool) -> None:
    """Print the value of KEY, and which level it comes from.

    \b
    Examples:
      pivot config get default_remote
      pivot config get --global cache.dir
    """
    check_key(key)
    chosen = _one_level(use_global=use_global, use_local=use_local)
    value: Setting | None
    if chosen is None:
        value, level = _merged(common).get(key)
    else:
        value, level = load_level(_path(common, chosen), chosen).get(key, (None, chosen))
    if as_json:
        click.echo(json.dumps({"key": key, "value": _tree(value), "source": str(level)}))
    else:
        click.echo(f"{key} = {_words(value)} ({level})")


@config.command("list", epilog=EXIT_CODES)
@_GLOBAL
@_LOCAL
@json_option
@common_options
def list_(common: Common, *, use_global: bool, use_local: bool, as_json: bool) -> None:
    """Print every key with its value and the level that it comes from.

    \b
    Examples:
      pivot config list
      pivot config list --local --json
    """
    chosen = _one_level(use_global=use_global, use_local=use_local)
    if chosen is None:
        merged = _merged(common)
        settings = {key: merged.get(key) for key in {*KEYS, *merged.settings}}
    else:
        settings = dict(load_level(_path(common, chosen), chosen))
    if as_json:
        click.echo(dump(_nested(settings)))
        return
    lines = [
        f"{key} = {_words(value)} ({level})"
        for key, (value, level) in sorted(settings.items())
        if value != {}
    ]
    click.echo("\n".join(lines) or "No configuration set")


def _merged(common: Common) -> Config:
    try:
        project = common.project()
    except UsageError:  # outside of a project, the user's configuration is all there is
        return load_config(None, _user_file())
    return common.config(project)


def _path(common: Common, level: Level) -> Path:
    return _user_file() if level is Level.GLOBAL else common.project().config


def _user_file() -> Path:
    from pathlib import Path  # noqa: PLC0415

    return user_config(Path.home())


def _one_level(*, use_global: bool, use_local: bool) -> Level | None:
    if use_global and use_local:
        raise UsageError("Cannot use both --global and --local")
    return Level.GLOBAL if use_global else Level.LOCAL if use_local else None


def _change(
    settings: Mapping[str, Setting | None], level: Level, *, changed: bool
) -> dict[str, Json]:
    tree: dict[str, Json] = {key: _tree(value) for key, value in settings.items()}
    return {"changed": changed, "level": str(level), "settings": tree}


def _tree(value: Setting | None) -> Json:
    if isinstance(value, list):
        return list(value)
    return dict(value) if isinstance(value, dict) else value


def _nested(settings: dict[str, tuple[Setting | None, Level]]) -> dict[str, Json]:
    tree: dict[str, Json] = {"remotes": {}}
    for key, (value, _) in sorted(settings.items()):
        *above, name = key.split(".")
        place = tree
        for section in above:
            inner = place.setdefault(section, {})
            assert isinstance(inner, dict)  # noqa: S101  keys are never sections too
            place = inner
        place[name] = _tree(value)
    return tree


def _words(value: Setting | None) -> str:
    if value is None:
        return "(not set)"
    return printable(", ".join(value) if isinstance(value, list) else str(value))
