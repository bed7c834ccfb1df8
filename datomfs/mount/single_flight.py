"""One run of a piece of work, however many ask for it at once.

The work belongs to the mount's nursery, not to whoever asked first: a request that reaches its deadline goes away and
the work goes on behind it, so that a retry finds it done or under way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar, cast

import trio

V = TypeVar("V")


class _Flight(Generic[V]):
    """A run under way; once `done`, it holds a value or an error."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.value: V | None = None
        self.error: Exception | None = None


class SingleFlight:
    """Work by key. All methods run in the trio thread; between two awaits nothing else does."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._flights: dict[Hashable, _Flight[Any]] = {}

    async def do(self, key: Hashable, work: Callable[[], Awaitable[V]]) -> V:
        """The result of `work`, or of the run of the same key that is under way; its exception is raised for all."""
        flight: _Flight[V] | None = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            self._nursery.start_soon(self._run, key, flight, work)
        await flight.done.wait()
        if flight.error is not None:
            raise flight.error
        return cast("V", flight.value)

    async def _run(self, key: Hashable, flight: _Flight[V], work: Callable[[], Awaitable[V]]) -> None:
        try:
            flight.value = await work()
        except Exception as error:
            flight.error = error
        # Before the waiters wake: whoever asks from now on starts anew. A cancelled run wakes nobody: its waiters live
        # in the same mount and are cancelled with it.
        del self._flights[key]
        flight.done.set()
