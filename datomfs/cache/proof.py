"""Whether a file's bytes are the recorded ones: each file is hashed once, and never served before.

A file is known by (device, inode, size, mtime, ctime) (design.md §3). As long as these stand, so does its hash; a file
in which any of them moved is hashed anew. This is how a folder store is read in place, without a copy.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from datomfs.cache.tally import Tally
from datomfs.errors import PayloadMismatch, SourceChanged

OnProgress = Callable[[], None]
"""Called from the thread that works, whenever it has got further: who waits for it knows that it is alive."""

_REMEMBERED = 1 << 16
_STEP = 4 << 20
_SETTLED_S = 1.0
"""A file younger than this may change again within one tick of its timestamps, unseen: its hash is not remembered."""


class FileIdentity(NamedTuple):
    """What tells one state of a file from another."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


def identify(file: int | Path) -> FileIdentity:
    """The identity of a file as it is now, by its descriptor or its path. Raises OSError."""
    stat = os.stat(file)
    return FileIdentity(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


class Proof(NamedTuple):
    """A state of a file, and the SHA-256 of its bytes in that state."""

    identity: FileIdentity
    sha256: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a history says of a payload's bytes: their SHA-256, or None for versions from before cv1, and the data_sha.

    Before cv1 `data_sha` itself was the SHA-256 of the bytes (format.md §11.2); then it is the proof. An entry with
    neither is served as `unrecorded`: nobody ever wrote down what its bytes were.
    """

    parquet_sha: str | None
    data_sha: str

    @property
    def sha256(self) -> str:
        """What the SHA-256 of the bytes should be, or could be."""
        return self.parquet_sha or self.data_sha

    def check(self, actual: str, where: str) -> bool:
        """True when `actual` proves the bytes, False when nothing was recorded. Raises PayloadMismatch."""
        if self.parquet_sha is None:
            return actual == self.data_sha
        if actual != self.parquet_sha:
            raise PayloadMismatch(where, self.parquet_sha, actual)
        return True


class Proofs:
    """The hashes of files seen so far; whoever proves one tells `tally`. Safe to use from several threads."""

    def __init__(self, tally: Tally | None = None) -> None:
        self.tally = tally or Tally()
        self._known: LRUCache[FileIdentity, str] = LRUCache(_REMEMBERED)
        self._lock = Lock()

    def find(self, path: Path) -> str | None:
        """The hash of a file as it is now, if it is known; reads nothing of it."""
        try:
            identity = identify(path)
        except OSError:
            return None
        with self._lock:
            return self._known.get(identity)

    def prove(self, fd: int, path: Path, on_progress: OnProgress) -> Proof:
        """What an open file holds now, hashed unless that was done before. Raises SourceChanged."""
        identity = identify(fd)
        with self._lock:
            known = self._known.get(identity)
        if known is not None:
            return Proof(identity, known)
        proof = Proof(identity, _hash(fd, on_progress))
        if identify(fd) != identity:
            raise SourceChanged(str(path))
        if time.time() - identity.ctime_ns / 1e9 > _SETTLED_S:
            self.remember(proof)
        return proof

    def remember(self, proof: Proof) -> None:
        """Take somebody's word for the hash of a file that nobody writes to any more."""
        with self._lock:
            self._known[proof.identity] = proof.sha256


def hash_bytes(readinto: Callable[[bytearray], int], on_progress: OnProgress) -> str:
    """The SHA-256, hex, of all that `readinto` gives until it gives nothing; bytes are read in steps of 4 MiB."""
    digest = hashlib.sha256()
    buffer = bytearray(_STEP)
    while count := readinto(buffer):
        digest.update(memoryview(buffer)[:count])
        on_progress()
    return digest.hexdigest()


def _hash(fd: int, on_progress: OnProgress) -> str:
    position = 0

    def read(buffer: bytearray) -> int:
        # By position: several threads may hash one descriptor, and it has only one offset, also when duplicated.
        nonlocal position
        count = os.preadv(fd, [buffer], position)
        position += count
        return count

    return hash_bytes(read, on_progress)
