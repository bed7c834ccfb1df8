"""A governed project's store, wherever the project lies at the moment.

A study that moves keeps its objects byte for byte (format.md §11), so whoever reads them need not know of the move:
what holds the old place (open payloads, catalogs) asks here and is answered from the new one. The ref is read again
when somebody wants to be sure (`follow`), and at once when the old place denies, or lacks, what it had.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TypeVar

from datomfs.errors import DatomfsError, ObjectChanged, ObjectMissing, RefForbidden, StoreDenied, StoreMissing
from datomfs.model.location import Location
from datomfs.store.base import ObjectInfo, RangeBody, ReadableStore

log = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE_S = 1.0
"""How long one reading of the ref serves all who find nothing at the old place: a lost object has many readers."""


class FollowingStore:
    """Implements `store.base.ReadableStore`.

    `locate` reads the ref; it is called the first time when this is made, and raises then what it raises, unless the
    `location` where the project was last is given. `ask_anew` has what `locate` reads be no older than now.

    An etag tells the object of one place: that of another, which nobody has proven, has another one, whatever the two
    stores call it.
    """

    def __init__(
        self,
        locate: Callable[[], Location],
        open_store: Callable[[Location], ReadableStore],
        *,
        ask_anew: Callable[[], None],
        location: Location | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._locate = locate
        self._open_store = open_store
        self._ask_anew = ask_anew
        self._clock = clock
        self._pause = pause
        self._lock = Lock()
        self._location = location or locate()
        self._missed_s = float("-inf")
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
            self._go(self._locate())

    def check(self) -> None:
        """Raise unless the present place can be read."""
        self._ask(lambda store: store.check())

    def head(self, key: str) -> ObjectInfo:
        """Size, etag and attestation of one object."""
        return self._ask(lambda store: _placed(store, store.head(key)), is_payload=True)

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._ask(lambda store: store.get(key))

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """The whole object and what the store says of these bytes."""

        def get(store: ReadableStore) -> tuple[bytes, ObjectInfo]:
            body, info = store.get_with_info(key)
            return body, _placed(store, info)

        return self._ask(get, is_payload=True)

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        """Part of an object. After a move the etag is another one: ObjectChanged."""
        return self._ask(
            lambda store: store.get_range(key, start, length, if_match=_etag_at(store, key, if_match)), is_payload=True
        )

    def open_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> RangeBody:
        """The same as a stream."""
        return self._ask(
            lambda store: store.open_range(key, start, length, if_match=_etag_at(store, key, if_match)), is_payload=True
        )

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        """Objects by prefix. A move is followed before the first; one that comes later ends the listing in an error."""

        def begin(store: ReadableStore) -> tuple[ReadableStore, ObjectInfo | None, Iterator[ObjectInfo]]:
            objects = iter(store.list(prefix, recursive=recursive, after=after))
            return store, next(objects, None), objects

        store, first, others = self._ask(begin)
        if first is not None:
            yield _placed(store, first)
            for info in others:
                yield _placed(store, info)

    def local_path(self, key: str) -> Path | None:
        """The file that holds the object, where the present store is a folder."""
        return self._store.local_path(key)

    def _ask(self, work: Callable[[ReadableStore], T], *, is_payload: bool = False) -> T:
        store = self._store
        try:
            return work(store)
        except ObjectMissing:
            # Documents may well be missing, and are asked for again by the clock. A payload that a listing showed is
            # not missing for nothing: who reads it waits for an answer that is newer than the gap.
            if not self._has_moved_from(store, may_wait=is_payload):
                raise
        except (StoreDenied, StoreMissing):
            if not self._has_moved_from(store, may_wait=True):
                raise
        return work(self._store)

    def _has_moved_from(self, store: ReadableStore, *, may_wait: bool) -> bool:
        asked_s = self._clock()
        with self._lock:
            left_s = self._missed_s + _PAUSE_S - self._clock()
            if self._store is store and self._missed_s < asked_s and (may_wait or left_s <= 0):
                if left_s > 0:
                    self._pause(left_s)
                self._missed_s = self._clock()
                try:
                    self._ask_anew()
                    self._go(self._locate())
                except RefForbidden:
                    raise
                except DatomfsError as error:  # what the old place said is the better answer
                    log.debug("the ref could not be read again: %s", error.what)
            return self._store is not store

    def _go(self, location: Location) -> None:
        if location != self._location:
            store = self._open_store(location)
            log.info("%s has moved to %s", self._location.url, location.url)
            self._store, self._location = store, location


def _placed(store: ReadableStore, info: ObjectInfo) -> ObjectInfo:
    return replace(info, etag=f"{info.etag} {store.url}")


def _etag_at(store: ReadableStore, key: str, etag: str | None) -> str | None:
    """The etag as the store knows it. Raises ObjectChanged for one of another place."""
    if etag is None:
        return None
    own = etag.removesuffix(f" {store.url}")
    if own == etag:
        raise ObjectChanged(store.url, key)
    return own
