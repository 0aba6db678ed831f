"""What git knows of the project; the only place that starts git."""

from __future__ import annotations

import os
import re
import subprocess
from typing import IO, TYPE_CHECKING, NamedTuple

from pivot.documents import MAX_BYTES
from pivot.errors import PivotError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

_ELSEWHERE = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "PREFIX", "COMMON_DIR", "NAMESPACE"),
        *("OBJECT_DIRECTORY", "SHALLOW_FILE"),
        *("LITERAL_PATHSPECS", "GLOB_PATHSPECS", "NOGLOB_PATHSPECS", "ICASE_PATHSPECS"),
    )
)
"""Variables with which git looks at something else, as in a hook or under `git --git-dir`."""

_AT_ONCE = 500  # paths on one command line: far below every system's limit
_NO_SUCH_NAME = 1  # the exit code of `git rev-parse --verify --quiet`; failures have others


def tracked_paths(root: Path, paths: Iterable[str]) -> set[str]:
    """Say which of *paths* (from *root*) git tracks; a tracked directory is one with tracked files.

    Outside a repository the answer is none. Raises `PivotError` when git cannot tell.
    """
    wanted = sorted(set(paths))
    if not wanted or not is_in_repository(root):
        return set()
    listed: set[str] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        done = _run(root, "--literal-pathspecs", "ls-files", "-z", "--", *some)
        listed.update(_names(_checked(done, f"cannot list its files in {root}")))
    above = {path[:end] for path in listed for end, mark in enumerate(path) if mark == "/"}
    return {path for path in wanted if path in listed or path in above}


def ignored_paths(root: Path, paths: Iterable[str]) -> set[str]:
    """Say which of *paths* (from *root*) git ignores; outside a repository the answer is none.

    Raises `PivotError` when git cannot tell.
    """
    wanted = sorted(set(paths))
    if not wanted or not is_in_repository(root):
        return set()
    given = b"".join(name.encode(errors="surrogateescape") + b"\0" for name in wanted)
    done = _run(root, "check-ignore", "-z", "--stdin", given=given)
    if done.returncode == 1:  # none of them
        return set()
    return set(_names(_checked(done, "cannot say what it ignores")))


