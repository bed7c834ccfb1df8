"""Sets in a running mount: read once, proven, kept, and read again by the clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from datomfs.cache.proving import Verify
from datomfs.catalog.documents import StoreDocuments
from datomfs.catalog.portfolio import Portfolio
from datomfs.catalog.sets import LARGEST_PAYLOAD
from datomfs.errors import DocumentInvalid, PayloadMismatch, RecordedMissing, StoreUnreachable
from datomfs.layout import history_key, set_payload_key
from datomfs.model.location import Location
from datomfs.mount.live_sets import LiveSets
from datomfs.mount.work import Work
from datomfs.store.base import ReadableStore
from datomfs.vfs.source import VersionView
from tests.cache.stores import make_reader
from tests.mount.bench import REFRESH_S, STALL_S, LiveStore
from tests.product import (
    DM_VERSION,
    PRODUCT,
    SET,
    SET_DATA_SHA,
    SET_PAYLOAD,
    SET_VERSION,
    put_product,
)

KEY = set_payload_key(SET, SET_DATA_SHA)


class Road(StoreDocuments):
    """Counts how often it was asked to be up to date."""

    def __init__(self, store: ReadableStore) -> None:
        super().__init__(store)
        self.refreshes = 0

    def refresh(self) -> None:
        self.refreshes += 1


class Shelf:
    """The example's product in a store that obeys the test, and the sets of a mount over it."""

    def __init__(self, sets: LiveSets, store: LiveStore, road: Road, clock: MockClock) -> None:
        self.sets = sets
        self.store = store
        self.road = road
        self.clock = clock


Test = Callable[[Shelf], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Test], None]:
    def run(test: Test, **options: Verify) -> None:
        store, clock = LiveStore(), MockClock()
        road = Road(store)
        put_product(store)
        reader = make_reader(tmp_path / "cache", **options)

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                portfolio = Portfolio(
                    {PRODUCT: Location("s3", "live")},
                    lambda name, location: store,
                    open_documents=lambda name, store: road,
                )
                sets = LiveSets(portfolio, reader, Work(nursery, stall_s=STALL_S), refresh_s=REFRESH_S)
                try:
                    await test(Shelf(sets, store, road, clock))
                finally:
                    reader.close()
                    nursery.cancel_scope.cancel()

        trio.run(main, clock=clock)

    return run


def test_the_versions_of_a_set_have_their_times_and_sizes(run: Callable[[Test], None]) -> None:
    async def test(shelf: Shelf) -> None:
        assert shelf.sets.known_view(PRODUCT, SET) is None
        view = await shelf.sets.view(PRODUCT, SET)
        assert (VersionView(SET_VERSION, 1795169100 * 10**9, len(SET_PAYLOAD)),) == view.versions
        assert (PRODUCT, SET) == (view.project, view.table)
        assert view is shelf.sets.known_view(PRODUCT, SET)

    run(test)


def test_what_a_version_holds_is_read_once(run: Callable[[Test], None]) -> None:
    async def test(shelf: Shelf) -> None:
        assert shelf.sets.known_content(PRODUCT, SET, SET_VERSION) is None
        for _ in range(3):
            content = await shelf.sets.content(PRODUCT, SET, SET_VERSION)
            assert [DM_VERSION] == [member.id.version for member in content.members]
            shelf.clock.jump(2 * REFRESH_S)
        assert content is shelf.sets.known_content(PRODUCT, SET, SET_VERSION)
        assert (1, 1) == (shelf.store.reads[KEY], shelf.store.reads[history_key(SET)])

    run(test)


