"""Start the program in the container: as whom, with which home, and which program.

Root takes the owner of the project that it is to work in, so that nothing in it comes to belong to
root. It knows the standard library alone, and becomes the program by `exec`: signals reach it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOME = "/tmp/home"  # noqa: S108  the one place that may be written to with any uid and --read-only
PROGRAMS = {"sh", "bash", "cat"}  # what GitLab and Jenkins start in an image instead of its own
OURS = {"pivot", "pivot-remote"}


def main() -> None:
    """Do it all, in this order: whose files are read depends on who we are."""
    arguments = sys.argv[1:]
    if os.getuid() == 0 and os.environ.get("PIVOT_UID") != "keep":
        directory = find_directory(Path.cwd(), arguments)
        become(*find_owner(directory, os.environ.get("PIVOT_ROOT", "")))
    os.umask(0o022)
    os.environ["HOME"] = find_home(os.environ.get("HOME", ""))
    for path in find_unreadable(os.environ):
        warn(f"uid {os.getuid()} may not read {path}")
    command = find_command(arguments)
    if "repro" in arguments[:2]:
        warn("stages find the programs of this image only: Python, sh and what Debian's base has")
    try:
        os.execvp(command[0], command)  # noqa: S606  it is what an entrypoint is for
    except OSError as error:
        warn(f"{command[0]}: {error.strerror}")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


def find_command(arguments: Sequence[str]) -> list[str]:
    """Choose the program: ours, that for CI jobs, or one that is named as such."""
    ours = [sys.executable, "-IBu", "-m"]
    match arguments:
        case [first, *_] if first in PROGRAMS or first.startswith("/"):
            return list(arguments)
        case ["action" | "pivot-ci", *rest]:
            return [*ours, "pivot.ci", *rest]
        case [first, *rest] if first in OURS:
            return [*ours, "pivot", *rest]
    return [*ours, "pivot", *arguments]


def find_directory(here: Path, arguments: Sequence[str]) -> Path:
    """Say where the program will work: in *here*, but for its option `-C`."""
    if find_command(arguments)[0] == sys.executable:
        words = iter(arguments)
        for word in words:
            if word == "--":
                break
            if word.startswith("-C"):
                here /= word[2:] or next(words, "")
    return here


def find_owner(directory: Path, root: str = "") -> tuple[int, int]:
    """Say whose *directory* is: uid and gid; if it is root's, whose the project is that it is in.

    The project is found as the program does it: *root*, or the outermost one.
    """
    places = [directory]
    if root:
        places.append(directory / root)
    else:
        above = (directory, *directory.parents)
        places += [place for place in above if (place / ".pivot").is_dir()][-1:]
    for place in places:
        with contextlib.suppress(OSError):  # no such directory: the program will say so
            found = place.stat()
            if found.st_uid != 0:
                return found.st_uid, found.st_gid
    return 0, 0


def become(uid: int, gid: int) -> None:
    """Give up root for good; who may not is told what to do, lest root's files are left."""
    if uid == 0:
        return
    try:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    except OSError as error:
        text = f"cannot become uid {uid}, the owner of the project: {error.strerror}"
        print(f"Error: {text}\nTip: give --user {uid}:{gid}", file=sys.stderr)  # noqa: T201
        sys.exit(7)


def find_home(home: str, instead: str = HOME) -> str:
    """Keep *home* if it can be looked into; else *instead* is made, if it is not there."""
    if home not in {"", "/", instead} and os.access(home, os.R_OK | os.X_OK):
        return home
    try:
        os.makedirs(instead, mode=0o700, exist_ok=True)
    except OSError as error:
        warn(f"{instead} cannot be made: {error.strerror}")  # little depends on it
    return instead


def find_unreadable(environment: Mapping[str, str]) -> list[str]:
    """List what AWS's libraries would pass over without a word, if it cannot be read."""
    aws = f"{environment['HOME']}/.aws"
    named = (
        environment.get("AWS_SHARED_CREDENTIALS_FILE", f"{aws}/credentials"),
        environment.get("AWS_CONFIG_FILE", f"{aws}/config"),
    )
    return [path for path in (aws, *named) if os.path.exists(path) and not os.access(path, os.R_OK)]


def warn(text: str) -> None:
    """Tell people; programs read standard output."""
    print(f"warning: {text}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
