"""Payloads that are files of this machine and are read where they lie: those of a folder store, and copies that have
no map of ours. Each is hashed as a whole, once for each state of the file (`cache.proof`).
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from datomfs.cache.proof import FileIdentity, OnProgress, Proofs, Recorded, identify
from datomfs.cache.standing import Verified
from datomfs.errors import DatomfsError, RecordedMissing, SourceChanged, StoreDenied

log = logging.getLogger(__name__)


@dataclass(slots=True)
class FilePayload:
    """A file, open for reading; every byte it gives comes from the state of the file it was opened in.

    What moves the file's timestamps need not be a change: a backup's hard link does, and so does a cache that is
    emptied. So a file that looks changed is proven again before it is given up. `sha256` is None until it is known.
    """

    fd: int
    path: Path
    where: str
    recorded: Recorded
    proofs: Proofs
    identity: FileIdentity
    sha256: str | None = None
    verified: Verified = Verified.PENDING
    failure: DatomfsError | None = None

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.identity.size

    @property
    def cached(self) -> int:
        """How many of them are on this machine: all."""
        return self.size

    def prove(self, on_progress: OnProgress) -> None:
        """Hash the file and hold the result against what was recorded. Raises PayloadMismatch, SourceChanged."""
        self._prove(self.fd, on_progress)

    def _prove(self, fd: int, on_progress: OnProgress) -> None:
        try:
            proof = self.proofs.prove(fd, self.path, on_progress)
            if self.sha256 not in (None, proof.sha256):
                raise SourceChanged(str(self.path))
            proven = self.recorded.check(proof.sha256, self.where)
        except OSError as error:
            raise StoreDenied(str(self.path.parent), self.path.name, str(error.strerror)) from error
        except DatomfsError as error:
            self.verified, self.failure = Verified.FAILED, error
            self.proofs.tally.proven(self.verified)
            raise
        self.identity, self.sha256 = proof
        self.verified = Verified.FULL if proven else Verified.UNRECORDED
        self.proofs.tally.proven(self.verified)

    def prove_behind(self) -> None:
        """The same while readers are served already; they get the error from when it is known."""

        def prove() -> None:
            try:
                self._prove(fd, lambda: None)
            except DatomfsError as error:
                log.error("%s", error.what)  # noqa: TRY400 - what happened, not where in the code
            finally:
                os.close(fd)

        fd = os.dup(self.fd)  # readers may close theirs meanwhile
        Thread(target=prove, name="datomfs-prover", daemon=True).start()

    def read(self, offset: int, length: int, on_progress: OnProgress) -> bytes:
        """Up to `length` bytes from `offset`, fewer only at the end. May wait for a disk. Raises SourceChanged."""
        self._check()
        data = os.pread(self.fd, length, offset)
        if self._is_changed():
            self.prove(on_progress)
            data = os.pread(self.fd, length, offset)
            if self._is_changed():
                raise SourceChanged(str(self.path))
        self._check()
        return data

    def read_nowait(self, offset: int, length: int) -> bytearray | None:
        """The same where the bytes are in memory and the file is unchanged, else None: never waits for a disk."""
        buffer = bytearray(max(0, min(length, self.size - offset)))
        if not buffer:
            return buffer
        try:
            count = os.preadv(self.fd, [buffer], offset, os.RWF_NOWAIT)
        except OSError:
            return None
        good = count == len(buffer) and self.failure is None and not self._is_changed()
        return buffer if good else None

    def close(self) -> None:
        """Give the file back."""
        os.close(self.fd)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _is_changed(self) -> bool:
        # Looked at after a read: a change before or during it shows in the timestamps.
        return identify(self.fd) != self.identity


def open_in_place(path: Path, recorded: Recorded, where: str, proofs: Proofs) -> FilePayload:
    """A file as a payload that is not proven yet. Raises RecordedMissing, StoreDenied."""
    try:
        # Without O_NONBLOCK a named pipe that stands in the folder would be waited for.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RecordedMissing(where) from error
    except OSError as error:
        raise StoreDenied(str(path.parent), path.name, str(error.strerror)) from error
    return FilePayload(fd, path, where, recorded, proofs, identify(fd))
