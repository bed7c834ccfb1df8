"""Work that blocks: in threads, once for all who want it, and for nobody longer than it gets on.

Everything in a mount that waits for a disk or a network comes through here. All methods run in the trio thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

import trio

from datomfs.errors import StoreUnreachable
from datomfs.mount.single_flight import Progress, SingleFlight

T = TypeVar("T")

_THREADS = 32
_READERS = 64
"""Threads that wait for payload bytes: apart from the others, so that a store that gives none holds up no listing."""


class Work:
    """The threads of one mount. A request that gets nowhere for `stall_s` fails, and its work goes on behind it."""

    def __init__(self, nursery: trio.Nursery, *, stall_s: float) -> None:
        self.nursery = nursery
        self.stall_s = stall_s
        self.read_count = 0
        """How many views of documents were read so far (`mount.views`)."""
        self._flights = SingleFlight(nursery)
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._readers = trio.CapacityLimiter(_READERS)

    async def in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """What `work` gives, for documents and proofs."""
        return await trio.to_thread.run_sync(work, *arguments, limiter=self._limiter, abandon_on_cancel=True)

    async def in_reading_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """What `work` gives, for payload bytes."""
        return await trio.to_thread.run_sync(work, *arguments, limiter=self._readers, abandon_on_cancel=True)

    async def once(
        self,
        key: Hashable,
        work: Callable[[Progress], Awaitable[T]],
        what: str,
        *,
        stall_s: float | None = None,
        claim: Callable[[T], object] = lambda value: None,
        settle: Callable[[T], object] = lambda value: None,
    ) -> T:
        """The work's result, one run of a key at a time; `claim` and `settle` as in `SingleFlight.do`.

        Raises StoreUnreachable when it gets nowhere for so long; it goes on behind.
        """
        patience_s = self.stall_s if stall_s is None else stall_s
        try:
            return await self._flights.do(key, work, stall_s=patience_s, claim=claim, settle=settle)
        except trio.TooSlowError as error:
            raise StoreUnreachable("the store", what, f"no answer for {what} within {patience_s:.0f} s") from error
