"""`pivot remote`: the configured remotes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pivot import iam
from pivot.cli.options import EXIT_CODES, Common, common_options, complete_remotes, json_option
from pivot.errors import UsageError
from pivot.keys import FLAGS, OPTIONS, Level, parse_setting
from pivot.remote_url import FolderUrl, parse_remote_url
from pivot.report import dump, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.config import Config, RemoteSettings
    from pivot.report import Json

_NAME = click.argument("name", shell_complete=complete_remotes)


@click.group(epilog=EXIT_CODES)
def remote() -> None:
    """List, add and remove remotes.

    \b
    Examples:
      pivot remote add origin s3://my-bucket/pivot-cache
      pivot remote add lab s3://cache/p --endpoint https://s3.lab.example.org
      pivot remote add nas file:///mnt/nas/pivot-cache
      pivot remote default origin
      pivot remote list
      pivot remote policy origin --role main
    """


@remote.command("list", epilog=EXIT_CODES)
@json_option
@common_options
def list_(common: Common, *, as_json: bool) -> None:
    """Print every remote with its URL, and which one is the default.

    \b
    Examples:
      pivot remote list
      pivot remote list --json
    """
    config = common.config(common.project())
    remotes = config.remotes
    default = _default(config)
    order = _order(config)
    if as_json:
        tree: dict[str, Json] = {"remotes": [_tree(found, default) for found in remotes.values()]}
        click.echo(dump(tree | ({"read_remotes": list(order)} if order else {})))
    elif remotes:
        for name, found in remotes.items():
            marks = ["default"] if name == default else []
            marks += [flag.replace("_", "-") for flag in FLAGS if getattr(found, flag)]
            mark = f" ({', '.join(marks)})" if marks else ""
            click.echo(printable(f"  {name}: {found.url}{mark}"))
        if order:
            click.echo(f"Read from the first that has it: {', '.join(order)}")
    else:
        click.echo("No remotes configured.")
        click.echo("Use 'pivot config set remotes.<name> <url>' to add one.")


@remote.command(epilog=EXIT_CODES)
@click.argument("name")
@click.argument("url")
@click.option("--endpoint", metavar="URL", help="Of an S3-compatible service; else AWS.")
@click.option("--region", metavar="NAME", help="Of the bucket; else found.")
@click.option("--default", "as_default", is_flag=True, help="Make it the default.")
@json_option
@common_options
def add(
    common: Common,
    *,
    name: str,
    url: str,
    endpoint: str | None,
    region: str | None,
    as_default: bool,
    as_json: bool,
) -> None:
    """Add the remote NAME at URL: s3://bucket/prefix or file:///folder.

    \b
    Examples:
      pivot remote add origin s3://my-bucket/pivot-cache --default
      pivot remote add lab s3://cache/p --endpoint https://s3.lab.example.org
      pivot remote add nas file:///mnt/nas/pivot-cache
    """
    from pivot.config_file import set_key  # noqa: PLC0415  the editor is heavy

    project = common.project()
    if name in common.config(project).remotes:
        raise UsageError(
            f"Remote '{name}' exists already", hint=f"pivot config set remotes.{name} {url}"
        )
    wanted = {f"remotes.{name}": url}
    if endpoint:
        wanted[f"remote_options.{name}.endpoint"] = endpoint
    if region:
        wanted[f"remote_options.{name}.region"] = region
    if as_default:
        wanted["default_remote"] = name
    settings = {key: parse_setting(key, text) for key, text in wanted.items()}
    for key, setting in settings.items():
        set_key(project.config, key, setting)
    text = f"Added remote '{name}': {url}"
    common.answer(text, "remote add", _change(wanted), as_json=as_json)


@remote.command(epilog=EXIT_CODES)
@_NAME
@json_option
@common_options
def remove(common: Common, *, name: str, as_json: bool) -> None:
    """Forget the remote NAME; what it holds is not touched.

    \b
    Examples:
      pivot remote remove nas
    """
    from pivot.config_file import set_key, unset_key  # noqa: PLC0415  the editor is heavy

    project = common.project()
    config = common.config(project)
    config.remote(name)
    if config.get(f"remotes.{name}")[1] is Level.GLOBAL:
        raise UsageError(
            f"Remote '{name}' is in the user's configuration",
            hint=f"pivot config unset --global remotes.{name}",
        )
    keys = [f"remotes.{name}", *(f"remote_options.{name}.{option}" for option in OPTIONS)]
    if config.get("default_remote") == (name, Level.LOCAL):
        keys.append("default_remote")
    order, level = _order(config), config.get("read_remotes")[1]
    if name in order and level is Level.LOCAL:  # a name that is none would be in the way
        rest = [other for other in order if other != name]
        if rest:
            set_key(project.config, "read_remotes", rest)
        else:
            keys.append("read_remotes")
    removed = {key: None for key in keys if unset_key(project.config, key)}
    common.answer(f"Removed remote '{name}'", "remote remove", _change(removed), as_json=as_json)


@remote.command(epilog=EXIT_CODES)
@_NAME
@json_option
@common_options
def default(common: Common, *, name: str, as_json: bool) -> None:
    """Make NAME the default remote, which counts without --remote.

    \b
    Examples:
      pivot remote default origin
    """
    from pivot.config_file import set_key  # noqa: PLC0415  the editor is heavy

    project = common.project()
    common.config(project).remote(name)
    set_key(project.config, "default_remote", name)
    text = f"Set default remote to '{name}'"
    common.answer(text, "remote default", _change({"default_remote": name}), as_json=as_json)


@remote.command(epilog=EXIT_CODES)
@_NAME
@click.option(
    "--role",
    type=click.Choice([str(role) for role in iam.Role]),
    required=True,
    help="Who is to have it.",
)
@click.option("--kms-key", metavar="ARN", default="", help="Of the KMS key that encrypts objects.")
@common_options
def policy(common: Common, *, name: str, role: str, kms_key: str) -> None:
    """Print the least that AWS has to allow for the remote NAME, as a policy to paste.

    \b
    Roles:
      pull-request  list and read: pull, fetch, verify, status
      main          write as well, and not delete: push
      gc            delete as well, and see old versions

    Nothing is asked and nothing is changed.

    \b
    Examples:
      pivot remote policy origin --role pull-request > read.json
      pivot remote policy origin --role main > write.json
    """
    settings = common.config(common.project()).remote(name)
    url = parse_remote_url(settings.url)
    if isinstance(url, FolderUrl):
        raise UsageError(
            f"Remote '{name}' is a folder, which no policy of AWS is about",
            hint=f"who may write there is up to its owner: ls -ld {url.path}",
        )
    tree = iam.policy(url, iam.Role(role), region=settings.region, kms_key=kms_key)
    click.echo(dump(tree))


def _change(settings: Mapping[str, str | None]) -> dict[str, Json]:
    return {"changed": True, "level": str(Level.LOCAL), "settings": dict(settings)}


def _tree(found: RemoteSettings, default: str) -> Json:
    tree: dict[str, Json] = {
        "name": found.name,
        "url": found.url,
        "default": found.name == default,
    }
    return tree | {key: getattr(found, key) for key in OPTIONS if getattr(found, key)}


def _order(config: Config) -> list[str]:
    value, _ = config.get("read_remotes")
    return list(value) if isinstance(value, list) else []


def _default(config: Config) -> str:
    chosen = str(config.get("default_remote")[0])
    only = next(iter(config.remotes)) if len(config.remotes) == 1 else ""
    return chosen or only
