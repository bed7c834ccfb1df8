"""Locked projects: the same to whoever works on a project, and nobody is asked but for bytes."""

from __future__ import annotations

import pytest

from datomfs.catalog.catalog import Catalog
from datomfs.catalog.locked import LockedDocuments, LockedStore
from datomfs.catalog.moment import read_moment
from datomfs.errors import ObjectMissing, StoreUnreachable, TableNotFound, VersionNotFound
from datomfs.layout import payload_key
from datomfs.model.location import Location
from datomfs.model.lock import LockedProject, LockedTable
from datomfs.store.memory import MemoryStore

DM = LockedTable("dm", "8a" * 32, "11" * 32, "22" * 32, 5, "2026-03-01T00:00:00Z")
LEGACY = LockedTable("Table (1)", "5d" * 32, "33" * 32, None, 3, None)
PROJECT = LockedProject("STUDY_001", None, Location("s3", "bucket"), "s3://bucket", None, (LEGACY, DM))
KEY = payload_key("dm", DM.data_sha)


class AwayStore(MemoryStore):
    """One that must not be asked for more than its name."""

    def check(self) -> None:
        raise StoreUnreachable(self.url, "", "a test pulled the plug")

    head = get = list = get_with_info = get_range = open_range = check  # type: ignore[assignment]


def catalog_over(store: MemoryStore) -> Catalog:
    """The locked project, its bytes in a store."""
    return Catalog("STUDY_001", LockedStore(store, PROJECT), LockedDocuments(PROJECT, "x.lock"))


def test_documents_and_sizes_come_from_the_lock_alone() -> None:
    catalog = catalog_over(AwayStore("bucket"))
    catalog.refresh()
    rows = catalog.read_manifest().rows
    assert {"dm": DM.version, "Table (1)": LEGACY.version} == {name: row.current_version for name, row in rows.items()}
    version = catalog.read_table("dm").resolve(None)
    assert version == catalog.read_versions("dm").resolve(DM.version[:8])
    assert (DM.version, DM.data_sha, DM.parquet_sha) == (
        version.version, version.entry.data_sha, version.entry.parquet_sha,
    )  # fmt: skip
    assert {KEY: 5} == {key: info.size for key, info in catalog.list_payloads("dm").items()}
    listed = catalog.list_all_payloads()
    assert {"dm": [5], "Table (1)": [3]} == {
        table: [info.size for info in found.values()] for table, found in listed.items()
    }
    assert None is catalog.read_versions("Table (1)").resolve(LEGACY.version).entry.parquet_sha
    assert None is catalog.read_snapshot(version)
    assert {"dm", "Table (1)"} == set(read_moment(catalog, None).tables)


def test_there_is_nothing_else() -> None:
    catalog = catalog_over(AwayStore("bucket"))
    with pytest.raises(TableNotFound):
        catalog.read_table("ex")
    with pytest.raises(VersionNotFound):
        catalog.read_versions("dm").resolve("abcdef")
    with pytest.raises(ObjectMissing, match=r"x\.lock"):
        catalog.documents.get("ex/.metadata/metadata.json")


def test_listings_are_by_prefix_as_a_store_s() -> None:
    store = LockedStore(MemoryStore("bucket"), PROJECT)
    legacy = payload_key("Table (1)", LEGACY.data_sha)
    assert [legacy, KEY] == [info.key for info in store.list()]
    assert [KEY] == [info.key for info in store.list("dm/", recursive=False)]
    assert [] == list(store.list("", recursive=False))
    assert [KEY] == [info.key for info in store.list(after=legacy)]


def test_bytes_come_from_the_store_whatever_etag_they_have() -> None:
    stored = MemoryStore("bucket")
    stored.put(KEY, b"bytes")
    store = LockedStore(stored, PROJECT)
    (info,) = store.list("dm/")
    assert b"yte" == store.get_range(KEY, 1, 3, if_match=info.etag)
    buffer = bytearray(2)
    body = store.open_range(KEY, 3, 2, if_match=info.etag)
    assert 2 == body.readinto(memoryview(buffer))
    body.close()
    assert b"es" == buffer
    assert stored.head(KEY) == store.head(KEY)
