"""`pivot repro`: run what has to run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    complete_stages,
    integrity_option,
    json_option,
    remotes_option,
)
from pivot.errors import UsageError
from pivot.pipeline.targets import Reach
from pivot.report import printable
from pivot.repro.log import stage_log
from pivot.repro.report import repro_json, repro_text
from pivot.repro.run import Options
from pivot.repro.start import repro as run_repro
from pivot.repro.watcher import Watcher

if TYPE_CHECKING:
    from pivot.config import Config

_EPILOG = (
    """\b
STAGES are names ('train', which is all of 'train@a', 'train@b', and also the
unique end of 'demo/train'), patterns ('train@*'), outputs, pivot.yaml files.
All that they depend on is brought up to date as well. Without STAGES: all.

"""
    + EXIT_CODES
)


@click.command(epilog=_EPILOG)
@click.argument("stages", nargs=-1, shell_complete=complete_stages)
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be done, and why.")
@click.option("--check", is_flag=True, help="Like --dry-run, and exit 1 if a stage would run.")
@click.option("-f", "--force", is_flag=True, help="Run stages even if nothing changed.")
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Stages at a time [default: core.max_workers]."
)
@click.option("-k", "--keep-going", is_flag=True, help="After a failure, run what can still run.")
@click.option("-s", "--single", is_flag=True, help="Only STAGES, not what they depend on.")
@click.option("--downstream", is_flag=True, help="STAGES and all that depends on them.")
@click.option("--pull", is_flag=True, help="Fetch from the remote what is recorded and not here.")
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Leave on the remote what is there. With --pull, fetch what stages read that run.",
)
@remotes_option("Which remote. Given again: each object of the first that has it.")
@integrity_option
@json_option
@common_options
def repro(
    common: Common,
    *,
    stages: tuple[str, ...],
    dry_run: bool,
    check: bool,
    force: bool,
    jobs: int | None,
    keep_going: bool,
    single: bool,
    downstream: bool,
    pull: bool,
    allow_missing: bool,
    remote: str | None,
    integrity: str | None,
    as_json: bool,
) -> int:
    """Run the stages of pivot.yaml that have to run, and skip the others.

    A stage is skipped if its command, parameters, dependencies and outputs are as its lock file
    has them. Outputs that are missing are restored from the cache. Of the others, each runs
    after those that it depends on, and its lock file is written last: commit it.

    \b
    Examples:
      pivot repro                       all stages
      pivot repro train                 one stage, and what it depends on
      pivot repro -n                    what would run, and why
      pivot repro --pull                in CI: use what the team has made already
      pivot repro --check --allow-missing   exit 0 if nothing has to run
    """
    if single and downstream:
        raise UsageError("--single and --downstream are mutually exclusive")
    if single and not stages:
        raise UsageError("--single needs the stages to run")
    if remote and not (pull or allow_missing):
        raise UsageError("--remote is for --pull and --allow-missing: nothing else asks a remote")
    reach = Reach.SINGLE if single else Reach.DOWNSTREAM if downstream else Reach.UPSTREAM
    session = common.session(None, integrity=integrity)
    options = Options(
        jobs=jobs or _workers(session.config),
        reach=reach,
        force=force,
        keep_going=keep_going,
        pull=pull,
        allow_missing=allow_missing,
        remote=remote,
    )
    stream = sys.stderr if as_json else sys.stdout
    watcher = (
        Watcher()
        if common.quiet
        else stage_log(stream, os.environ, jobs=options.jobs, verbose=common.verbose > 0)
    )
    try:
        result = run_repro(
            session, stages, options=options, dry_run=dry_run or check, watcher=watcher
        )
    finally:
        watcher.close()
    if common.quiet and not as_json:
        for warning in (text for stage in result.stages for text in stage.warnings):
            click.echo(f"Warning: {printable(warning)}", err=True)
    report = repro_json if as_json else repro_text
    return common.show(report(result, check=check))


def _workers(config: Config) -> int:
    """Say how many stages run at a time: below zero, all processors but so many less one."""
    wanted, _ = config.get("core.max_workers")
    if not isinstance(wanted, int):
        raise UsageError("'core.max_workers' must be a whole number")
    if wanted > 0:
        return wanted
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return max(1, (len(allowed) or os.cpu_count() or 1) + 1 + wanted)
