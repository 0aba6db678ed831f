"""Every way in which Pivot can fail, the exit code of each, and which of several is worst."""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from os import PathLike


class ExitCode(IntEnum):
    """What the process returns; the meaning of each is printed by `--help`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    MISSING = 3
    DENIED = 4
    INTEGRITY = 5
    UNAVAILABLE = 6
    LOCAL = 7
    INVALID = 8
    TIMED_OUT = 124
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done, also when there was nothing to do",
    ExitCode.FAILED: "some files or stages failed, or another error",
    ExitCode.USAGE: "wrong usage: unknown target, remote or option",
    ExitCode.MISSING: "objects are missing on the remote",
    ExitCode.DENIED: "credentials or permission",
    ExitCode.INTEGRITY: "integrity: wrong bytes, or an unsafe path",
    ExitCode.UNAVAILABLE: "network: no connection, or throttled after all retries",
    ExitCode.LOCAL: "local disk or file permission",
    ExitCode.INVALID: "config, pivot.yaml, lock or .pvt file is invalid",
    ExitCode.TIMED_OUT: "timeout",
    ExitCode.INTERRUPTED: "interrupted",
}

# When several apply, the first of these wins: what endangers data stands before what costs time.
_WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.TIMED_OUT,
    ExitCode.INTEGRITY,
    ExitCode.INVALID,
    ExitCode.DENIED,
    ExitCode.LOCAL,
    ExitCode.UNAVAILABLE,
    ExitCode.MISSING,
    ExitCode.USAGE,
    ExitCode.FAILED,
    ExitCode.DONE,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Choose the code to exit with when several apply; none of them means done."""
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.DONE)


class PivotError(Exception):
    """Anything that ends a command; *message* names the thing first, *hint* is the cure."""

    code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Ended(PivotError):
    """The command was ended from outside, and *code* says by whom."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message, hint="the same command again completes")
        self.code = code


class UsageError(PivotError):
    """The command cannot be understood: unknown target or remote, no project, bad option."""

    code = ExitCode.USAGE


class RemoteError(PivotError):
    """The remote as a whole fails: no such bucket or folder."""


class RemoteDenied(RemoteError):
    """Credentials are missing, expired or refused."""

    code = ExitCode.DENIED


class NoCredentials(RemoteDenied):
    """There are no credentials at all."""


class RemoteUnavailable(RemoteError):
    """No connection, or throttled, after all retries."""

    code = ExitCode.UNAVAILABLE


class ObjectError(PivotError):
    """One object fails; it becomes an outcome, and the others go on."""


class ObjectMissing(ObjectError):
    """The object is not where it was asked for."""

    code = ExitCode.MISSING


class ObjectRefused(ObjectError):
    """The remote does not let us read this object, or it is missing and we may not list."""

    code = ExitCode.DENIED


class ObjectDamaged(ObjectError):
    """The bytes are not those that the digest or the recorded size promise."""

    code = ExitCode.INTEGRITY


class ObjectFalse(ObjectDamaged):
    """The bytes fit their name and not the SHA-256 on record: forged, or mixed up."""


class ObjectWeak(ObjectError):
    """Nothing vouches for the bytes but their name, and more is required."""

    code = ExitCode.INTEGRITY


class ObjectUnchanged(ObjectError):
    """The object is still the copy that the caller knows; nothing was read."""


class ObjectUnreachable(ObjectError):
    """The object could not be moved after all retries."""

    code = ExitCode.UNAVAILABLE


class IntegrityError(PivotError):
    """Documents contradict each other."""

    code = ExitCode.INTEGRITY


class UnsafePath(IntegrityError):
    """A path would leave the project, or reach what is not data."""


class LocalError(PivotError):
    """The local disk: full, not permitted, not writable."""

    code = ExitCode.LOCAL


class InvalidDocument(PivotError):
    """A configuration, lock or `.pvt` file that cannot be used; lists every problem found."""

    code = ExitCode.INVALID

    def __init__(
        self, path: str | PathLike[str], problems: Sequence[str], *, hint: str = ""
    ) -> None:
        shown = "; ".join(problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""  # noqa: PLR2004
        super().__init__(f"{path}: {shown}{more}", hint=hint)
        self.path = path
        self.problems = tuple(problems)


_MOST = 50


class PipelineError(PivotError):
    """Pipeline files that cannot be used; *problems* name file and line."""

    code = ExitCode.INVALID

    def __init__(self, problems: Sequence[str], *, hint: str = "") -> None:
        hint = hint or "'pivot schema' prints all keys of pivot.yaml and what they may hold"
        more = [f"and {len(problems) - _MOST} more problems"] if len(problems) > _MOST else []
        self.problems = (*problems[:_MOST], *more)
        super().__init__("\n".join(self.problems), hint=hint)


class StageFailed(PivotError):
    """A stage failed, or did not make what it should; *tail* is what it printed last."""

    tail: tuple[str, ...] = ()


class Interrupted(PivotError):
    """A command was stopped, since the user wants to end."""

    code = ExitCode.INTERRUPTED


class TimedOut(KeyboardInterrupt):
    """The time that the user allowed is over: the end is that of Ctrl-C, with a code of its own."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


_LOCAL_HINTS = {
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "your disk quota is used up: free some space, then run the same command again",
    errno.EACCES: "check who owns the file and its directory",
    errno.EPERM: "check who owns the file and its directory",
    errno.EROFS: "the file system is mounted read-only",
    errno.EMFILE: "too many open files: raise `ulimit -n` or lower --jobs",
    errno.ENFILE: "too many open files on this machine: lower --jobs",
}


def local_error(error: OSError, path: str | PathLike[str] | None = None) -> LocalError:
    """Say an `OSError` of the local disk as a sentence: the path, the cause, the cure."""
    place = path if path is not None else error.filename
    cause = error.strerror or type(error).__name__
    text = f"{place}: {cause}" if place is not None else cause
    return LocalError(text, hint=_LOCAL_HINTS.get(error.errno or 0, ""))
