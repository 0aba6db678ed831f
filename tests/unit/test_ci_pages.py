"""What README and docs/ci.md show to be copied: valid, and in words that the program knows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

from pivot.ci.table import INPUTS, OUTPUTS
from pivot.ci.told import Status
from tests.conftest import ROOT, Done
from tests.snippets import (
    OURS,
    PAGES,
    Snippet,
    document,
    model_workflow,
    read,
    snippets,
    steps,
    workflows,
)

READING = {"s3:ListBucket", "s3:GetObject"}
WRITING = {"s3:PutObject", "s3:AbortMultipartUpload"}

POLICY = f"""\
rules:
  unpinned-uses:
    config:
      policies: {{"{OURS}": ref-pin, "*": hash-pin}}
"""
"""The pages name our action by its version, which zizmor's rule leaves to the user."""


def tool(name: str, *arguments: str | Path) -> Done:
    command = [Path(sys.executable).parent / name, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> list[Path]:
    """Every workflow of the pages, each in a file of its own."""
    (tmp_path / "policy.yml").write_text(POLICY)
    found = workflows()
    assert len(found) == 7
    paths = [tmp_path / f"{Path(s.page).stem}-{s.line}.yml" for s in found]
    for path, snippet in zip(paths, found, strict=True):
        path.write_text(snippet.text)
    return paths


@pytest.mark.parametrize(
    "schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"]
)
def test_workflows_are_what_github_takes(schema: str, files: list[Path]) -> None:
    done = tool("check-jsonschema", "--builtin-schema", schema, *files)

    assert done.code == 0, done


def test_workflows_are_safe(files: list[Path], tmp_path: Path) -> None:
    options = ("--offline", "--strict-collection", "--persona", "pedantic", "--no-progress")

    done = tool("zizmor", *options, "--config", tmp_path / "policy.yml", *files)

    assert done.code == 0, done.out


def test_other_yaml_is_for_gitlab_circleci_and_buildkite(tmp_path: Path) -> None:
    ours = {(s.page, s.line) for s in workflows()}
    others = [s for s in snippets("yaml") if (s.page, s.line) not in ours]
    keys = [set(yaml.safe_load(other.text)) for other in others]
    assert keys == [{"include", "pipeline"}, {"version", "jobs", "workflows"}, {"steps"}]
    path = tmp_path / "gitlab-ci.yml"
    path.write_text(others[0].text)

    done = tool("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", path)

    assert done.code == 0, done


def uses() -> Iterator[tuple[Snippet, dict[str, Any]]]:
    """List the steps that use the action."""
    for snippet in workflows():
        for step in steps(snippet.text):
            if step.get("uses", "").startswith(f"{OURS}@"):
                yield snippet, step


def test_inputs_are_those_of_the_action() -> None:
    known = {one.name: one for one in INPUTS}
    seen = set()
    for snippet, step in uses():
        seen.add(step["uses"])
        assert "command" in step["with"], snippet
        for name, text in step["with"].items():
            assert name in known, snippet
            assert not known[name].choices or text in known[name].choices, (snippet, name)
    assert seen == {f"{OURS}@v1"}


def test_inputs_of_the_template_are_those_it_has() -> None:
    (gitlab,) = (s for s in snippets("yaml", "README.md") if s.text.startswith("include:"))
    template = (ROOT / "templates/pivot/template.yml").read_text()
    known = yaml.safe_load(template.partition("\n---\n")[0])["spec"]["inputs"]
    (include,) = yaml.safe_load(gitlab.text)["include"]

    assert include["remote"].endswith(f"/{OURS}/v1/templates/pivot/template.yml")
    assert include["inputs"].keys() <= known.keys()
    assert {name for name, one in known.items() if "default" not in one} <= include["inputs"].keys()


def test_outputs_that_are_read_are_set() -> None:
    known = {output.name for output in OUTPUTS}
    read_ = set(re.findall(r"steps\.\w+\.outputs\.([\w-]+)", read("docs/ci.md")))

    assert read_
    assert read_ <= known


def test_stages_run_in_steps_that_have_no_credentials() -> None:
    for snippet in workflows():
        for step in steps(snippet.text):
            if "pivot repro" in step.get("run", ""):
                assert not {n for n in step.get("env", {}) if n.startswith("AWS_")}, snippet
        tree = yaml.load(snippet.text, yaml.BaseLoader)
        assert not {n for n in tree.get("env", {}) if n.startswith("AWS_")}, snippet


