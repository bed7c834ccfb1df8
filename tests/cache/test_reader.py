"""Open payloads: proven, read in place or from a copy, and never any other bytes."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from datomfs.cache.block_file import MAP_SUFFIX
from datomfs.cache.proof import Recorded
from datomfs.cache.reader import Payload, PayloadReader
from datomfs.cache.standing import Verified
from datomfs.errors import (
    PayloadMismatch,
    RecordedMissing,
    SourceChanged,
    StoreDenied,
    StoreUnreachable,
)
from datomfs.model.location import Location
from datomfs.store.base import ObjectInfo, Store
from datomfs.store.local import LocalStore
from tests.cache.stores import KEY, RemoteStore, make_reader, nothing, put, recorded, sha256

BODY = bytes(range(256)) * 1000
LONG_AGO_NS = 10**18


@pytest.fixture
def folder_store(tmp_path: Path) -> LocalStore:
    (tmp_path / "store").mkdir()
    return LocalStore(Location("local", str(tmp_path / "store")))


@pytest.fixture
def remote_store() -> RemoteStore:
    return RemoteStore()


@pytest.fixture(params=["folder", "remote"])
def store(request: pytest.FixtureRequest, folder_store: LocalStore, remote_store: RemoteStore) -> Store:
    """A store whose payloads are read in place, and one whose are fetched."""
    return folder_store if request.param == "folder" else remote_store


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def no_descriptor_left() -> Iterator[None]:
    """Every test gives back what it opened, also when opening failed."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert set() == set(os.listdir("/proc/self/fd")) - before


@pytest.fixture
def new_reader(no_descriptor_left: None, cache: Path) -> Iterator[Callable[..., PayloadReader]]:
    """Makes readers over the cache, each as a daemon of its own would have it."""
    readers: list[PayloadReader] = []

    def make(path: Path = cache, **options: Any) -> PayloadReader:
        readers.append(make_reader(path, **options))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


@pytest.fixture
def reader(new_reader: Callable[..., PayloadReader]) -> PayloadReader:
    return new_reader()


def read_all(payload: Payload) -> bytes:
    """All bytes of a payload, which is closed."""
    try:
        return payload.read(0, payload.size + 1, nothing)
    finally:
        payload.close()


def open_and_read(reader: PayloadReader, store: Store, info: ObjectInfo, record: Recorded) -> bytes:
    """All bytes of an object."""
    return read_all(reader.open(store, info, record, nothing))


def copies(cache: Path) -> list[str]:
    """The objects of a cache, by path, without their maps."""
    found = [path for folder in ("objects", "partial") for path in (cache / folder).rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(cache)) for path in found if path.suffix != MAP_SUFFIX)


def rewrite(path: Path, body: bytes) -> None:
    """Other bytes in the same file, with its old modification time: only ctime tells."""
    times = path.stat()
    with path.open("r+b") as file:
        file.write(body)
        file.truncate()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


# -- both kinds of store -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 1, 4095, 4096, 255_999])
@pytest.mark.parametrize("length", [0, 1, 4096, 300_000])
def test_ranges_are_those_of_the_bytes(reader: PayloadReader, store: Store, offset: int, length: int) -> None:
    payload = reader.open(store, put(store, BODY), recorded(BODY), nothing)
    assert BODY[offset : offset + length] == payload.read(offset, length, nothing)
    assert payload.read_nowait(offset, length) in (BODY[offset : offset + length], None)
    payload.close()


@pytest.mark.parametrize("offset", [len(BODY), len(BODY) + 1, 1 << 40])
def test_reading_past_the_end_gives_nothing(reader: PayloadReader, store: Store, offset: int) -> None:
    payload = reader.open(store, put(store, BODY), recorded(BODY), nothing)
    assert len(BODY) == payload.size
    assert b"" == payload.read(offset, 10, nothing)
    assert b"" == payload.read_nowait(offset, 10)
    payload.close()


def test_an_empty_payload_is_a_payload(reader: PayloadReader, store: Store) -> None:
    assert b"" == open_and_read(reader, store, put(store, b""), recorded(b""))


