"""How much a run says: a few plain lines where nobody watches, however much it moves."""

from __future__ import annotations

import re

from tests.projects import ProjectBuilder
from tests.torture.programme import Programme, Run

MOST_LINES = 30
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def run_log_volume(run: Run) -> None:
    """Push and pull more and more objects, and count lines."""
    most = 0
    for count in run.figure((1, 500), (1, 500, 100_000)):
        root = run.place()
        builder = ProjectBuilder(root)
        builder.config(f"remotes:\n  origin: s3://{run.bucket()}/p\n")
        builder.stage("make", {"data/all": {f"{n % 100}/{n}": b"%d" % n for n in range(count)}})
        pivot = run.pivot()
        for word in ("push", "pull"):
            done = pivot(word, cwd=root, timeout=1800)
            lines = (done.out + done.err).splitlines()
            wrong = []
            if done.code:
                wrong.append(f"{word} of {count}: exit {done.code}: {done.err}")
            if len(lines) > MOST_LINES:
                wrong.append(f"{word} of {count}: {len(lines)} lines")
            if _CONTROL.search(done.out + done.err):
                wrong.append(f"{word} of {count}: control characters off a terminal")
            run.point(*wrong)
            most = max(most, len(lines))
    run.note(f"at most {most} lines")


LOG_VOLUME = Programme("R17", "how much is said off a terminal", run_log_volume)