def test_the_page_knows_every_status_and_command() -> None:
    page = read("docs/ci.md")
    (command,) = (one for one in INPUTS if one.name == "command")

    assert [s for s in Status if str(s) not in page] == []
    assert [c for c in command.choices if f"`{c}`" not in page] == []


def actions(name: str) -> set[str]:
    found: set[str] = set()
    for statement in document(name)["Statement"]:
        one = statement["Action"]
        found |= {one} if isinstance(one, str) else set(one)
    return found


def test_policies_allow_what_the_program_does_and_nothing_else() -> None:
    assert actions("read.json") == READING
    assert actions("write.json") == READING | WRITING
    for name in ("read.json", "write.json"):
        for statement in document(name)["Statement"]:
            assert statement["Effect"] == "Allow"
            bucket = "arn:aws:s3:::my-bucket"
            if statement["Action"] == "s3:ListBucket":
                assert statement["Resource"] == bucket
                assert statement["Condition"] == {"StringLike": {"s3:prefix": "pivot-cache/*"}}
            else:
                assert statement["Resource"] == f"{bucket}/pivot-cache/*"


@pytest.mark.parametrize("name", ["trust-read.json", "trust-write.json"])
def test_trust_is_bound_to_repository_and_audience(name: str) -> None:
    (statement,) = document(name)["Statement"]
    issuer = "token.actions.githubusercontent.com"
    asked = {k: v for group in statement["Condition"].values() for k, v in group.items()}
    subjects = asked[f"{issuer}:sub"]

    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"]["Federated"].endswith(f":oidc-provider/{issuer}")
    assert asked[f"{issuer}:aud"] == "sts.amazonaws.com"
    for subject in [subjects] if isinstance(subjects, str) else subjects:
        assert subject.startswith("repo:lab/pipeline:")
    if name == "trust-write.json":
        assert subjects == "repo:lab/pipeline:ref:refs/heads/main"
        assert "StringLike" not in statement["Condition"]


def test_commands_for_aws_are_those_of_its_api() -> None:
    """Read them as the AWS command line does, and hold them to the description of the service."""
    lines = [line for s in snippets("sh", "README.md") for line in s.text.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("aws ")]
    iam = botocore.session.Session().get_service_model("iam")
    for service, command, *words in commands:
        assert service == "iam"
        operation = iam.operation_model("".join(part.title() for part in named(command)))
        members = operation.input_shape.members
        by_option = {kebab(name): name for name in members}
        given: dict[str, Any] = {}
        for option, text in zip(words[::2], words[1::2], strict=True):
            name = by_option[option.removeprefix("--")]
            value = document(text[7:]) and "{}" if text.startswith("file://") else text
            given[name] = [value] if members[name].type_name == "list" else value
        report = ParamValidator().validate(given, operation.input_shape)
        assert not report.has_errors(), report.generate_report()
    assert len(commands) == 5


def named(command: str) -> list[str]:
    return command.replace("open-id-connect", "open-i-d-connect").split("-")


def kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


def test_the_roles_of_the_pages_are_those_that_are_made() -> None:
    page = read("README.md")
    made = set(re.findall(r"create-role --role-name (\S+)", page))
    used = {step["with"].get("role-to-assume", "") for _, step in uses()} - {""}

    assert {role.rpartition("/")[2] for role in used} == made
    for _, step in uses():
        if role := step["with"].get("role-to-assume"):
            writes = step["with"]["command"] == "push"
            assert role.endswith("write" if writes else "read")
            assert "aws-region" in step["with"]


def test_only_the_main_branch_pushes() -> None:
    for snippet, step in uses():
        if step["with"]["command"] == "push":
            assert "github.ref == 'refs/heads/main'" in step["if"], snippet


def test_the_readme_has_the_three_lines_and_the_workflow() -> None:
    first, *_ = snippets("yaml", "README.md")

    assert len(first.text.splitlines()) == 3
    commands = [s["with"]["command"] for s in steps(model_workflow()) if OURS in s.get("uses", "")]
    assert commands == ["pull", "push", "verify"]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    place = (ROOT / page).parent
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(read(page))):
        path, _, anchor = link.partition("#")
        if ":" in path:
            continue
        target = place / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def prose(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(text: str) -> set[str]:
    """Name the headings as GitHub does."""
    titles = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