def test_versions_are_read_again_by_the_clock_or_when_somebody_looks_for_a_new_one(run: Callable[[Test], None]) -> None:
    async def test(shelf: Shelf) -> None:
        for _ in range(3):
            await shelf.sets.view(PRODUCT, SET)
            await shelf.sets.view(PRODUCT, SET, fresh=True)
        assert 1 == shelf.store.reads[history_key(SET)]
        shelf.clock.jump(2)
        await shelf.sets.view(PRODUCT, SET)
        assert 1 == shelf.store.reads[history_key(SET)]
        assert 0 == shelf.road.refreshes
        await shelf.sets.view(PRODUCT, SET, fresh=True)
        assert (2, 1) == (shelf.store.reads[history_key(SET)], shelf.road.refreshes)
        shelf.clock.jump(REFRESH_S)
        await shelf.sets.view(PRODUCT, SET)
        assert 3 == shelf.store.reads[history_key(SET)]
        shelf.sets.expire()
        await shelf.sets.view(PRODUCT, SET)
        assert 4 == shelf.store.reads[history_key(SET)]

    run(test)


def put_other(store: LiveStore) -> None:
    """Replace the payload by another of the same size."""
    store.delete(KEY)
    store.put(KEY, SET_PAYLOAD.replace(b"safety", b"Safety"))


@pytest.mark.expected_warnings
@pytest.mark.parametrize("verify", [Verify.STRICT, Verify.DEFERRED])
def test_other_bytes_than_the_recorded_ones_are_never_believed(run: Callable[..., None], verify: Verify) -> None:
    async def test(shelf: Shelf) -> None:
        put_other(shelf.store)
        for _ in range(2):
            with pytest.raises(PayloadMismatch):
                await shelf.sets.content(PRODUCT, SET, SET_VERSION)
            with pytest.raises(PayloadMismatch):
                await shelf.sets.payload(PRODUCT, SET, SET_VERSION)
        assert shelf.sets.known_content(PRODUCT, SET, SET_VERSION) is None

    run(test, verify=verify)


@pytest.mark.expected_warnings
def test_bytes_are_given_proven_also_where_proof_is_deferred(run: Callable[..., None]) -> None:
    async def test(shelf: Shelf) -> None:
        put_other(shelf.store)
        with pytest.raises(PayloadMismatch):
            await shelf.sets.payload(PRODUCT, SET, SET_VERSION)

    run(test, verify=Verify.DEFERRED)


def test_a_set_without_a_recorded_hash_is_refused_and_not_even_read(run: Callable[[Test], None]) -> None:
    async def test(shelf: Shelf) -> None:
        put_product(shelf.store, document_sha=None)
        with pytest.raises(DocumentInvalid, match="no document_sha"):
            await shelf.sets.content(PRODUCT, SET, SET_VERSION)
        assert 0 == shelf.store.reads[KEY]

    run(test)


def test_a_lost_payload_is_said_to_be_recorded(run: Callable[[Test], None]) -> None:
    async def test(shelf: Shelf) -> None:
        shelf.store.delete(KEY)
        assert [None] == [version.size for version in (await shelf.sets.view(PRODUCT, SET)).versions]
        with pytest.raises(RecordedMissing):
            await shelf.sets.content(PRODUCT, SET, SET_VERSION)

    run(test)


def test_an_absurd_payload_is_not_read(run: Callable[[Test], None]) -> None:
    async def test(shelf: Shelf) -> None:
        put_product(shelf.store, b" " * (LARGEST_PAYLOAD + 1))
        with pytest.raises(DocumentInvalid, match="bytes"):
            await shelf.sets.content(PRODUCT, SET, SET_VERSION)
        assert 0 == shelf.store.reads[KEY]

    run(test)


@pytest.mark.expected_warnings
def test_while_a_store_is_away_what_was_known_is_served(run: Callable[[Test], None]) -> None:
    async def test(shelf: Shelf) -> None:
        view = await shelf.sets.view(PRODUCT, SET)
        content = await shelf.sets.content(PRODUCT, SET, SET_VERSION)
        shelf.store.fault = StoreUnreachable("memory:live", "key", "cable cut")
        shelf.clock.jump(REFRESH_S)
        assert view is await shelf.sets.view(PRODUCT, SET)
        assert content is await shelf.sets.content(PRODUCT, SET, SET_VERSION)

    run(test)
