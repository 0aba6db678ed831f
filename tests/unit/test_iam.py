"""The policies that are printed are those of the README, and as narrow for any other remote."""

from __future__ import annotations

from typing import Any

import pytest

from pivot.iam import Role, permission, policy
from pivot.remote_url import S3Url
from tests.snippets import document

URL = S3Url("my-bucket", "pivot-cache")


@pytest.mark.parametrize(
    ("role", "name"), [(Role.PULL_REQUEST, "read.json"), (Role.MAIN, "write.json")]
)
def test_the_readme_shows_what_is_printed(role: Role, name: str) -> None:
    assert policy(URL, role) == document(name)


def actions(tree: Any) -> set[str]:
    found: set[str] = set()
    for statement in tree["Statement"]:
        one = statement["Action"]
        found |= {one} if isinstance(one, str) else set(one)
    return found


def test_each_role_may_more_than_the_one_before_and_only_one_may_delete() -> None:
    read, write, clean = (actions(policy(URL, role)) for role in Role)

    assert read < write < clean
    assert {action for action in write if "Delete" in action} == set()
    assert {action for action in clean - write if action.startswith("s3:Delete")} == {
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
    }
    assert not [action for action in clean if "*" in action]


def test_a_prefix_is_taken_literally() -> None:
    """What IAM takes for wildcards and variables are letters here."""
    lists, objects = statements(policy(S3Url("b", "a*/?/$x"), Role.MAIN))

    assert objects["Resource"] == "arn:aws:s3:::b/a${*}/${?}/${$}x/*"
    assert lists["Condition"] == {"StringLike": {"s3:prefix": "a${*}/${?}/${$}x/*"}}


def test_a_whole_bucket_needs_no_condition() -> None:
    lists, objects = statements(policy(S3Url("b", ""), Role.PULL_REQUEST))

    assert "Condition" not in lists
    assert objects["Resource"] == "arn:aws:s3:::b/*"


@pytest.mark.parametrize(
    ("region", "partition"),
    [("", "aws"), ("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_regions_apart_have_names_of_their_own(region: str, partition: str) -> None:
    for statement in statements(policy(URL, Role.GC, region=region)):
        assert statement["Resource"].startswith(f"arn:{partition}:s3:::my-bucket")


def test_a_key_of_ones_own_is_named_and_who_reads_only_decrypts() -> None:
    key = "arn:aws:kms:eu-west-1:111122223333:key/1"
    read, write = (statements(policy(URL, r, kms_key=key))[-1] for r in list(Role)[:2])

    assert (read["Action"], read["Resource"]) == ("kms:Decrypt", key)
    assert write["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]


def statements(tree: Any) -> list[Any]:
    return list(tree["Statement"])


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("s3:GetObject", "s3:GetObject on arn:aws:s3:::my-bucket/pivot-cache/*"),
        ("s3:ListBucket", "s3:ListBucket on arn:aws:s3:::my-bucket, s3:prefix pivot-cache/*"),
        ("kms:GenerateDataKey", "kms:GenerateDataKey on the KMS key of the bucket"),
    ],
)
def test_a_permission_is_named_with_what_it_is_for(action: str, told: str) -> None:
    assert permission(action, URL) == told
