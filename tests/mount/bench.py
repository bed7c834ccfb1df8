"""A live source to test: over one stored project, with a store that obeys the test and a clock that it moves."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from datomfs.cache.reader import PayloadReader
from datomfs.catalog.documents import Documents, StoreDocuments
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import DatomfsError
from datomfs.model.location import Location
from datomfs.mount.live_source import LiveSource
from datomfs.store.base import ObjectInfo, ReadableStore, Store
from datomfs.store.memory import MemoryStore
from tests.mounts import PROJECT, StoredProject

REFRESH_S = 60.0
STALL_S = 30.0


class LiveStore(MemoryStore):
    """Objects in memory that count how often they are read, may be away, or answer only when a test lets them.

    `on_get` is called with the key before an object is read, `on_listed` after objects were listed.
    """

    def __init__(self) -> None:
        super().__init__("live")
        self.reads: Counter[str] = Counter()
        self.on_get: Callable[[str], object] = lambda key: None
        self.on_listed: Callable[[], object] = lambda: None
        self.fault: DatomfsError | None = None
        self.answering = threading.Event()
        self.answering.set()

    def get(self, key: str) -> bytes:
        self.reads[key] += 1
        self.on_get(key)
        self.answering.wait(30)
        if self.fault is not None:
            raise self.fault
        return super().get(key)

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        found = super().list(prefix, recursive=recursive, after=after)
        self.on_listed()
        return found

    def get_range(self, key: str, start: int, length: int, *, if_match: str | None = None) -> bytes:
        self.reads[key] += 1
        self.answering.wait(30)
        return super().get_range(key, start, length, if_match=if_match)


class Bench:
    """A source over one stored project, with a clock that a test moves."""

    def __init__(self, source: LiveSource, project: StoredProject, store: LiveStore, clock: MockClock) -> None:
        self.source = source
        self.project = project
        self.store = store
        self.clock = clock

    async def collect(self, *questions: Callable[[], Awaitable[object]]) -> list[object]:
        """What several questions asked at the same time get: answers or errors, in no order."""
        answers: list[object] = []
        async with trio.open_nursery() as nursery:
            for question in questions:
                nursery.start_soon(ask, question, answers)
        return answers

    async def time_out(self, question: Callable[[], Awaitable[object]], after_s: float) -> object:
        """What a question gets when the clock moves on while the store does not answer."""
        answers: list[object] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, question, answers)
            await wait_all_tasks_blocked(0.01)
            self.clock.jump(after_s)
        return answers[0]


async def ask(question: Callable[[], Awaitable[object]], answers: list[object]) -> None:
    """Ask, and note the answer or the error."""
    try:
        answers.append(await question())
    except DatomfsError as error:
        answers.append(error)


class Runner:
    """Runs tests on a bench whose payloads come through `reader`."""

    def __init__(self, reader: PayloadReader) -> None:
        self._reader = reader

    def __call__(self, test: Callable[[Bench], Awaitable[None]], documents: Documents | None = None) -> None:
        """Run one test; the project's documents come from its store, unless others are given."""
        store = LiveStore()
        project = StoredProject(store)
        project.put("dm", b"one", b"two")
        locations = {PROJECT: Location("s3", "live"), "OTHER": Location("s3", "other")}

        def open_store(name: str, location: Location) -> Store:
            return store if name == PROJECT else MemoryStore("empty")

        def open_documents(name: str, opened: ReadableStore) -> Documents:
            return documents if documents is not None and name == PROJECT else StoreDocuments(opened)

        clock = MockClock()

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                portfolio = Portfolio(locations, open_store, open_documents=open_documents)
                source = LiveSource(portfolio, self._reader, nursery, refresh_s=REFRESH_S, stall_s=STALL_S)
                try:
                    await test(Bench(source, project, store, clock))
                finally:
                    source.close_all()
                    self._reader.close()
                    nursery.cancel_scope.cancel()

        try:
            trio.run(main, clock=clock)
        finally:
            store.answering.set()
