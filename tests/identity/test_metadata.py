"""metadata_sha: the golden values are those of R and of format.md §12."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datomfs.identity.metadata import allowlisted_fields, canonical_text, identity_fields, metadata_sha
from datomfs.model.jsonlite import Json, parse_json
from tests.identity.r_stores import needs_r_stores, objects

GOLDEN = Path(__file__).parents[1] / "golden" / "metadata-sha"

DATA_SHA = "2eb1fa3e668dc15f6e5c2b384d2dbf39b216f12573c07c95543fa208dba4fef8"
M1: dict[str, Json] = {
    "kind": "table",
    "data_sha": DATA_SHA,
    "hash_algo": "datom-cv1",
    "table_type": "derived",
    "nrow": 3,
    "ncol": 2,
    "colnames": ["id", "val"],
}
M2: dict[str, Json] = {
    **M1,
    "table_type": "imported",
    "original_file_sha": "f00dcafe",
    "parents": [{"source": "STUDY_001", "table": "dm", "version": "a1b2c3d4", "data_sha": "e5f6a7b8"}],
    "source_lineage": [{"project": "STUDY_001", "table": "dm", "version_sha": "e5f6a7b8"}],
    "custom": {"owner": "biostat", "study": "STUDY_001"},
}
UNKNOWN: dict[str, Json] = {"": 0, "some_new_field": [1, 2], "created_at": "2026-11-20T10:00:00Z", "size_bytes": 1}


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def read(text: str) -> dict[str, Json]:
    document = parse_json(text.encode(), "doc.json")
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("case", golden("vectors.json"), ids=lambda case: case["id"])
def test_documents_of_r_hash_as_in_r(case: dict[str, str]) -> None:
    document = read(case["json"])
    assert case["canonical"] == canonical_text(document)
    assert case["metadata_sha"] == metadata_sha(document)


@pytest.mark.parametrize(
    "case", [case for case in golden("json_texts.json") if "refused" not in case], ids=lambda case: case["json"][:40]
)
def test_any_json_hashes_as_in_r(case: dict[str, str]) -> None:
    document = read(case["json"])
    assert case["canonical"] in (None, canonical_text(document))
    assert case["metadata_sha"] == metadata_sha(document)


@needs_r_stores
def test_snapshots_of_stores_hash_to_their_names() -> None:
    snapshots = [file for file in objects("*/.metadata/*.json") if len(file.stem) == 64]
    assert snapshots
    for file in snapshots:
        assert file.stem == metadata_sha(read(file.read_text(encoding="utf-8"))), file


@pytest.mark.parametrize(
    ("fields", "sha"),
    [
        (
            {"data_sha": "abc123", "nrow": 100, "ncol": 5, "table_type": "imported", "hash_algo": "datom-cv1"},
            "cce751b3f74d9f45c79ec96e4a19529580fec36b6ea37b39800b3a8a58e94ac8",
        ),
        (M1, "3003136bffc8da80028d957074abdee6d84dc98221c5acb6af45eb2ad0777246"),
        (M2, "e5fe77d721305583945b4b271acee2f5e9572e2014cd31286528c91724423273"),
    ],
    ids=["unknown", "M1", "M2"],
)
def test_schema_2_hashes_the_allowlist_and_nothing_else(fields: dict[str, Json], sha: str) -> None:
    document: dict[str, Json] = {**UNKNOWN, "schema_version": 2, **fields}
    assert sha == metadata_sha(document)
    assert fields == allowlisted_fields(document) == identity_fields(document)


@pytest.mark.parametrize(
    ("fields", "sha"),
    [
        (M1, "d0c1ea7510fe9da7361de62e21886f45dbca7b556e00765c3160222f24393fd7"),
        (M2, "f4d88543b11b4918fe96e8ec319ae6d664693735a545508095aa4c4b44da9a02"),
    ],
    ids=["M1", "M2"],
)
def test_documents_of_0_1_have_the_version_they_were_recorded_under(fields: dict[str, Json], sha: str) -> None:
    assert sha == metadata_sha({name: value for name, value in fields.items() if name != "kind"})


@pytest.mark.parametrize("number", [{}, {"schema_version": 1}, {"schema_version": 1.0}, {"schema_version": None}])
def test_schema_1_hashes_everything_but_the_volatile_fields(number: dict[str, Json]) -> None:
    volatile: dict[str, Json] = {
        "created_at": "x", "datom_version": "0.1.1", "parquet_sha": "y", "size_bytes": 1, "column_hashes": []
    }  # fmt: skip
    kept: dict[str, Json] = {"data_sha": "abc123", "something_else": {"created_at": "x"}, "project": "P"}
    assert kept == identity_fields({**number, **volatile, **kept})


def test_the_set_and_the_table_of_the_format_page_have_their_versions() -> None:
    table: dict[str, Json] = {
        "schema_version": 2, "kind": "table", "data_sha": DATA_SHA, "hash_algo": "datom-cv1", "parquet_sha": "9f" * 32,
        "table_type": "imported", "nrow": 3, "ncol": 2, "colnames": ["id", "val"], "created_at": "2026-11-20T10:00:00Z",
        "datom_version": "0.2.0", "project": "demo-raw", "original_format": "csv",
        "original_file_sha": "5e865248077964c6475ca892df71238c27e40f0f4683ccbd9c006d05246d9183",
        "source_lineage": [{"project": "demo-raw", "table": "dm", "version_sha": DATA_SHA}], "size_bytes": 1234,
    }  # fmt: skip
    document_set: dict[str, Json] = {
        "schema_version": 2, "kind": "set", "hash_algo": "datom-sv1", "created_at": "2026-11-20T10:05:00Z",
        "data_sha": "07b697003a19ac515587bd41d373d27b416b48d3196eeb4b9c00e1e0806979b6", "project": "demo-product",
    }  # fmt: skip
    assert "40e6793721527fb96c5aa25f1ef0e0b6cd6d0fd1285fbdd22d2a843741decd85" == metadata_sha(table)
    assert "a11fa056341aa3ccd8867d5710951d4d4bf737fc6162092529a98feccf9d893f" == metadata_sha(document_set)


def test_names_are_sorted_at_the_top_by_bytes_and_nowhere_else() -> None:
    document: dict[str, Json] = {"é": 1, "\ufffd": 2, "\U0001f600": 3, "b": {"z": 1, "a": 2}, "B": 4}
    assert '{"B":4,"b":{"z":1,"a":2},"é":1,"\ufffd":2,"\U0001f600":3}' == canonical_text(document)


def test_an_array_of_one_is_not_its_element() -> None:
    assert '{"colnames":["x"]}' == canonical_text({"colnames": ["x"]})
    assert '{"colnames":"x"}' == canonical_text({"colnames": "x"})
