"""Where no engine can be had, the tests of the image run to say by name that they are skipped."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parent / "image/with-engine.sh"


def test_without_an_engine_the_command_runs_and_learns_why(tmp_path: Path) -> None:
    for name in ("bash", "id", "sh", "timeout", "uname"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")

    done = subprocess.run(
        [SCRIPT, "sh", "-c", 'echo "$IMAGE_TEST_SKIP"; exit 3'],
        env={"PATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 3, done
    assert done.stdout.startswith("no Docker engine answers, and ")
    assert done.stdout.strip() in done.stderr


def test_an_engine_on_another_machine_is_not_used() -> None:
    done = subprocess.run(
        [SCRIPT, "sh", "-c", 'echo "$IMAGE_TEST_SKIP"'],
        env={"PATH": "/usr/bin:/bin", "DOCKER_HOST": "tcp://127.0.0.1:9"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done
    assert done.stdout == "DOCKER_HOST may be another machine, which has none of our files\n"
