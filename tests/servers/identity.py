"""Who issues identity tokens to CI jobs, as GitHub does, for an STS that checks them."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.servers.listener import Answer, Asked, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = "arn:aws:iam::111122223333:role/pivot"
AUDIENCE = "sts.amazonaws.com"
BEARER = "bearer-canary"


class Issuer:
    """Signs tokens for jobs that ask with the right bearer; *tokens* are those it gave.

    They say that the job is *subject*.
    """

    def __init__(self) -> None:
        self.url = ""
        self.subject = "repo:lab/pipeline:ref:refs/heads/main"
        self.tokens: list[str] = []
        self.asked: list[Asked] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._numbers = itertools.count(1)

    def environment(self) -> dict[str, str]:
        """What a job finds in its environment that may ask for tokens."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
        }

    def roles(self, lifetime: str) -> dict[str, object]:
        """Describe `ROLE` to SeaweedFS: who may assume it, and what it may do for how long."""
        trust = {
            "Effect": "Allow",
            "Principal": {"Federated": "jobs"},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
        }
        everything = {"Effect": "Allow", "Action": ["s3:*", "sts:*"], "Resource": ["*"]}
        return {
            "sts": {
                "tokenDuration": lifetime,
                "maxSessionLength": "12h",
                "issuer": "seaweedfs-sts",
                "signingKey": base64.b64encode(b"32 bytes that sign session tokens").decode(),
            },
            "providers": [
                {
                    "name": "jobs",
                    "type": "oidc",
                    "enabled": True,
                    "config": {
                        "issuer": self.url,
                        "clientId": AUDIENCE,
                        "jwksUri": f"{self.url}/keys",
                    },
                }
            ],
            "policy": {"defaultEffect": "Deny", "storeType": "memory"},
            "roles": [
                {
                    "roleName": ROLE.rpartition("/")[2],
                    "roleArn": ROLE,
                    "trustPolicy": {"Version": "2012-10-17", "Statement": [trust]},
                    "attachedPolicies": ["everything"],
                }
            ],
            "policies": [
                {
                    "name": "everything",
                    "document": {"Version": "2012-10-17", "Statement": [everything]},
                }
            ],
        }

    def answer(self, asked: Asked) -> Answer:
        """Answer jobs, and the STS that wants to know the key."""
        self.asked.append(asked)
        if asked.path == "/keys":
            return _said({"keys": [self._public()]})
        if asked.path != "/token":
            return Answer(404)
        if asked.headers.get("authorization") != f"Bearer {BEARER}":
            return Answer(401)
        token = self._sign(asked.query.get("audience", ["nobody"])[0])
        self.tokens.append(token)
        return _said({"count": len(token), "value": token})

    def _sign(self, audience: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": self.subject,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "jti": str(next(self._numbers)),
        }
        head = {"alg": "RS256", "typ": "JWT", "kid": "only"}
        text = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{_base64(signature)}"

    def _public(self) -> dict[str, str]:
        public = self._key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "kid": "only",
            "use": "sig",
            "alg": "RS256",
            "n": _base64(public.n.to_bytes(256, "big")),
            "e": _base64(public.e.to_bytes(3, "big")),
        }


@contextlib.contextmanager
def issuing() -> Iterator[Issuer]:
    """Issue tokens inside the block."""
    issuer = Issuer()
    with listening(issuer.answer) as issuer.url:
        yield issuer


def _said(tree: object) -> Answer:
    return Answer(200, json.dumps(tree).encode(), {"Content-Type": "application/json"})


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