def test_bytes_that_are_not_the_recorded_ones_are_never_given(reader: PayloadReader, store: Store, cache: Path) -> None:
    info = put(store, BODY)
    with pytest.raises(PayloadMismatch) as caught:
        reader.open(store, info, recorded(b"what was written"), nothing)
    assert (sha256(b"what was written"), sha256(BODY)) == (caught.value.expected, caught.value.actual)
    assert [] == copies(cache)


def test_data_sha_proves_a_payload_from_before_cv1(reader: PayloadReader, store: Store) -> None:
    assert BODY == open_and_read(reader, store, put(store, BODY), Recorded(None, sha256(BODY)))


def test_what_nothing_can_prove_is_given_as_it_is(reader: PayloadReader, store: Store) -> None:
    record = Recorded(None, sha256(b"the values"))
    info = put(store, BODY)
    assert BODY == open_and_read(reader, store, info, record)
    assert BODY == open_and_read(reader, store, info, record)


# -- in place ------------------------------------------------------------------------------------------------------


def test_a_folder_is_read_in_place(reader: PayloadReader, folder_store: LocalStore, cache: Path) -> None:
    assert BODY == open_and_read(reader, folder_store, put(folder_store, BODY), recorded(BODY))
    assert not cache.exists()


def test_a_file_that_vanished_since_it_was_listed_is_missing(reader: PayloadReader, folder_store: LocalStore) -> None:
    info = put(folder_store, BODY)
    folder_store.delete(KEY)
    with pytest.raises(RecordedMissing):
        reader.open(folder_store, info, recorded(BODY), nothing)


def test_a_named_pipe_in_the_place_of_a_payload_is_not_waited_for(
    reader: PayloadReader, folder_store: LocalStore
) -> None:
    info = put(folder_store, BODY)
    path = folder_store.local_path(KEY)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreDenied):
        reader.open(folder_store, info, recorded(BODY), nothing)


@pytest.mark.parametrize("other", [BODY[::-1], BODY[:-1], b"", BODY + b"x"])
def test_a_file_changed_under_an_open_payload_gives_an_error_not_other_bytes(
    reader: PayloadReader, folder_store: LocalStore, other: bytes
) -> None:
    payload = reader.open(folder_store, put(folder_store, BODY), recorded(BODY), nothing)
    rewrite(folder_store.local_path(KEY), other)
    assert payload.read_nowait(0, 10) is None
    for _ in range(2):
        with pytest.raises(SourceChanged):
            payload.read(0, 10, nothing)
    payload.close()


def test_an_unrecorded_file_changed_while_open_gives_an_error(reader: PayloadReader, folder_store: LocalStore) -> None:
    payload = reader.open(folder_store, put(folder_store, BODY), Recorded(None, sha256(b"values")), nothing)
    rewrite(folder_store.local_path(KEY), BODY[::-1])
    with pytest.raises(SourceChanged):
        payload.read(0, 10, nothing)
    payload.close()


def test_a_changed_file_does_not_open_again(reader: PayloadReader, folder_store: LocalStore) -> None:
    info = put(folder_store, BODY)
    assert BODY == open_and_read(reader, folder_store, info, recorded(BODY))
    rewrite(folder_store.local_path(KEY), BODY[::-1])
    with pytest.raises(PayloadMismatch):
        reader.open(folder_store, info, recorded(BODY), nothing)


def test_a_replaced_file_keeps_giving_the_bytes_it_was_opened_with(
    reader: PayloadReader, folder_store: LocalStore
) -> None:
    payload = reader.open(folder_store, put(folder_store, BODY), recorded(BODY), nothing)
    put(folder_store, BODY[::-1])
    assert BODY == read_all(payload)


