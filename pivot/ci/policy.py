"""What a CI job may do, and what its results mean for the step; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.ci.told import Status
from pivot.config import Config
from pivot.errors import ExitCode, RemoteDenied
from pivot.keys import Level
from pivot.remote_choice import destinations, examined, read_chain
from pivot.report import OnMiss
from pivot.results import exit_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pivot.ci.event import Event
    from pivot.ci.inputs import Inputs
    from pivot.config import RemoteSettings
    from pivot.results import Problem

_SOFT = frozenset({"pull", "fetch", "status"})


def resolve(inputs: Inputs, event: Event) -> Inputs:
    """Replace every `auto` by what it means for this command and event."""
    on_miss, on_none, dry_run = inputs.on_miss, inputs.on_no_credentials, inputs.dry_run
    if on_miss == "auto":
        on_miss = str(OnMiss.WARN if inputs.command in _SOFT else OnMiss.FAIL)
    if on_none == "auto":
        on_none = "fail" if event.trusted else "skip"
    if dry_run == "auto":
        about_request = event.pull_request is not None
        dry_run = "true" if inputs.command == "push" and about_request else "false"
    if inputs.command == "doctor" and not event.trusted:
        dry_run = "true"  # it would try to write
    return replace(inputs, on_miss=on_miss, on_no_credentials=on_none, dry_run=dry_run)


def refuses(inputs: Inputs, event: Event) -> bool:
    """Tell whether the job must not write: what a stranger made stays out, whoever has the keys."""
    return inputs.command == "push" and not event.trusted


def configure(
    config: Config, inputs: Inputs, event: Event, environment: Mapping[str, str]
) -> Config:
    """Put the inputs over the project's configuration, and leave out what a stranger may not say.

    Raises `RemoteDenied` when credentials would go to a service that only an untrusted project
    names; `UsageError` for a remote that there is not.
    """
    settings = dict(config.settings)
    if inputs.retries is not None:
        settings["remote.retries"] = (inputs.retries, Level.DEFAULT)
    remotes = _remotes(config, inputs)
    for remote in remotes[:1]:  # what is said of a remote is said of the first
        for option, value in (("endpoint", inputs.endpoint_url), ("region", inputs.aws_region)):
            if value is not None:
                settings[f"remote_options.{remote.name}.{option}"] = (value, Level.DEFAULT)
    if not event.trusted:
        for remote in remotes[0 if inputs.endpoint_url is None else 1 :]:
            _check_endpoint(config, remote, event, environment)
        settings = {
            key: (value, level)
            for key, (value, level) in settings.items()
            if level is not Level.LOCAL or not key.endswith(".endpoint")
        }
    return Config(settings)


def _remotes(config: Config, inputs: Inputs) -> tuple[RemoteSettings, ...]:
    """List every remote that the command may ask, in its order."""
    match inputs.command:
        case "checkout":
            return ()
        case "push":
            return destinations(config, inputs.remote)
        case "doctor":
            return (examined(config, inputs.remote),)
    found = read_chain(config, inputs.remote)
    return found.chain or (found,)


def _check_endpoint(
    config: Config, remote: RemoteSettings, event: Event, environment: Mapping[str, str]
) -> None:
    _, level = config.get(f"remote_options.{remote.name}.endpoint")
    meant = {environment.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")}
    told = remote.endpoint and not remote.anonymous  # else there are no credentials to send
    if told and level is Level.LOCAL and remote.endpoint not in meant:
        raise RemoteDenied(
            f"{remote.name}: credentials are not sent to {remote.endpoint}, which only the "
            f"project's configuration names ({event.reason})",
            hint="set the input endpoint-url",
        )


def final_code(raw: ExitCode, problems: tuple[Problem, ...], inputs: Inputs) -> ExitCode:
    """Choose the exit code of the step: `on-miss` softens what is missing, and nothing else."""
    if raw is ExitCode.MISSING:
        return exit_code(problems, misses_fail=inputs.on_miss == OnMiss.FAIL)
    return raw


def judge(raw: ExitCode, *, dry_run: bool, had: int, moved: int) -> Status:
    """Say in a word how it went: *had* objects are there now, and *moved* things were changed."""
    if raw is ExitCode.MISSING:
        return Status.PARTIAL if had else Status.MISS
    if raw is not ExitCode.DONE:
        return Status.FAILED
    if dry_run:
        return Status.DRY_RUN
    return Status.COMPLETE if moved else Status.NOTHING_TO_DO
