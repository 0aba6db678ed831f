"""`pivot dag`: the graph of stages, for a terminal, Mermaid or Graphviz, with states if asked."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from pivot import api
from pivot.changes import last_changes
from pivot.cli.options import (
    EXIT_CODES,
    Common,
    common_options,
    complete_stages,
    json_option,
    remotes_option,
)
from pivot.dot import draw_dot
from pivot.errors import ExitCode, UsageError
from pivot.graph import nodes_of, nodes_of_states
from pivot.graph_text import draw_tree
from pivot.mermaid import draw_mermaid
from pivot.pipeline.targets import choose_stages
from pivot.pipeline.workspace import load_workspace_pipeline
from pivot.references import load_documents
from pivot.report import OnMiss, dump, printable, problem_lines
from pivot.results import exit_code
from pivot.stage_needs import join_stages
from pivot.stage_states import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pivot.graph import Node
    from pivot.report import Json

_COLOURS = {
    State.HIT: "green",
    State.PARTIAL: "yellow",
    State.MISSING: "red",
    State.CHANGED: "blue",
    State.WAITING: "cyan",
    State.UNKNOWN: "bright_black",
}


@click.command(epilog=EXIT_CODES)
@click.argument("stages", nargs=-1, shell_complete=complete_stages)
@click.option("--status", "states", is_flag=True, help="Mark each stage with its state.")
@click.option("--online", is_flag=True, help="Like --status, and ask the remote too.")
@remotes_option(
    "Like --online, with this remote. Given again: each object of the first that has it."
)
@click.option("--mermaid", is_flag=True, help="Print a Mermaid flowchart.")
@click.option("--dot", is_flag=True, help="Print a graph for Graphviz.")
@json_option
@common_options
def dag(
    common: Common,
    *,
    stages: tuple[str, ...],
    states: bool,
    online: bool,
    remote: str | None,
    mermaid: bool,
    dot: bool,
    as_json: bool,
) -> int:
    """Draw which stage depends on which; with STAGES only what these need.

    \b
    States, with --status, are those of 'pivot status':
      ✓ hit        nothing changed, and all outputs are here or can be had
      ● changed    it would run
      ○ waiting    a stage that it needs would run, and then it may have to
      ◐ partial    as it was, but some objects can be had nowhere
      ✗ missing    as it was, but no object can be had
      ? unknown    known by its lock file alone, or nobody could tell

    \b
    Examples:
      pivot dag
      pivot dag train                      what train needs
      pivot dag --status                   with what would run, and why
      pivot dag --mermaid > graph.mmd
      pivot dag --online --dot | dot -Tsvg > graph.svg
    """
    if sum((mermaid, dot, as_json)) > 1:
        raise UsageError("--mermaid, --dot and --json are mutually exclusive")
    code = ExitCode.DONE
    if states or online or remote is not None:
        nodes, code = _look(common, stages, online=online, remote=remote)
    else:
        nodes = _nodes(common, stages)
    if as_json:
        click.echo(dump({"version": 1, "stages": [_tree(node) for node in nodes]}))
        return int(code)
    draw = draw_mermaid if mermaid else draw_dot if dot else _draw_tree
    click.echo("\n".join(draw(nodes)))  # at once, for readers that take the head of it
    return int(code)


def _nodes(common: Common, stages: Sequence[str]) -> tuple[Node, ...]:
    """Read the graph: that of pivot.yaml, or where there is none, that of the lock files."""
    project = common.project()
    documents = load_documents(project, dependencies=True)
    if documents.locks and not documents.paths.pipelines and not stages:
        needs = join_stages(None, documents.locks)
        return nodes_of(needs, needs)
    pipeline = load_workspace_pipeline(project, documents)
    here = os.path.relpath(project.here, project.root)
    chosen = choose_stages(
        pipeline, stages, here="" if here == "." else here, root=str(project.root)
    )
    return nodes_of({name: pipeline.needs[name] for name in pipeline.stages}, chosen)


def _look(
    common: Common, stages: Sequence[str], *, online: bool, remote: str | None
) -> tuple[tuple[Node, ...], ExitCode]:
    """Ask where the stages stand, as `pivot status` does, and say what stood in the way."""
    session = common.session(None)
    result = api.status(session, stages, remote=remote, online=online or remote is not None)
    for text in result.warnings:
        click.echo(f"Warning: {printable(text)}", err=True)
    changes = last_changes(session.project.root, result.problems)
    for line in problem_lines(result.problems, OnMiss.FAIL, changes):
        click.echo(line, err=True)
    shown = (stage for stage in result.stages if stage.name not in result.past)
    return nodes_of_states(shown), exit_code(result.problems)


def _draw_tree(nodes: Sequence[Node]) -> list[str]:
    colourful = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    if not colourful or os.environ.get("TERM") == "dumb":
        return draw_tree(nodes)
    return draw_tree(nodes, lambda text, state: click.style(text, fg=_COLOURS[state]))


def _tree(node: Node) -> Json:
    tree: dict[str, Json] = {"name": node.name, "needs": [*node.needs]}
    if node.state is not None:
        tree |= {"state": str(node.state), "reason": node.reason}
    return tree
