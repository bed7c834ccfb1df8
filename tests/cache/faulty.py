"""A store that fails as it is told to, a clock that goes as it is told to, and who receives what is fetched."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from datomfs.cache.block_file import PIECE
from datomfs.cache.fetch import Fetcher, Job, Urgency
from datomfs.errors import DatomfsError
from datomfs.store.base import RangeBody
from datomfs.store.memory import MemoryStore
from tests.cache.stores import KEY

BODY = os.urandom(3 * PIECE + 17)
DEADLINE_S = 30.0


@dataclass
class Clock:
    """A clock that goes on when somebody pauses. `pauses` are in seconds."""

    now_s: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now_s += seconds


@dataclass
class Body:
    """The bytes of a range, in steps; `step` may bend how many come, and may raise."""

    data: bytes
    step: Callable[[int], int]
    at: int = 0

    def readinto(self, buffer: memoryview) -> int:
        count = min(self.step(len(buffer)), len(buffer), len(self.data) - self.at)
        buffer[:count] = self.data[self.at : self.at + count]
        self.at += count
        return count

    def close(self) -> None:
        pass


class FaultyStore(MemoryStore):
    """A store whose answers fail as `faults` say, one for each request, and are good afterwards.

    A fault is an error to raise at once, or after how many bytes an answer breaks off.
    """

    def __init__(self) -> None:
        super().__init__("faulty")
        self.info = self.put(KEY, BODY)
        self.faults: list[DatomfsError | int] = []
        self.asked: list[tuple[int, int]] = []
        self.wait: Callable[[int], object] = lambda start: None
        self.step: Callable[[int], int] = lambda wanted: wanted

    def open_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> RangeBody:
        self.asked.append((start, length))
        self.wait(start)
        fault = self.faults.pop(0) if self.faults else length
        if isinstance(fault, DatomfsError):
            raise fault
        return Body(self.get_range(key, start, length, if_match=if_match)[:fault], self.step)


@dataclass
class Receiver:
    """Keeps what comes. `over` is set when everything expected has come or failed."""

    etag: str
    expected: int = 1
    pieces: list[tuple[int, bytes]] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)
    ends: list[tuple[int, DatomfsError | None]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    on_piece: Callable[[], object] = lambda: None

    def begin(self, job: Job) -> Receiver:
        self.begun.append(job.start)
        return self

    def receive(self, start: int, piece: memoryview) -> None:
        self.pieces.append((start, bytes(piece)))
        self.on_piece()

    def finish(self, position: int, error: DatomfsError | None) -> None:
        self.ends.append((position, error))
        if len(self.ends) >= self.expected:
            self.over.set()

    def ended(self, job: Job, position: int, error: DatomfsError | None) -> None:
        self.finish(position, error)

    @property
    def body(self) -> bytes:
        """What came, which must be without gaps."""
        at = self.pieces[0][0] if self.pieces else 0
        for start, piece in self.pieces:
            assert at == start
            at += len(piece)
        return b"".join(piece for _, piece in self.pieces)


def bring(fetcher: Fetcher, store: FaultyStore, start: int = 0, end: int = len(BODY)) -> Receiver:
    """Bring a range and wait for its end."""
    receiver = Receiver(store.info.etag)
    fetcher.submit(KEY, start, end, receiver, Urgency.DEMANDED)
    assert receiver.over.wait(30)
    return receiver
