"""A store that follows its project: asked where it lies when it must be, answered from there, proven anew there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from datomfs.catalog.following import FollowingStore
from datomfs.errors import (
    DatomfsError,
    DocumentInvalid,
    ObjectChanged,
    ObjectMissing,
    RefForbidden,
    StoreDenied,
    StoreMissing,
    StoreUnreachable,
)
from datomfs.model.location import Location
from datomfs.store.base import ObjectInfo, ReadableStore
from datomfs.store.memory import MemoryStore

OLD, NEW = Location("s3", "old"), Location("s3", "new", "p", "eu-central-1")
KEY = "dm/aa.parquet"


class Place(MemoryStore):
    """A store that may refuse everything."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.fault: DatomfsError | None = None

    def check(self) -> None:
        self._refuse()

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        self._refuse()
        return super().get_with_info(key)

    def list(self, prefix: str = "", *, recursive: bool = True, after: str = "") -> Iterator[ObjectInfo]:
        self._refuse()
        return super().list(prefix, recursive=recursive, after=after)

    def _refuse(self) -> None:
        if self.fault is not None:
            raise self.fault


class World:
    """Two places, a ref that is seen only after governance was asked anew, and a clock."""

    def __init__(self) -> None:
        self.stores = {OLD: Place("old"), NEW: Place("new")}
        self.ref: Location | DatomfsError = OLD
        self.seen: Location | DatomfsError = OLD
        self.asked = 0
        self.now_s = 100.0
        self.paused: list[float] = []
        self.on_ask: Callable[[], object] = lambda: None
        self.store = FollowingStore(
            self.locate, self.stores.__getitem__, ask_anew=self.ask_anew, clock=lambda: self.now_s, pause=self.pause
        )

    def locate(self) -> Location:
        if isinstance(self.seen, DatomfsError):
            raise self.seen
        return self.seen

    def ask_anew(self) -> None:
        self.asked += 1
        self.seen = self.ref
        self.on_ask()

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now_s += seconds

    def move(self, key: str = KEY) -> None:
        """All is copied, the ref switched, the old place emptied."""
        body = self.stores[OLD].get(key)
        self.stores[NEW].put(key, body)
        self.ref = NEW
        self.stores[OLD].delete(key)


@pytest.fixture
def world() -> World:
    world = World()
    world.stores[OLD].put(KEY, b"the bytes")
    return world


def read_by_stream(store: ReadableStore) -> object:
    with closing(store.open_range(KEY, 0, 9)) as body:
        buffer = bytearray(9)
        return bytes(buffer[: body.readinto(memoryview(buffer))])


READS: dict[str, tuple[Callable[[ReadableStore], object], object]] = {
    "get": (lambda store: store.get(KEY), b"the bytes"),
    "get_with_info": (lambda store: store.get_with_info(KEY)[0], b"the bytes"),
    "get_range": (lambda store: store.get_range(KEY, 4, 5), b"bytes"),
    "open_range": (read_by_stream, b"the bytes"),
    "head": (lambda store: store.head(KEY).size, 9),
}
reads = pytest.mark.parametrize(("read", "expected"), READS.values(), ids=READS)


@reads
def test_a_read_that_finds_nothing_at_the_old_place_is_answered_from_the_new(
    world: World, read: Callable[[ReadableStore], object], expected: object
) -> None:
    assert expected == read(world.store)
    world.move()
    assert expected == read(world.store)
    assert (NEW, "memory:new", 1) == (world.store.location, world.store.url, world.asked)


@pytest.mark.parametrize("fault", [StoreDenied("s", "k", "403"), StoreMissing("s", "k")])
@reads
def test_so_is_one_that_the_old_place_denies_or_whose_bucket_is_gone(
    world: World, read: Callable[[ReadableStore], object], expected: object, fault: DatomfsError
) -> None:
    world.move()
    world.stores[OLD].fault = fault
    assert expected == read(world.store)
    world.store.check()
    assert [KEY] == [info.key for info in world.store.list("dm/")]


def test_a_listing_and_a_check_follow_as_well(world: World) -> None:
    world.move()
    world.stores[OLD].fault = StoreMissing("s", "k")
    assert [KEY] == [info.key for info in world.store.list("dm/")]
    world.stores[OLD].fault = None
    assert [KEY] == [info.key for info in world.store.list("dm/")]


