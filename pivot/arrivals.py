"""Give verified files their names in a cache, in batches: synced first, then linked."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from typing import TYPE_CHECKING, NamedTuple

from pivot.durable import sync_directories, sync_files
from pivot.errors import IntegrityError, local_error
from pivot.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from pivot.objects import Digest, Sha256
    from pivot.proofs import Proofs

_BATCH = 256
_BATCH_BYTES = 64 * 1024 * 1024


class Arrived(NamedTuple):
    """A verified file that has no name yet; *promised* says that its SHA-256 was asked for."""

    private: str
    digest: Digest
    size: int
    sha256: Sha256 | None
    found: os.stat_result
    promised: bool


class Arrivals:
    """Files that have no names yet. *path* names an object's place, *sha256* reads what is there.

    Safe from many threads. What was checked by SHA-256 is noted in *proofs*.
    """

    def __init__(
        self,
        path: Callable[[Digest], str],
        proofs: Proofs | None,
        sha256: Callable[[Digest], Sha256 | None],
    ) -> None:
        self.failed = False
        """Something could not be named, as was told."""
        self._path = path
        self._proofs = proofs
        self._sha256 = sha256
        self._lock = threading.Lock()
        self._publishing = threading.Lock()
        self._arrived: list[Arrived] = []
        self._arrived_bytes = 0

    def add(self, entry: Arrived) -> None:
        """Take a file, and name a batch of them when there are enough; as `publish`."""
        with self._lock:
            self._arrived.append(entry)
            self._arrived_bytes += entry.size
            full = len(self._arrived) >= _BATCH or self._arrived_bytes >= _BATCH_BYTES
        if full:
            self.publish()

    def publish(self) -> None:
        """Give all that has arrived its name, now; raises `LocalError`.

        Also what another thread is about to name has its name when this returns. Raises
        `IntegrityError` for two contents of one digest.
        """
        with self._publishing:
            with self._lock:
                arrived, self._arrived, self._arrived_bytes = self._arrived, [], 0
            if not arrived:
                return
            try:
                sync_files([entry.private for entry in arrived])
                sync_directories({self._name(entry) for entry in arrived})
            except (OSError, IntegrityError) as error:
                with self._lock:  # for whoever else waits for these
                    self._arrived += [entry for entry in arrived if os.path.exists(entry.private)]
                self.failed = True
                if isinstance(error, IntegrityError):
                    raise
                raise local_error(error) from error
            self.failed = False

    def _name(self, entry: Arrived) -> str:
        """Link a private file to its name and return the shelf that it stands on."""
        private, target = entry.private, self._path(entry.digest)
        shelf = target.rpartition("/")[0]
        ours = True
        try:
            try:
                os.link(private, target)
            except FileNotFoundError:
                os.makedirs(shelf, exist_ok=True)
                os.link(private, target)
        except FileExistsError:
            ours = not self._keep(entry, target)
            if ours:
                os.replace(private, target)  # what stands there is wrong; ours is verified
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}:
                raise
            os.rename(private, target)  # a file system without hard links
        if ours and self._proofs is not None and entry.sha256 is not None:
            self._proofs.note(entry.digest, entry.found, entry.sha256)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(private)
        return shelf

    def _keep(self, entry: Arrived, target: str) -> bool:
        """Tell whether what stands at the name of *entry* may stay; raises `IntegrityError`.

        It counts as new then, so that `gc`, which may be about to take it away, leaves it.
        """
        try:
            held = os.lstat(target)
            if not self._is_held(entry, held):
                return False
            with guarded(os.path.dirname(os.path.dirname(target)), alone=False):
                os.chmod(target, stat.S_IMODE(held.st_mode))  # changes the time of its inode
        except FileNotFoundError:
            return False
        except PermissionError:  # somebody else's
            return os.path.exists(target)
        return True

    def _is_held(self, entry: Arrived, held: os.stat_result) -> bool:
        """Tell whether what stands at the name of *entry* may stay; raises `IntegrityError`."""
        if not stat.S_ISREG(held.st_mode) or held.st_size != entry.size:
            return False
        if self._proofs is None or entry.sha256 is None:
            return True
        sha256 = self._sha256(entry.digest)
        if sha256 in {None, entry.sha256} or entry.promised:
            return sha256 == entry.sha256
        raise IntegrityError(
            f"two contents have the digest {entry.digest}, with the SHA-256 {entry.sha256} and "
            f"{sha256}: one of them was forged, and neither can stand for the other",
            hint=f"find out where each of them comes from; the other is {self._path(entry.digest)}",
        )
