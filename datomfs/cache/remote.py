"""One payload of a store across a network: what is there of it, what is on its way, and whether it may be served.

All open handles of a payload share one of these, so each range is fetched once, however many read it. Readers wait for
ranges; the threads of `cache.fetch` bring them; `cache.prefetch` says which. How the bytes are proven is the business
of `cache.proving`: here stands only whether they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock

from datomfs.cache.blocks import Blocks, Bytes, Room
from datomfs.cache.extents import Extents, Range
from datomfs.cache.fetch import Delivery, Fetcher, Job, Urgency
from datomfs.cache.prefetch import Planner, split
from datomfs.cache.proof import OnProgress
from datomfs.cache.standing import Verified
from datomfs.cache.tally import Tally
from datomfs.errors import DatomfsError, ObjectChanged, StoreDenied, StoreUnreachable
from datomfs.store.base import ObjectInfo

log = logging.getLogger(__name__)

_GET = 8 << 20
_RENEWALS = 3
"""How often in one read the object may turn out to be another, before the reader gets an error."""
_PROGRESS = 64 << 10
"""How much of a range must have come for its reader to wait on: of a few bytes at a time nobody is served."""


class _Waiter:
    """Somebody who waits for a range: woken when something of it comes, or cannot come."""

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.event = Event()
        self.error: DatomfsError | None = None

    def wants(self, start: int, end: int) -> bool:
        return self.start < end and start < self.end


@dataclass(frozen=True, slots=True)
class _Delivery:
    """One job of a payload, and the room its bytes have on disk."""

    payload: RemotePayload
    job: Job
    etag: str
    room: Room

    def receive(self, start: int, piece: memoryview) -> None:
        """A piece has come."""
        if self.etag != self.payload.etag:
            return  # the object that was meant until now may never have been proven
        self.payload.blocks.write(start, piece, self.room)
        if self.etag != self.payload.etag:
            self.payload.blocks.forget()
        self.payload.arrived(start, start + len(piece))

    def finish(self, position: int, error: DatomfsError | None) -> None:
        """No more comes."""
        self.payload.blocks.release(self.room)
        self.payload.ended(self.job, position, error, self.etag)


class RemotePayload:
    """The bytes of one object, by range. Safe to use from several threads.

    What is public here is set by whoever proves it. As long as `is_open` is False nothing is given to readers;
    `open_gate` is called then, and either proves the bytes or raises. `may_stream` says that what comes by range needs
    no further proof; without it, whatever has to be fetched closes the gate. `is_attested` says that the store attests
    the recorded SHA-256 for the object it comes from.
    """

    def __init__(self, fetcher: Fetcher, info: ObjectInfo, where: str, blocks: Blocks, planner: Planner) -> None:
        self.info = info
        self.where = where
        self.blocks = blocks
        self.verified = Verified.PENDING
        self.failure: DatomfsError | None = None
        self.is_open = False
        self.may_stream = False
        self.is_attested = False
        self.open_gate: Callable[[OnProgress], None] = lambda on_progress: None
        self.prove: Callable[[OnProgress], None] = lambda on_progress: None
        """Brings and hashes all of it, whatever is known of it so far."""
        self.renew: Callable[[], bool] = lambda: False
        """Called when the store has another object than was meant: whether that is meant from now on.

        Its bytes are given when they are proven: at once, or by closing the gate.
        """
        self.on_complete: Callable[[], None] = lambda: None
        self.on_failure: Callable[[], None] = lambda: None
        self.on_unused: Callable[[], None] = lambda: None
        self.tally = Tally()
        self._fetcher = fetcher
        self._planner = planner
        self._lock = Lock()
        self._coming = Extents()
        self._jobs: list[Job] = []
        self._waiters: list[_Waiter] = []
        self._users = 0
        self._closed = False

    # -- for those who read ----------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.info.size

    @property
    def cached(self) -> int:
        """How many of them are on this machine's disk."""
        return self.blocks.stored_bytes

    def read_nowait(self, offset: int, length: int) -> Bytes | None:
        """Up to `length` bytes from `offset` where they are in memory, else None. Sees to it that they come."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        data = self.blocks.read_nowait(offset, end) if self.is_open else None
        if data is not None:
            self.tally.at_once += 1  # one thread alone reads without waiting, so this needs no lock
        else:
            # Looked at before anything is planned: what is asked for then may be here at once.
            self.tally.waited(is_here=not self.blocks.missing(offset, end))
        if not self.is_open:
            return None
        self._plan(offset, end, is_here=data is not None)
        return data if self.is_open else None  # what has come since the gate was closed is not proven

    def read(self, offset: int, length: int, on_progress: OnProgress) -> Bytes:
        """The same, once they are here. To be called after `read_nowait` had none.

        Raises IntegrityError where they are not the recorded ones, and the errors of the store; a denial that comes
        while a payload is open is StoreUnreachable: the reader was let in.
        """
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        renewals_left = _RENEWALS
        try:
            while True:
                try:
                    if not self.is_open:
                        self.open_gate(on_progress)
                        self._plan(offset, end)
                    data = self._wait_for(offset, end, on_progress, lambda: self.is_open)
                except ObjectChanged:
                    renewals_left -= 1
                    if renewals_left < 0 or not self.renew():
                        raise
                    continue
                if self.failure is not None:
                    raise self.failure
                if data is not None and self.is_open:
                    return data
                # Bytes that were proven have rotted, or lie elsewhere now, and what is to come has yet to be proven.
        except StoreDenied as error:
            raise StoreUnreachable(error.store, error.key, error.what) from error

    def acquire(self) -> bool:
        """One more handle uses it; False where the last one has gone, and its files with it."""
        with self._lock:
            self._users += not self._closed
            return not self._closed

    def close(self) -> None:
        """A handle uses it no more. After the last one nothing more is begun."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            for job in self._jobs.copy():
                if self._fetcher.withdraw(job):
                    self._end(job)
        self.on_unused()
        self._close_if_unused()

    # -- for those who prove ---------------------------------------------------------------------------------------

    def fetch(self, start: int, end: int, on_progress: OnProgress) -> Bytes:
        """A range, proven or not."""
        return self._wait_for(start, end, on_progress, lambda: True) or b""

    def bring(self, ranges: list[Range], urgency: Urgency) -> None:
        """Have ranges fetched, apart from what is there or on its way."""
        with self._lock:
            for each in ranges:
                self._claim(each, urgency, _GET)

    def put(self, start: int, data: bytes) -> None:
        """Keep bytes that somebody has fetched already."""
        for gap in self.blocks.missing(start, start + len(data)):
            room = self.blocks.reserve(gap.length)
            self.blocks.write(gap.start, memoryview(data)[gap.start - start : gap.end - start], room)
            self.blocks.release(room)

    def follow(self, planner: Planner) -> None:
        """Fetch along another grid from now on."""
        with self._lock:
            self._planner = planner

    def fail(self, error: DatomfsError) -> None:
        """Its bytes are not the recorded ones: nobody gets any more of them."""
        self.is_open = False
        self.failure = error
        self.on_failure()
        with self._lock:
            for waiter in self._waiters:
                waiter.event.set()

    # -- for those who fetch (`fetch.Receiver`) --------------------------------------------------------------------

    @property
    def etag(self) -> str:
        """Which object is meant."""
        return self.info.etag

    def begin(self, job: Job) -> Delivery:
        """A range is about to come."""
        # Among bytes that are believed when they are next opened nothing may lie that is not proven as it comes.
        etag = self.etag  # first: whoever means another object says before whether it is attested
        may_keep = self.is_attested or not self.blocks.is_believed
        return _Delivery(self, job, etag, self.blocks.reserve(job.end - job.start) if may_keep else Room(0))

    def arrived(self, start: int, end: int) -> None:
        """Something of a range has come."""
        with self._lock:
            for waiter in self._waiters:
                if waiter.wants(start, end):
                    waiter.event.set()

    def ended(self, job: Job, position: int, error: DatomfsError | None, etag: str | None = None) -> None:
        """A job is done; if there was an error, nothing came from `position` on. `etag` is what it was begun for."""
        with self._lock:
            # What became of an object that is meant no longer is nobody's concern. Looked at under the lock: whoever
            # waits for the one that is meant now takes his place in the row after that was decided.
            if etag not in (None, self.etag):
                error = None
            is_complete = error is None and self.blocks.is_on_disk
            self._users += is_complete  # until that is dealt with, the files stay open
            self._end(job)
            for waiter in self._waiters:
                if error is not None and waiter.wants(position, job.end):
                    waiter.error = error
                waiter.event.set()
        if is_complete:
            self.on_complete()
            self.close()
        self._close_if_unused()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _plan(self, offset: int, end: int, *, is_here: bool = False) -> None:
        if self.blocks.is_on_disk:
            return
        with self._lock:
            plan = self._planner.plan(offset, end)
            log.debug("%d-%d: needs %s, ahead %s", offset, end, plan.needed, plan.ahead)
            if not is_here or plan.needed[0] != (offset, end):
                for each in plan.needed:
                    self._claim(each, Urgency.DEMANDED, plan.get_size)
            for each in plan.ahead:
                self._claim(each, Urgency.AHEAD, plan.get_size)

    def _claim(self, wanted: Range, urgency: Urgency, get_size: int) -> None:
        """Have what is missing of a range fetched, and hurry what somebody waits for and nobody did before."""
        for gap in self.blocks.missing(*wanted):
            for part in [piece for each in self._coming.missing(*gap) for piece in split(each, get_size)]:
                if self.is_open and not self.may_stream:
                    self.is_open = False
                    return  # from where it comes, and whether that is right, is found out at the gate
                self._coming.add(*part)
                self._jobs.append(self._fetcher.submit(self.info.key, part.start, part.end, self, urgency))
            if urgency is Urgency.DEMANDED:
                for job in self._jobs:
                    if job.urgency is not urgency and job.start < gap.end and gap.start < job.end:
                        self._fetcher.hurry(job)

    def _wait_for(self, start: int, end: int, on_progress: OnProgress, may_go_on: Callable[[], bool]) -> Bytes | None:
        waiter, lacking = _Waiter(start, end), end - start
        with self._lock:
            self._waiters.append(waiter)
        try:
            while True:
                data = self.blocks.read_nowait(start, end) or self.blocks.read(start, end)
                if data is not None:
                    return data
                if self.failure is not None:
                    raise self.failure
                if waiter.error is not None:
                    raise waiter.error
                with self._lock:
                    self._claim(Range(start, end), Urgency.DEMANDED, _GET)
                    if not may_go_on():
                        return None
                    if not self.blocks.missing(start, end):
                        continue  # a damaged piece was dropped, and what it held is there once more: nothing will come
                waiter.event.wait()
                waiter.event.clear()
                left = sum(gap.length for gap in self.blocks.missing(start, end))
                if left > lacking or lacking - left >= min(_PROGRESS, lacking):
                    lacking = left
                    on_progress()
        finally:
            with self._lock:
                self._waiters.remove(waiter)

    def _end(self, job: Job) -> None:
        self._jobs.remove(job)
        self._coming.remove(job.start, job.end)

    def _close_if_unused(self) -> None:
        with self._lock:
            if self._users or self._jobs or self._closed:
                return
            self._closed = True
        self.blocks.close()
