"""A store that counts is as good as the one behind it, and its numbers are what was asked."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from datomfs.errors import ObjectMissing, StoreUnreachable
from datomfs.model.location import Location
from datomfs.store.base import ObjectInfo, ReadableStore, Store
from datomfs.store.counted import CountedStore, Traffic
from datomfs.store.local import LocalStore
from datomfs.store.memory import MemoryStore
from tests.store.contract import KEY, StoreContract, read_stream


class _Counted(CountedStore):
    """Memory that is counted when read; what writes goes past the counting, as it does nowhere else."""

    def __init__(self) -> None:
        self.memory = MemoryStore("test")
        super().__init__(self.memory, Traffic())
        self.put, self.upload, self.delete = self.memory.put, self.memory.upload, self.memory.delete
        self.document_suffix = self.memory.document_suffix


class TestCountedStore(StoreContract):
    @pytest.fixture
    def store(self) -> _Counted:
        return _Counted()

    @pytest.fixture
    def missing_store(self) -> Store:
        pytest.skip("memory is always there")

    def raw_put(self, store: Store, key: str, body: bytes) -> None:
        assert isinstance(store, _Counted)
        store.memory._objects[key] = body, ObjectInfo(key, len(body), uuid.uuid4().hex)

    def raw_get(self, store: Store, key: str) -> bytes | None:
        assert isinstance(store, _Counted)
        found = store.memory._objects.get(key)
        return found and found[0]


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def store(traffic: Traffic) -> CountedStore:
    """One object of ten bytes."""
    memory = MemoryStore("test")
    memory.put(KEY, b"0123456789")
    return CountedStore(memory, traffic)


@pytest.mark.parametrize(
    ("act", "kind", "count"),
    [
        (lambda store: store.check(), "check", 0),
        (lambda store: store.head(KEY), "head", 0),
        (lambda store: store.get(KEY), "get", 10),
        (lambda store: store.get_with_info(KEY), "get", 10),
        (lambda store: store.get_range(KEY, 2, 3), "get", 3),
        (lambda store: read_stream(store.open_range(KEY, 2, 5), 2), "get", 5),
        (lambda store: list(store.list()), "list", 0),
        (lambda store: store.local_path(KEY), None, 0),
        (lambda store: store.url, None, 0),
    ],
)  # fmt: skip
def test_each_request_counts_once_under_its_kind_with_the_bytes_that_came(
    store: CountedStore, traffic: Traffic, act: Callable[[ReadableStore], object], kind: str | None, count: int
) -> None:
    act(store)
    assert {name: int(name == kind) for name in ("check", "head", "get", "list")} == traffic.requests
    assert (count, 0) == (traffic.bytes, traffic.failures)


def test_a_stream_that_is_given_up_counts_for_what_came_of_it(store: CountedStore, traffic: Traffic) -> None:
    with closing(store.open_range(KEY, 0, 10)) as stream:
        stream.readinto(memoryview(bytearray(4)))
    assert 4 == traffic.bytes


def test_what_is_not_there_is_an_answer_and_no_failure(store: CountedStore, traffic: Traffic) -> None:
    with pytest.raises(ObjectMissing):
        store.get("dm/none.parquet")
    assert (1, 0) == (traffic.requests["get"], traffic.failures)


class _Broken(MemoryStore):
    """A store that does not answer."""

    def head(self, key: str) -> ObjectInfo:
        raise StoreUnreachable(self.url, key, "no answer")

    def get(self, key: str) -> bytes:
        raise StoreUnreachable(self.url, key, "no answer")

    def get_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        raise StoreUnreachable(self.url, key, "no answer")


@pytest.mark.parametrize("name", ["head", "get", "get_with_info"])
def test_a_store_that_does_not_answer_counts_as_a_failure(traffic: Traffic, name: str) -> None:
    with pytest.raises(StoreUnreachable):
        getattr(CountedStore(_Broken("test"), traffic), name)(KEY)
    assert (1, 1, 0) == (sum(traffic.requests.values()), traffic.failures, traffic.bytes)


class _Stream:
    """A stream that breaks off."""

    def readinto(self, buffer: memoryview) -> int:
        raise StoreUnreachable("memory:test", KEY, "broken off")

    def close(self) -> None:
        pass


def test_a_stream_that_breaks_off_counts_as_a_failure(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = MemoryStore("test")
    monkeypatch.setattr(memory, "open_range", lambda *args, **kwargs: _Stream())
    with closing(CountedStore(memory, traffic).open_range(KEY, 0, 1)) as stream, pytest.raises(StoreUnreachable):
        stream.readinto(memoryview(bytearray(1)))
    assert (1, 1) == (traffic.requests["get"], traffic.failures)


def test_objects_that_are_files_stay_files(tmp_path: Path, traffic: Traffic) -> None:
    local = LocalStore(Location("local", str(tmp_path)))
    local.put(KEY, b"one")
    assert local.local_path(KEY) == CountedStore(local, traffic).local_path(KEY) is not None
