"""What a service refuses to do for us, and which permission that takes; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pivot import iam
from pivot.doctor.checks import Check, State
from pivot.errors import ExitCode
from pivot.frozen import frozen
from pivot.s3_errors import Answer, of_remote

if TYPE_CHECKING:
    from pivot.aws_service import Refused
    from pivot.remote_url import S3Url


@frozen
class Grants:
    """The remote *name* at *url*, as its answers are to be told; *where* is that as a text."""

    name: str
    url: S3Url
    region: str
    where: str

    def judge(self, check: str, answer: Answer | None, action: str, seen: str) -> Check:
        """Say what *answer* means for *check*; `None` is none to complain of, but what was *seen*.

        A refusal is about *action*, unless the service names another. Raises what else it means.
        """
        if answer is None:
            return Check(check, State.OK, seen)
        if answer.archived:
            told = "an object is archived in a cold storage class"
            return Check(check, State.WARNING, told, "restore it before it is pulled")
        if not answer.denied:
            raise of_remote(answer, self.where)
        lacking = answer.lacks or action
        cure = self._policy(iam.Role.PULL_REQUEST if check == "get" else iam.Role.MAIN)
        if lacking.startswith("kms:"):
            cure += " --kms-key ARN"
        elif check == "put":
            cure += "; if it is to read only: pivot doctor --read-only"
        return Check(
            check, State.FAILED, "refused", cure, self._permission(lacking), ExitCode.DENIED
        )

    def judge_list(self, first: tuple[str, ...] | Answer) -> Check:
        """Say whether we may list, from what the first listing was."""
        if not isinstance(first, Answer):
            return Check("list", State.OK, "may list" if first else "may list; it is empty yet")
        if first.unlistable:
            seen = "somebody's key cannot be listed: each object is asked for by itself"
            return Check("list", State.WARNING, seen, "delete keys with empty names in them")
        return Check(
            "list",
            State.WARNING,
            "refused: what is missing will be called forbidden, and asking takes more requests",
            self._policy(iam.Role.PULL_REQUEST),
            self._permission(first.lacks or "s3:ListBucket"),
        )

    def judge_abort(self, refused: Refused | None) -> Check:
        """Say whether uploads in parts can be taken back."""
        if refused is None:
            return Check("abort", State.OK, "may take back what an interrupted push has begun")
        return Check(
            "abort",
            State.WARNING,
            f"{_told(refused)}: parts of interrupted pushes stay, unseen, and cost money",
            "give the bucket a lifecycle rule with AbortIncompleteMultipartUpload",
            self._permission(refused.lacks or "s3:AbortMultipartUpload"),
        )

    def judge_delete(self, refused: Refused | None, key: str, swept: int) -> Check:
        """Say whether we may delete; *swept* is what was left of runs that were killed."""
        if refused is None:
            more = f"; {swept} of runs that were killed as well" if swept else ""
            return Check("delete", State.OK, f"may delete: nothing is left of this{more}")
        if not refused.status:
            cure = "see whether it is there: aws s3 ls"
            return Check("delete", State.WARNING, f"{_told(refused)}: {key} may stay", cure)
        seen = f"{_told(refused)}, as is right for all who do not collect garbage"
        lacking = self._permission(refused.lacks or "s3:DeleteObject")
        return Check("delete", State.OK, seen, permission=lacking)

    def _permission(self, action: str) -> str:
        return iam.permission(action, self.url, self.region)

    def _policy(self, role: iam.Role) -> str:
        return f"a policy to paste: pivot remote policy {self.name} --role {role}"


def _told(refused: Refused) -> str:
    return f"{'refused' if refused.status else 'not known'} ({refused.text})"
