"""The proof of a set: its bytes are hashed before anybody looks at what they say."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from datomfs.catalog.catalog import Catalog, TableVersion
from datomfs.catalog.sets import LARGEST_PAYLOAD, check_payload, check_size, read_set_versions
from datomfs.errors import DocumentInvalid, PayloadMismatch, VersionNotFound
from datomfs.store.memory import MemoryStore
from tests.product import PRODUCT, SET, SET_DATA_SHA, SET_DOCUMENT_SHA, SET_PAYLOAD, SET_VERSION, put_product


def version_in(store: MemoryStore) -> TableVersion:
    """The version of the example's set."""
    return read_set_versions(Catalog(PRODUCT, store), SET).resolve(SET_VERSION[:8])


@pytest.fixture
def version() -> TableVersion:
    store = MemoryStore("product")
    put_product(store)
    return version_in(store)


def test_a_version_of_a_set_lies_under_its_data_sha_as_json(version: TableVersion) -> None:
    assert SET_VERSION == version.version
    assert f"{SET}/{SET_DATA_SHA}.json" == version.key
    assert SET_DOCUMENT_SHA == version.entry.document_sha


def test_a_version_that_is_not_there_is_not_found() -> None:
    store = MemoryStore("product")
    put_product(store)
    with pytest.raises(VersionNotFound):
        read_set_versions(Catalog(PRODUCT, store), SET).resolve("bbbbbb")


def test_proven_bytes_are_read(version: TableVersion) -> None:
    (member,) = check_payload(version, SET_PAYLOAD).members
    assert "dm" == member.id.name


@pytest.mark.parametrize("data", [SET_PAYLOAD.replace(b"safety", b"Safety"), SET_PAYLOAD[:-1], b"", b"not JSON"])
def test_other_bytes_are_refused_before_they_are_parsed(version: TableVersion, data: bytes) -> None:
    with pytest.raises(PayloadMismatch) as caught:
        check_payload(version, data)
    assert (SET_DOCUMENT_SHA, hashlib.sha256(data).hexdigest()) == (caught.value.expected, caught.value.actual)
    assert f"{SET}/{SET_DATA_SHA}.json of project {PRODUCT}" == caught.value.where


def test_bytes_that_nothing_proves_are_refused(version: TableVersion) -> None:
    unproven = replace(version, entry=replace(version.entry, document_sha=None))
    with pytest.raises(DocumentInvalid, match="no document_sha"):
        check_payload(unproven, SET_PAYLOAD)


def test_proven_bytes_that_are_no_set_are_refused() -> None:
    store = MemoryStore("product")
    data = b'{"members": 1}'
    put_product(store, data, document_sha=hashlib.sha256(data).hexdigest())
    with pytest.raises(DocumentInvalid, match="members is not a list"):
        check_payload(version_in(store), data)


def test_a_payload_of_absurd_size_is_refused(version: TableVersion) -> None:
    check_size(version, LARGEST_PAYLOAD)
    with pytest.raises(DocumentInvalid, match=str(LARGEST_PAYLOAD + 1)):
        check_size(version, LARGEST_PAYLOAD + 1)
