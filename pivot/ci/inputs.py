"""Read the inputs of a CI job from its environment, and list all that is wrong with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pivot.ci.table import INPUTS, Kind
from pivot.frozen import frozen
from pivot.quantities import parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@frozen
class Inputs:
    """The inputs of one job, as `table.INPUTS` describes them; `None` is what was left out."""

    command: str
    stages: tuple[str, ...] = ()
    remote: str | None = None
    jobs: int | None = None
    dry_run: str = "false"
    working_directory: str = "."
    force: bool = False
    only_missing: bool = False
    checkout_mode: str | None = None
    integrity: str | None = None
    on_miss: str = "auto"
    on_no_credentials: str = "auto"
    max_size: int | None = None
    """In bytes."""
    timeout: int | None = None
    """In seconds."""
    retries: int | None = None
    role_to_assume: str | None = None
    aws_region: str | None = None
    endpoint_url: str | None = None
    summary: bool = True
    annotations: bool = True
    comment: str = "off"
    comment_id: str | None = None
    github_token: str | None = None
    report_file: str | None = None
    log_level: str = "info"


_PREFIX = "PIVOT_INPUT_"
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_SHOWN = 60  # characters of a wrong value


def read_inputs(environment: Mapping[str, str]) -> tuple[Inputs | None, tuple[str, ...]]:
    """Read all inputs; the second part lists all that is wrong with them, a sentence each.

    There are inputs only when nothing is wrong.
    """
    read = _Reader(environment)
    inputs = Inputs(
        command=read.choice("command") or "",
        stages=read.lines("stages"),
        remote=read.text("remote"),
        jobs=read.number("jobs", least=1),
        dry_run=read.choice("dry-run") or "false",
        working_directory=read.text("working-directory") or ".",
        force=read.flag("force"),
        only_missing=read.flag("only-missing"),
        checkout_mode=read.choice("checkout-mode"),
        integrity=read.choice("integrity"),
        on_miss=read.choice("on-miss") or "auto",
        on_no_credentials=read.choice("on-no-credentials") or "auto",
        max_size=read.quantity("max-size", parse_size),
        timeout=read.quantity("timeout", parse_duration),
        retries=read.number("retries", least=0),
        role_to_assume=read.matching("role-to-assume", _ROLE, "the ARN of a role"),
        aws_region=read.matching("aws-region", _REGION, "the name of a region"),
        endpoint_url=read.matching("endpoint-url", _URL, "a URL such as https://s3.example.org"),
        summary=read.flag("summary"),
        annotations=read.flag("annotations"),
        comment=read.choice("comment") or "off",
        comment_id=read.text("comment-id"),
        github_token=read.text("github-token"),
        report_file=read.text("report-file"),
        log_level=read.choice("log-level") or "info",
    )
    if inputs.force and inputs.only_missing:
        read.problems.append("force and only-missing: are mutually exclusive")
    return (None if read.problems else inputs), tuple(read.problems)


_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+", re.ASCII)
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)*", re.ASCII)
_URL = re.compile(r"https?://[^/\s]+\S*")


class _Reader:
    """Reads inputs one by one and collects the problems."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._environment = environment
        self._known = {known.name: known for known in INPUTS}
        variables = {known.variable for known in INPUTS}
        for variable in sorted(environment.keys() - variables):
            if variable.startswith(_PREFIX):
                name = variable.removeprefix(_PREFIX).lower().replace("_", "-")
                shown = name if re.fullmatch(r"[a-z0-9-]+", name) else repr(variable)
                self.problems.append(f"{shown}: there is no such input")

    def text(self, name: str) -> str | None:
        """Read a text; `None` for an empty one without a default."""
        known = self._known[name]
        text = self._environment.get(known.variable, "").strip()
        if not text and not known.default.startswith("${{"):
            text = known.default
        if "\0" in text or (known.kind is not Kind.LIST and not text.isprintable()):
            self._refuse(name, "must be one line of printable characters", text)
            return None
        return text or None

    def choice(self, name: str) -> str | None:
        """Read one of the choices."""
        known = self._known[name]
        text = self.text(name)
        if text is None:
            if known.required:
                self.problems.append(f"{name}: is required: {_either(known.choices)}")
            return None
        word = text.lower()
        if set(known.choices) >= {"true", "false"} and word in _WORDS:
            word = str(_WORDS[word]).lower()
        if word in known.choices:
            return word
        self._refuse(name, f"must be {_either(known.choices)}", text)
        return None

    def flag(self, name: str) -> bool:
        """Read a boolean."""
        text = self.text(name) or "false"
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        self._refuse(name, "must be true or false", text)
        return False

    def number(self, name: str, *, least: int) -> int | None:
        """Read a whole number."""
        text = self.text(name)
        if text is None or (re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) and int(text) >= least):
            return int(text) if text else None
        self._refuse(name, f"must be a whole number of at least {least}", text)
        return None

    def quantity(self, name: str, parse: Callable[[str], int]) -> int | None:
        """Read a size or a time."""
        text = self.text(name)
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            self._refuse(name, str(error), text or "")
            return None

    def lines(self, name: str) -> tuple[str, ...]:
        """Read a list: lines, or the words of a single line."""
        text = self.text(name) or ""
        lines = text.split("\n") if "\n" in text else text.split()
        return tuple(line.strip() for line in lines if line.strip())

    def matching(self, name: str, form: re.Pattern[str], meaning: str) -> str | None:
        """Read a text of one form."""
        text = self.text(name)
        if text is None or form.fullmatch(text):
            return text
        self._refuse(name, f"must be {meaning}", text)
        return None

    def _refuse(self, name: str, rule: str, text: str) -> None:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        self.problems.append(f"{name}: {rule}, not {shown!r}")


def _either(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
