"""Who changed a document last: whom to ask when what it names cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot.errors import ExitCode, PivotError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pivot.results import Problem

_MOST = 20
_ABOUT_CONTENT = frozenset({ExitCode.MISSING, ExitCode.INTEGRITY})


def last_changes(root: Path, problems: Iterable[Problem], revision: str = "HEAD") -> dict[str, str]:
    """Say who last changed the documents of *problems* that are about contents, the first few.

    Changes after *revision* do not count. Where git cannot tell, nothing is said.
    """
    documents = dict.fromkeys(
        problem.document
        for problem in problems
        if problem.document and problem.code in _ABOUT_CONTENT
    )
    if not documents:
        return {}
    from pivot.git import last_change  # noqa: PLC0415  on such bad days alone

    changes: dict[str, str] = {}
    for document in list(documents)[:_MOST]:
        try:
            change = last_change(root, document, revision)
        except PivotError:
            break
        if change:
            changes[document] = change
    return changes
