"""Send requests to one bucket: patience, the bucket's region, and what a failure means."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, TypeVar

from obstore.exceptions import BaseError

from pivot.s3_errors import Answer, of_object, of_remote, parse_answer
from pivot.s3_stores import Limits, Stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable

    from obstore.store import S3Store

    from pivot.aws import Access
    from pivot.errors import PivotError
    from pivot.remote_url import S3Url

FOREIGN = (BaseError, FileNotFoundError)
"""What obstore raises; the latter is built in, and means a missing object."""

Result = TypeVar("Result")


class Calls:
    """Requests to the bucket of *url*, from many threads."""

    def __init__(self, url: S3Url, access: Access, limits: Limits) -> None:
        self.url = f"s3://{url.bucket}/{url.prefix}".rstrip("/")
        self.region_known = False
        """The service has accepted the region, or told the right one."""
        self._open = functools.partial(open_stores, url, access, limits)
        self._locate = access.find_region
        self._lock = threading.RLock()
        self._reached = False  # the service has answered
        self._stores = self._open(access.region)

    @property
    def stores(self) -> Stores:
        """The bucket, opened in the region where it was found to be."""
        return self._stores

    def read(
        self,
        act: Callable[[S3Store], Result],
        meaning: Callable[[Answer, str], PivotError] = of_object,
    ) -> Result:
        """Send a read request; raise what a failure means."""
        try:
            result = act(self._stores.reads if self._reached else self._stores.first)
        except FOREIGN as error:
            answer = parse_answer(error)
            if answer.wrong_region and self._find_region(answer):
                return self.read(act, meaning)
            if not self._reached:
                if not answer.status and not answer.unlistable:
                    raise of_remote(answer, self.url) from error
                self._reached = True
                if answer.busy:
                    return self.read(act, meaning)
            raise meaning(answer, self.url) from error
        self._reached = self.region_known = True
        return result

    def _find_region(self, answer: Answer) -> bool:
        """Go to the region that the bucket is in, once, as other AWS tools do."""
        with self._lock:
            region = answer.region or (self._locate and self._locate())
            if self.region_known or not region:
                return False
            self.region_known = True
            self._stores = self._open(region)
            return True
