"""Try what may be done with a remote in S3, and take away what was written for it."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pivot.aws import find_access
from pivot.aws_service import Knock, Refused, Service, is_aws
from pivot.crew import for_each
from pivot.doctor.answers import (
    credentials_seen,
    judge_bytes,
    judge_checksum,
    judge_clock,
    judge_condition,
    judge_encryption,
    judge_identity,
    judge_region,
)
from pivot.doctor.checks import Check, State
from pivot.doctor.grants import Grants
from pivot.errors import Interrupted
from pivot.remote_url import is_exposed
from pivot.s3_errors import Answer, of_first_miss, of_remote
from pivot.s3_trials import Trials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pivot.aws import Access, Credentials
    from pivot.aws_service import Kept
    from pivot.config import RemoteSettings
    from pivot.remote_url import S3Url
    from pivot.s3_stores import Limits

_DATA = b"pivot doctor was here\n"
_LEFT = "doctor/left"
_TAKEN = frozenset({409, 412})  # what a service says of a name that is taken
_FAREWELL = 3.0  # seconds


class Bucket:
    """The remote at *url*, asked one thing after the other; `clear` when it is over."""

    def __init__(
        self,
        remote: RemoteSettings,
        url: S3Url,
        environment: Mapping[str, str],
        credentials: Callable[[], Credentials] | None,
        limits: Limits,
    ) -> None:
        self._remote = remote
        self._url = url
        self._environment = environment
        self._given = credentials
        self._limits = limits
        self._key = f"doctor/{secrets.token_hex(16)}"
        self._touched = False  # something may be there to be taken away
        self._stored = False
        self._stays: Refused | None = None  # why what is written cannot be deleted
        self._conditional = True
        self._ahead: float | None = None
        self._turn = threading.Lock()
        self._over = False
        self._access: Access
        self._service: Service
        self._knock: Knock | Refused
        self._trials: Trials
        self._first: tuple[str, ...] | Answer
        self._kept: Kept | Refused

    def ask(self, name: str) -> Check:
        """Ask one thing; raises what a failure means."""
        acts: dict[str, Callable[[], Check]] = {
            "credentials": self._credentials,
            "endpoint": self._endpoint,
            "clock": lambda: judge_clock(self._ahead),
            "keys": self._keys,
            "identity": lambda: judge_identity(self._service.caller(), aws=is_aws(self._access)),
            "bucket": self._bucket,
            "region": lambda: judge_region(self._access, self._knock, self._remote.name),
            "list": lambda: self._grants.judge_list(self._first),
            "put": self._put,
            "get": self._get,
            "put-if-absent": self._put_if_absent,
            "multipart": self._multipart,
            "abort": self._abort,
            "encryption": self._encryption,
            "checksum": lambda: judge_checksum(
                self._service.put_false(self._full_key, _DATA), self._kept
            ),
            "delete": self._delete,
        }
        with self._turn:
            if self._over:
                raise Interrupted("interrupted")
            return acts[name]()

    def clear(self) -> None:
        """Take away what was written, also after an interrupt in the middle of a request."""
        self._over = True
        if not self._touched or self._stays is not None:
            return
        if self._turn.acquire(timeout=_FAREWELL):  # else it would come after what we delete
            self._turn.release()

        def delete(key: str) -> None:
            self._service.delete(key)

        for_each([self._full_key], delete, jobs=1)

    @property
    def _full_key(self) -> str:
        return self._below(self._key)

    @property
    def _grants(self) -> Grants:
        return Grants(self._remote.name, self._url, self._access.region, self._trials.url)

    def _credentials(self) -> Check:
        self._access = find_access(
            self._remote, self._url.bucket, self._environment, self._given, guess=True
        )
        seen, state, cure = credentials_seen(self._access, time.time())
        return Check("credentials", state, seen, cure)

    def _endpoint(self) -> Check:
        service = Service(self._access, self._url.bucket, self._remote.profile, self._environment)
        before = time.time()
        self._knock = service.knock()
        if isinstance(self._knock, Knock):
            if self._knock.date is not None:  # to the second
                middle = (before + time.time()) / 2
                self._ahead = self._knock.date.timestamp() + 0.5 - middle
            if self._access.guessed and self._knock.region:
                self._access = replace(self._access, region=self._knock.region)
                service = Service(
                    self._access, self._url.bucket, self._remote.profile, self._environment
                )
        self._service = service
        self._trials = Trials(self._url, self._access, self._limits)
        self._first = self._trials.first()
        if isinstance(self._first, Answer) and self._first.status == 404 and not self._first.code:  # noqa: PLR2004
            raise of_first_miss(self._first, self._trials.url)
        where = self._access.endpoint or f"AWS S3 in {self._access.region}"
        if self._access.endpoint and is_exposed(self._access.endpoint):
            seen = f"{where} answers, without TLS: who is on the way can read what is sent"
            return Check("endpoint", State.WARNING, seen, "use https://")
        over = ", over TLS" if not where.startswith("http:") else ""
        return Check("endpoint", State.OK, f"{where} answers{over}")

    def _keys(self) -> Check:
        if isinstance(self._first, Answer) and self._first.accuses_credentials:
            raise of_remote(self._first, self._trials.url)
        return Check("keys", State.OK, "the service accepts the credentials")

    def _bucket(self) -> Check:
        first = self._first
        if isinstance(first, Answer) and not (first.denied or first.unlistable):
            raise of_remote(first, self._trials.url)
        return Check("bucket", State.OK, f"'{self._url.bucket}' is there")

    def _put(self) -> Check:
        self._stays = self._service.delete(self._full_key)
        if self._stays is not None:
            self._key = _LEFT  # one for all runs
        self._touched = True
        answer = self._trials.put(self._key, _DATA, if_absent=True)
        if answer is not None and answer.unconditional:
            self._conditional = False
            answer = self._trials.put(self._key, _DATA, if_absent=False)
        was_there = self._stays is not None and answer is not None and answer.status in _TAKEN
        self._stored = answer is None or was_there
        if self._stored:
            stays = f"; {self._key} stays, since it may not be deleted" if self._stays else ""
            return Check("put", State.OK, f"may write{stays}")
        return self._grants.judge("put", answer, "s3:PutObject", "may write")

    def _get(self) -> Check:
        if self._stored:
            answer = self._trials.get(self._key, most=len(_DATA))
            if not isinstance(answer, Answer):
                return judge_bytes(same=answer == _DATA)
        elif not isinstance(self._first, Answer) and self._first:
            answer = self._trials.get(self._first[0], most=1)
        else:
            answer = self._trials.get(self._key, most=1)
            if isinstance(answer, Answer) and answer.missing:
                seen = "may read; what is missing is called missing"
                return Check("get", State.OK, seen)
        refused = answer if isinstance(answer, Answer) else None
        return self._grants.judge("get", refused, "s3:GetObject", "may read")

    def _put_if_absent(self) -> Check:
        if not self._conditional:
            return judge_condition(None, known=False)
        answer = self._trials.put(self._key, _DATA, if_absent=True)
        if answer is None or answer.unconditional or answer.status in _TAKEN:
            return judge_condition(answer, known=True)
        raise of_remote(answer, self._trials.url)

    def _multipart(self) -> Check:
        answer = self._trials.put_parts(self._key, _DATA)
        seen = "may write in parts, as objects over 8 MiB are"
        return self._grants.judge("multipart", answer, "s3:PutObject", seen)

    def _abort(self) -> Check:
        begun = self._service.begin(self._full_key)
        if isinstance(begun, Refused):
            return self._grants.judge_abort(begun)
        return self._grants.judge_abort(self._service.abort(self._full_key, begun))

    def _encryption(self) -> Check:
        self._kept = self._service.look(self._full_key)
        return judge_encryption(self._kept)

    def _delete(self) -> Check:
        refused = self._stays or self._service.delete(self._full_key)
        self._touched = refused is not None
        swept = 0
        if refused is None:
            swept = sum(
                self._service.delete(self._below(key)) is None for key in self._trials.strays()
            )
        return self._grants.judge_delete(refused, self._key, swept)

    def _below(self, key: str) -> str:
        return f"{self._url.prefix}/{key}" if self._url.prefix else key