class Objects:
    """Whatever a repository has by name, read by one process of git; use it in a `with` statement.

    Safe from one thread at a time.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.__exit__(kind, error, trace)

    def read(self, name: str, kind: str, place: str) -> bytes:
        """Read the object *name*, which is of this *kind*; *place* is how an error calls it.

        Of one that is too large no more comes than shows that it is. Raises `PivotError` when git
        cannot give it.
        """
        if self._process is None:
            self._process = _start(self._root, "cat-file", "--batch")
        ask, answer = self._process.stdin, self._process.stdout
        assert ask is not None  # noqa: S101  both are pipes
        assert answer is not None  # noqa: S101
        try:
            ask.write(f"{name}\n".encode())
            ask.flush()
            size = re.fullmatch(rf"[0-9a-f]+ {kind} ([0-9]+)\n".encode(), answer.readline())
            data = _take(answer, int(size[1])) if size else None
        except OSError as error:
            raise self._failed(place) from error
        if data is None:
            raise self._failed(place)
        return data

    def _failed(self, place: str) -> PivotError:
        """Say why there was no answer: git has ended, or goes on without the object."""
        said = b""
        if self._process is not None:
            self._process.kill()
            said = self._process.communicate()[1]
            self._process = None
        reason = _first_line(said) or "the object is missing"
        return PivotError(
            f"git cannot give {place}: {reason}",
            hint="'git fsck' tells what the repository lacks",
        )


def _take(answer: IO[bytes], size: int) -> bytes | None:
    """Read an object and the line end after it, of a huge one no more than shows that it is."""
    data = answer.read(min(size, MAX_BYTES + 1))
    left = size + 1 - len(data)
    while left and (chunk := answer.read(min(left, 2**20))):
        left -= len(chunk)
    return data if not left else None


def resolve(root: Path, revision: str) -> str:
    """Name the commit that *revision* is: a commit, branch, tag, or what else git understands.

    Raises `UsageError` for one that there is not, `PivotError` when git cannot tell.
    """
    check_repository(root)
    if not revision or revision.startswith("-") or "\0" in revision:
        raise UsageError(f"'{revision}' cannot be a revision")
    if ".." in revision:
        raise UsageError(f"'{revision}' is not one revision", hint="name two of them: A B")
    found = _verify(root, f"{revision}^{{commit}}")
    if found is not None:
        return found
    if not re.fullmatch(r"[0-9a-f]{40,}", revision) and _verify(root, revision) is not None:
        raise PivotError(
            f"git has no commit for '{revision}'", hint="'git fsck' tells what it lacks"
        )
    raise _unknown(root, revision)


def check_repository(root: Path) -> None:
    """Raise `UsageError` when *root* is in no git repository."""
    if not is_in_repository(root):
        raise UsageError(
            f"{root} is not in a git repository, so there is no revision of it",
            hint="'git init' and a commit make it one",
        )


def _verify(root: Path, revision: str) -> str | None:
    done = _run(root, "rev-parse", "--verify", "--quiet", revision)
    if done.returncode == _NO_SUCH_NAME and not done.stderr:
        return None
    return _checked(done, f"cannot look up '{revision}'").decode(errors="replace").strip()


def _unknown(root: Path, revision: str) -> UsageError:
    """Say that there is no such revision, and which may be meant."""
    if _verify(root, "HEAD") is None and revision.startswith(("HEAD", "@")):
        return UsageError("There is no commit yet", hint="commit, then try again")
    others = [name for name in ("HEAD", *list_branches(root)) if not revision.startswith(name)]
    import difflib  # noqa: PLC0415  on such bad days alone

    near = difflib.get_close_matches(revision, others, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "'git log --all' shows what there is"
    shallow = _checked(_run(root, "rev-parse", "--is-shallow-repository"), "cannot be asked")
    if not near and shallow.strip() == b"true":
        hint = "this clone is shallow: 'git fetch --unshallow' brings the other commits"
    return UsageError(f"Unknown revision '{revision}'", hint=hint)


def recent_commits(root: Path, patterns: Iterable[str], count: int) -> list[tuple[str, str, str]]:
    """Name the last *count* commits that changed files like *patterns*, the oldest first.

    Each with its date and the first line of its message. Of a merge the branch that was merged into
    counts. Outside of a repository, and before the first commit, there are none. Raises
    `PivotError` when git cannot tell.
    """
    if not is_in_repository(root) or count < 1:
        return []
    form = "--format=%H%x00%as%x00%s"
    which = [f":(glob){pattern}" for pattern in patterns]
    options = ("--first-parent", "-m", "--no-show-signature", f"-{count}", form)
    done = _run(root, "log", *options, "--", *which)
    if done.returncode and _verify(root, "HEAD") is None:
        return []
    text = _checked(done, "cannot list commits").decode(errors="replace")
    lines = (line.split("\0", 2) for line in text.split("\n"))
    found = [(one[0], one[1], one[2]) for one in lines if len(one) == 3]  # noqa: PLR2004
    return found[::-1]


def has_commit(root: Path) -> bool:
    """Tell whether *root* is in a repository that has a commit; raises `PivotError`."""
    return is_in_repository(root) and _verify(root, "HEAD") is not None


def last_change(root: Path, path: str, revision: str = "HEAD") -> str:
    """Say who last committed a change of *path* before *revision*, when, and in which commit.

    Empty for what git does not have, and outside of a repository. Raises `PivotError` when git
    cannot tell.
    """
    if not is_in_repository(root):
        return ""
    what = f"cannot say who changed {path}"
    form = "--format=%H%x00%an%x00%as"
    log = ("--literal-pathspecs", "log", "-1", form, "--no-show-signature", revision)
    done = _run(root, *log, "--", path)
    if done.returncode and _verify(root, "HEAD") is None:
        return ""  # there is no commit yet
    found = _checked(done, what).decode(errors="replace").strip().split("\0")
    if len(found) < 3:  # noqa: PLR2004
        return ""
    commit, author, date = found
    asked = _run(root, "rev-parse", "--is-shallow-repository", "--git-path", "shallow")
    shallow, _, file = (
        _checked(asked, what).decode(errors="surrogateescape").strip().partition("\n")
    )
    if shallow == "true" and commit in (root / file).read_text().split():
        return "unknown (shallow clone)"  # where history is cut off, all seems to come from there
    return f"{author}, {date} ({commit[:7]})"


def list_branches(root: Path) -> list[str]:
    """List the names of branches, also of other repositories, and tags; raises `PivotError`."""
    listed = _run(root, "for-each-ref", "--format=%(refname:short)")
    return _checked(listed, "cannot list its branches").decode(errors="replace").split()


def list_files(root: Path, commit: str) -> list[tuple[str, str, str]]:
    """List mode, object and path of all that *commit* has below *root*; raises `PivotError`."""
    done = _run(root, "ls-tree", "-r", "-z", commit)
    listed: list[tuple[str, str, str]] = []
    for entry in _names(_checked(done, f"cannot list the files of '{commit}'")):
        about, _, path = entry.partition("\t")
        mode, _, name = about.split(" ")
        listed.append((mode, name, path))
    return listed


class Told(NamedTuple):
    """What git printed, and the lines in which it warned of something."""

    data: bytes
    warnings: tuple[str, ...]

    @property
    def text(self) -> str:
        """As text, in which names that are none come back as they were."""
        return self.data.decode(errors="surrogateescape")


def ask(root: Path, what: str, *arguments: str, given: bytes | None = None, hint: str = "") -> Told:
    """Ask git at *root*; *what* says what it could not do. Raises `PivotError`, with *hint*."""
    done = _run(root, *arguments, given=given)
    try:
        data = _checked(done, what)
    except PivotError as error:
        raise PivotError(error.message, hint=hint) from error
    return Told(data, tuple(done.stderr.decode(errors="replace").strip().splitlines()))


def is_in_repository(root: Path) -> bool:
    """Tell whether *root* is in a git repository, by its looks."""
    return _repository_of(root) is not None


def check_own_repository(root: Path) -> None:
    """Raise `PivotError` if git takes another repository than the nearest one for that of *root*.

    It passes over a damaged one, and goes on with what is around it.
    """
    nearest = _repository_of(root.resolve())
    told = ask(root, "cannot find its repository", "rev-parse", "--absolute-git-dir")
    found = told.text.removesuffix("\n")
    if nearest is None or _git_directory(nearest / ".git") != os.path.realpath(found):
        raise PivotError(
            f"git takes {found} for the repository of {root}, and not {nearest}/.git",
            hint=f"is {nearest}/.git damaged? 'git -C {nearest} status' has to work",
        )


def _git_directory(path: Path) -> str:
    """Say where git keeps what `.git` at *path* is, or leads to; empty for what is neither."""
    if path.is_dir():
        return os.path.realpath(path)
    try:
        told = path.read_text(errors="surrogateescape").strip()
    except OSError:
        return ""
    return os.path.realpath(path.parent / told.removeprefix("gitdir: "))


def _repository_of(root: Path) -> Path | None:
    return next((place for place in (root, *root.parents) if (place / ".git").exists()), None)


def _own_repository() -> dict[str, str]:
    """Let git see the repository around the project, all of it, and as its other clones do.

    Nobody else has its grafts, nor its replacements of commits.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return kept | {"GIT_GRAFT_FILE": "", "GIT_NO_REPLACE_OBJECTS": "1"}


def _start(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(  # noqa: S603
            ["git", "-C", str(root), *arguments],  # noqa: S607
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=_own_repository(),
        )
    except FileNotFoundError as error:
        raise PivotError("git is not installed, so it cannot say what it has") from error


def _run(
    root: Path, *arguments: str, given: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    with _start(root, *arguments) as process:
        out, err = process.communicate(given)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def _checked(done: subprocess.CompletedProcess[bytes], what: str) -> bytes:
    """Answer with what git printed; raises `PivotError` when it failed."""
    if done.returncode:
        reason = _first_line(done.stderr) or f"exit code {done.returncode}"
        raise PivotError(f"git {what}: {reason}")
    return done.stdout


def _first_line(said: bytes) -> str:
    return next(iter(said.decode(errors="replace").strip().splitlines()), "")


def _names(listed: bytes) -> list[str]:
    return [name.decode(errors="surrogateescape") for name in listed.split(b"\0") if name]
