"""Bringing a whole object from a store into a file, in parallel ranges, hashed before the file has its name.

Callers are the cache and `datomfs get`. A file appears under its name complete and proven, or not at all.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import BinaryIO

from datomfs.cache.proof import OnProgress, Recorded, hash_bytes
from datomfs.errors import FileUnwritable, NoSpace, StoreUnreachable
from datomfs.store.base import ObjectInfo, ReadableStore

_CONNECTIONS = 8
_PART = 8 << 20


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole object in a file that waits for its name, and the SHA-256 of its bytes."""

    path: Path
    sha256: str


def fetch_proven(
    store: ReadableStore, info: ObjectInfo, recorded: Recorded, target: Path, on_progress: OnProgress = lambda: None
) -> bool:
    """Fetch the object `info` into `target` and prove it; False when nothing was recorded that could prove it.

    Raises PayloadMismatch, ObjectMissing, ObjectChanged when it changed on the way, NoSpace, FileUnwritable, and the
    store's errors.
    """
    with fetched(store, info, target.parent, on_progress) as file:
        proven = recorded.check(file.sha256, f"{info.key} in {store.url}")
        # Who asked for a file gets one that outlives a power cut. The cache does not wait for its disk: what a power
        # cut leaves there is hashed before it is served.
        with file.path.open("r+b") as complete:
            os.fsync(complete.fileno())
        file.path.replace(target)
    return proven


@contextmanager
def fetched(store: ReadableStore, info: ObjectInfo, folder: Path, on_progress: OnProgress) -> Iterator[Fetched]:
    """The object `info` in a file in `folder`, which is gone afterwards unless it was given another name.

    Raises ObjectMissing, ObjectChanged when it changed on the way, NoSpace, FileUnwritable, and the store's errors.
    """
    path = folder / f".datomfs-{secrets.token_hex(8)}"
    with disk_errors(folder):
        file = path.open("x+b")  # not tempfile: its files are 0600, whatever the umask
        try:
            with file:
                _fetch_ranges(store, info, file, on_progress)
                file.seek(0)
                sha256 = hash_bytes(file.readinto, on_progress)
            yield Fetched(path, sha256)
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """What the disk of a folder refuses, as NoSpace or FileUnwritable."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(str(folder)) from error
        raise FileUnwritable(str(folder), str(error.strerror)) from error


def _fetch_ranges(store: ReadableStore, info: ObjectInfo, file: BinaryIO, on_progress: OnProgress) -> None:
    """All parts of an object, several at a time; the first failure ends the rest."""
    starts = deque(range(0, info.size, _PART))
    failures: list[Exception] = []
    writing = Lock()

    def fetch(start: int) -> None:
        length = min(_PART, info.size - start)
        data = store.get_range(info.key, start, length, if_match=info.etag)
        if len(data) != length:
            raise StoreUnreachable(store.url, info.key, f"{len(data)} bytes came where {length} were asked for")
        with writing:
            file.seek(start)
            file.write(data)
        on_progress()

    def work() -> None:
        while not failures:
            try:
                start = starts.popleft()
            except IndexError:
                return
            try:
                fetch(start)
            except Exception as error:
                failures.append(error)

    # Threads of our own: those of a pool would be waited for when the process ends, with all the parts still to come.
    threads = [Thread(target=work, name="datomfs-fetch", daemon=True) for _ in range(min(_CONNECTIONS, len(starts)))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        starts.clear()  # interrupted, nobody wants the rest
    if failures:
        raise failures[0]
