"""The roles of `pivot remote policy`, for SeaweedFS, which judges by the same documents.

Two of them are those of the README.
"""

from __future__ import annotations

import json
from typing import Any

from pivot.iam import Role, policy
from pivot.remote_url import S3Url
from tests.servers.identity import Issuer
from tests.snippets import document

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{GITHUB}"
READ, WRITE, CLEAN = (
    f"arn:aws:iam::111122223333:role/pivot-{name}" for name in ("read", "write", "clean")
)
BUCKET, PREFIX = "my-bucket", "pivot-cache"
_ROLES = {
    READ: ("read", Role.PULL_REQUEST, "trust-read.json"),
    WRITE: ("write", Role.MAIN, "trust-write.json"),
    CLEAN: ("clean", Role.GC, "trust-write.json"),
}


def roles(issuer: Issuer) -> dict[str, object]:
    """Configure its IAM with what is printed and the page's trust; *issuer* stands for GitHub."""
    return issuer.roles("1h") | {
        "roles": [
            {
                "roleName": f"pivot-{name}",
                "roleArn": arn,
                "trustPolicy": _translated(document(trust)),
                "attachedPolicies": [name],
            }
            for arn, (name, _, trust) in _ROLES.items()
        ],
        "policies": [
            {"name": name, "document": policy(S3Url(BUCKET, PREFIX), role)}
            for name, role, _ in _ROLES.values()
        ],
    }


def _translated(trust: dict[str, Any]) -> dict[str, Any]:
    """Say in SeaweedFS's words who the provider is; it calls all providers `oidc`."""
    text = json.dumps(trust)
    assert PROVIDER in text
    found: dict[str, Any] = json.loads(text.replace(PROVIDER, "jobs").replace(GITHUB, "oidc"))
    return found
