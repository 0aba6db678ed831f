"""Find the project, and know where everything in it lives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pivot.errors import UsageError, local_error
from pivot.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NEVER_ENTERED = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".tox", ".nox"})
"""Directories in which nobody looks for documents, whatever they are of."""

PIPELINE = "pivot.yaml"
"""The name of a pipeline file."""

GITIGNORE = """\
# Cache directory (stage outputs, file hashes)
/cache/

# State database (file hashes, generation counters)
/state.lmdb/

# Artifact and restore locks (flock files for concurrent execution)
/locks/

# Agent RPC socket (left behind by TUI and --serve sessions)
/agent.sock

# Config lock (held while editing config.yaml)
/config.yaml.lock

# Generated plots gallery (pivot plots show)
/plots/

# Key for secret params' digests in lock files; never commit it
/secret.key
"""
"""What the real Pivot puts into `.pivot/.gitignore`, so that either may use the project."""


@frozen
class Project:
    """A project at *root*, used from the directory *here* inside it; *home* is the user's."""

    root: Path
    here: Path
    home: Path

    @property
    def pivot(self) -> Path:
        """The directory of Pivot's own files."""
        return self.root / ".pivot"

    @property
    def config(self) -> Path:
        """The project's configuration, which is committed."""
        return self.pivot / "config.yaml"

    @property
    def user_config(self) -> Path:
        """The user's configuration, for all projects."""
        return user_config(self.home)

    @property
    def scratch(self) -> Path:
        """Where files for the workspace are built: in a directory that git ignores."""
        return self.pivot / "cache" / "tmp"

    @property
    def remembered(self) -> Path:
        """Where the digests of files that were read are noted; it may be deleted at any time."""
        return self.pivot / "cache" / "remembered.json"

    @property
    def journals(self) -> Path:
        """Where a deep verification notes what it has read, until it ends."""
        return self.pivot / "cache" / "verify"


@frozen
class DocumentPaths:
    """Where the project's lock, `.pvt` and `pivot.yaml` files are, each in sorted order."""

    locks: tuple[Path, ...]
    tracked: tuple[Path, ...]
    pipelines: tuple[Path, ...] = ()


def user_config(home: Path) -> Path:
    """Where the user's configuration is; the real Pivot does not read XDG_CONFIG_HOME either."""
    return home / ".config" / "pivot" / "config.yaml"


def find_project(start: Path, environment: Mapping[str, str]) -> Project:
    """Find the project that *start* is in: its outermost ancestor that holds a `.pivot` directory.

    Outermost, because older projects have more of them inside; PIVOT_ROOT names another root.
    Raises `UsageError`.
    """
    here = Path(os.path.abspath(start))
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    if chosen := environment.get("PIVOT_ROOT"):
        root = Path(os.path.abspath(here / chosen))
        if not (root / ".pivot").is_dir():
            raise UsageError(
                f"PIVOT_ROOT names {root}, which has no .pivot directory",
                hint="unset PIVOT_ROOT, or run 'pivot init' there",
            )
        return Project(root, here, home)
    roots = [place for place in (here, *here.parents) if (place / ".pivot").is_dir()]
    if not roots:
        raise UsageError(
            f"No .pivot directory found above '{here}'. Run 'pivot init' to initialize a Pivot project.",  # noqa: E501
            hint="Run 'pivot init' in your project root to initialize Pivot",
        )
    return Project(roots[-1], here, home)


def find_documents(project: Project) -> DocumentPaths:
    """Find the lock files below every `.pivot/stages`, all `.pvt` and all `pivot.yaml` files.

    Other repositories inside the project, virtual environments and caches are not entered, nor
    are symlinks. Raises `LocalError` for a directory that cannot be read.
    """
    locks: list[Path] = []
    tracked: list[Path] = []
    pipelines: list[Path] = []
    for directory, names in _walk(project.root):
        if directory.name == ".pivot":
            locks += _locks_below(directory / "stages")
        else:
            tracked += [
                directory / name for name in names if name.endswith(".pvt") and name != ".pvt"
            ]
            pipelines += [directory / PIPELINE] if PIPELINE in names else []
    return DocumentPaths(tuple(sorted(locks)), tuple(sorted(tracked)), tuple(sorted(pipelines)))


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    waiting = [str(root)]
    while waiting:
        place = waiting.pop()
        below: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.name)
                    elif entry.name.endswith((".pvt", ".cfg", PIPELINE)) and entry.is_file():
                        files.append(entry.name)
                    elif entry.name == ".git":
                        files.append(".git")  # a work tree or submodule keeps a file there
        except OSError as error:
            raise local_error(error, place) from error
        is_root = place == str(root)
        if not is_root and (".git" in below or ".git" in files or "pyvenv.cfg" in files):
            continue
        yield Path(place), files
        if os.path.basename(place) != ".pivot":
            waiting += [f"{place}/{name}" for name in below if name not in NEVER_ENTERED]


def _locks_below(stages: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise local_error(error) from error

    for place, _, names in os.walk(stages, onerror=fail):
        yield from (Path(place, name) for name in names if name.endswith(".lock"))


def init_project(directory: Path, *, force: bool = False) -> list[str]:
    """Make a project in *directory* and return the names of what was made.

    Raises `UsageError` where there is one already, unless *force*.
    """
    pivot = directory / ".pivot"
    if pivot.is_symlink() or (pivot.exists() and not pivot.is_dir()):
        raise UsageError(f"'{pivot}' exists but is not a directory; refusing to initialize")
    if pivot.exists() and not force:
        raise UsageError(
            f"Pivot already initialized in {directory}", hint="Use --force to reinitialize"
        )
    try:
        (pivot / "stages").mkdir(parents=True, exist_ok=True)
        (pivot / ".gitignore").write_text(GITIGNORE, encoding="utf-8")
    except OSError as error:
        raise local_error(error) from error
    return [".pivot/", ".pivot/stages/", ".pivot/.gitignore"]