def test_a_store_that_does_not_answer_has_not_moved(world: World) -> None:
    world.move()
    world.stores[OLD].fault = StoreUnreachable("s", "k", "cable cut")
    with pytest.raises(StoreUnreachable):
        world.store.get(KEY)
    assert (0, OLD) == (world.asked, world.store.location)


def test_to_follow_is_to_be_where_the_ref_says_and_asks_nobody(world: World) -> None:
    world.move()
    world.store.follow()
    assert (OLD, 0) == (world.store.location, world.asked)
    world.seen = NEW
    world.store.follow()
    assert (NEW, 0) == (world.store.location, world.asked)
    assert b"the bytes" == world.store.get(KEY)


def test_a_ref_that_cannot_be_read_leaves_it_where_it_was(world: World) -> None:
    world.seen = DocumentInvalid("ref.json", "broken")
    with pytest.raises(DocumentInvalid):
        world.store.follow()
    assert b"the bytes" == world.store.get(KEY)
    world.ref = world.seen
    world.stores[OLD].delete(KEY)
    with pytest.raises(ObjectMissing):
        world.store.get(KEY)


def test_a_ref_to_where_nobody_may_be_led_is_said_as_such(world: World) -> None:
    world.move()
    world.ref = RefForbidden("STUDY_001", "/etc", "ref.json")
    with pytest.raises(RefForbidden):
        world.store.get(KEY)
    assert OLD == world.store.location


def test_a_new_place_that_cannot_be_opened_leaves_it_where_it_was(world: World) -> None:
    world.move()
    del world.stores[NEW]
    world.seen = world.ref = DocumentInvalid("ref.json", "broken")
    with pytest.raises(ObjectMissing):
        world.store.get(KEY)
    assert OLD == world.store.location


# -- how often -----------------------------------------------------------------------------------------------------


def test_lost_documents_have_the_ref_read_once_a_second_at_most(world: World) -> None:
    for _ in range(10):
        with pytest.raises(ObjectMissing):
            world.store.get("dm/.metadata/bb.json")
        world.now_s += 0.25
    assert (3, []) == (world.asked, world.paused)


def test_a_payload_that_is_gone_is_asked_for_after_the_gap_was_seen(world: World) -> None:
    with pytest.raises(ObjectMissing):
        world.store.head("dm/bb.parquet")
    world.now_s += 0.25
    world.move()
    assert 9 == world.store.head(KEY).size
    assert (2, [0.75]) == (world.asked, world.paused)


def test_many_who_find_nothing_at_once_ask_once(world: World) -> None:
    world.stores[OLD].delete(KEY)
    everybody = threading.Barrier(8)

    def read() -> type[DatomfsError]:
        everybody.wait(30)
        with pytest.raises(ObjectMissing):
            world.store.head(KEY)
        return ObjectMissing

    world.on_ask = lambda: setattr(world, "now_s", world.now_s + 0.001)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: read(), range(8)))
    assert world.asked <= 8


# -- whose object --------------------------------------------------------------------------------------------------


def test_an_etag_is_that_of_one_place_whatever_the_stores_call_it(world: World) -> None:
    info = world.store.head(KEY)
    assert b"the" == world.store.get_range(KEY, 0, 3, if_match=info.etag)
    world.move()
    assert world.stores[NEW].head(KEY).etag == "1"  # as it was at the old place
    for read in (world.store.get_range, world.store.open_range):
        with pytest.raises(ObjectChanged):
            read(KEY, 0, 3, if_match=info.etag)
    again = world.store.head(KEY)
    assert again.etag != info.etag
    assert b"the" == world.store.get_range(KEY, 0, 3, if_match=again.etag)


def test_listings_reads_and_heads_give_the_same_etag(world: World) -> None:
    (listed,) = world.store.list()
    assert {listed.etag} == {world.store.head(KEY).etag, world.store.get_with_info(KEY)[1].etag}


def test_where_the_last_place_is_known_nobody_is_asked_until_something_is_missing() -> None:
    world = World()
    world.stores[OLD].put(KEY, b"bytes")
    asked: list[Location] = []

    def locate() -> Location:
        asked.append(world.locate())
        return asked[-1]

    store = FollowingStore(
        locate, world.stores.__getitem__, ask_anew=world.ask_anew, location=OLD,
        clock=lambda: world.now_s, pause=world.pause,
    )  # fmt: skip
    assert (b"bytes", []) == (store.get_range(KEY, 0, 5), asked)
    world.move()
    assert (b"bytes", True) == (store.get_range(KEY, 0, 5), NEW in asked)
