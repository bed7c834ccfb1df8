"""Payloads of a study that moves while they are read: the same bytes, proven where they lie now, or an error."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from datomfs.cache.proof import Recorded
from datomfs.cache.proving import Verify
from datomfs.cache.reader import PayloadReader
from datomfs.cache.standing import Verified
from datomfs.catalog.following import FollowingStore
from datomfs.errors import DatomfsError, ObjectChanged, PayloadMismatch, RecordedMissing
from datomfs.model.location import Location
from datomfs.store.base import ObjectInfo, Store
from datomfs.store.local import LocalStore
from tests.cache.stores import (
    KEY,
    RemoteStore,
    attest,
    nothing,
    open_now,
    put,
    read_parts,
    recorded,
    settle,
    sha256,
)

MIB = 1 << 20
BODY = os.urandom(5 * MIB + 3)
OTHER = BODY[: 4 * MIB] + os.urandom(MIB + 3)
BY_DATA_SHA = Recorded(None, sha256(BODY))
UNRECORDED = Recorded(None, sha256(b"the values"))

Upload = Callable[[Store, bytes], ObjectInfo]
uploads = pytest.mark.parametrize("upload", [attest, put])
verifies = pytest.mark.parametrize("verify", list(Verify))
disks = pytest.mark.parametrize("disk", [1 << 30, 0], ids=["disk", "no disk"])
MakeReaders = Callable[..., PayloadReader]


class World:
    """A study in one of three places: two buckets and a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.stores: dict[str, Store] = {"old": Bucket("old"), "new": Bucket("new")}
        self.stores[str(folder)] = LocalStore(Location("local", str(folder)))
        self.folder = str(folder)
        self.place = "old"
        self.store = FollowingStore(
            lambda: Location("s3", self.place),
            lambda location: self.stores[location.root],
            ask_anew=lambda: None,
            pause=lambda seconds: None,
        )

    def begin(self, place: str, upload: Upload, body: bytes = BODY) -> ObjectInfo:
        """The study lies there, in an object as a listing shows it."""
        upload(self.stores[place], body)
        self.place = place
        self.store.follow()
        (info,) = self.store.list()
        return info

    def move(self, place: str, upload: Upload, body: bytes = BODY) -> None:
        """Its object is copied, its ref switched, the old place emptied; nobody is told."""
        before, self.place = self.place, place
        upload(self.stores[place], body)
        self.stores[before].delete(KEY)


