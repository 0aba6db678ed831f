"""Install what the program needs into a virtual environment of the runner, once.

`action.sh` runs this file by its path with any Python that is there; it knows the standard library
alone. `where` prints the path of the Python to go on with, and `make` makes it.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType
    from typing import NoReturn

REQUIREMENTS = Path(__file__).resolve().parent.parent.parent / "requirements" / "runtime.txt"
_KEPT = {
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_PROXY",
    "PIP_CONFIG_FILE",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
}
"""Where packages come from is the runner's business; what is installed is held to its hashes."""

_SELDOM = re.compile(r"/(?:pip|pygments|rich|markdown_it|mdurl|ruamel|boto3/docs)/")
"""What a job in CI hardly ever loads, and so need not be compiled."""


def main() -> int:
    """Print the Python of the environment, or make the environment."""
    place = find_place()
    if sys.argv[1:] == ["where"]:
        print(place / "bin" / "python")  # noqa: T201  the answer
        return 0
    signal.signal(signal.SIGTERM, _end)
    for name in os.environ.keys() - clean(os.environ).keys():
        del os.environ[name]
    try:
        make(place)
    except subprocess.CalledProcessError as error:
        print(f"pip failed with exit code {error.returncode}", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End by an exception, so that pip is ended and what is half made is removed."""
    del frame
    sys.exit(128 + number)


def find_place() -> Path:
    """Say where the environment is: its name changes with all that is in it."""
    parts = (REQUIREMENTS.read_bytes(), sys.version, platform.machine(), sys.executable)
    key = hashlib.sha256(b"\0".join(str(part).encode() for part in parts)).hexdigest()[:16]
    for name in ("RUNNER_TOOL_CACHE", "RUNNER_TEMP"):
        directory = os.environ.get(name)
        if directory and os.access(directory, os.W_OK | os.X_OK):
            return Path(directory) / "pivot-remote" / key
    return Path(tempfile.gettempdir()) / f"pivot-remote-{os.getuid()}" / key


def make(place: Path) -> None:
    """Make the environment aside and give it its name when it is whole, first come first served."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent))
    scratch = aside / "tmp"  # where pip leaves what it cannot remove when it is killed
    scratch.mkdir()
    try:
        pip = _own_pip()
        venv.create(aside, symlinks=True, with_pip=not pip)
        words = [str(aside / "bin" / "python"), "-I", *(pip or ["-m", "pip"])]
        words += ["install", "--quiet", "--no-compile", "--disable-pip-version-check"]
        pins = ["--require-hashes", "--only-binary", ":all:", "--no-deps"]
        subprocess.run(  # noqa: S603  our own arguments
            [*words, *pins, "-r", str(REQUIREMENTS)],
            check=True,
            env=os.environ | {"TMPDIR": str(scratch)},
            stdout=sys.stderr,
        )
        shutil.rmtree(scratch)
        packages = next(aside.glob("lib/python3.*/site-packages"))
        compileall.compile_dir(packages, rx=_SELDOM, quiet=2)
        try:
            aside.rename(place)
        except OSError:
            if not place.exists():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _own_pip() -> list[str]:
    """Find what `pip --python` of this Python runs in another, since pip 22.3; else nothing.

    The environment needs no pip then, which takes longer to be made than all else.
    """
    found = importlib.util.find_spec("pip")
    places = found.submodule_search_locations if found else None
    runner = Path(places[0], "__pip-runner__.py") if places else None
    return [str(runner)] if runner and runner.is_file() else []


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what would change what pip and Python do."""
    return {
        name: value
        for name, value in environment.items()
        if name in _KEPT or not name.startswith(("PIP_", "UV_", "PYTHON"))
    }


if __name__ == "__main__":
    sys.exit(main())
