"""A store that counts what is asked of it. Passes everything on; decides nothing.

What a daemon tells of its traffic comes from here, whatever the store behind it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from datomfs.errors import DatomfsError, ObjectMissing
from datomfs.store.base import ObjectInfo, RangeBody, ReadableStore

KINDS = ("check", "head", "get", "list")
"""How requests are told apart. Ranges are gets; a listing counts once, however many pages it has."""


class Traffic:
    """What was asked of some stores, and what came. Safe to use from several threads.

    `failures` are requests that ended in an error other than ObjectMissing, which is an answer; `bytes` what came of
    objects. What a store repeats by itself counts once.
    """

    def __init__(self) -> None:
        self.requests = dict.fromkeys(KINDS, 0)
        self.failures = 0
        self.bytes = 0
        self._lock = Lock()

    @contextmanager
    def asking(self, kind: str) -> Iterator[None]:
        """A request of a kind, from before it is made until it has been answered."""
        with self._lock:
            self.requests[kind] += 1
        try:
            yield
        except DatomfsError as error:
            self.failed(error)
            raise

    def failed(self, error: DatomfsError) -> None:
        """What came after an answer had begun has ended in an error."""
        with self._lock:
            self.failures += not isinstance(error, ObjectMissing)

    def came(self, count: int) -> None:
        """So many bytes of an object are here."""
        with self._lock:
            self.bytes += count


class _CountedBody:
    """A stream of a range whose bytes are counted as they come."""

    def __init__(self, body: RangeBody, traffic: Traffic) -> None:
        self._body = body
        self._traffic = traffic

    def readinto(self, buffer: memoryview) -> int:
        """The next bytes."""
        try:
            count = self._body.readinto(buffer)
        except DatomfsError as error:
            self._traffic.failed(error)
            raise
        self._traffic.came(count)
        return count

    def close(self) -> None:
        """No more of it is wanted."""
        self._body.close()


class CountedStore:
    """Implements `store.base.ReadableStore` over another one."""

    def __init__(self, store: ReadableStore, traffic: Traffic) -> None:
        self._store = store
        self._traffic = traffic

    @property
    def url(self) -> str:
        """That of the store behind it."""
        return self._store.url

    def check(self) -> None:
        """Raise unless the store can be read."""
        with self._traffic.asking("check"):
            self._store.check()

    def head(self, key: str) -> ObjectInfo:
        """Size, etag and attestation of one object."""
        with self._traffic.asking("head"):
            return self._store.head(key)

    def get(self, key: str) -> bytes:
        """The whole object."""
        with self._traffic.asking("get"):
            return self._counted(self._store.get(key))

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """The whole object and what the store says of these bytes."""
        with self._traffic.asking("get"):
            body, info = self._store.get_with_info(key)
            return self._counted(body), info

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        """Part of an object."""
        with self._traffic.asking("get"):
            return self._counted(self._store.get_range(key, start, length, if_match=if_match))

    def open_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> RangeBody:
        """The same as a stream."""
        with self._traffic.asking("get"):
            return _CountedBody(self._store.open_range(key, start, length, if_match=if_match), self._traffic)

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        """Objects by prefix."""
        return self._listed(self._store.list(prefix, recursive=recursive, after=after))

    def local_path(self, key: str) -> Path | None:
        """The file that holds the object, which is no request to anybody."""
        return self._store.local_path(key)

    def _listed(self, objects: Iterator[ObjectInfo]) -> Iterator[ObjectInfo]:
        with self._traffic.asking("list"):
            yield from objects

    def _counted(self, body: bytes) -> bytes:
        self._traffic.came(len(body))
        return body
