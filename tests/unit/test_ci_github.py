"""What a step tells GitHub, and what it knows of it."""

from __future__ import annotations

import io
import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.ci.github import SUMMARY_LIMIT, GitHub, open_github
from pivot.ci.host import Host, open_host
from pivot.errors import UsageError

EVENTS = Path(__file__).parent.parent / "events"
CANARY = "s3cr3t-canary"


class Runner:
    """Reads a log as GitHub's runner does, and files that a step appended to.

    As there, a line is a command when it begins with `::`, blanks aside, and commands may be
    stopped until a word is said.
    """

    def __init__(self, log: str) -> None:
        self.shown: list[str] = []
        self.told: list[tuple[str, dict[str, str], str]] = []
        self.masks: list[str] = []
        stopped = ""
        for line in log.split("\n"):
            found = re.fullmatch(r"\s*::([^\s:]+)(?: ([^:]*))?::(.*)", line)
            name = found[1] if found else ""
            if stopped:
                if name == stopped:
                    stopped = ""
                else:
                    self._show(line)
            elif found is None:
                self._show(line)
            elif name == "stop-commands":
                stopped = found[3]
            elif name == "add-mask":
                self.masks.append(plain(found[3]))
            else:
                given = (pair.partition("=") for pair in (found[2] or "").split(",") if pair)
                self.told.append((name, {k: plain(v) for k, _, v in given}, plain(found[3])))
        assert not stopped, "nobody lets the runner hear again"

    def _show(self, line: str) -> None:
        for mask in sorted(self.masks, key=len, reverse=True):
            line = line.replace(mask, "***")
        self.shown.append(line)


def plain(text: str) -> str:
    """Undo the escapes, the sign for all of them last."""
    for sign, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(sign, char)
    return text


