"""Run the image as users do: with their project mounted at its own path, and variables by name."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.conftest import Done

SOMEBODY = os.getuid() or 1234
"""Whose projects are: ours where we are not root, or else a stranger's."""

OUTSIDE = dict(os.environ)
"""What the client knows of the engine may be in the user's own home."""

NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Image:
    """An image, and what its containers are given. *base* is that which was made here, if any."""

    docker: str
    name: str
    base: str = ""
    variables: Mapping[str, str] | None = None

    def given(self, **variables: str) -> Image:
        """Give containers these variables as well."""
        return replace(self, variables={**(self.variables or {}), **variables})

    def __call__(
        self, *arguments: str, at: Path | None = None, options: Sequence[str] = ()
    ) -> Done:
        """Run a container to its end, in the directory *at*, which is mounted."""
        with self.start(*arguments, at=at, options=options) as process:
            out, err = process.communicate(timeout=120)
        return Done(process.returncode, out, err)

    def start(
        self,
        *arguments: str,
        at: Path | None = None,
        options: Sequence[str] = (),
        name: str | None = None,
    ) -> subprocess.Popen[str]:
        """Start a container and leave it running, with a *name* to stop it by."""
        name = name or f"pivot-test-{os.getpid()}-{next(NUMBERS)}"
        here = () if at is None else (*mounted(at), "--workdir", str(at))
        variables = (self.variables or {}).items()
        given = [word for key, value in variables for word in ("--env", f"{key}={value}")]
        command = ["run", "--rm", "--name", name, "--network", "host", *here, *given, *options]
        return subprocess.Popen(
            [self.docker, *command, self.name, *arguments],
            env=OUTSIDE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def engine(self, *arguments: str) -> str:
        """Ask the engine something."""
        return subprocess.run(
            [self.docker, *arguments],
            env=OUTSIDE,
            check=True,
            timeout=300,
            capture_output=True,
            text=True,
        ).stdout

    def inspect(self, template: str, name: str | None = None) -> Any:
        """Read what the engine knows of an image, in the form that *template* gives it."""
        import json

        asked = ("image", "inspect", "--format", "{{json " + template + "}}", name or self.name)
        return json.loads(self.engine(*asked))


def mounted(place: Path, at: Path | str | None = None, *, readonly: bool = False) -> list[str]:
    """Say how to mount *place*: at its own path, or another."""
    end = ",readonly" if readonly else ""
    return ["--mount", f"type=bind,source={place},target={at or place}{end}"]


def give(place: Path, uid: int = SOMEBODY) -> Path:
    """Let all that is below *place* belong to somebody, as root alone can."""
    if os.getuid() == 0:
        for path in (place, *place.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)
    return place


def owners(place: Path) -> set[int]:
    """Say to whom all belongs that is below *place*."""
    return {path.lstat().st_uid for path in (place, *place.rglob("*"))}