class Bucket(RemoteStore):
    """One of several."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "folder")


@pytest.mark.parametrize("record", [recorded(BODY), BY_DATA_SHA], ids=["sha", "data_sha"])
@pytest.mark.parametrize("to", [attest, put])
@disks
def test_what_is_open_is_read_on_from_the_new_place_attested_or_not(
    make_readers: MakeReaders, world: World, to: Upload, record: Recorded, disk: int
) -> None:
    reader = make_readers(quota=disk)
    with closing(open_now(reader, world.store, world.begin("old", attest), record)) as payload:
        assert BODY[:9] == payload.read(0, 9, nothing)
        world.move("new", to)
        assert BODY[4 * MIB : 4 * MIB + 9] == payload.read(4 * MIB, 9, nothing)
        assert BODY == read_parts(payload)
        settle(reader)
        assert payload.verified in (Verified.FULL, *([Verified.ATTESTED] if not disk else []))


@verifies
@uploads
def test_from_a_bucket_to_a_folder_and_back_and_on(
    make_readers: MakeReaders, world: World, upload: Upload, verify: Verify
) -> None:
    reader = make_readers(verify=verify, quota=0)
    info = world.begin("old", upload)
    with closing(open_now(reader, world.store, info, recorded(BODY))) as payload:
        for number, place in enumerate([world.folder, "new", "old", world.folder]):
            assert BODY[number * MIB : number * MIB + 9] == payload.read(number * MIB, 9, nothing)
            world.move(place, put if place == world.folder else upload)
        assert BODY == read_parts(payload)


def test_from_a_folder_the_open_file_is_read_on_though_it_is_removed(make_readers: MakeReaders, world: World) -> None:
    info = world.begin(world.folder, put)
    with closing(open_now(make_readers(), world.store, info, recorded(BODY))) as payload:
        assert BODY[:9] == payload.read(0, 9, nothing)
        world.move("new", attest)
        assert BODY == read_parts(payload)


@uploads
@verifies
@pytest.mark.parametrize(("start", "end"), [("old", "new"), ("old", "folder"), ("folder", "new")])
@pytest.mark.parametrize("size", [1000, len(BODY)])
def test_what_was_listed_at_the_old_place_opens_at_the_new(
    make_readers: MakeReaders, world: World, upload: Upload, verify: Verify, start: str, end: str, size: int
) -> None:
    body = BODY[:size]
    places = {"old": "old", "new": "new", "folder": world.folder}
    info = world.begin(places[start], put if start == "folder" else upload, body)
    world.move(places[end], put if end == "folder" else upload, body)
    with closing(open_now(make_readers(verify=verify), world.store, info, recorded(body))) as payload:
        assert body == read_parts(payload)


def test_a_payload_that_is_being_hashed_when_it_moves_opens_at_the_new_place(
    make_readers: MakeReaders, world: World
) -> None:
    info = world.begin("old", put)
    old = world.stores["old"]
    assert isinstance(old, Bucket)
    moved = threading.Event()

    def move(start: int) -> None:
        if start >= MIB and not moved.is_set():
            moved.set()
            world.move("new", put)

    old.ask = move
    with closing(open_now(make_readers(), world.store, info, recorded(BODY))) as payload:
        assert moved.is_set()
        assert BODY == read_parts(payload)


@verifies
@disks
@uploads
def test_many_readers_of_what_moves_under_them_get_its_bytes(
    make_readers: MakeReaders, world: World, upload: Upload, verify: Verify, disk: int
) -> None:
    reader = make_readers(verify=verify, quota=disk)
    payload = open_now(reader, world.store, world.begin("old", attest), recorded(BODY))
    begun = threading.Barrier(9)

    def read(number: int) -> bool:
        begun.wait(30)
        at = range(number * 100_000, len(BODY), 700_000)
        return all(BODY[start : start + 90_000] == payload.read(start, 90_000, nothing) for start in at)

    with closing(payload), ThreadPoolExecutor(8) as pool:
        readings = [pool.submit(read, number) for number in range(8)]
        begun.wait(30)
        world.move("new", upload)
        assert [True] * 8 == [reading.result() for reading in readings]
        assert BODY == read_parts(payload)


# -- what must not be served ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [recorded(BODY), BY_DATA_SHA], ids=["sha", "data_sha"])
@uploads
@verifies
@disks
def test_other_bytes_at_the_new_place_are_never_served(
    make_readers: MakeReaders, world: World, upload: Upload, record: Recorded, verify: Verify, disk: int
) -> None:
    reader = make_readers(quota=disk, verify=verify)
    with closing(open_now(reader, world.store, world.begin("old", attest), record)) as payload:
        assert BODY[:9] == payload.read(0, 9, nothing)
        world.move("new", upload, OTHER)
        for start in range(0, len(BODY), MIB):
            try:
                assert BODY[start : start + MIB] == payload.read(start, MIB, nothing)
            except (PayloadMismatch, ObjectChanged):
                continue
        with pytest.raises((PayloadMismatch, ObjectChanged)):
            payload.read(4 * MIB, MIB, nothing)


def test_not_a_byte_is_served_of_what_is_not_hashed_yet(make_readers: MakeReaders, world: World) -> None:
    new = world.stores["new"]
    assert isinstance(new, Bucket)
    with closing(open_now(make_readers(), world.store, world.begin("old", attest), recorded(BODY))) as payload:
        assert BODY[:9] == payload.read(0, 9, nothing)
        world.move("new", put)
        last, served = threading.Event(), threading.Event()

        def hold(start: int, data: bytes) -> bytes:
            last.wait(30)  # whatever of it the old place may have given already
            return data

        new.answer = hold
        answers: list[bytes] = []

        def read() -> None:
            answers.append(bytes(payload.read(3 * MIB, 9, nothing)))
            served.set()

        reading = threading.Thread(target=read)
        reading.start()
        while not any(start < 3 * MIB + 9 <= start + length for start, length in new.ranges):
            assert not served.wait(0.01)
        assert payload.read_nowait(3 * MIB, 9) is None
        assert not served.is_set()
        last.set()
        reading.join(30)
        assert [BODY[3 * MIB : 3 * MIB + 9]] == answers


@uploads
def test_what_nothing_proves_is_not_mixed_from_two_places_and_opens_anew(
    make_readers: MakeReaders, world: World, upload: Upload
) -> None:
    reader = make_readers(quota=0, memory=2 * MIB)
    info = world.begin("old", put)
    with closing(open_now(reader, world.store, info, UNRECORDED)) as payload:
        assert Verified.UNRECORDED is payload.verified
        world.move("new", upload, BODY)
        with pytest.raises(DatomfsError):
            read_parts(payload)
    with closing(open_now(reader, world.store, info, UNRECORDED)) as payload:
        assert BODY == read_parts(payload)


def test_a_file_that_is_gone_and_lies_nowhere_else_is_recorded_but_missing(
    make_readers: MakeReaders, world: World
) -> None:
    info = world.begin(world.folder, put)
    world.stores[world.folder].delete(KEY)
    with pytest.raises(RecordedMissing):
        open_now(make_readers(), world.store, info, recorded(BODY))


def test_who_waits_for_another_readers_proof_gets_on_as_that_does(
    make_readers: MakeReaders, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datomfs.cache.proving._LOOK_S", 0.01)
    new = world.stores["new"]
    assert isinstance(new, Bucket)
    reader = make_readers(quota=0, memory=2 * MIB)
    with closing(open_now(reader, world.store, world.begin("old", attest), recorded(BODY))) as payload:
        assert BODY[:9] == payload.read(0, 9, nothing)
        world.move("new", put)
        early, late, hashing, getting_on = (threading.Event() for _ in range(4))

        def hold(start: int) -> None:
            hashing.set()
            (early if start < 3 * MIB else late).wait(30)

        new.ask = hold
        with ThreadPoolExecutor(2) as pool:
            proving = pool.submit(payload.read, 4 * MIB, 9, nothing)
            assert hashing.wait(30)
            waiting = pool.submit(payload.read, 2 * MIB, 9, getting_on.set)
            early.set()
            got_on = getting_on.wait(30)
            late.set()
            assert got_on
            assert BODY[4 * MIB : 4 * MIB + 9] == proving.result()
            assert BODY[2 * MIB : 2 * MIB + 9] == waiting.result()
