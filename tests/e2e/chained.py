"""A project with several remotes, of which some cannot be asked."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.weather import make_project
from tests.servers.process import LOOPBACK, free_ports


def make_chained(directory: Path, bucket: str) -> Path:
    """Make a project with remotes: origin, which has all; near, with nothing; dead; and away."""
    root = make_project(directory / "project", bucket)
    (directory / "near").mkdir()
    (port,) = free_ports(1)
    with open(root / ".pivot/config.yaml", "a", encoding="utf-8") as config:
        config.write(
            f"folders:\n  near: file://{directory}/near\n  away: file://{directory}/not-mounted\n"
            f"remote_options:\n  dead:\n    endpoint: http://{LOOPBACK}:{port}\n"
        )
    text = (root / ".pivot/config.yaml").read_text()
    text = text.replace("remotes:\n", "remotes:\n  dead: s3://nobody/p\n", 1)
    (root / ".pivot/config.yaml").write_text(f"{text}default_remote: origin\n")
    return root
