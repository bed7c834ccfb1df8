"""Open, proven payloads: in place from a folder store, from a local copy for everything else.

The first form of the cache (docs/decisions/0004): an object is fetched whole and hashed before its first byte is
served, and kept under the name of its SHA-256. A copy from an earlier run is hashed once by this process before it is
served, so bytes that rotted on disk are fetched again and never answered. The folder may be emptied at any time.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from datomfs.cache.fetch import fetch_proven
from datomfs.cache.proof import FileIdentity, OnProgress, Proofs, Recorded, identify
from datomfs.errors import NoSpace, PayloadMismatch, RecordedMissing, SourceChanged, StoreDenied
from datomfs.store.base import ObjectInfo, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenPayload:
    """A proven payload, open for reading; every byte it gives comes from the file that was proven."""

    fd: int
    path: Path
    identity: FileIdentity

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.identity.size

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`, fewer only at the end. May wait for a disk. Raises SourceChanged."""
        return self._unchanged(os.pread(self.fd, length, offset))

    def read_nowait(self, offset: int, length: int) -> bytes | None:
        """The same where the bytes are in memory already, else None: never waits for a disk. Raises SourceChanged."""
        buffer = bytearray(max(0, min(length, self.size - offset)))
        if not buffer:
            return b""
        try:
            count = os.preadv(self.fd, [buffer], offset, os.RWF_NOWAIT)
        except (BlockingIOError, OSError):
            return None
        return self._unchanged(bytes(buffer)) if count == len(buffer) else None

    def close(self) -> None:
        """Give the file back."""
        os.close(self.fd)

    def _unchanged(self, data: bytes) -> bytes:
        # Looked at after the read: a change before or during it shows in the timestamps.
        if identify(self.fd) != self.identity:
            raise SourceChanged(str(self.path))
        return data


class PayloadReader:
    """Payloads of any store, proven. Safe to use from several threads, and beside other processes on one folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._proofs = Proofs()

    def open(self, store: Store, info: ObjectInfo, recorded: Recorded, on_progress: OnProgress) -> OpenPayload:
        """The payload `info`, proven against what was recorded; hashing or fetching it may take its time.

        Raises PayloadMismatch, RecordedMissing, SourceChanged, NoSpace, and the store's errors.
        """
        where = f"{info.key} in {store.url}"
        local = store.local_path(info.key)
        if local is not None:
            return self._open(local, recorded, where, on_progress)
        copy = self._copy_path(store, info, recorded)
        if copy.exists():
            try:
                return self._open(copy, recorded, where, on_progress)
            except (PayloadMismatch, SourceChanged, RecordedMissing):
                log.warning("the cached copy of %s was damaged, fetching it again", where)
                copy.unlink(missing_ok=True)
        self._make_room_for(copy)
        fetch_proven(store, info, recorded, copy, on_progress)
        return self._open(copy, recorded, where, on_progress)

    def _open(self, path: Path, recorded: Recorded, where: str, on_progress: OnProgress) -> OpenPayload:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise RecordedMissing(where) from error
        except PermissionError as error:
            raise StoreDenied(str(path.parent), path.name, str(error)) from error
        try:
            return OpenPayload(fd, path, self._proofs.prove(fd, path, recorded, where, on_progress))
        except BaseException:
            os.close(fd)
            raise

    def _copy_path(self, store: Store, info: ObjectInfo, recorded: Recorded) -> Path:
        """Content-addressed where a hash was recorded; else by what the object is in its store, with its etag."""
        if recorded.parquet_sha is not None:
            return self._path / "objects" / recorded.parquet_sha[:2] / recorded.parquet_sha
        name = hashlib.sha256("\0".join((store.url, info.key, info.etag)).encode()).hexdigest()
        return self._path / "unrecorded" / name[:2] / name

    def _make_room_for(self, copy: Path) -> None:
        try:
            copy.parent.mkdir(parents=True, exist_ok=True)
        except PermissionError as error:
            raise StoreDenied(str(self._path), copy.name, f"the cache folder: {error.strerror}") from error
        except OSError as error:
            raise NoSpace(str(self._path)) from error