@pytest.mark.parametrize("touch", ["link", "chmod", "utime", "unlink"])
def test_what_moves_the_times_but_not_the_bytes_is_proven_again(
    reader: PayloadReader, folder_store: LocalStore, touch: str, tmp_path: Path
) -> None:
    payload = reader.open(folder_store, put(folder_store, BODY), recorded(BODY), nothing)
    path = folder_store.local_path(KEY)
    match touch:
        case "link":
            os.link(path, tmp_path / "backup")
        case "chmod":
            path.chmod(0o600)
        case "utime":
            os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
        case _:
            path.unlink()
    assert BODY[5:15] == payload.read(5, 10, nothing)
    assert BODY[5:15] == payload.read_nowait(5, 10)
    payload.close()


# -- through the cache ---------------------------------------------------------------------------------------------


def test_a_remote_payload_is_fetched_once_and_lies_under_its_sha(
    reader: PayloadReader, remote_store: RemoteStore, cache: Path
) -> None:
    info = put(remote_store, BODY)
    for _ in range(3):
        assert BODY == open_and_read(reader, remote_store, info, recorded(BODY))
    assert [(0, len(BODY))] == remote_store.ranges
    assert [f"objects/{sha256(BODY)[:2]}/{sha256(BODY)}"] == copies(cache)


def test_a_small_object_costs_one_request(reader: PayloadReader, remote_store: RemoteStore) -> None:
    info = put(remote_store, BODY)
    open_and_read(reader, remote_store, info, recorded(BODY))
    assert (1, 0) == (len(remote_store.ranges), remote_store.heads)


def test_what_nothing_can_prove_is_fetched_once_and_again_when_it_changed(
    reader: PayloadReader, remote_store: RemoteStore
) -> None:
    record = Recorded(None, sha256(b"the values"))
    for body in (BODY, BODY[::-1]):
        info = put(remote_store, body)
        for _ in range(3):
            payload = reader.open(remote_store, info, record, nothing)
            assert Verified.UNRECORDED == payload.verified
            assert body == read_all(payload)
    assert 2 == len(remote_store.ranges)


def test_equal_bytes_of_two_objects_are_one_copy(reader: PayloadReader, remote_store: RemoteStore) -> None:
    first = put(remote_store, BODY)
    other = remote_store.put("ex/bbbbbbbb.parquet", BODY)
    assert BODY == open_and_read(reader, remote_store, first, recorded(BODY))
    assert BODY == open_and_read(reader, remote_store, other, recorded(BODY))
    assert 1 == len(remote_store.ranges)


def test_a_copy_of_an_earlier_run_needs_no_store(
    reader: PayloadReader, new_reader: Callable[..., PayloadReader], remote_store: RemoteStore
) -> None:
    info = put(remote_store, BODY)
    open_and_read(reader, remote_store, info, recorded(BODY))
    remote_store.delete(KEY)
    payload = new_reader().open(remote_store, info, recorded(BODY), nothing)
    assert (Verified.FULL, len(BODY)) == (payload.verified, payload.cached)
    assert BODY == read_all(payload)


def test_a_copy_of_the_first_release_is_hashed_as_a_whole(
    reader: PayloadReader, remote_store: RemoteStore, cache: Path
) -> None:
    """It has no map."""
    info = put(remote_store, BODY)
    copy = cache / "objects" / sha256(BODY)[:2] / sha256(BODY)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(BODY)
    assert BODY == open_and_read(reader, remote_store, info, recorded(BODY))
    assert [] == remote_store.ranges


@pytest.mark.expected_warnings
@pytest.mark.parametrize("record", [recorded(BODY), Recorded(None, sha256(BODY))])
@pytest.mark.parametrize("damage", [BODY[::-1], BODY[:-1], b""])
def test_a_damaged_copy_is_fetched_again(
    reader: PayloadReader, remote_store: RemoteStore, cache: Path, record: Recorded, damage: bytes
) -> None:
    info = put(remote_store, BODY)
    open_and_read(reader, remote_store, info, record)
    rewrite(cache / copies(cache)[0], damage)
    assert BODY == open_and_read(reader, remote_store, info, record)
    assert 2 == len(remote_store.ranges)
    assert BODY == (cache / copies(cache)[0]).read_bytes()


