"""What follows from the table of inputs and outputs says what the table says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pivot.ci.table import INPUTS, OUTPUTS
from tests import generated

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", generated.files())
def test_a_generated_file_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == generated.files()[name], "make generate"


def read(name: str, document: int = 0) -> Any:
    return list(yaml.safe_load_all((ROOT / name).read_text(encoding="utf-8")))[document]


def test_the_action_has_one_step_and_no_expression_in_its_script() -> None:
    action = read("action.yml")
    (step,) = action["runs"]["steps"]

    assert action["runs"]["using"] == "composite"
    assert step["run"] == 'exec bash "$GITHUB_ACTION_PATH/action.sh"'
    assert "uses" not in step
    assert list(action["inputs"]) == [known.name for known in INPUTS]
    assert step["env"] == {one.variable: f"${{{{ inputs.{one.name} }}}}" for one in INPUTS}
    assert {name: entry["value"] for name, entry in action["outputs"].items()} == {
        one.name: f"${{{{ steps.pivot.outputs.{one.name} }}}}" for one in OUTPUTS
    }


def test_no_shell_script_holds_an_expression() -> None:
    assert "${{" not in (ROOT / "action.sh").read_text()


def test_the_gitlab_template_has_the_same_inputs() -> None:
    head, body = (read("templates/pivot/template.yml", part) for part in (0, 1))
    inputs = head["spec"]["inputs"]
    shared = [known for known in INPUTS if not known.github_only]
    (job,) = body.values()

    assert list(inputs) == ["job-name", "stage", "image", *(known.name for known in shared)]
    for known in shared:
        assert inputs[known.name].get("default", "") == known.default
        assert known.required == ("default" not in inputs[known.name])
        assert set(known.choices) == set(inputs[known.name].get("options", ())) - {""}
        assert job["variables"][known.variable] == f"$[[ inputs.{known.name} ]]"


def test_the_template_is_one_job_that_can_be_included_twice() -> None:
    assert list(read("templates/pivot/template.yml", 1)) == ["$[[ inputs.job-name ]]"]


def test_what_is_required_has_no_default_and_is_one() -> None:
    assert [known.name for known in INPUTS if known.required] == ["command"]
