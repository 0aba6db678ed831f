"""What is in the image: the size of it, its labels, and what is left out."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from pivot import __version__
from tests.image.conftest import LABELS, Builder
from tests.image.container import Image

MIB = 2**20
OURS, WHOLE = 18 * MIB, 70 * MIB
BASE = "python:3.13-slim"
SERVICES = ["s3", "signin", "sso", "sso-oidc", "sts"]

built_here = pytest.mark.skipif(
    "IMAGE_TEST_PREBUILT" in os.environ, reason="it compares with a build of its own"
)


@built_here
def test_labels_say_what_it_is(plain: Image) -> None:
    labels = plain.inspect(".Config.Labels")

    url = "https://github.com/OWNER/pivot-remote"
    assert {
        name.removeprefix("org.opencontainers.image."): text for name, text in labels.items()
    } == {
        "title": "pivot-remote",
        "description": "Share the cached outputs of Pivot pipelines through S3",
        "source": url,
        "url": url,
        "documentation": f"{url}#readme",
        "licenses": "Apache-2.0",
        "version": LABELS["VERSION"],
        "revision": LABELS["REVISION"],
        "created": LABELS["CREATED"],
        "base.name": "docker.io/library/python:3.13-slim",
        "base.digest": LABELS["BASE_DIGEST"],
    }


def test_it_starts_the_program_and_stops_it_as_ctrl_c_does(plain: Image) -> None:
    config = plain.inspect(".Config")

    assert config["Entrypoint"] == ["/opt/pivot/bin/python", "-I", "/opt/pivot/entrypoint.py"]
    assert config["Cmd"] == ["--help"]
    assert config["StopSignal"] == "SIGINT"
    assert config["WorkingDir"] == "/project"
    assert config["User"] == ""
    assert not {"Volumes", "ExposedPorts", "Healthcheck"} & {k for k, v in config.items() if v}


def layers(image: Image) -> Iterator[int]:
    """Measure the layers as a registry has them: packed by gzip."""
    command = [image.docker, "save", image.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        sizes, manifest = {}, []
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None and member.name == "manifest.json":
                    manifest = json.load(file)
                elif file is not None:
                    sizes[member.name] = packed(file)
                elif member.issym():
                    sizes[member.name] = 0
    yield from (sizes[name] for name in manifest[0]["Layers"])


def packed(file: IO[bytes]) -> int:
    packer = zlib.compressobj()
    size = sum(len(packer.compress(chunk)) for chunk in iter(lambda: file.read(MIB), b""))
    return size + len(packer.flush())


def test_our_layers_are_small(plain: Image) -> None:
    base = len(plain.inspect(".RootFS.Layers", plain.base or BASE))

    sizes = list(layers(plain))

    assert len(sizes) > base
    assert 5 * MIB < sum(sizes[base:]) <= OURS, sizes


def test_the_whole_image_is_small(plain: Image) -> None:
    if not plain.inspect(".RepoDigests", plain.base or BASE):
        pytest.skip("the base image was not pulled but made here, so its size says nothing")

    assert sum(layers(plain)) <= WHOLE


@built_here
def test_the_same_sources_make_the_same_layer(build: Builder, plain: Image) -> None:
    build(f"{plain.name}-again", "--no-cache")
    again = plain.inspect(".RootFS.Layers", f"{plain.name}-again")
    plain.engine("rmi", f"{plain.name}-again")

    base = len(plain.inspect(".RootFS.Layers", plain.base or BASE))
    program = base + 1  # after the one that takes away what is not wanted of the base
    assert again[program] == plain.inspect(".RootFS.Layers")[program]


@pytest.mark.parametrize("program", ["apt", "apt-get", "dpkg", "pip", "pip3", "git", "gcc"])
def test_there_is_nothing_to_install_with(program: str, plain: Image) -> None:
    assert plain("sh", "-c", f"command -v {program}").code == 127


@pytest.mark.parametrize("module", ["pip", "ensurepip", "setuptools"])
@pytest.mark.parametrize("path", ["/opt/pivot/bin", "/usr/local/bin:/usr/bin"])
def test_no_python_can_install_either(module: str, path: str, plain: Image) -> None:
    done = plain("/usr/bin/env", f"PATH={path}", "python3", "-c", f"import {module}")

    assert done.code == 1
    assert "ModuleNotFoundError" in done.err


@built_here
def test_another_image_can_have_it_by_a_copy(plain: Image, tmp_path: Path) -> None:
    copied = f"{plain.name}-copied"
    (tmp_path / "Dockerfile").write_text(
        f"FROM {plain.base or BASE}\nCOPY --from={plain.name} /opt/pivot /opt/pivot\n"
    )
    plain.engine("build", "--network", "host", "-t", copied, str(tmp_path))

    done = replace(plain, name=copied)("/opt/pivot/bin/pivot", "--version")

    plain.engine("rmi", copied)
    assert done.out == f"pivot-remote, version {__version__}\n"


def test_scanners_find_what_the_base_has(plain: Image) -> None:
    done = plain("/bin/grep", "-c", "^Package: ", "/var/lib/dpkg/status")

    assert int(done.out) > 50


def test_botocore_knows_the_services_of_the_credential_chain_and_no_others(plain: Image) -> None:
    program = (
        "import boto3, json\n"
        "session = boto3.Session(aws_access_key_id='a', aws_secret_access_key='b')\n"
        "names = session.get_available_services()\n"
        "for name in names: session.client(name, region_name='eu-north-1').get_waiter\n"
        "print(json.dumps(sorted(names)))\n"
    )

    done = plain("/opt/pivot/bin/python", "-I", "-c", program)

    assert done.code == 0, done
    assert json.loads(done.out) == SERVICES


def test_every_module_is_compiled_and_never_compared_with_its_source(plain: Image) -> None:
    program = (
        "import importlib.util, pathlib\n"
        "for source in pathlib.Path('/opt/pivot/lib').rglob('*.py'):\n"
        "    with open(importlib.util.cache_from_source(source), 'rb') as compiled:\n"
        "        assert compiled.read(8)[4:] == bytes([1, 0, 0, 0]), source\n"
        "import pivot, sys; sys.exit(pivot.__file__)\n"
    )

    done = plain("/opt/pivot/bin/python", "-I", "-c", program)

    assert done.err == "/opt/pivot/lib/python3.13/site-packages/pivot/__init__.py\n"


def test_nothing_in_the_image_can_be_written_but_the_temporary_places(plain: Image) -> None:
    done = plain(
        *("/usr/bin/find", "/", "-xdev", "-writable", "!", "-type", "l"),
        *("-not", "-path", "/proc/*", "-not", "-path", "/dev/*"),
        options=["--user", "4321:4321"],
    )

    assert {"/tmp", "/tmp/home"} <= set(done.out.split())
    assert set(done.out.split()) <= {"/run/lock", "/tmp", "/tmp/home", "/var/tmp"}
