"""What AWS's IAM is to allow for a remote: policies by role, and the names of permissions; pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pivot.remote_url import S3Url

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


class Role(StrEnum):
    """Who is to use a remote."""

    PULL_REQUEST = "pull-request"
    """Lists and reads."""
    MAIN = "main"
    """Writes as well, and may not delete."""
    GC = "gc"
    """Deletes as well, with the versions of what it deleted."""


_OBJECTS = {
    Role.PULL_REQUEST: ("s3:GetObject",),
    Role.MAIN: ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"),
    Role.GC: (
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObjectVersion",
        "s3:DeleteObjectVersion",
    ),
}
_LISTS = {
    Role.PULL_REQUEST: ("s3:ListBucket",),
    Role.MAIN: ("s3:ListBucket",),
    Role.GC: ("s3:ListBucket", "s3:ListBucketVersions"),
}
_KEYS = {
    Role.PULL_REQUEST: ("kms:Decrypt",),
    Role.MAIN: ("kms:Decrypt", "kms:GenerateDataKey"),
    Role.GC: ("kms:Decrypt", "kms:GenerateDataKey"),
}


def policy(url: S3Url, role: Role, *, region: str = "", kms_key: str = "") -> dict[str, Json]:
    """Write the policy of *role* for the remote at *url*, in the form that AWS takes.

    *region* tells China and GovCloud, whose names differ; *kms_key* is the ARN of the key that
    encrypts the objects, where it is one of yours.
    """
    lists: dict[str, Json] = {
        "Effect": "Allow",
        "Action": _one_or_more(_LISTS[role]),
        "Resource": bucket_name(url, region),
    }
    if url.prefix:
        lists["Condition"] = {"StringLike": {"s3:prefix": f"{_literal(url.prefix)}/*"}}
    statements: list[Json] = [
        lists,
        {
            "Effect": "Allow",
            "Action": _one_or_more(_OBJECTS[role]),
            "Resource": object_names(url, region),
        },
    ]
    if kms_key:
        statements.append(
            {"Effect": "Allow", "Action": _one_or_more(_KEYS[role]), "Resource": kms_key}
        )
    return {"Version": "2012-10-17", "Statement": statements}


def permission(action: str, url: S3Url, region: str = "") -> str:
    """Name a permission with what it is for: `s3:GetObject on arn:aws:s3:::bucket/prefix/*`."""
    if action.startswith("kms:"):
        return f"{action} on the KMS key of the bucket"
    if action.startswith("s3:List"):
        condition = f", s3:prefix {_literal(url.prefix)}/*" if url.prefix else ""
        return f"{action} on {bucket_name(url, region)}{condition}"
    return f"{action} on {object_names(url, region)}"


def bucket_name(url: S3Url, region: str = "") -> str:
    """Name the bucket as IAM does."""
    return f"arn:{_partition(region)}:s3:::{url.bucket}"


def object_names(url: S3Url, region: str = "") -> str:
    """Name all objects of the remote as IAM does."""
    below = f"{_literal(url.prefix)}/*" if url.prefix else "*"
    return f"{bucket_name(url, region)}/{below}"


def _partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _literal(text: str) -> str:
    """Keep what IAM takes for wildcards and variables from being any."""
    return re.sub(r"[*?$]", r"${\g<0>}", text)


def _one_or_more(actions: tuple[str, ...]) -> Json:
    return actions[0] if len(actions) == 1 else list(actions)
