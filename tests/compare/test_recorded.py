"""Hashes of columns that were written down: when they are believed."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from datomfs.compare.recorded import find_recorded_hashes, parse_hashes, render_hashes
from datomfs.compare.stored import ColumnId, StoredTable
from datomfs.identity.table import hash_table
from tests.compare.tables import Watched
from tests.identity.r_stores import needs_r_stores, objects

TABLE = pa.table({"id": [1, 2], "t": ["a", None]})
SHA = hash_table(TABLE)
RECORDS = [{"name": name, "sha": sha} for name, sha in SHA.column_hashes]


def test_hashes_that_add_up_are_those_of_the_columns() -> None:
    found = find_recorded_hashes({"column_hashes": RECORDS}, SHA.data_sha, Watched(TABLE))
    assert {ColumnId("id"): RECORDS[0]["sha"], ColumnId("t"): RECORDS[1]["sha"]} == found


@pytest.mark.parametrize(
    "records",
    [
        None,
        {},
        "ab",
        [],
        ["ab"],
        RECORDS[:1],
        RECORDS[::-1],
        [{**RECORDS[0], "name": "ID"}, RECORDS[1]],
        [{**RECORDS[0], "sha": "0" * 64}, RECORDS[1]],
        [{**RECORDS[0], "sha": None}, RECORDS[1]],
    ],
)
def test_what_does_not_add_up_is_passed_over(records: Any) -> None:
    assert {} == find_recorded_hashes({"column_hashes": records}, SHA.data_sha, Watched(TABLE))


def test_hashes_of_another_algorithm_are_passed_over() -> None:
    assert {} == find_recorded_hashes({"column_hashes": RECORDS}, "ab" * 32, Watched(TABLE))


def test_kept_hashes_come_back_as_they_were() -> None:
    hashes = {ColumnId("a"): "0" * 64, ColumnId("a", 1): "1" * 64, ColumnId("é,\n"): "2" * 64}
    assert hashes == parse_hashes(render_hashes(hashes))


@needs_r_stores
def test_hashes_that_r_recorded_are_those_of_its_files() -> None:
    compared = 0
    for path in objects("*/.metadata/metadata.json"):
        document = json.loads(path.read_bytes())
        with (path.parents[1] / f"{document['data_sha']}.parquet").open("rb") as file:
            table = StoredTable(file, path.parents[1].name)
            found = find_recorded_hashes(document, document["data_sha"], table)
            assert {id_: table.hash(id_) for id_ in table.columns} == dict(found)
            compared += len(found)
    assert compared > 50
