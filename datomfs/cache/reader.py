"""Open, proven payloads: in place from a folder store, from a local copy for everything else.

The first form of the cache (docs/decisions/0004): an object is fetched whole and hashed before its first byte is
served, and kept under the name of its SHA-256. A copy from an earlier run is hashed once by this process before it is
served, so bytes that rotted on disk are fetched again and never answered. The folder may be emptied at any time.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datomfs.cache.fetch import disk_errors, fetched
from datomfs.cache.proof import OnProgress, Proof, Proofs, Recorded, identify
from datomfs.errors import PayloadMismatch, RecordedMissing, SourceChanged, StoreDenied
from datomfs.store.base import ObjectInfo, Store

log = logging.getLogger(__name__)


@dataclass(slots=True)
class OpenPayload:
    """A proven payload, open for reading; every byte it gives comes from the file that was proven.

    What moves the file's timestamps need not be a change: a backup's hard link does, and so does a cache that is
    emptied. So a file that looks changed is proven again before it is given up.
    """

    fd: int
    path: Path
    proof: Proof
    proofs: Proofs

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.proof.identity.size

    def read(self, offset: int, length: int, on_progress: OnProgress) -> bytes:
        """Up to `length` bytes from `offset`, fewer only at the end. May wait for a disk. Raises SourceChanged."""
        data = os.pread(self.fd, length, offset)
        if self._changed():
            self._prove_again(on_progress)
            data = os.pread(self.fd, length, offset)
            if self._changed():
                raise SourceChanged(str(self.path))
        return data

    def read_nowait(self, offset: int, length: int) -> bytes | None:
        """The same where the bytes are in memory and the file is unchanged, else None: never waits for a disk."""
        buffer = bytearray(max(0, min(length, self.size - offset)))
        if not buffer:
            return b""
        try:
            count = os.preadv(self.fd, [buffer], offset, os.RWF_NOWAIT)
        except OSError:
            return None
        return bytes(buffer) if count == len(buffer) and not self._changed() else None

    def close(self) -> None:
        """Give the file back."""
        os.close(self.fd)

    def _changed(self) -> bool:
        # Looked at after a read: a change before or during it shows in the timestamps.
        return identify(self.fd) != self.proof.identity

    def _prove_again(self, on_progress: OnProgress) -> None:
        proof = self.proofs.prove(self.fd, self.path, on_progress)
        if proof.sha256 != self.proof.sha256:
            raise SourceChanged(str(self.path))
        self.proof = proof


class PayloadReader:
    """Payloads of any store, proven. Safe to use from several threads, and beside other processes on one folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._proofs = Proofs()
        self._unrecorded: dict[tuple[str, str, str], str] = {}
        """What the bytes of objects turned out to be that nobody recorded; by store, key and etag."""

    def open(self, store: Store, info: ObjectInfo, recorded: Recorded, on_progress: OnProgress) -> OpenPayload:
        """The payload `info`, proven against what was recorded; hashing or fetching it may take its time.

        Raises PayloadMismatch, RecordedMissing, SourceChanged, NoSpace, FileUnwritable, and the store's errors.
        """
        where = f"{info.key} in {store.url}"
        local = store.local_path(info.key)
        if local is not None:
            return self._open(local, recorded, where, on_progress)
        source = (store.url, info.key, info.etag)
        sha256 = recorded.parquet_sha or self._unrecorded.get(source, recorded.data_sha)
        copy = self._copy_path(sha256)
        try:
            return self._open(copy, Recorded(sha256, recorded.data_sha), where, on_progress)
        except RecordedMissing:
            pass  # never fetched, or the folder was emptied
        except (PayloadMismatch, SourceChanged, StoreDenied) as error:
            log.warning("the cached copy of %s is of no use, fetching it again: %s", where, error.what)
            with suppress(OSError):
                copy.unlink()
        payload = self._fetch(store, info, recorded, on_progress)
        if recorded.parquet_sha is None:
            self._unrecorded[source] = payload.proof.sha256
        return payload

    def _open(self, path: Path, recorded: Recorded, where: str, on_progress: OnProgress) -> OpenPayload:
        try:
            # Without O_NONBLOCK a named pipe that stands in the folder would be waited for.
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                proof = self._proofs.prove(fd, path, on_progress)
                recorded.check(proof.sha256, where)
            except BaseException:
                os.close(fd)
                raise
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RecordedMissing(where) from error
        except OSError as error:
            raise StoreDenied(str(path.parent), path.name, str(error.strerror)) from error
        return OpenPayload(fd, path, proof, self._proofs)

    def _fetch(self, store: Store, info: ObjectInfo, recorded: Recorded, on_progress: OnProgress) -> OpenPayload:
        """Bring an object into the folder, where it lies under the name of its SHA-256 from then on."""
        incoming = self._path / "incoming"
        with disk_errors(incoming):
            incoming.mkdir(parents=True, exist_ok=True)
        with fetched(store, info, incoming, on_progress) as file:
            recorded.check(file.sha256, f"{info.key} in {store.url}")
            copy = self._copy_path(file.sha256)
            copy.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                file.path.replace(copy)
            except BaseException:
                os.close(fd)
                raise
            proof = Proof(identify(fd), file.sha256)
        # Nobody writes to it any more, and it was hashed a moment ago: it need not settle to be believed.
        self._proofs.remember(proof)
        return OpenPayload(fd, copy, proof, self._proofs)

    def _copy_path(self, sha256: str) -> Path:
        return self._path / "objects" / sha256[:2] / sha256
