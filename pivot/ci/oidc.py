"""Credentials of an AWS role for the identity token of a CI job, for as long as the job lasts."""

from __future__ import annotations

import random
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pivot.aws import assume_role
from pivot.errors import NoCredentials, RemoteDenied, RemoteError, RemoteUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from pivot.aws import Credentials

AUDIENCE = "sts.amazonaws.com"
"""For whom the token is, as AWS's own action asks for it."""

ATTEMPTS = 8

_FIRST_PAUSE = 0.5  # seconds; doubled each time
_LONGEST_PAUSE = 10.0
_TIMEOUTS = (5, 10)  # seconds to connect, and to wait for an answer
_MARGIN = timedelta(minutes=5)  # before they expire; obstore asks from then on, again and again
_LATER = timedelta(seconds=30)


def find_role_credentials(
    environment: Mapping[str, str],
    role: str,
    *,
    region: str,
    mask: Callable[[str], None],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
    draw: Callable[[], float] = random.random,
) -> Callable[[], Credentials]:
    """Make a function that gives credentials of *role* which have not expired, from any thread.

    Nothing is asked for before the first call. Each secret is given to *mask* before it is used.
    The function raises `NoCredentials` for a job without a token, `RemoteDenied`,
    `RemoteUnavailable`. Pauses between attempts are *draw*, from 0 to 1, times the longest.
    """

    def assume() -> Credentials:
        token = _token(environment)
        mask(token)
        found = assume_role(
            role, token, name=_session_name(environment), region=region, environment=environment
        )
        for secret in (found.key_id, found.secret, found.token or ""):
            mask(secret)
        return found

    return _Kept(lambda: _again(assume, sleep, draw), now)


class _Kept:
    """Credentials that are asked for when there are none, and again before they expire."""

    def __init__(self, ask: Callable[[], Credentials], now: Callable[[], datetime]) -> None:
        self._ask = ask
        self._now = now
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._due = self._end = now()

    def __call__(self) -> Credentials:
        with self._lock:
            if self._held is None or self._now() >= self._due:
                self._held = self._renew(self._held)
            return self._held

    def _renew(self, held: Credentials | None) -> Credentials:
        try:
            found = self._ask()
        except RemoteError:
            if held is None or self._now() >= self._end:
                raise
            self._due = min(self._now() + _LATER, self._end)  # they still work: there is time
            return held
        asked = self._now()
        self._end = found.expires_at or asked + timedelta(hours=1)
        self._due = self._end - min(_MARGIN, (self._end - asked) / 4)
        return found


def _again(
    act: Callable[[], Credentials], sleep: Callable[[float], None], draw: Callable[[], float]
) -> Credentials:
    """Try again what may pass. Jobs that begin together wait for different times."""
    pause = _FIRST_PAUSE
    for _ in range(ATTEMPTS - 1):
        try:
            return act()
        except RemoteUnavailable:
            sleep(draw() * pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
    return act()


def _session_name(environment: Mapping[str, str]) -> str:
    """Name the session so that AWS's records lead to the run."""
    run = environment.get("GITHUB_RUN_ID") or environment.get("CI_PIPELINE_ID") or "0"
    attempt = environment.get("GITHUB_RUN_ATTEMPT") or environment.get("CI_JOB_ID") or "1"
    return re.sub(r"[^\w+=,.@-]", "-", f"pivot-{run}-{attempt}", flags=re.ASCII)[:64]


def _token(environment: Mapping[str, str]) -> str:
    """Get the job's token; on GitHub, a new one each time."""
    if environment.get("GITLAB_CI") == "true":
        if token := environment.get("PIVOT_ID_TOKEN"):
            return token
        raise NoCredentials(
            "role-to-assume: the job has no identity token (PIVOT_ID_TOKEN)",
            hint=f"add to the job: id_tokens: {{PIVOT_ID_TOKEN: {{aud: {AUDIENCE}}}}}",
        )
    url = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    key = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url or not key:
        raise NoCredentials(
            "role-to-assume: the job may not ask for an identity token",
            hint="add `permissions: id-token: write` to the job, and `contents: read`",
        )
    return _ask_github(url, key)


def _ask_github(url: str, key: str) -> str:
    import requests  # noqa: PLC0415  takes its time

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {key}"  # whatever a ~/.netrc says
        return request

    what = "GitHub's identity token"
    try:
        answer = requests.get(
            url,
            params={"audience": AUDIENCE},
            headers={"Accept": "application/json"},
            auth=authorize,
            timeout=_TIMEOUTS,
            allow_redirects=False,
        )
        told = answer.json() if answer.ok else None
    except (requests.RequestException, ValueError) as error:
        raise RemoteUnavailable(f"{what}: no answer: {type(error).__name__}") from error
    if answer.status_code in {401, 403, 404}:
        raise RemoteDenied(
            f"{what}: refused (HTTP {answer.status_code})",
            hint="add `permissions: id-token: write` to the job, and `contents: read`",
        )
    token = told.get("value") if isinstance(told, dict) else None
    if not isinstance(token, str) or not token:
        raise RemoteUnavailable(f"{what}: no token in the answer (HTTP {answer.status_code})")
    return token
