"""Tables of what was measured, as Markdown, and a plot as SVG."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from bench.measure import Cost

_WIDTH, _ROW, _LEFT = 860, 22, 240


@dataclass(frozen=True)
class Row:
    """All runs of one tool in one trial, or why there are none."""

    peer: str
    costs: Sequence[Cost]
    missing: str = ""

    @property
    def cpu(self) -> float:
        """The median of CPU seconds."""
        return statistics.median(cost.cpu for cost in self.costs)

    @property
    def wall(self) -> float:
        """The median of seconds."""
        return statistics.median(cost.wall for cost in self.costs)


@dataclass(frozen=True)
class Trial:
    """One thing that all tools did; the first row is ours."""

    title: str
    rows: Sequence[Row]


def save(trials: Sequence[Trial], path: Path) -> None:
    """Keep all figures, so that single trials can be measured anew."""
    kept = load(path) | {trial.title: trial for trial in trials}
    path.write_text(json.dumps([asdict(trial) for trial in kept.values()], indent=1) + "\n")


def load(path: Path) -> dict[str, Trial]:
    """Read what was kept."""
    trees = json.loads(path.read_text()) if path.exists() else []
    return {
        tree["title"]: Trial(
            tree["title"],
            [
                Row(row["peer"], [Cost(**cost) for cost in row["costs"]], row["missing"])
                for row in tree["rows"]
            ],
        )
        for tree in trees
    }


def as_markdown(trial: Trial) -> str:
    """Make a table of a trial."""
    ours = trial.rows[0]
    lines = [
        f"### {trial.title}",
        "",
        "| | CPU s | least | most | as much as ours | wall s | as much as ours | peak MiB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in trial.rows:
        if not row.costs:
            lines.append(f"| {row.peer} | {row.missing} | | | | | | |")
            continue
        cpus = [cost.cpu for cost in row.costs]
        cells = (
            row.peer,
            f"{row.cpu:.2f}",
            f"{min(cpus):.2f}",
            f"{max(cpus):.2f}",
            f"{row.cpu / ours.cpu:.1f}x",
            f"{row.wall:.2f}",
            f"{row.wall / ours.wall:.1f}x",
            f"{max(cost.mebibytes for cost in row.costs):.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def as_summary(trials: Mapping[str, Trial], peers: Sequence[str]) -> str:
    """Make one table of all trials: ours in seconds, each of *peers* as a multiple of ours."""
    lines = [
        f"| | ours, CPU s | wall s | peak MiB | {' | '.join(peers)} |",
        f"|---|{'---:|' * (len(peers) + 3)}",
    ]
    for trial in trials.values():
        ours, costs = trial.rows[0], {row.peer: row for row in trial.rows if row.costs}
        peak = max(cost.mebibytes for cost in ours.costs)
        cells = [trial.title, f"{ours.cpu:.2f}", f"{ours.wall:.2f}", f"{peak:.0f}"]
        cells += [f"{costs[p].cpu / ours.cpu:.1f}x" if p in costs else "" for p in peers]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def as_svg(trials: Mapping[str, Trial]) -> str:
    """Draw the CPU seconds of all tools, as multiples of ours."""
    body, y = [], 20
    for trial in trials.values():
        rows = [row for row in trial.rows if row.costs]
        most = max(row.cpu for row in rows) or 1.0
        body.append(f'<text x="8" y="{y}" font-weight="bold">{escape(trial.title)}</text>')
        for row in rows:
            y += _ROW
            width = max(1.0, (_WIDTH - _LEFT - 130) * row.cpu / most)
            colour = "#2a7" if row is trial.rows[0] else "#99a"
            body.append(
                f'<text x="{_LEFT - 8}" y="{y}" text-anchor="end">{escape(row.peer)}</text>'
            )
            body.append(
                f'<rect x="{_LEFT}" y="{y - 12}" width="{width:.1f}" height="15" fill="{colour}"/>'
            )
            text = f"{row.cpu:.2f} s, {row.cpu / trial.rows[0].cpu:.1f}x"
            body.append(f'<text x="{_LEFT + width + 6:.1f}" y="{y}">{text}</text>')
        y += 2 * _ROW
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" '
        'font-family="sans-serif" font-size="13">'
    )
    return "\n".join(
        [head, f'<rect width="{_WIDTH}" height="{y}" fill="white"/>', *body, "</svg>", ""]
    )
