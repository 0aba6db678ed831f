"""The image, built once; where there is no engine, every test of it is skipped by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.image.container import OUTSIDE, Image, give
from tests.projects import ProjectBuilder
from tests.servers import S3Server

TAG = "pivot-remote:image-test"
LABELS = {
    "VERSION": "1.2.3",
    "REVISION": "0123456789abcdef0123456789abcdef01234567",
    "CREATED": "2026-01-02T03:04:05Z",
    "BASE_DIGEST": f"sha256:{0:064}",
}
EPOCH = "1767323045"  # the same as CREATED


@dataclass(frozen=True)
class Builder:
    """Builds the image with the settings of pip and the proxies that hold on this machine."""

    docker: str
    base: str
    sources: Path

    def __call__(self, tag: str, *options: str) -> None:
        settings = {**LABELS, "SOURCE_DATE_EPOCH": EPOCH, "BASE_IMAGE": self.base, **surroundings()}
        arguments = [w for name, value in settings.items() if value for w in ("--build-arg", name)]
        done = subprocess.run(
            [self.docker, "build", "--network", "host", *arguments, *options, "-t", tag, "."],
            env={**OUTSIDE, **settings},
            cwd=self.sources,
            check=False,
            timeout=600,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-5000:]


def surroundings() -> dict[str, str]:
    """Find what a build needs to know of this machine to reach a package index."""
    asked = (sys.executable, "-m", "pip", "config", "get", "global.index-url")
    index = subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
    found = {name: os.environ.get(name, "") for name in proxies}
    return {**found, "PIP_INDEX_URL": os.environ.get("PIP_INDEX_URL", index)}


def copy_sources(directory: Path) -> Path:
    """Copy what the engine gets to see, so that somebody may edit while the tests run."""
    given = (ROOT / ".dockerignore").read_text().splitlines()
    for name in (".dockerignore", "Dockerfile", *(n[1:] for n in given if n.startswith("!"))):
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target)
        else:
            shutil.copy2(ROOT / name, target)
    return directory


@pytest.fixture(name="build", scope="session", autouse=True)
def _build(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    if reason := os.environ.get("IMAGE_TEST_SKIP"):
        pytest.skip(reason)
    docker = os.environ.get("IMAGE_TEST_DOCKER")
    if docker is None:
        pytest.skip("the image is tested by 'make image-test'")
    sources = copy_sources(tmp_path_factory.mktemp("sources"))
    return Builder(docker, os.environ.get("IMAGE_TEST_BASE", ""), sources)


@pytest.fixture(name="plain", scope="session")
def _plain(build: Builder) -> Iterator[Image]:
    """Build the image; its containers know of no server and have no credentials.

    A release tests what it built before, which IMAGE_TEST_PREBUILT names.
    """
    bare = {"AWS_EC2_METADATA_DISABLED": "true"}
    if prebuilt := os.environ.get("IMAGE_TEST_PREBUILT"):
        yield Image(build.docker, prebuilt, variables=bare)
        return
    build(TAG)
    image = Image(build.docker, TAG, build.base, bare)
    yield image
    image.engine("rmi", TAG)


@pytest.fixture(name="image")
def _image(plain: Image, server: S3Server) -> Image:
    """Give containers what leads to the server."""
    return plain.given(**server.environment())


@dataclass(frozen=True)
class Team:
    """A project with a cache that nobody has pushed yet, and clones of it without one."""

    builder: ProjectBuilder
    directory: Path

    @property
    def root(self) -> Path:
        return self.builder.root

    def clone(self, name: str, mode: str | None = None) -> Path:
        """Make what `git clone` gives, of somebody's; outputs are to be placed as *mode* says."""
        made = ProjectBuilder(self.directory / name)
        for lock in self.root.rglob("*.lock"):
            made.workspace(str(lock.relative_to(self.root)), lock.read_bytes())
        config = (self.root / ".pivot/config.yaml").read_text()
        made.config(config if mode is None else f"{config}cache:\n  checkout_mode: [{mode}]\n")
        return give(made.root)


FILES: Mapping[str, bytes] = {"data/model.bin": b"model", "data/tree/ä b.txt": b"a"}


@pytest.fixture(name="team")
def _team(tmp_path: Path, bucket: str) -> Team:
    builder = ProjectBuilder(tmp_path / "somebody's project")
    builder.config(f"remotes:\n  origin: s3://{bucket}/p\n")
    builder.stage("train", {"data/model.bin": b"model"})
    builder.stage("split", {"data/tree": {"ä b.txt": b"a"}})
    give(builder.root)
    return Team(builder, tmp_path)


@pytest.fixture(name="pushed")
def _pushed(team: Team, image: Image) -> Team:
    done = image("push", at=team.root)
    assert done.code == 0, done
    return team
