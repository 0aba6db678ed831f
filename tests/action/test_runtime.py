"""How the action starts: the image or Python, and the exact command line of docker."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from pivot.ci.table import OUTPUTS
from tests.action.start import COREUTILS, Starter, copy_action, make_starter, only, write_script
from tests.e2e.test_interrupts import wait_for

DIGEST = "sha256:" + "0123456789abcdef" * 4
IMAGE = f"ghcr.io/OWNER/pivot-remote@{DIGEST}"

CONTAINED = Path("/.dockerenv").exists() and bool(
    re.search(r" / / .* - [a-z-]*overlay", Path("/proc/self/mountinfo").read_text())
)
where_docker_is_used = pytest.mark.skipif(
    CONTAINED or sys.platform != "linux",
    reason="the action uses docker on Linux only, and not in a container",
)


@pytest.fixture(name="starter")
def _starter(tmp_path: Path) -> Starter:
    """A runner, and the action as it is between releases."""
    return make_starter(tmp_path / "runner")


@pytest.fixture(name="released")
def _released(tmp_path: Path) -> Starter:
    """A runner, and the action as a release has it."""
    return make_starter(tmp_path / "runner", copy_action(tmp_path / "the action", digest=DIGEST))


def assert_gave_up(starter: Starter, done_code: int) -> None:
    outputs = starter.outputs()
    assert outputs.keys() == {output.name for output in OUTPUTS}
    assert outputs["status"] == "failed"
    assert outputs["exit-code"] == str(done_code)
    assert outputs["cache-hit"] == "false"
    assert outputs["stages-ready"] == "[]"
    assert outputs["transferred"] == "0"


@where_docker_is_used
def test_the_command_line_of_docker(released: Starter) -> None:
    released.docker()
    (released.root / "home/.aws").mkdir()
    bundle = released.root / "ca, of ours.pem"
    bundle.touch()
    cache = released.root / "cache"

    done = released(
        AWS_ACCESS_KEY_ID="key",
        AWS_CA_BUNDLE=str(bundle),
        PIVOT_CACHE_DIR=str(cache),
        HTTPS_PROXY="http://proxy:3128",
        SECRET_OF_OTHERS="x",
        TZ="UTC",
    )

    assert done.code == 7, done  # that of the container
    assert done.out.splitlines() == [f"Runtime: docker, with {IMAGE}", "the image runs"]
    info, inspect, pull, run = released.calls()
    assert info == ["info", "--format", "{{.OSType}} {{.SecurityOptions}}"]
    assert inspect == ["image", "inspect", IMAGE]
    assert pull == ["pull", "--quiet", IMAGE]
    name = run[run.index("--name") + 1]
    assert name.startswith("pivot-42-")
    work, temp, home = (str(released.root / part) for part in ("work space", "temp", "home/.aws"))
    names = [run[at + 1] for at, word in enumerate(run) if word == "--env"]
    assert [word for word in run if word != "--env" and word not in names] == [
        "run",
        "--rm",
        "--init",
        "--name",
        name,
        "--pull",
        "never",
        "--network",
        "host",
        "--user",
        f"{os.getuid()}:{os.getgid()}",
        "--read-only",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--workdir",
        work,
        "--mount",
        f'type=bind,"source={work}","target={work}"',
        "--mount",
        f'type=bind,"source={temp}","target={temp}"',
        "--tmpfs",
        "/tmp",
        "--mount",
        f'type=bind,"source={cache}","target={cache}"',
        "--mount",
        f'type=bind,"source={home}","target={home}",readonly',
        "--mount",
        f'type=bind,"source={bundle}","target={bundle}",readonly',
        IMAGE,
        "action",
    ]
    assert set(names) == {
        "AWS_ACCESS_KEY_ID",
        "AWS_CA_BUNDLE",
        "AWS_EC2_METADATA_DISABLED",
        "GITHUB_ACTIONS",
        "GITHUB_ACTION_PATH",
        "GITHUB_EVENT_NAME",
        "GITHUB_EVENT_PATH",
        "GITHUB_OUTPUT",
        "GITHUB_RUN_ID",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_WORKSPACE",
        "HOME",
        "HTTPS_PROXY",
        "PIVOT_CACHE_DIR",
        "PIVOT_INPUT_COMMAND",
        "PIVOT_RUNTIME",
        "RUNNER_TEMP",
        "RUNNER_TOOL_CACHE",
        "TZ",
    }


@where_docker_is_used
@pytest.mark.parametrize("text", ["a\nb", "$(touch x)", "-rf", "a b", "`id`", "; exit 1", "%0A"])
def test_no_value_of_any_variable_is_on_the_command_line(text: str, released: Starter) -> None:
    released.docker()

    done = released(PIVOT_INPUT_STAGES=text, AWS_SECRET_ACCESS_KEY=f"secret{text}")

    assert done.code == 7, done
    assert not any(text in word for word in released.calls()[-1])
    assert list(released.workspace.iterdir()) == []


@where_docker_is_used
def test_an_image_that_is_here_is_not_pulled(released: Starter) -> None:
    released.docker(image=True, pull=False)

    done = released(PIVOT_INPUT_IMAGE="mirror.example.org:5000/pivot")

    assert done.code == 7, done
    assert "the image mirror.example.org:5000/pivot has no digest" in done.out
    assert [call[0] for call in released.calls()] == ["info", "image", "run"]


@where_docker_is_used
@pytest.mark.parametrize(
    ("info", "why"),
    [
        (None, "no docker engine answers"),
        ("linux [name=rootless]", "the docker engine is rootless"),
        ("windows []", "the docker engine runs no Linux containers"),
    ],
)
def test_an_engine_that_cannot_be_used_is_not(
    info: str | None, why: str, released: Starter
) -> None:
    if info is None:
        write_script(released.root / "bin/docker", "exit 1")
    else:
        released.docker(info=info)

    done = released(PIVOT_INPUT_RUNTIME="docker")

    assert done.code == 2
    assert f"::error title=pivot::runtime: docker cannot be used: {why}" in done.out
    assert_gave_up(released, 2)


@where_docker_is_used
def test_no_docker_at_all(released: Starter, tmp_path: Path) -> None:
    path = only(tmp_path / "few", *COREUTILS)

    done = released(path=path, PIVOT_INPUT_RUNTIME="docker")

    assert "docker cannot be used: there is no docker command" in done.out
    assert done.code == 2


@where_docker_is_used
def test_an_image_that_cannot_be_pulled(released: Starter, tmp_path: Path) -> None:
    released.docker(pull=False)
    path = only(tmp_path / "few", *COREUTILS)

    told = released(PIVOT_INPUT_RUNTIME="docker")
    auto = released(path=path)

    assert f"docker cannot be used: the image {IMAGE} cannot be pulled" in told.out
    assert auto.out.splitlines()[:2] == [
        f"::warning title=pivot::the image {IMAGE} cannot be pulled",
        f"Runtime: python: the image {IMAGE} cannot be pulled",
    ]


@where_docker_is_used
def test_a_docker_that_goes_away_before_it_is_needed(released: Starter, tmp_path: Path) -> None:
    write_script(released.root / "bin/docker", '[ "$1" = info ] && echo "linux []" || rm "$0"')
    path = only(tmp_path / "few", *COREUTILS, "rm")

    done = released(path=path, PIVOT_INPUT_RUNTIME="docker")

    assert done.code == 1, done
    assert "::error title=pivot::docker cannot be started: see above" in done.out
    assert_gave_up(released, 1)


@where_docker_is_used
def test_a_cache_that_cannot_be_made(released: Starter) -> None:
    released.docker()
    (released.root / "file").touch()

    done = released(PIVOT_CACHE_DIR=str(released.root / "file/cache"))

    assert done.code == 7, done
    assert "::error title=pivot::PIVOT_CACHE_DIR: the directory cannot be made" in done.out
    assert_gave_up(released, 7)


@where_docker_is_used
def test_a_cache_below_the_project_is_the_programs_to_make(released: Starter) -> None:
    released.docker()

    done = released(PIVOT_CACHE_DIR="-p/cache")

    assert done.code == 7, done
    assert released.calls()[-1].count("--mount") == 2
    assert list(released.workspace.iterdir()) == []


@where_docker_is_used
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_cancelled_while_it_pulls_the_image(
    number: signal.Signals, released: Starter
) -> None:
    released.docker()
    (released.root / "docker.stall").touch()
    stalled = released.root / "docker.stalled"

    with released.start() as process:
        wait_for(lambda: stalled.exists() and stalled.read_text() != "", process)
        process.send_signal(number)
        out, _ = process.communicate(timeout=7)

    assert process.returncode == 130
    assert "::error title=pivot::the job was cancelled" in out
    assert [call[0] for call in released.calls()] == ["info", "image", "pull"]
    assert not Path(f"/proc/{stalled.read_text().strip()}").exists()
    assert_gave_up(released, 130)


def test_what_nobody_thought_of_sets_the_outputs_as_well(tmp_path: Path) -> None:
    action = copy_action(tmp_path / "the action")
    (action / "image.lock").unlink()
    starter = make_starter(tmp_path / "runner", action)

    done = starter()

    assert done.code == 1, done
    assert "::error title=pivot::the action cannot be started: see above" in done.out
    assert "image.lock: No such file" in done.err
    assert_gave_up(starter, 1)


@where_docker_is_used
@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2375", "ssh://ana@build"])
def test_an_engine_of_another_machine_does_not_see_our_files(host: str, released: Starter) -> None:
    released.docker()

    done = released(PIVOT_INPUT_RUNTIME="docker", DOCKER_HOST=host)

    assert "docker cannot be used: DOCKER_HOST is on another machine" in done.out
    assert released.calls() == []


@where_docker_is_used
def test_a_container_job_uses_python(released: Starter) -> None:
    released.docker()
    said_first = released.root / "container.sh"
    said_first.write_text("GITHUB_WORKSPACE=/__w/rentals/rentals\n")

    done = released(PIVOT_INPUT_RUNTIME="docker", BASH_ENV=str(said_first))

    assert "docker cannot be used: the job runs in a container" in done.out
    assert released.calls() == []


def test_between_releases_there_is_no_image(starter: Starter) -> None:
    starter.docker()

    done = starter(PIVOT_INPUT_RUNTIME="docker")

    assert done.code == 2
    assert "docker cannot be used: this version has no released image" in done.out
    assert starter.calls() == []
    assert_gave_up(starter, 2)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("RUNTIME", "podman", "runtime: must be auto, docker or python, not 'podman'"),
        ("IMAGE", "--privileged", "image: must be the name of an image, not '--privileged'"),
        ("IMAGE", "a b", "image: must be the name of an image, not 'a b'"),
        ("IMAGE", "$(id)", "image: must be the name of an image, not '$(id)'"),
        ("RUNTIME", "x\n::error::y", "not 'x%0A::error::y'"),
    ],
)
def test_inputs_of_the_start_are_checked(name: str, text: str, said: str, starter: Starter) -> None:
    starter.docker()

    done = starter(**{f"PIVOT_INPUT_{name}": text})

    assert done.code == 2
    assert said in done.out
    assert len(done.out.splitlines()) == 1
    assert starter.calls() == []
    assert_gave_up(starter, 2)


def test_windows_is_told_at_once(starter: Starter) -> None:
    write_script(starter.root / "bin/uname", "echo MINGW64_NT-10.0-20348")

    done = starter()

    assert done.code == 2
    assert "Windows is not supported yet" in done.out
    assert_gave_up(starter, 2)


def test_no_python_names_the_step_that_brings_one(starter: Starter, tmp_path: Path) -> None:
    path = only(tmp_path / "few", *COREUTILS)
    write_script(tmp_path / "few/python3", "exit 1")

    done = starter(path=path)

    assert done.code == 2
    assert "add a step with actions/setup-python" in done.out
    assert_gave_up(starter, 2)
