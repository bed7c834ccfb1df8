"""What was read of documents, by key, each with its age: read again by the clock, and kept while stores are away."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio
from cachetools import Cache, LRUCache

from datomfs.errors import AccessError, RefForbidden
from datomfs.mount.single_flight import Progress
from datomfs.mount.work import Work

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_RETRY_S = 5.0
"""How long a store that did not answer is left alone, while older views serve."""
_FIRST_PATIENCE_S = 3.0
"""How long the first request waits for a store, when an earlier mount has kept what there was."""
_PATIENCE_S = 1.0
"""How long a request waits for a store that did not answer the last time, when there is an older view to serve."""


@dataclass(slots=True)
class Aged(Generic[T]):
    """A value, when reading it began and ended, and until when it is believed: seconds of trio's clock.

    `away` says that it should have been read again since, and the store did not answer.
    """

    value: T
    began_s: float
    read_s: float
    until_s: float
    away: bool = False


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """A value that an earlier mount read, and when: nanoseconds since 1970."""

    value: T
    checked_ns: int


def _as_aged(kept: Kept[T]) -> Aged[T]:
    read_s = trio.current_time() - max(0, time.time_ns() - kept.checked_ns) / 1e9
    return Aged(kept.value, read_s, read_s, 0.0)


class Views(Generic[K, T]):
    """Values of one kind, those looked at longest ago going first. All methods run in trio's thread.

    There are as many as weigh `limit` together, each 1 unless `weight` says otherwise; the one looked at last always
    stays, whatever its weight. `on_change` is told of a key, what was known and what was read, where the two differ.
    """

    def __init__(
        self,
        work: Work,
        *,
        refresh_s: float,
        limit: int,
        weight: Callable[[T], int] = lambda value: 1,
        on_change: Callable[[K, T, T], object] = lambda key, before, after: None,
    ) -> None:
        self._work = work
        self._on_change = on_change
        self._refresh_s = refresh_s
        self._views: LRUCache[K, Aged[T]] = LRUCache(limit, lambda aged: min(limit, weight(aged.value)))

    def find(self, key: K) -> Aged[T] | None:
        """What was last read of a key, however old, or None."""
        return self._views.get(key)

    def known(self, key: K) -> T | None:
        """The value alone."""
        known = self._views.get(key)
        return known.value if known else None

    @property
    def keys(self) -> Sequence[K]:
        """Of what something is known."""
        return tuple(self._views)

    def all(self) -> Mapping[K, Aged[T]]:
        """All that is known, whatever its age; to look at them makes none of them one looked at lately."""
        return {key: Cache.__getitem__(self._views, key) for key in self._views}

    def expire(self, key: K) -> None:
        """Have a key read again the next time; until then, and while its store is away, what is known serves."""
        known = self._views.get(key)
        if known is not None:
            known.until_s = 0.0

    def expire_all(self) -> None:
        """The same for all."""
        for known in self._views.values():
            known.until_s = 0.0

    async def get(
        self,
        key: K,
        read: Callable[[], Awaitable[T]],
        what: str,
        *,
        recall: Callable[[], Awaitable[Kept[T] | None]] | None = None,
    ) -> T:
        """The value of a key, read when it is not known or its time is over; the old one serves while that fails.

        `recall` gives one that an earlier mount read. Raises what `read` raises where there is no old one, and whatever
        is no AccessError.
        """
        known, patience_s = self._views.get(key), self._work.stall_s
        if known is not None and trio.current_time() < known.until_s:
            return known.value
        if known is None and recall is not None:
            kept = await recall()
            known = self._views.get(key)  # somebody else may have read it meanwhile
            if known is not None and trio.current_time() < known.until_s:
                return known.value
            if known is None and kept is not None:
                known, patience_s = _as_aged(kept), _FIRST_PATIENCE_S

        # Kept by the run itself: when it takes longer than anybody waits, a retry finds what it brought.
        async def read_and_keep(_: Progress) -> T:
            began_s = trio.current_time()
            value = await read()
            now = trio.current_time()
            self._work.read_count += 1
            before = self._views.get(key)
            self._views[key] = Aged(value, began_s, now, now + self._refresh_s)
            if before is not None and before.value != value:
                self._on_change(key, before.value, value)
            return value

        if known is not None and known.away:
            patience_s = _PATIENCE_S
        stall_s = min(patience_s, self._work.stall_s)
        try:
            return await self._work.once((id(self), key), read_and_keep, what, stall_s=stall_s)
        except RefForbidden:
            raise  # nothing is away: somebody points to where nobody is to be led
        except AccessError as error:
            if known is None:
                raise
            known = self._views.setdefault(key, known)
            now = trio.current_time()
            known.until_s = now + min(self._refresh_s, _RETRY_S)
            if not known.away:
                known.away = True
                log.warning("%s is served as it was %.0f s ago: %s", what, now - known.read_s, error.what)
            return known.value