def read_outputs(text: str) -> dict[str, str]:
    """Read `$GITHUB_OUTPUT` as GitHub's runner does."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if line:
            name, sign, mark = line.partition("<<")
            assert sign
            value: list[str] = []
            for inner in lines:
                if inner == mark:
                    break
                value.append(inner)
            else:
                raise AssertionError("the value does not end")
            found[name] = "\n".join(value)
    return found


class Step:
    """A step, with the files that GitHub gives it."""

    def __init__(self, directory: Path, **variables: str) -> None:
        self.log = io.StringIO()
        self.output = directory / "output"
        self.page = directory / "summary"
        for file in (self.output, self.page):
            file.touch()
        self.variables = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.page),
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_EVENT_PATH": str(EVENTS / "push.json"),
            "GITHUB_ACTOR": "ana",
            "GITHUB_WORKSPACE": str(directory),
            "GITHUB_WORKFLOW": "train",
            "GITHUB_JOB": "pull",
            "RUNNER_TEMP": str(directory / "temp"),
        } | variables
        self.host = open_github(self.variables, self.log)

    def seen(self) -> Runner:
        return Runner(self.log.getvalue())


@pytest.fixture(name="step")
def _step(tmp_path: Path) -> Step:
    return Step(tmp_path)


def test_a_step_knows_where_it_is(step: Step, tmp_path: Path) -> None:
    host: Host = open_host(step.variables, step.log)

    assert isinstance(host, GitHub)
    assert (host.name, host.workspace, host.temporary) == ("github", tmp_path, tmp_path / "temp")
    assert (host.job, host.debug) == ("train/pull", False)
    assert host.event.trusted
    assert Step(tmp_path, RUNNER_DEBUG="1").host.debug


def test_elsewhere_there_is_no_host() -> None:
    with pytest.raises(UsageError, match="neither GitHub Actions nor GitLab CI") as caught:
        open_host({"CI": "true", "GITHUB_ACTIONS": "false"}, io.StringIO())

    assert caught.value.hint == "elsewhere, call the command itself: pivot pull"


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"\xff", b'{"sender": 1, "sender": 2}', b'{"a":' * 5000, b"7"],
)
def test_an_event_file_that_is_none_is_not_trusted(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content)

    step = Step(tmp_path, GITHUB_EVENT_PATH=str(path))

    assert not step.host.event.trusted
    assert len(step.seen().told) <= 1  # and at most a warning is said about it


def test_an_event_file_of_no_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    with path.open("wb") as file:
        file.truncate(65 * 1024 * 1024)

    step = Step(tmp_path, GITHUB_EVENT_PATH=str(path))

    assert not step.host.event.trusted
    assert "larger than 64 MiB" in step.seen().told[0][2]


def test_an_event_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    os.mkfifo(path)

    assert not Step(tmp_path, GITHUB_EVENT_PATH=str(path)).host.event.trusted


def test_without_the_name_of_an_event_file_nothing_is_trusted(tmp_path: Path) -> None:
    assert not Step(tmp_path, GITHUB_EVENT_PATH="").host.event.trusted


TEXTS = st.text(st.sampled_from("%:,=\r\n\t ;]#ab✓0ADC2357") | st.characters(codec="utf-8"))


@given(text=TEXTS, file=TEXTS, title=TEXTS)
def test_no_text_leaves_its_place_in_a_command(text: str, file: str, title: str) -> None:
    log = io.StringIO(newline="\n")
    host = open_github({}, log)

    host.warning(text, file=file, title=title)

    given_ = {k: v for k, v in (("file", file), ("title", title)) if v}
    assert Runner(log.getvalue()).told == [("warning", given_, text)]
    assert log.getvalue().count("\n") == 1
    assert "\r" not in log.getvalue()


def test_commands_look_as_github_documents_them(step: Step) -> None:
    step.host.notice("all is well")
    step.host.warning("100% a, b: c", file=".pivot/stages/a,b.lock", title="pull: miss")
    step.host.error("two\nlines")

    assert step.log.getvalue() == (
        "::notice::all is well\n"
        "::warning file=.pivot/stages/a%2Cb.lock,title=pull%3A miss::100%25 a, b: c\n"
        "::error::two%0Alines\n"
    )


def test_a_group_ends_whatever_happens(step: Step) -> None:
    with pytest.raises(KeyboardInterrupt), step.host.group("pull\n::error::x"):
        raise KeyboardInterrupt

    assert step.log.getvalue() == "::group::pull\\n::error::x\n::endgroup::\n"


def test_a_raw_block_is_not_heard(step: Step) -> None:
    with step.host.raw():
        step.log.write("::error::from a file name\n::add-mask::a\n::stop-commands::me\n::me::\n")
    step.host.notice("heard again")

    seen = step.seen()
    assert seen.told == [("notice", {}, "heard again")]
    assert not seen.masks
    assert seen.shown[0] == "::error::from a file name"


def test_a_raw_block_ends_whatever_happens(step: Step) -> None:
    with pytest.raises(OSError, match="broken"), step.host.raw():
        raise OSError("broken")

    step.seen()  # asserts that the runner hears again


def test_a_raw_block_inside_another_ends_with_the_outer_one(step: Step) -> None:
    with step.host.raw():
        with step.host.raw():
            pass
        step.log.write("::error::still raw\n")

    assert not step.seen().told


def test_no_two_raw_blocks_end_with_the_same_word(step: Step) -> None:
    for _ in range(20):
        with step.host.raw():
            step.host.notice("so that there is one more")

    words = re.findall(r"::stop-commands::(\S+)", step.log.getvalue())
    assert len(words) == len(set(words)) == 40


def test_what_the_host_is_told_in_a_raw_block_is_heard(step: Step) -> None:
    with step.host.raw():
        step.log.write("half a line")  # of another thread
        step.host.mask(CANARY)
        step.log.write(f"::error::{CANARY}\n")
        step.host.warning("heard")

    seen = step.seen()
    assert seen.masks == [CANARY]
    assert seen.told == [("warning", {}, "heard")]
    assert not [line for line in seen.shown if CANARY in line]


def test_masks_of_many_threads_in_a_raw_block_are_all_heard(step: Step) -> None:
    secrets = [f"secret-{number}" for number in range(50)]

    with step.host.raw():
        threads = [threading.Thread(target=step.host.mask, args=[each]) for each in secrets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(step.seen().masks) == sorted(secrets)


@pytest.mark.parametrize("nothing", ["", " ", "\n", "\r\n \n"])
def test_nothing_is_no_secret(nothing: str, step: Step) -> None:
    step.host.mask(nothing)

    assert not step.log.getvalue()


def test_a_secret_of_many_lines_is_hidden_line_by_line(step: Step) -> None:
    step.host.mask("-----BEGIN KEY-----\nabc%0Adef\n\n  ghi\r\n-----END KEY-----\n")

    masks = ["-----BEGIN KEY-----", "abc%0Adef", "ghi", "-----END KEY-----"]
    assert step.seen().masks == masks


@given(
    values=st.dictionaries(
        st.sampled_from(["status", "stages-to-run", "json", "report"]),
        TEXTS.filter(lambda text: "\r" not in text),
    )
)
def test_outputs_arrive_as_they_were(
    values: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    step = Step(tmp_path_factory.mktemp("step"))

    step.host.outputs(values)

    assert read_outputs(step.output.read_bytes().decode()) == values
    assert not step.log.getvalue()


def test_outputs_come_after_those_of_others(step: Step) -> None:
    step.output.write_text("before=1\n")

    step.host.outputs({"status": "complete\nEOF\nstatus=forged", "cache-hit": "true"})

    text = step.output.read_text()
    assert text.startswith("before=1\n")
    assert read_outputs(text.removeprefix("before=1\n")) == {
        "status": "complete\nEOF\nstatus=forged",
        "cache-hit": "true",
    }


def test_outputs_with_bytes_that_are_no_text_arrive(step: Step) -> None:
    step.host.outputs({"report": "caf\udce9.json"})

    assert read_outputs(step.output.read_text()) == {"report": "caf\\udce9.json"}


@pytest.mark.parametrize("place", ["", "missing/output", "."])
def test_an_output_file_that_cannot_be_written_is_one_warning(place: str, tmp_path: Path) -> None:
    path = str(tmp_path / place) if place else ""
    step = Step(tmp_path, GITHUB_OUTPUT=path, GITHUB_STEP_SUMMARY=path)

    step.host.outputs({"status": "complete", "cache-hit": "true"})
    step.host.summary("# Done")

    first, second = step.seen().told
    assert (first[0], second[0]) == ("warning", "warning")
    assert "the outputs are not set" in first[2]
    assert "there is no summary" in second[2]


def test_a_summary_is_added_to_what_is_there(step: Step) -> None:
    step.page.write_text("# Before\n")

    step.host.summary("# Pull\n\nall is there: ✓ ")

    assert step.page.read_text() == "# Before\n# Pull\n\nall is there: ✓ \n"


def test_a_long_summary_is_cut_at_a_line(step: Step) -> None:
    line = "| a stage of a long name ✓ |\n"

    step.host.summary(line * 40_000)

    data = step.page.read_bytes()
    kept, _, note = data.decode().partition("\n\n*The rest is left out")
    assert len(data) <= SUMMARY_LIMIT
    assert len(data) > SUMMARY_LIMIT - 200
    assert note
    assert set(kept.split("\n")) == {line.strip(), ""} - (
        {""} if not kept.endswith("\n") else set()
    )


def test_a_summary_of_one_endless_line_is_left_out(step: Step) -> None:
    step.host.summary("✓" * SUMMARY_LIMIT)

    assert step.page.read_text().strip() == "*The rest is left out: it is too long for a summary.*"


@pytest.mark.parametrize(
    ("name", "fixture", "trusted"),
    [
        ("pull_request", "pull_request", True),
        ("pull_request", "pull_request_fork", False),
        ("workflow_run", "workflow_run_fork", False),
        ("schedule", "schedule", True),
    ],
)
def test_the_event_file_decides(name: str, fixture: str, trusted: bool, tmp_path: Path) -> None:
    path = EVENTS / f"{fixture}.json"

    step = Step(tmp_path, GITHUB_EVENT_NAME=name, GITHUB_EVENT_PATH=str(path))

    assert step.host.event.trusted == trusted
    assert not step.log.getvalue()
