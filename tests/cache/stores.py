"""Stores for tests of the cache: one in memory that counts and can be told to misbehave, and what they hold."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

from datomfs.cache.proof import Recorded
from datomfs.store.base import ObjectInfo, Store
from datomfs.store.memory import MemoryStore

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
    return store.head(KEY)


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
        self.most_at_once = 0
        self._at_once = 0
        self._counting = threading.Lock()

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
