"""The store in memory keeps the contract of stores."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from datomfs.store.base import ObjectInfo, Store
from datomfs.store.memory import MemoryStore
from tests.store.contract import KEY, StoreContract, sha256


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore("test")

    @pytest.fixture
    def missing_store(self) -> Store:
        pytest.skip("memory is always there")

    def raw_put(self, store: Store, key: str, body: bytes) -> None:
        assert isinstance(store, MemoryStore)
        store._objects[key] = body, ObjectInfo(key, len(body), uuid.uuid4().hex)

    def raw_get(self, store: Store, key: str) -> bytes | None:
        assert isinstance(store, MemoryStore)
        found = store._objects.get(key)
        return found and found[0]


def test_url_holds_the_name() -> None:
    assert "memory:STUDY_001" == MemoryStore("STUDY_001").url


def test_documents_end_as_in_a_bucket() -> None:
    assert b"" == MemoryStore("test").document_suffix


def test_upload_is_attested_and_put_is_not(tmp_path: Path) -> None:
    store = MemoryStore("test")
    source = tmp_path / "source"
    source.write_bytes(b"one")
    store.upload(KEY, source, sha256=sha256(b"one"))
    assert sha256(b"one") == store.head(KEY).sha256
    store.put(KEY, b"two")
    assert store.head(KEY).sha256 is None


def test_objects_are_no_files() -> None:
    assert MemoryStore("test").local_path(KEY) is None