@pytest.mark.expected_warnings
def test_a_damaged_copy_of_what_nothing_can_prove_is_fetched_again(
    reader: PayloadReader, remote_store: RemoteStore, cache: Path
) -> None:
    record = Recorded(None, sha256(b"the values"))
    info = put(remote_store, BODY)
    open_and_read(reader, remote_store, info, record)
    rewrite(cache / copies(cache)[0], BODY[::-1])
    assert BODY == open_and_read(reader, remote_store, info, record)


@pytest.mark.expected_warnings
def test_a_damaged_copy_is_no_answer_when_the_store_is_away(
    reader: PayloadReader, new_reader: Callable[..., PayloadReader], remote_store: RemoteStore, cache: Path
) -> None:
    info = put(remote_store, BODY)
    open_and_read(reader, remote_store, info, recorded(BODY))
    rewrite(cache / copies(cache)[0], BODY[::-1])

    def denied(start: int, data: bytes) -> bytes:
        raise StoreDenied(remote_store.url, KEY, "away")

    remote_store.answer = denied
    payload = new_reader().open(remote_store, info, recorded(BODY), nothing)
    with pytest.raises(StoreUnreachable):
        payload.read(0, 10, nothing)
    payload.close()


@pytest.mark.expected_warnings
def test_a_folder_in_the_place_of_a_copy_is_read_past(
    reader: PayloadReader, remote_store: RemoteStore, cache: Path
) -> None:
    (cache / "objects" / sha256(BODY)[:2] / sha256(BODY)).mkdir(parents=True)
    assert BODY == open_and_read(reader, remote_store, put(remote_store, BODY), recorded(BODY))


def test_emptying_the_cache_does_not_disturb_who_reads(
    reader: PayloadReader, remote_store: RemoteStore, cache: Path
) -> None:
    info = put(remote_store, BODY)
    payload = reader.open(remote_store, info, recorded(BODY), nothing)
    shutil.rmtree(cache)
    assert BODY == read_all(payload)
    assert BODY == open_and_read(reader, remote_store, info, recorded(BODY))


def test_somebody_elses_copy_does_not_disturb_who_reads(
    reader: PayloadReader, remote_store: RemoteStore, cache: Path
) -> None:
    payload = reader.open(remote_store, put(remote_store, BODY), recorded(BODY), nothing)
    copy = cache / copies(cache)[0]
    (cache / "theirs").write_bytes(BODY)
    (cache / "theirs").replace(copy)
    assert BODY == read_all(payload)


def test_many_open_one_payload_at_once(reader: PayloadReader, remote_store: RemoteStore, cache: Path) -> None:
    info = put(remote_store, BODY)
    together = threading.Barrier(8)

    def work(_: int) -> bytes:
        together.wait(30)
        return open_and_read(reader, remote_store, info, recorded(BODY))

    with ThreadPoolExecutor(8) as pool:
        assert [BODY] * 8 == list(pool.map(work, range(8)))
    assert 1 == len(copies(cache))


@pytest.mark.expected_warnings
@pytest.mark.parametrize("place", ["", "objects", "partial", "index.sqlite3"])
def test_reading_goes_on_without_a_cache_that_cannot_be_written(
    reader: PayloadReader, remote_store: RemoteStore, cache: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = cache / place
    file.parent.mkdir(parents=True, exist_ok=True)
    if place == "index.sqlite3":
        file.mkdir()
    else:
        file.write_bytes(b"a file where a folder belongs")
    info = put(remote_store, BODY)
    for _ in range(2):
        assert BODY == open_and_read(reader, remote_store, info, recorded(BODY))
    assert f"the cache {cache} takes nothing: " in caplog.text


@pytest.mark.expected_warnings
def test_reading_goes_on_without_a_cache_on_a_read_only_disk(
    new_reader: Callable[..., PayloadReader], remote_store: RemoteStore
) -> None:
    reader = new_reader(Path("/proc/datomfs"))
    assert BODY == open_and_read(reader, remote_store, put(remote_store, BODY), recorded(BODY))
