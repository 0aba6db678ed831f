"""What a conversion leaves to its user, in sentences."""

from __future__ import annotations

from pivot.frozen import frozen


@frozen
class Note:
    """Something of *document* that has no counterpart here: *what* it is, and what to do by hand.

    *line* is 0 where it is not known.
    """

    document: str
    line: int
    what: str
    cure: str = ""

    @property
    def place(self) -> str:
        """Where it stands: `dvc.yaml:12`."""
        return f"{self.document}:{self.line}" if self.line else self.document
