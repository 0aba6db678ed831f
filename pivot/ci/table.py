"""What goes into a CI job and what comes out of it: the one table of inputs and outputs.

`action.yml`, `action-types.yml`, the GitLab template and the tables in the README are generated
from it. A job passes each input in a variable, `PIVOT_INPUT_DRY_RUN` for `dry-run`. The outputs
are always set, also after a failure.
"""

from __future__ import annotations

from enum import StrEnum

from pivot.frozen import frozen


class Kind(StrEnum):
    """What an input holds, in the words of `action-types.yml`."""

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    ENUM = "enum"
    LIST = "list"
    FLOAT = "float"


@frozen
class Input:
    """One input. *default* is what stands in `action.yml`; an empty text means the default, too.

    *github_only* marks what has no meaning elsewhere. *starter* marks what is used before the
    program starts, to choose how.
    """

    name: str
    description: str
    kind: Kind = Kind.STRING
    default: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    github_only: bool = False
    starter: bool = False

    @property
    def variable(self) -> str:
        """The environment variable in which a job passes it."""
        return "PIVOT_INPUT_" + self.name.upper().replace("-", "_")


INPUTS: tuple[Input, ...] = (
    Input(
        "command",
        "pull, push, fetch, checkout; status: what is there and what would run; verify: is every "
        "object that the lock files name on the remote? doctor: do pull and push work, and if not, "
        "why?",
        Kind.ENUM,
        choices=("pull", "push", "fetch", "checkout", "status", "verify", "doctor"),
        required=True,
    ),
    Input(
        "stages",
        "Stages or output paths, one per line; in a single line, blanks divide them. Empty: all.",
        Kind.LIST,
    ),
    Input(
        "remote",
        "Name of the remote, or several with commas between: pull reads the first that has it, "
        "push writes each, doctor takes one. Empty: the project's read_remotes or default.",
    ),
    Input("jobs", "Parallel transfers. Empty: remote.jobs of the project.", Kind.INTEGER),
    Input(
        "dry-run",
        "true: only plan; doctor then writes nothing. auto: true for push in a pull request, else "
        "false.",
        Kind.ENUM,
        "false",
        ("true", "false", "auto"),
    ),
    Input("working-directory", "Root of the project, inside the workspace.", default="."),
    Input(
        "force",
        "Overwrite files that differ, and remove extra ones (pull, checkout).",
        Kind.BOOLEAN,
        "false",
    ),
    Input(
        "only-missing",
        "Leave every file that exists (pull, checkout).",
        Kind.BOOLEAN,
        "false",
    ),
    Input(
        "checkout-mode",
        "How files share the bytes of the cache: symlink, hardlink, copy. Empty: as the project "
        "says.",
        Kind.ENUM,
        choices=("symlink", "hardlink", "copy"),
    ),
    Input(
        "on-miss",
        "When objects are missing: fail, warn, ignore. auto: warn for pull, fetch and status; "
        "fail for push, checkout and verify.",
        Kind.ENUM,
        "auto",
        ("auto", "fail", "warn", "ignore"),
    ),
    Input(
        "on-no-credentials",
        "Without credentials: fail, or skip. auto: skip where the event is not trusted (a fork's "
        "pull request), else fail.",
        Kind.ENUM,
        "auto",
        ("auto", "fail", "skip"),
    ),
    Input(
        "integrity",
        "Contents whose SHA-256 is in no ledger: auto checks them by xxh64 alone, require refuses "
        "them. Empty: as PIVOT_INTEGRITY or the project says.",
        Kind.ENUM,
        choices=("auto", "require"),
    ),
    Input("max-size", "Refuse to move more than this, e.g. 20GB. Empty: no limit."),
    Input("timeout", "End cleanly after this long, e.g. 30m, with exit code 124. Empty: never."),
    Input("retries", "Attempts for each request. Empty: remote.retries.", Kind.INTEGER),
    Input("role-to-assume", "ARN of an AWS role to assume with the job's OIDC token."),
    Input(
        "aws-region",
        "AWS region of the remote, the first of several. Empty: as AWS is configured.",
    ),
    Input(
        "endpoint-url",
        "URL of an S3-compatible service, of the first remote. Empty: as AWS is configured.",
    ),
    Input("summary", "Write a job summary.", Kind.BOOLEAN, "true", github_only=True),
    Input(
        "annotations",
        "Annotate the lock files that name missing or damaged objects.",
        Kind.BOOLEAN,
        "true",
        github_only=True,
    ),
    Input(
        "comment",
        "Comment on the pull request, and keep that one comment up to date: off, on-change, "
        "always. Needs 'pull-requests: write'.",
        Kind.ENUM,
        "off",
        ("off", "on-change", "always"),
        github_only=True,
    ),
    Input(
        "comment-id",
        "Tells the comment from those of other jobs. Empty: workflow, job and command.",
        github_only=True,
    ),
    Input(
        "github-token",
        "Used for the comment, and for nothing else.",
        default="${{ github.token }}",
        github_only=True,
    ),
    Input("report-file", "Where to write the JSON report. Empty: a temporary file of the job."),
    Input(
        "runtime",
        "docker, python. auto: docker where a usable engine runs and a released image is known.",
        Kind.ENUM,
        "auto",
        ("auto", "docker", "python"),
        github_only=True,
        starter=True,
    ),
    Input(
        "image",
        "Image to run, e.g. from a mirror. Empty: the one of this release, by digest.",
        github_only=True,
        starter=True,
    ),
    Input(
        "log-level",
        "info; debug: a line for every object, also when the runner is in debug mode.",
        Kind.ENUM,
        "info",
        ("info", "debug"),
    ),
)
"""Every input there is; no other text of a workflow reaches the program."""


@frozen
class Output:
    """One output; all are texts, *kind* says of what."""

    name: str
    description: str
    kind: Kind = Kind.STRING


OUTPUTS: tuple[Output, ...] = (
    Output(
        "status",
        "complete, partial, miss, nothing-to-do, dry-run, skipped-no-credentials, "
        "refused-untrusted or failed.",
    ),
    Output("exit-code", "Exit code before on-miss and on-no-credentials soften it.", Kind.INTEGER),
    Output("cache-hit", "true when all that was asked for is there, else false.", Kind.BOOLEAN),
    Output("transferred", "Objects that were copied.", Kind.INTEGER),
    Output("skipped", "Objects that were there already.", Kind.INTEGER),
    Output("failed", "Objects that are needed and could not be copied.", Kind.INTEGER),
    Output("missing", "Objects that are needed and nowhere to be had.", Kind.INTEGER),
    Output("restored", "Files that were placed in the workspace.", Kind.INTEGER),
    Output("would-transfer", "Objects that a dry run would copy.", Kind.INTEGER),
    Output("bytes", "Bytes that were copied; in a dry run, that would be.", Kind.INTEGER),
    Output("seconds", "Duration.", Kind.FLOAT),
    Output("stages-hit", "JSON array: stages with nothing to do and outputs that can be had."),
    Output("stages-to-run", "JSON array: stages that have to run, in their order."),
    Output("stages-ready", "JSON array: those of them that can run now, side by side."),
    Output("remote", "Name of the remote that was used; several with commas between."),
    Output("runtime", "docker or python."),
    Output("version", "Version of this program."),
    Output("report", "Path of the JSON report."),
    Output("json", "The report without its list of objects, at most 64 KiB."),
)
"""Every output there is."""
