"""What a job tells GitLab, and what it knows of it."""

from __future__ import annotations

import io
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot.ci.gitlab import DOTENV_LIMIT, GitLab
from pivot.ci.host import Host, open_host
from pivot.ci.table import OUTPUTS


class Job:
    """A job, with the directory and the log that GitLab gives it."""

    def __init__(self, directory: Path, **variables: str) -> None:
        self.log = io.StringIO(newline="\n")
        self.dotenv = directory / "pivot.env"
        self.host: Host = open_host(
            {
                "GITLAB_CI": "true",
                "CI_PROJECT_DIR": str(directory),
                "CI_PIPELINE_SOURCE": "push",
                "CI_PROJECT_ID": "42",
                "CI_JOB_NAME": "pull data",
            }
            | variables,
            self.log,
        )

    def outputs(self) -> dict[str, str]:
        """Read the outputs as GitLab does: each line a name and a value, and no line is empty."""
        text = self.dotenv.read_text("utf-8")
        pairs = [line.partition("=") for line in text.removesuffix("\n").split("\n")]
        assert all(re.fullmatch(r"PIVOT_[A-Z_]+", name) for name, _, _ in pairs)
        return {name: value for name, _, value in pairs}


@pytest.fixture(name="job")
def _job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_a_job_knows_where_it_is(job: Job, tmp_path: Path) -> None:
    assert isinstance(job.host, GitLab)
    assert (job.host.name, job.host.workspace, job.host.job) == ("gitlab", tmp_path, "pull data")
    assert job.host.temporary.is_dir()
    assert not job.host.debug
    assert job.host.event.trusted
    debugged = Job(tmp_path, CI_DEBUG_TRACE="true", RUNNER_TEMP_PROJECT_DIR=str(tmp_path / "tmp"))
    assert debugged.host.debug
    assert debugged.host.temporary == tmp_path / "tmp"


def test_a_group_is_a_section(job: Job) -> None:
    with pytest.raises(KeyboardInterrupt), job.host.group("pull\033[31m"):
        job.log.write("inside\n")
        raise KeyboardInterrupt

    log = job.log.getvalue()
    found = re.fullmatch(
        "\033\\[0Ksection_start:[0-9]+:(pivot_[0-9a-f]+)\r\033\\[0Kpull\\\\x1b\\[31m\n"
        "inside\n"
        "\033\\[0Ksection_end:[0-9]+:(pivot_[0-9a-f]+)\r\033\\[0K\n",
        log,
    )
    assert found, log
    assert found[1] == found[2]


def test_lines_say_what_they_are(job: Job) -> None:
    job.host.notice("all is well")
    job.host.warning("3 missing", file=".pivot/stages/train.lock", title="pull")
    job.host.error("two\nlines")

    assert job.log.getvalue() == (
        "Notice: all is well\n"
        "Warning: pull: .pivot/stages/train.lock: 3 missing\n"
        "Error: two\n  lines\n"
    )


@given(text=st.text(), title=st.text())
def test_no_text_moves_the_cursor(text: str, title: str) -> None:
    log = io.StringIO(newline="\n")
    host = open_host({"GITLAB_CI": "true"}, log)

    host.error(text, title=title)

    assert log.getvalue().startswith("Error: ")
    assert log.getvalue().replace("\n", "").isprintable()


def test_a_secret_and_a_summary_are_not_printed(job: Job) -> None:
    job.host.mask("s3cr3t-canary")
    job.host.summary("# Done")
    with job.host.raw():
        pass

    assert not job.log.getvalue()


def test_outputs_become_variables(job: Job) -> None:
    job.host.outputs({"status": "complete", "cache-hit": "true", "stages-to-run": '["a", "b=c"]'})

    assert job.dotenv.read_text() == (
        'PIVOT_STATUS=complete\nPIVOT_CACHE_HIT=true\nPIVOT_STAGES_TO_RUN=["a", "b=c"]\n'
    )
    assert not job.log.getvalue()


def test_every_output_of_the_table_becomes_one(job: Job) -> None:
    job.host.outputs({output.name: "1" for output in OUTPUTS})

    assert len(job.outputs()) == len(OUTPUTS)


def test_a_report_that_is_too_long_is_left_out_without_a_word(job: Job) -> None:
    job.host.outputs({"status": "complete", "json": "x" * DOTENV_LIMIT, "seconds": "1.5"})

    assert job.outputs() == {"PIVOT_STATUS": "complete", "PIVOT_SECONDS": "1.5"}
    assert not job.log.getvalue()


def test_anything_else_that_is_too_long_is_left_out_with_a_warning(job: Job) -> None:
    values = {"status": "partial", "stages-hit": "a" * 3000, "stages-to-run": "ä" * 2000}

    job.host.outputs(values | {"json": "{}"})

    assert job.outputs() == {
        "PIVOT_STATUS": "partial",
        "PIVOT_STAGES_HIT": "a" * 3000,
        "PIVOT_JSON": "{}",
    }
    assert job.log.getvalue() == (
        "Warning: stages-to-run: left out of pivot.env, which holds 5 kB of lines\n"
    )


@pytest.mark.parametrize("value", ["a\nPIVOT_STATUS=complete", "a\rb", "a\0b", "a\x1b[31m"])
def test_a_value_of_more_than_a_line_is_left_out(value: str, job: Job) -> None:
    job.host.outputs({"remote": value, "status": "failed"})

    assert job.outputs() == {"PIVOT_STATUS": "failed"}
    assert "Warning: remote: left out" in job.log.getvalue()


@given(
    values=st.dictionaries(
        st.sampled_from([output.name for output in OUTPUTS]), st.text(max_size=3000), min_size=1
    )
)
def test_the_file_is_one_that_gitlab_takes(
    values: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    job = Job(tmp_path_factory.mktemp("job"))

    job.host.outputs(values | {"status": "complete"})

    assert job.dotenv.stat().st_size <= DOTENV_LIMIT
    assert job.outputs()["PIVOT_STATUS"] == "complete"


def test_outputs_replace_those_of_an_earlier_command(job: Job) -> None:
    job.host.outputs({"status": "partial", "missing": "3"})
    job.host.outputs({"status": "complete"})

    assert job.outputs() == {"PIVOT_STATUS": "complete"}
    assert stat.S_IMODE(job.dotenv.stat().st_mode) & 0o444


def test_a_link_that_somebody_committed_is_not_followed(job: Job, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    job.dotenv.symlink_to(victim)

    job.host.outputs({"status": "complete"})

    assert victim.read_text() == "mine"
    assert job.outputs() == {"PIVOT_STATUS": "complete"}


def test_a_directory_in_the_way_is_one_warning(job: Job, tmp_path: Path) -> None:
    job.dotenv.mkdir()

    job.host.outputs({"status": "complete"})

    assert job.log.getvalue().count("Warning: the outputs are not set: ") == 1
    assert os.listdir(tmp_path) == ["pivot.env"]
