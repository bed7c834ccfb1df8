"""Bringing ranges of objects from a store: several connections, the urgent first, again when one fails.

A job is a range that one payload wants; its bytes are handed over in pieces as they come. What fails for a passing
reason (no answer, an answer cut short or for another range, a fault of the server) is asked for again from where it
broke off, after a pause that grows and is never the same twice, until nothing has come for the deadline. What fails for
good (denied, gone, changed) fails at once. Jobs know nothing of files and proofs.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from enum import IntEnum
from threading import Condition, Event, Thread
from typing import Protocol

from datomfs.cache.block_file import PIECE
from datomfs.errors import DatomfsError, StoreUnreachable
from datomfs.store.base import ReadableStore

log = logging.getLogger(__name__)

CONNECTIONS = 16
_FIRST_PIECE = 256 << 10
"""Who waits for the beginning of a range need not wait for a whole piece."""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_IDLE_S = 10.0
_ATTEMPTS = 3
"""How often a piece is asked for within the deadline, when it comes byte by byte: another connection may be sound."""


class Urgency(IntEnum):
    """Who waits for a range: a reader, or nobody yet."""

    DEMANDED = 0
    AHEAD = 1


class Delivery(Protocol):
    """Takes the bytes of one job. Its methods are called from the thread that carries them."""

    def receive(self, start: int, piece: memoryview) -> None:
        """A piece has come; its memory is used again afterwards."""
        ...

    def finish(self, position: int, error: DatomfsError | None) -> None:
        """The job is done: all came, or all up to `position` and no more for the reason given."""
        ...


class Receiver(Protocol):
    """Whom jobs are for."""

    @property
    def etag(self) -> str:
        """Which bytes are meant: those of the object with this etag, or none."""
        ...

    def begin(self, job: Job) -> Delivery:
        """A job begins."""
        ...

    def ended(self, job: Job, position: int, error: DatomfsError | None) -> None:
        """A job is over, and `begin` was not called for it, or failed: nothing came from `position` on."""
        ...


@dataclass(order=True)
class Job:
    """A range to bring."""

    urgency: Urgency
    number: int
    key: str = field(compare=False)
    start: int = field(compare=False)
    end: int = field(compare=False)
    receiver: Receiver = field(compare=False)


class Fetcher:
    """The connections to one store, used from any thread. `deadline_s` is how long a job may get nowhere.

    `clock` tells seconds, `pause` waits for as many of them, or until `stop` is called.
    """

    def __init__(
        self,
        store: ReadableStore,
        *,
        deadline_s: float,
        connections: int = CONNECTIONS,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._store = store
        self._deadline_s = deadline_s
        self._connections = connections
        self._jobs: list[Job] = []
        self._numbers = itertools.count()
        self._changed = Condition()
        self._threads = 0
        self._idle = 0
        self._ending = Event()
        self._clock = clock
        self._pause = pause or self._ending.wait

    def submit(self, key: str, start: int, end: int, receiver: Receiver, urgency: Urgency) -> Job:
        """Bring a range, as soon as a connection is free."""
        job = Job(urgency, next(self._numbers), key, start, end, receiver)
        with self._changed:
            heapq.heappush(self._jobs, job)
            # An idle thread that was notified is idle until it has the lock: it takes one job, and no more.
            if len(self._jobs) <= self._idle:
                self._changed.notify()
            elif self._threads < self._connections:
                self._threads += 1
                # Threads of our own: those of a pool would be waited for when the process ends.
                Thread(target=self._work, name="datomfs-fetch", daemon=True).start()
        return job

    def hurry(self, job: Job) -> None:
        """Somebody waits for a job that nobody waited for."""
        with self._changed:
            if job.urgency is not Urgency.DEMANDED and job in self._jobs:
                job.urgency = Urgency.DEMANDED
                heapq.heapify(self._jobs)

    def withdraw(self, job: Job) -> bool:
        """Take back a job that has not begun; False where it has."""
        with self._changed:
            if job not in self._jobs:
                return False
            self._jobs.remove(job)
            heapq.heapify(self._jobs)
            return True

    def stop(self) -> None:
        """Begin nothing more, and give up what waits, to be begun or to be tried again: whoever wants it is told."""
        self._ending.set()
        with self._changed:
            self._changed.notify_all()

    def _work(self) -> None:
        buffer = bytearray(PIECE)
        while (job := self._next()) is not None:
            self._bring(job, buffer)

    def _next(self) -> Job | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._jobs or self._ending.is_set(), _IDLE_S)
            self._idle -= 1
            if self._jobs:
                return heapq.heappop(self._jobs)
            self._threads -= 1
            return None

    def _bring(self, job: Job, buffer: bytearray) -> None:
        if self._ending.is_set():
            job.receiver.ended(job, job.start, StoreUnreachable(self._store.url, job.key, "fetching has ended"))
            return
        try:
            delivery = job.receiver.begin(job)
        except Exception:
            job.receiver.ended(job, job.start, self._fault(job))
            return
        position, pause_s = job.start, _FIRST_PAUSE_S
        moved_s = self._clock()
        error: DatomfsError | None = None
        while position < job.end:
            before = position
            try:
                position = self._bring_some(job, position, buffer, delivery)
            except _Broken as broken:
                position, error = broken.position, broken.error
            except DatomfsError as final:
                error = final
                break
            except Exception:  # a fault of ours must not leave readers waiting for what nobody brings
                error = self._fault(job)
                break
            now = self._clock()
            if position > before:
                moved_s, pause_s = now, _FIRST_PAUSE_S
            if position < job.end:
                if now + pause_s - moved_s > self._deadline_s:
                    break
                log.debug("%s: %s; again in about %.1f s", job.key, error.what if error else "cut short", pause_s)
                self._pause(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - no secret: it spreads requests
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                if self._ending.is_set():
                    break
        delivery.finish(position, error if position < job.end else None)

    def _fault(self, job: Job) -> DatomfsError:
        log.exception("bringing %s from %s failed", job.key, self._store.url)
        return StoreUnreachable(self._store.url, job.key, "an unexpected fault, see the log")

    def _bring_some(self, job: Job, position: int, buffer: bytearray, delivery: Delivery) -> int:
        """Up to where the bytes came. Raises _Broken for what may go better the next time."""
        log.debug("%s: bytes %d to %d", job.key, position, job.end)
        try:
            with closing(
                self._store.open_range(job.key, position, job.end - position, if_match=job.receiver.etag)
            ) as body:
                size = _FIRST_PIECE
                while position < job.end:
                    target = memoryview(buffer)[: min(size, job.end - position)]
                    until_s = self._clock() + self._deadline_s / _ATTEMPTS
                    count = _fill(body.readinto, target, self._clock, until_s)
                    if not count:
                        raise StoreUnreachable(self._store.url, job.key, "the answer was cut short")
                    delivery.receive(position, memoryview(buffer)[:count])
                    position += count
                    if count < len(target) and self._clock() >= until_s:
                        raise StoreUnreachable(self._store.url, job.key, "the answer came too slowly")
                    size = PIECE
        except StoreUnreachable as error:
            raise _Broken(position, error) from error
        return position


class _Broken(Exception):
    """A request that broke off at `position`, for a reason that may pass; never leaves this module."""

    def __init__(self, position: int, error: DatomfsError) -> None:
        super().__init__()
        self.position = position
        self.error = error


def _fill(readinto: Callable[[memoryview], int], target: memoryview, clock: Callable[[], float], until_s: float) -> int:
    """Read until `target` is full, the answer ends or breaks off, or time is up, for a server that sends byte by byte.

    How many bytes came. Raises StoreUnreachable.
    """
    filled = 0
    while filled < len(target) and (not filled or clock() < until_s):
        try:
            count = readinto(target[filled:])
        except StoreUnreachable:
            if not filled:
                raise
            break  # what came is good, and the next call tells the reason again
        if not count:
            break
        filled += count
    return filled
