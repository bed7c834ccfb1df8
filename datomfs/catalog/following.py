"""A governed project's store, wherever the project lies at the moment.

A study that moves keeps its objects byte for byte (format.md §11), so whoever reads them need not know of the move:
what holds the old place (open payloads, catalogs) asks here and is answered from the new one. The ref is read again
when somebody wants to be sure (`follow`), and at once when the old place denies, or lacks, what it had.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import TypeVar

from datomfs.errors import DatomfsError, ObjectMissing, StoreDenied, StoreMissing
from datomfs.model.location import Location
from datomfs.store.base import ObjectInfo, RangeBody, ReadableStore

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE_S = 1.0
"""How long one reading of the ref serves all who find nothing at the old place: a lost object has many readers."""


class FollowingStore:
    """Implements `store.base.ReadableStore`; each method also raises what reading the ref raises, the first time."""

    def __init__(
        self,
        locate: Callable[[], Location],
        open_store: Callable[[Location], ReadableStore],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._locate = locate
        self._open_store = open_store
        self._clock = clock
        self._lock = Lock()
        self._location = locate()
        self._asked_s = clock()
        self._store = open_store(self._location)

    @property
    def location(self) -> Location:
        """Where the project is, as far as is known."""
        return self._location

    @property
    def url(self) -> str:
        """The present store's."""
        return self._store.url

    def follow(self) -> None:
        """Read the ref, and be where it says from now on. Raises what reading it raises, and stays where it was."""
        with self._lock:
            self._asked_s = self._clock()
            location = self._locate()
            if location != self._location:
                log.info("%s has moved to %s", self._location.url, location.url)
                self._store = self._open_store(location)
                self._location = location

    def check(self) -> None:
        """Raise unless the present place can be read."""
        self._ask(lambda store: store.check())

    def head(self, key: str) -> ObjectInfo:
        """Size, etag and attestation of one object."""
        return self._ask(lambda store: store.head(key))

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._ask(lambda store: store.get(key))

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """The whole object and what the store says of these bytes."""
        return self._ask(lambda store: store.get_with_info(key))

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        """Part of an object. After a move the etag is another one: ObjectChanged."""
        return self._ask(lambda store: store.get_range(key, start, length, if_match=if_match))

    def open_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> RangeBody:
        """The same as a stream."""
        return self._ask(lambda store: store.open_range(key, start, length, if_match=if_match))

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        """Objects by prefix. A move is followed before the first; one that comes later ends the listing in an error."""

        def begin(store: ReadableStore) -> tuple[ObjectInfo | None, Iterator[ObjectInfo]]:
            objects = iter(store.list(prefix, recursive=recursive, after=after))
            return next(objects, None), objects

        first, others = self._ask(begin)
        if first is not None:
            yield first
            yield from others

    def local_path(self, key: str) -> Path | None:
        """The file that holds the object, where the present store is a folder."""
        return self._store.local_path(key)

    def _ask(self, work: Callable[[ReadableStore], T]) -> T:
        store = self._store
        try:
            return work(store)
        except (StoreDenied, StoreMissing, ObjectMissing):
            if not self._has_moved_from(store):
                raise
        return work(self._store)

    def _has_moved_from(self, store: ReadableStore) -> bool:
        if self._store is store and self._clock() - self._asked_s >= _PAUSE_S:
            try:
                self.follow()
            except DatomfsError as error:  # what the old place said is the better answer
                log.debug("the ref could not be read again: %s", error.what)
        return self._store is not store
