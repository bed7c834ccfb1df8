"""data_sha as R computed it: files that R and pyarrow wrote, the rows of format.md §12, and whole stores."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datomfs.errors import EmptyTable, UnhashableColumns
from datomfs.identity.files import file_sha256
from datomfs.identity.parquet import read_parquet
from datomfs.identity.table import hash_table
from tests.identity.r_stores import FOLDER, needs_r_stores, objects

GOLDEN = Path(__file__).parents[1] / "golden" / "data-sha"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


CASES = golden("vectors.json") + golden("pyarrow_vectors.json")


@pytest.mark.parametrize("case", [case for case in CASES if "refused" not in case], ids=lambda case: case["file"])
def test_files_hash_as_r_rereads_them(case: dict[str, Any]) -> None:
    identity = hash_table(read_parquet(GOLDEN / case["file"]))
    assert case["data_sha"] == identity.data_sha
    if case["column_hashes"]:
        assert case["column_hashes"] == [list(pair) for pair in identity.column_hashes]


@pytest.mark.parametrize("case", [case for case in CASES if "refused" in case], ids=lambda case: case["file"])
def test_files_are_refused_where_r_refuses_them(case: dict[str, Any]) -> None:
    error = UnhashableColumns if "not hashable" in case["refused"] else EmptyTable
    with pytest.raises(error):
        hash_table(read_parquet(GOLDEN / case["file"]))


FLOATS = [0.0, -0.0, 1.0, -1.0, 0.1, 1 / 3, 2.0**999, -(2.0**-999), 1.7976931348623157e308, -2.2250738585072014e-308]
DATES = pa.array([date(2026, 1, 1), None, date(2026, 12, 31)])
INSTANT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
INSTANTS = pa.array([INSTANT, None, datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)], pa.timestamp("s", "UTC"))


@pytest.mark.parametrize(
    ("columns", "sha"),
    [
        (
            {"id": pa.array([1, 2, 3], pa.int32()), "val": ["a", "b", "c"]},
            "2eb1fa3e668dc15f6e5c2b384d2dbf39b216f12573c07c95543fa208dba4fef8",
        ),
        (
            {"x": pa.array([*FLOATS, float("inf"), float("-inf"), None, float("nan")])},
            "050d620ab1e57453b32da5d458994eb25e8c77bba6c0eb58893a7cea3960dec3",
        ),
        (
            {
                "n": pa.array([1, None, 3], pa.int32()),
                "s": ["a", None, ""],
                "f": pa.array(["x", "y", "x"]).dictionary_encode(),
                "d": DATES,
                "t": INSTANTS,
            },
            "47c94f30e2214c7917cfca976960a475825afd710dd12e6cb003cff82fb41db2",
        ),
        ({"x": ["a", None, "", "z"]}, "15ceda31e3f254bd4b7d1afa2150150dff971bb0c5943bb6fd3d90d4a9bd8c7c"),
        (
            {"x": pa.array(["x", "y", "x"]).dictionary_encode()},
            "6abf705c3eb90ba047825cdad70d71f849d4ebdd5c90dc70de5bba408ba57d19",
        ),
        ({"x": DATES}, "2ce0b61a4f6474d237c3256d3e612117dfcc53e5cc67971e25ddabfe4d80c72f"),
        ({"x": INSTANTS[:2]}, "831c7afaa61d61d6f02880aa320e8320dd09cec0957f85ab4a523da113db030f"),
        (
            {"x": pa.array([timedelta(seconds=60), timedelta(seconds=120)], pa.duration("s"))},
            "c1715086d34ee59c646b85d33ae3b79c022963f342f12f2b32109b7637c6917c",
        ),
        (
            {"x": pa.array(np.array([1.0, 2.0]).view(np.int64))},
            "7cfcb4881940449f9472226dc4ae4d8beb10bae3e0027b795b083901d16626a4",
        ),
    ],
    ids=["id_val", "floats", "mixed", "text", "factor", "date", "time", "difftime", "integer64"],
)
def test_the_tables_of_the_format_page(columns: dict[str, Any], sha: str) -> None:
    assert sha == hash_table(pa.table(columns)).data_sha


@needs_r_stores
def test_payloads_of_stores_hash_to_their_names() -> None:
    payloads = list(objects("*/*.parquet"))
    assert payloads
    for file in payloads:
        assert file.stem == hash_table(read_parquet(file)).data_sha, file


@needs_r_stores
def test_example_files_hash_as_r_rereads_them() -> None:
    folder = FOLDER / "data-sha"
    cases = json.loads((folder / "vectors.json").read_text(encoding="utf-8"))["cases"]
    examples = [case for case in cases if case["id"].startswith("example_")]
    assert examples
    for case in examples:
        identity = hash_table(read_parquet(folder / case["file"]))
        assert case["reread"]["data_sha"] == identity.data_sha
        assert case["parquet_sha"] == file_sha256(folder / case["file"])
