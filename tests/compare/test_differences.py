"""All differences as a table for programs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from datomfs.compare.comparison import Options, compare, match_rows
from datomfs.compare.differences import changed_cells, differences_schema, lone_rows
from datomfs.compare.stored import StoredTable
from tests.compare.tables import by, stored


def listed(base: StoredTable, other: StoredTable, options: Options = Options()) -> list[dict[str, Any]]:  # noqa: B008
    matched = match_rows(base, other, options.key)
    schema = differences_schema(options.key, matched)
    tables: list[pa.Table] = []
    compare(base, other, matched, options, lambda found: tables.append(changed_cells(schema, matched, found)))
    rows: list[dict[str, Any]] = pa.concat_tables([*tables, *lone_rows(schema, matched)]).to_pylist()
    return rows


def test_cells_that_differ_and_lone_rows_have_a_row_each() -> None:
    rows = listed(
        stored(k=["a", "b"], x=[1.5, 2.0], t=["u", "v"]), stored(k=["c", "a"], x=[0.0, None], t=["", "w"]), by("k")
    )
    assert [
        ("changed", 1, 2, "a", "x", "1.5", None, 1.5, None, None),
        ("changed", 1, 2, "a", "t", "u", "w", None, None, None),
        ("dropped", 2, None, "b", None, None, None, None, None, None),
        ("added", None, 1, "c", None, None, None, None, None, None),
    ] == [tuple(row.values()) for row in rows]
    assert [
        "change", "base_row", "other_row", "key_k", "column", "base_value", "other_value", "base_number",
        "other_number", "difference",
    ] == list(rows[0])  # fmt: skip


def test_keys_keep_what_they_are() -> None:
    key = {
        "n": [1, None], "big": [2**40, None], "t": ["é", None], "d": pa.array([20_000, None], pa.date32()),
        "when": pa.array([86_400_000_001, None], pa.timestamp("us")), "s": pa.array([90, None], pa.time32("s")),
    }  # fmt: skip
    first, second = listed(stored(**key, x=[1, 2]), stored(**key, x=[3, 4]), by(*key))
    assert {
        "key_n": 1.0, "key_big": 2**40, "key_t": "é", "key_d": date(2024, 10, 4),
        "key_when": datetime(1970, 1, 2, 0, 0, 0, 1, tzinfo=UTC), "key_s": 90.0,
    } == {name: value for name, value in first.items() if name.startswith("key_")}  # fmt: skip
    assert {None} == {value for name, value in second.items() if name.startswith("key_")}


def test_differences_are_other_less_base() -> None:
    (row,) = listed(stored(x=[2**53 + 1, 5]), stored(x=[2**53, 5]))
    assert ("9007199254740993", "9007199254740992", -1.0) == (row["base_value"], row["other_value"], row["difference"])
    (row,) = listed(stored(x=pa.array([3], pa.date32())), stored(x=pa.array([1], pa.date32())))
    assert ("1970-01-04", None, -2.0) == (row["base_value"], row["base_number"], row["difference"])


def test_equal_tables_give_the_columns_alone() -> None:
    assert [] == listed(stored(x=[1]), stored(x=[1]), by("x"))
