"""The two roles of the README, for SeaweedFS, which judges by the same documents."""

from __future__ import annotations

import json
from typing import Any

from tests.servers.identity import Issuer
from tests.snippets import document

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::111122223333:oidc-provider/{GITHUB}"
READ, WRITE = (f"arn:aws:iam::111122223333:role/pivot-{name}" for name in ("read", "write"))
BUCKET, PREFIX = "my-bucket", "pivot-cache"


def roles(issuer: Issuer) -> dict[str, object]:
    """Configure its IAM with the page's policies; *issuer* stands for GitHub."""
    names = ("read", "write")
    return issuer.roles("1h") | {
        "roles": [
            {
                "roleName": f"pivot-{name}",
                "roleArn": READ if name == "read" else WRITE,
                "trustPolicy": _translated(document(f"trust-{name}.json")),
                "attachedPolicies": [name],
            }
            for name in names
        ],
        "policies": [{"name": name, "document": document(f"{name}.json")} for name in names],
    }


def _translated(trust: dict[str, Any]) -> dict[str, Any]:
    """Say in SeaweedFS's words who the provider is; it calls all providers `oidc`."""
    text = json.dumps(trust)
    assert PROVIDER in text
    found: dict[str, Any] = json.loads(text.replace(PROVIDER, "jobs").replace(GITHUB, "oidc"))
    return found
