"""Stores for tests of the cache: one in memory that counts and can be told to misbehave, and what they hold."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from datomfs.cache.folder import CacheFolder, Limits
from datomfs.cache.proof import Recorded
from datomfs.cache.proving import Verify
from datomfs.cache.reader import Payload, PayloadReader
from datomfs.store.base import ObjectInfo, Store
from datomfs.store.memory import MemoryStore
from tests.mounts import eventually

KEY = "dm/aaaaaaaa.parquet"

Answer = Callable[[int, bytes], bytes]
"""What a store gives for a range that starts at an offset, from what it should give."""


def sha256(body: bytes) -> str:
    """The hex digest of some bytes."""
    return hashlib.sha256(body).hexdigest()


def recorded(body: bytes) -> Recorded:
    """What the history of a payload with these bytes says."""
    return Recorded(sha256(body), sha256(b"the values"))


def put(store: Store, body: bytes) -> ObjectInfo:
    """An object with these bytes under KEY, as a listing shows it."""
    store.put(KEY, body)
    (info,) = [found for found in store.list() if found.key == KEY]
    return info


def attest(store: Store, body: bytes, key: str = KEY) -> ObjectInfo:
    """The same, with its SHA-256 attested; what was there is replaced, under another etag."""
    store.delete(key)
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        store.upload(key, Path(file.name), sha256=sha256(body))
    (info,) = [found for found in store.list() if found.key == key]
    return info


def open_now(reader: PayloadReader, store: Store, info: ObjectInfo, record: Recorded) -> Payload:
    """A payload, from a test that does not look at progress."""
    return reader.open(store, info, record, nothing)


def read_parts(payload: Payload) -> bytes:
    """All of a payload, as the kernel would read it."""
    parts = range(0, payload.size, 128 << 10)
    return b"".join(bytes(payload.read_nowait(at, 128 << 10) or payload.read(at, 128 << 10, nothing)) for at in parts)


def settle(reader: PayloadReader) -> None:
    """Wait until what became complete so far has been hashed."""
    # Whoever reads has the last byte before the thread that brought it tells the prover that all are here.
    fetchers = reader._fetchers.values()
    eventually(lambda: all(not each._jobs and each._idle == each._threads for each in fetchers))
    done = threading.Event()
    reader._prover.submit(lambda on_progress: done.set())
    assert done.wait(30)


def make_reader(
    path: Path,
    *,
    quota: int = 1 << 30,
    min_free: int = 0,
    memory: int = 64 << 20,
    verify: Verify = Verify.STRICT,
    stall_s: float = 30.0,
) -> PayloadReader:
    """A reader over a cache in the folder `path`."""
    return PayloadReader(CacheFolder(path, Limits(quota, min_free)), memory=memory, verify=verify, stall_s=stall_s)


def nothing() -> None:
    """For tests that do not look at progress."""


class RemoteStore(MemoryStore):
    """Objects that can only be fetched. Counts ranges, and how many were under way at once.

    `ask` is called before a range is read, `answer` may bend what was read.
    """

    def __init__(self) -> None:
        super().__init__("remote")
        self.ask: Callable[[int], object] = lambda start: None
        self.answer: Answer = lambda start, data: data
        self.ranges: list[tuple[int, int]] = []
        self.heads = 0
        self.most_at_once = 0
        self._at_once = 0
        self._counting = threading.Lock()

    def head(self, key: str) -> ObjectInfo:
        self.heads += 1
        return super().head(key)

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        with self._counting:
            self.ranges.append((start, length))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.ask(start)
            return self.answer(start, super().get_range(key, start, length, if_match=if_match))
        finally:
            with self._counting:
                self._at_once -= 1
