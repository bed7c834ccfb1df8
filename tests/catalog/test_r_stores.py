"""Stores that R wrote: what we list, tell and resolve is what R said of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datomfs.catalog.catalog import Catalog
from datomfs.model.location import Location
from datomfs.store.local import LocalStore
from tests.identity.r_stores import FOLDER, needs_r_stores

pytestmark = needs_r_stores

SOLO = [("solo-study", "STUDY_001", None), ("solo-prefix", "PREFIXED", "trial/a")]


def solo(study: str, name: str, prefix: str | None) -> tuple[Catalog, dict[str, Any]]:
    expected = json.loads((FOLDER / study / "expected.json").read_text(encoding="utf-8"))
    return Catalog(name, LocalStore(Location("local", str(FOLDER / study / "storage"), prefix))), expected


def listed(catalog: Catalog) -> list[dict[str, Any]]:
    return [
        {
            "name": row.name,
            "current_version": row.current_version,
            "current_data_sha": row.current_data_sha,
            "last_updated": row.last_updated,
            "version_count": row.version_count,
        }
        for row in catalog.read_manifest().rows.values()
    ]


@pytest.mark.parametrize(("study", "name", "prefix"), SOLO)
def test_the_list_is_that_of_r(study: str, name: str, prefix: str | None) -> None:
    catalog, expected = solo(study, name, prefix)
    assert expected["datom_list"] == listed(catalog)
    assert expected["datom_summary"]["last_updated"] == catalog.read_manifest().updated_at


@pytest.mark.parametrize(("study", "name", "prefix"), SOLO)
def test_histories_are_those_of_r(study: str, name: str, prefix: str | None) -> None:
    catalog, expected = solo(study, name, prefix)
    for table, facts in expected["tables"].items():
        told = [
            (one.version, one.data_sha, one.parquet_sha, one.timestamp, one.author, one.message)
            for one in catalog.read_history(table).entries
        ]
        fields = ("version", "data_sha", "parquet_sha_history", "timestamp", "author", "commit_message")
        assert [tuple(one[field] for field in fields) for one in facts["versions"]] == told


@pytest.mark.parametrize(("study", "name", "prefix"), SOLO)
def test_every_version_resolves_to_its_proven_bytes(study: str, name: str, prefix: str | None) -> None:
    catalog, expected = solo(study, name, prefix)
    for table, facts in expected["tables"].items():
        read = catalog.read_table(table)
        catalog.check_project(read)
        payloads = catalog.list_payloads(table)
        for one in facts["versions"]:
            found = read.resolve(one["version"][:16])
            assert (one["version"], one["data_sha"]) == (found.version, found.entry.data_sha)
            assert one["parquet_sha_history"] == hashlib.sha256(catalog.store.get(found.key)).hexdigest()
            assert found.key in payloads
            snapshot = catalog.read_snapshot(found)
            assert snapshot is not None
            assert (one["nrow"], one["ncol"]) == (snapshot.nrow, snapshot.ncol)
        assert facts["current_version_manifest"] == read.resolve(None).version
        assert facts["current_data_sha"] == read.metadata.data_sha


def test_a_revert_is_current_though_it_is_not_the_newest() -> None:
    catalog, expected = solo(*SOLO[0])
    dm = catalog.read_table("dm")
    assert expected["tables"]["dm"]["current_version_manifest"] == dm.resolve(None).version
    assert dm.resolve(None).version != dm.history.entries[0].version


# -- before cv1 ----------------------------------------------------------------------------------------------------


def governed() -> Iterator[tuple[Catalog, dict[str, Any]]]:
    expected = json.loads((FOLDER / "governed" / "expected.json").read_text(encoding="utf-8"))
    for name, facts in expected["projects"].items():
        folder = FOLDER / "governed" / "data" / Path(facts["resolved_root"]).name
        yield Catalog(name, LocalStore(Location("local", str(folder), facts["resolved_prefix"]))), facts


def test_older_lists_are_those_of_r() -> None:
    projects = list(governed())
    assert ["STUDY_001", "STUDY_002", "STUDY_004"] == [catalog.project for catalog, _ in projects]
    for catalog, facts in projects:
        assert facts["datom_list"] == listed(catalog)


def test_older_histories_are_those_of_r_and_every_version_is_proven_by_its_data_sha() -> None:
    for catalog, facts in governed():
        for table, expected in facts["tables"].items():
            read = catalog.read_table(table)
            catalog.check_project(read)
            told = [(one.version, one.data_sha) for one in read.history.entries]
            assert [(one["version"], one["data_sha"]) for one in expected["versions"]] == told
            assert expected["metadata_sha_of_current_by_legacy"] == read.resolve(None).version
            for one in read.history.entries:
                found = read.resolve(one.version)
                actual = hashlib.sha256(catalog.store.get(found.key)).hexdigest()
                assert (None, actual) == (found.entry.parquet_sha, found.entry.data_sha)


def test_a_version_that_a_revert_recorded_twice_is_ambiguous_in_r_and_served_here() -> None:
    catalog, facts = next(governed())
    (version, _, _, again) = [one["version"] for one in facts["tables"]["dm"]["versions"]]
    assert version == again
    assert "is ambiguous" in facts["tables"]["dm"]["versions"][0]["read_error"]
    assert version == catalog.read_table("dm").resolve(version[:6]).version


def test_no_prefix_of_six_digits_is_ambiguous_in_any_of_them() -> None:
    for catalog, _ in [solo(*study) for study in SOLO] + list(governed()):
        for table in catalog.read_manifest().rows:
            read = catalog.read_table(table)
            assert all(version == read.resolve(version[:6]).version for version in read.history.versions)
