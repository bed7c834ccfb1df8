"""Bringing whole payloads: complete, hashed, and in their place, or an error that says why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datomfs.cache.proof import Recorded
from datomfs.cache.reader import PayloadReader
from datomfs.cache.standing import Verified
from datomfs.errors import CacheFull, PayloadMismatch, StoreDenied
from datomfs.store.base import ObjectInfo
from tests.cache.stores import KEY, RemoteStore, make_reader, nothing, put, recorded, sha256

BODY = bytes(range(256)) * 4 * 3000
ATTESTED = [False, True]


@pytest.fixture
def store() -> RemoteStore:
    return RemoteStore()


@pytest.fixture
def new_reader(tmp_path: Path) -> Iterator[Callable[..., PayloadReader]]:
    """Makes readers over one cache, each as a process of its own would have it."""
    readers: list[PayloadReader] = []

    def make(**options: Any) -> PayloadReader:
        readers.append(make_reader(tmp_path / "cache", **options))
        return readers[-1]

    yield make
    for reader in readers:
        reader.close()


def stored(store: RemoteStore, body: bytes, *, attested: bool) -> ObjectInfo:
    """An object, and what `head` says of it in a store that attests, or does not."""
    return dataclasses.replace(put(store, body), sha256=sha256(body) if attested else None)


@pytest.mark.parametrize("attested", ATTESTED)
@pytest.mark.parametrize("size", [0, 1, len(BODY)])
def test_a_payload_is_brought_whole_and_published(
    new_reader: Callable[..., PayloadReader], store: RemoteStore, attested: bool, size: int
) -> None:
    body, reader, seen = BODY[:size], new_reader(), [0]
    info = stored(store, body, attested=attested)
    assert Verified.FULL is reader.bring(store, info, recorded(body), seen.append)
    assert body == reader.folder.place(sha256(body)).read_bytes()
    assert [(sha256(body), size)] == [(entry.name, entry.bytes) for entry in reader.folder.entries()]
    assert size == sum(length for _, length in store.ranges)
    assert (sorted(seen), size) == (seen, seen[-1])


@pytest.mark.parametrize("attested", ATTESTED)
def test_what_is_here_is_not_brought_again(
    new_reader: Callable[..., PayloadReader], store: RemoteStore, attested: bool
) -> None:
    info = stored(store, BODY, attested=attested)
    new_reader().bring(store, info, recorded(BODY), lambda count: None)
    store.ranges.clear()
    for reader in (new_reader(), new_reader()):
        assert Verified.FULL is reader.bring(store, info, recorded(BODY), lambda count: None)
    assert [] == store.ranges


def test_what_a_reader_has_fetched_already_is_not_brought_again(
    new_reader: Callable[..., PayloadReader], store: RemoteStore
) -> None:
    info = stored(store, BODY, attested=True)
    one, other = new_reader(), new_reader()
    store.head = lambda key: info  # type: ignore[method-assign]
    payload = one.open(store, info, recorded(BODY), nothing)
    payload.read(1 << 20, 4096, nothing)
    here = payload.cached
    payload.close()
    store.ranges.clear()
    other.bring(store, info, recorded(BODY), lambda count: None)
    assert 0 < here == len(BODY) - sum(length for _, length in store.ranges)


@pytest.mark.parametrize("attested", ATTESTED)
def test_other_bytes_than_the_recorded_ones_are_refused_and_not_kept(
    new_reader: Callable[..., PayloadReader], store: RemoteStore, attested: bool
) -> None:
    info, reader = stored(store, BODY, attested=attested), new_reader()
    with pytest.raises(PayloadMismatch):
        reader.bring(store, info, Recorded("0" * 64, "1" * 64), lambda count: None)
    assert 0 == reader.folder.total()
    assert [] == store.ranges if attested else store.ranges


def test_bytes_that_nobody_recorded_are_kept_as_such(
    new_reader: Callable[..., PayloadReader], store: RemoteStore
) -> None:
    info, unknown = stored(store, BODY, attested=False), Recorded(None, "1" * 64)
    assert Verified.UNRECORDED is new_reader().bring(store, info, unknown, lambda count: None)
    store.ranges.clear()
    reader = new_reader()
    assert (Verified.PENDING, len(BODY)) == reader.standing(store, info, unknown)
    assert Verified.UNRECORDED is reader.bring(store, info, unknown, lambda count: None)
    assert [] == store.ranges


@pytest.mark.parametrize("attested", ATTESTED)
def test_what_does_not_fit_is_told_before_all_of_it_has_come(
    new_reader: Callable[..., PayloadReader], store: RemoteStore, attested: bool
) -> None:
    body = bytes(200 << 20)
    info, reader = stored(store, body, attested=attested), new_reader(quota=20 << 20, memory=8 << 20)
    with pytest.raises(CacheFull) as caught:
        reader.bring(store, info, recorded(body), lambda count: None)
    assert KEY in caught.value.what
    assert sum(length for _, length in store.ranges) < len(body)


@pytest.mark.expected_warnings
def test_a_disk_that_takes_nothing_is_told(
    new_reader: Callable[..., PayloadReader], store: RemoteStore, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(CacheFull):
        new_reader().bring(store, stored(store, BODY, attested=True), recorded(BODY), lambda count: None)


def test_an_error_of_the_store_is_told_and_what_came_stays(
    new_reader: Callable[..., PayloadReader], store: RemoteStore
) -> None:
    info = stored(store, BODY, attested=True)

    def refuse(start: int) -> None:
        raise StoreDenied("remote", KEY, "no")

    store.ask = refuse
    with pytest.raises(StoreDenied):
        new_reader().bring(store, info, recorded(BODY), lambda count: None)
    store.ask = lambda start: None
    assert Verified.FULL is new_reader().bring(store, info, recorded(BODY), lambda count: None)


def test_who_streams_it_meanwhile_sees_it_proven(new_reader: Callable[..., PayloadReader], store: RemoteStore) -> None:
    info, reader = stored(store, BODY, attested=True), new_reader()
    store.head = lambda key: info  # type: ignore[method-assign]
    payload = reader.open(store, info, recorded(BODY), nothing)
    assert Verified.ATTESTED is payload.verified
    assert Verified.FULL is reader.bring(store, info, recorded(BODY), lambda count: None)
    assert Verified.FULL is payload.verified
    payload.close()


def test_the_index_knows_no_other_bytes_than_the_disk(
    new_reader: Callable[..., PayloadReader], store: RemoteStore
) -> None:
    """A complete object and a partial one of the same bytes are two, each counted with what it has."""
    info, unknown = stored(store, BODY, attested=False), Recorded(None, sha256(BODY)[::-1])
    reader = new_reader()
    reader.bring(store, info, recorded(BODY), lambda count: None)
    reader.bring(store, info, unknown, lambda count: None)
    names = {entry.name: (entry.sha256, entry.is_complete, entry.bytes) for entry in reader.folder.entries()}
    (partial,) = names.keys() - {sha256(BODY)}
    assert (sha256(BODY), True, len(BODY)) == names[sha256(BODY)]
    assert (sha256(BODY)[::-1], False, len(BODY)) == names[partial]
