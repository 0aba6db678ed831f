"""A CI job from inputs to outputs, summary, report and exit code, on a real S3 server."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from pivot.ci.table import OUTPUTS
from tests import buckets
from tests.conftest import Command, Done
from tests.e2e.ci import FORK, Runner, Step, pull_request_event
from tests.e2e.weather import OBJECTS, make_project, through, without_cache
from tests.e2e.weather import OUTPUTS as FILES
from tests.projects import ProjectBuilder, digest, objects
from tests.servers import S3Server

ALL = {output.name for output in OUTPUTS}


@pytest.fixture(name="project")
def _project(tmp_path: Path, bucket: str) -> Path:
    return make_project(tmp_path / "project", bucket)


@pytest.fixture(name="clone")
def _clone(project: Path, tmp_path: Path) -> Path:
    return without_cache(project, tmp_path / "clone")


@pytest.fixture(name="pushed")
def _pushed(project: Path, pivot: Command) -> None:
    done = pivot("push", cwd=project)
    assert done.code == 0, done


@pytest.fixture(name="runner")
def _runner(clone: Path, tmp_path: Path, server: S3Server) -> Runner:
    return Runner(clone, tmp_path / "runner", server.environment())


@pytest.fixture(name="pushing")
def _pushing(project: Path, tmp_path: Path, server: S3Server) -> Runner:
    return Runner(project, tmp_path / "runner", server.environment())


def assert_told(step: Step, code: int, status: str, *, raw: int | None = None) -> None:
    """Assert how a step ended, and that it told all that it has to tell."""
    assert step.code == code, step.done
    assert "Traceback" not in step.done.err + step.log
    assert step.outputs.keys() == ALL
    assert step.outputs["status"] == status
    assert step.outputs["exit-code"] == str(code if raw is None else raw)
    assert step.outputs["cache-hit"] == str(status in {"complete", "nothing-to-do"}).lower()
    assert step.report is not None
    assert step.report["status"] == status
    assert step.report["exit"] == {"raw": code if raw is None else raw, "final": code}


@pytest.mark.usefixtures("pushed")
def test_a_pull_that_hits(runner: Runner, clone: Path) -> None:
    first = runner("pull")
    again = runner("pull")

    assert_told(first, 0, "complete")
    assert first.outputs["transferred"] == str(OBJECTS)
    assert first.outputs["restored"] == str(OBJECTS)
    assert (clone / "data/a.bin").read_bytes() == FILES["data/a.bin"]
    assert f"Fetched from 'origin': {OBJECTS} transferred, 0 skipped, 0 failed" in first.log
    assert "make/a" in first.summary
    assert json.loads(first.outputs["stages-hit"]) == ["make/a", "make/b", "make/tree"]
    assert_told(again, 0, "nothing-to-do")
    assert again.outputs["skipped"] == str(OBJECTS)


def test_a_pull_of_what_nobody_pushed_warns(runner: Runner) -> None:
    step = runner("pull")

    assert_told(step, 0, "miss", raw=3)
    assert step.outputs["missing"] == str(OBJECTS)
    assert step.commands("warning")
    assert step.commands("error") == []
    assert ".pivot/stages/make/a.lock" in step.log


def test_a_miss_fails_the_step_where_it_is_told_to(runner: Runner) -> None:
    step = runner("pull", on_miss="fail")

    assert_told(step, 3, "miss")
    assert step.commands("error")


def test_a_miss_that_is_ignored_says_nothing_in_the_diff(runner: Runner) -> None:
    step = runner("pull", on_miss="ignore")

    assert_told(step, 0, "miss", raw=3)
    assert step.commands("warning") + step.commands("error") == []


@pytest.mark.usefixtures("pushed")
def test_a_part_that_is_missing(runner: Runner, server: S3Server, bucket: str, clone: Path) -> None:
    gone = digest(FILES["data/b.bin"])
    buckets.delete(server, bucket, f"p/files/{gone[:2]}/{gone[2:]}")

    step = runner("pull")

    assert_told(step, 0, "partial", raw=3)
    assert step.outputs["missing"] == "1"
    assert step.outputs["transferred"] == str(OBJECTS - 1)
    assert json.loads(step.outputs["stages-hit"]) == ["make/a", "make/tree"]
    assert (clone / "data/a.bin").exists()


def test_a_push(pushing: Runner, server: S3Server, bucket: str) -> None:
    planned = pushing("push", dry_run="true")
    empty = buckets.contents(server, bucket)
    done = pushing("push")
    again = pushing("push")

    assert_told(planned, 0, "dry-run")
    assert planned.outputs["would-transfer"] == str(OBJECTS)
    assert empty == {}
    assert_told(done, 0, "complete")
    assert done.outputs["transferred"] == str(OBJECTS)
    assert_told(again, 0, "nothing-to-do")


def test_auto_only_plans_a_push_in_a_pull_request(
    pushing: Runner, server: S3Server, bucket: str
) -> None:
    step = pushing("push", event="pull_request", payload=pull_request_event(), dry_run="auto")

    assert_told(step, 0, "dry-run")
    assert buckets.contents(server, bucket) == {}


def test_only_the_stages_that_are_named(pushing: Runner, clone: Path, tmp_path: Path) -> None:
    pushing("push")
    pulling = Runner(clone, tmp_path / "runner", pushing.variables)

    step = pulling("pull", stages="make/a\ndata/tree\n")

    assert_told(step, 0, "complete")
    assert (clone / "data/a.bin").exists()
    assert not (clone / "data/b.bin").exists()


@pytest.mark.usefixtures("pushed")
def test_fetch_then_checkout(runner: Runner, clone: Path) -> None:
    before = runner("checkout")
    fetched = runner("fetch")
    placed = not (clone / "data").exists()
    checked_out = runner("checkout", checkout_mode="copy")

    assert_told(before, 3, "miss")
    assert_told(fetched, 0, "complete")
    assert placed
    assert_told(checked_out, 0, "complete")
    assert checked_out.outputs["restored"] == str(OBJECTS)


def test_verify_tells_whether_it_was_pushed(
    runner: Runner, pushing: Runner, pivot: Command, project: Path
) -> None:
    before = runner("verify")
    own = pushing("verify")
    pivot("push", cwd=project)
    after = runner("verify")

    assert_told(before, 3, "miss")
    assert before.commands("error")
    assert_told(own, 3, "miss")  # what only the cache has is not shared
    assert_told(after, 0, "complete")


def test_wrong_inputs_are_listed_at_once(runner: Runner) -> None:
    step = runner("pul", jobs="many", on_miss="cry")

    assert step.code == 2
    assert [line.partition(":")[0] for line in step.commands("error")] == [
        "command",
        "jobs",
        "on-miss",
    ]
    assert step.outputs.keys() == ALL
    assert step.outputs["status"] == "failed"
    assert step.outputs["exit-code"] == "2"
    assert step.outputs["cache-hit"] == "false"


@pytest.mark.parametrize("place", ["..", "/", "link", "nowhere"])
def test_a_working_directory_outside_of_the_workspace(
    place: str, runner: Runner, clone: Path
) -> None:
    (clone / "link").symlink_to(clone.parent)

    step = runner("pull", working_directory=place)

    assert_told(step, 2, "failed")
    assert "working-directory: " in step.log


@pytest.mark.usefixtures("pushed")
def test_a_project_in_a_subdirectory(project: Path, tmp_path: Path, server: S3Server) -> None:
    without_cache(project, tmp_path / "repo/the project")
    runner = Runner(tmp_path / "repo", tmp_path / "runner", server.environment())

    step = runner("pull", working_directory="the project")

    assert_told(step, 0, "complete")
    assert (tmp_path / "repo/the project/data/a.bin").exists()


def test_annotations_name_the_lock_from_the_workspace(
    project: Path, tmp_path: Path, server: S3Server
) -> None:
    without_cache(project, tmp_path / "repo/.sub")
    runner = Runner(tmp_path / "repo", tmp_path / "runner", server.environment())

    step = runner("pull", working_directory=".sub")

    assert_told(step, 0, "miss", raw=3)
    assert "file=.sub/.pivot/stages/make/a.lock" in step.log


def test_a_strangers_push_is_refused_whatever_the_credentials(
    pushing: Runner, server: S3Server, bucket: str
) -> None:
    fork = pull_request_event(FORK)
    soft = pushing("push", event="pull_request", payload=fork)
    hard = pushing("push", event="pull_request", payload=fork, on_no_credentials="fail")

    assert_told(soft, 0, "refused-untrusted", raw=4)
    assert len(soft.commands("warning")) == 1
    assert_told(hard, 4, "refused-untrusted")
    assert buckets.contents(server, bucket) == {}


def test_a_strangers_pull_without_credentials_is_skipped(
    clone: Path, tmp_path: Path, server: S3Server
) -> None:
    endpoint = {"AWS_ENDPOINT_URL": server.url, "AWS_REGION": "us-east-1"}
    runner = Runner(clone, tmp_path / "runner", endpoint)
    fork = pull_request_event(FORK)

    skipped = runner("pull", event="pull_request", payload=fork)
    failed = runner("pull", event="pull_request", payload=fork, on_no_credentials="fail")
    own = runner("pull")

    assert_told(skipped, 0, "skipped-no-credentials", raw=4)
    assert len(skipped.commands("notice")) == 1
    assert skipped.commands("error") + skipped.commands("warning") == []
    assert_told(failed, 4, "failed")
    assert_told(own, 4, "failed")
    assert "no AWS credentials found" in own.log


def test_a_strangers_job_has_no_token_for_a_role(clone: Path, tmp_path: Path) -> None:
    runner = Runner(clone, tmp_path / "runner", {"AWS_REGION": "us-east-1"})
    role = {"role_to_assume": "arn:aws:iam::123456789012:role/pivot-read"}

    fork = runner("pull", event="pull_request", payload=pull_request_event(FORK), **role)
    own = runner("pull", **role)

    assert_told(fork, 0, "skipped-no-credentials", raw=4)
    assert_told(own, 4, "failed")
    assert "permissions: id-token: write" in own.log


def test_a_role_needs_a_region(runner: Runner) -> None:
    step = runner(
        "pull",
        variables={"AWS_REGION": ""},
        role_to_assume="arn:aws:iam::123456789012:role/pivot-read",
    )
    assert_told(step, 2, "failed")
    assert "role-to-assume: needs aws-region" in step.log


def test_a_report_that_cannot_be_written_is_a_warning(runner: Runner, clone: Path) -> None:
    (clone / "file").write_text("")

    step = runner("pull", report_file="file/report.json")

    assert step.code == 0, step.done
    assert step.outputs["status"] == "miss"
    assert any("the report cannot be written" in text for text in step.commands("warning"))


@pytest.mark.usefixtures("pushed")
def test_a_strangers_pull_with_credentials_is_a_pull(runner: Runner) -> None:
    step = runner("pull", event="pull_request", payload=pull_request_event(FORK))
    assert_told(step, 0, "complete")


@pytest.mark.usefixtures("pushed")
def test_credentials_do_not_go_where_only_a_strangers_project_says(
    runner: Runner, clone: Path, server: S3Server, bucket: str
) -> None:
    (clone / ".pivot/config.yaml").write_text(
        f"remotes:\n  origin: s3://{bucket}/p\n"
        "remote_options:\n  origin:\n    endpoint: http://127.0.0.1:9\n"
    )
    fork = pull_request_event(FORK)

    skipped = runner("pull", event="pull_request", payload=fork)
    named = runner("pull", event="pull_request", payload=fork, endpoint_url=server.url)

    assert_told(skipped, 0, "skipped-no-credentials", raw=4)
    assert "credentials are not sent to http://127.0.0.1:9" in skipped.log
    assert_told(named, 0, "complete")


def test_an_event_that_cannot_be_read_is_not_trusted(pushing: Runner) -> None:
    pushing("push", dry_run="true")
    gone = {"GITHUB_EVENT_PATH": str(pushing.temporary / "nothing.json")}

    step = pushing("push", event="pull_request", variables=gone)

    assert_told(step, 0, "refused-untrusted", raw=4)


@pytest.mark.usefixtures("pushed")
def test_more_than_the_limit_is_not_moved(runner: Runner, clone: Path) -> None:
    step = runner("pull", max_size="10kB")

    assert_told(step, 7, "failed")
    assert "no more than 10000 may be" in step.log
    assert objects(clone / ".pivot/cache") == {}


@pytest.mark.usefixtures("pushed")
def test_a_job_that_takes_too_long(runner: Runner, server: S3Server, pivot: Command) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.stall = True
        step = runner("pull", timeout="2s", variables=command.variables)

    assert_told(step, 124, "failed")
    assert "timed out after 2 s" in step.log


@pytest.mark.usefixtures("pushed")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_job_that_is_cancelled(
    number: signal.Signals, runner: Runner, server: S3Server, pivot: Command, clone: Path
) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.delay = 1
        process = runner.start("pull", variables=command.variables, jobs="1")
        with process:
            deadline = time.monotonic() + 30
            while proxy.count("GET", "object") < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            began = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        took = time.monotonic() - began
    step = runner.left(Done(process.returncode, out, err))

    assert_told(step, 130, "failed")
    assert took < 7
    assert int(step.outputs["transferred"]) >= 1
    assert list((clone / ".pivot/cache/tmp").glob("*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_cancelled_before_it_begins(
    number: signal.Signals, runner: Runner, server: S3Server, pivot: Command
) -> None:
    with through(server, pivot) as (proxy, command):
        proxy.stall = True
        process = runner.start("pull", variables=command.variables)
        with process:
            deadline = time.monotonic() + 30
            while not hears(process.pid, signal.SIGTERM) and time.monotonic() < deadline:
                pass
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
    step = runner.left(Done(process.returncode, out, err))

    assert step.code == 130, step.done
    assert "Traceback" not in out + err
    assert step.outputs.keys() == ALL
    assert (step.outputs["status"], step.outputs["exit-code"]) == ("failed", "130")


def hears(process: int, number: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal; nobody has one for SIGTERM by default."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


CANARIES = {
    "AWS_ACCESS_KEY_ID": "CANARYKEYID00000001",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-access-key-0000002",
    "AWS_SESSION_TOKEN": "canary-session-token-00000000003",
    "AWS_SECURITY_TOKEN": "canary-security-token-0000000004",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-request-token-00000000005",
    "PIVOT_INPUT_GITHUB_TOKEN": "canary-github-token-000000000006",
}


@pytest.mark.parametrize("command", ["pull", "push", "verify", "status"])
@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_secret_is_told_to_anybody(
    command: str, level: str, pushing: Runner, runner: Runner
) -> None:
    step = (pushing if command == "push" else runner)(command, variables=CANARIES, log_level=level)

    assert step.code == 4, step.done
    masked = {line for line in step.log.splitlines() if line.startswith("::add-mask::")}
    told = "\n".join(line for line in step.everything.splitlines() if line not in masked)
    assert {f"::add-mask::{secret}" for secret in CANARIES.values()} <= masked
    for secret in CANARIES.values():
        assert secret not in told


def test_hostile_names_stay_names(tmp_path: Path, bucket: str, server: S3Server) -> None:
    builder = ProjectBuilder(tmp_path / "project")
    names = ["$(touch x)", "a;b", "-rf", "a%0Ab", "::error::x", "| a | b |", "<b>", "`x`"]
    for number, name in enumerate(names):
        builder.stage(f"s{number}", {f"out/{name}": f"{number}".encode()})
    builder.config(f"remotes:\n  origin: s3://{bucket}/p\n")
    clone = without_cache(builder.root, tmp_path / "clone")
    runner = Runner(clone, tmp_path / "runner", server.environment())

    missed = runner("pull")
    named = runner("pull", stages="\n".join(f"out/{name}" for name in names) + "\n")

    for step in (missed, named):
        assert_told(step, 0, "miss", raw=3)
        assert step.commands("error") == []
        assert step.outputs["missing"] == str(len(names))
        assert "<b>" not in step.summary
    assert not (clone / "x").exists()
