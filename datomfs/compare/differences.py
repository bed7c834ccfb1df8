"""All differences as one table of Arrow's, for programs: a row for each cell that differs and each row that is alone.

change         changed, dropped (only in base) or added (only in other)
base_row, other_row      the numbers of the row on each side, from 1
key_NAME       the value of each key column, as double, int64, string, date or timestamp
column         which column differs
base_value, other_value  both values as text
base_number, other_number, difference   the same as doubles where it has any; other less base
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from datomfs.compare.cells import Cells, Plain
from datomfs.compare.comparison import Differences, Matched
from datomfs.compare.stored import ColumnId
from datomfs.identity.kinds import Kind

if TYPE_CHECKING:
    from datomfs.compare.cells import Rows

_VALUES: tuple[tuple[str, Any], ...] = (
    ("column", pa.string()),
    ("base_value", pa.string()),
    ("other_value", pa.string()),
    ("base_number", pa.float64()),
    ("other_number", pa.float64()),
    ("difference", pa.float64()),
)


def differences_schema(key: Sequence[ColumnId], matched: Matched) -> pa.Schema:
    """The columns of the table, given the key that rows were matched by."""
    keys = [(f"key_{id_.name}", cells.to_arrow().type) for id_, cells in zip(key, matched.base_key, strict=True)]
    rows: list[tuple[str, Any]] = [("change", pa.string()), ("base_row", pa.int64()), ("other_row", pa.int64())]
    return pa.schema([*rows, *keys, *_VALUES])


def changed_cells(schema: pa.Schema, matched: Matched, found: Differences) -> pa.Table:
    """The rows of the table for one column that differs."""
    rows = matched.alignment.base[found.pairs]
    values = [
        pa.array([found.column.name] * len(rows), pa.string()),
        _texts(found.base),
        _texts(found.other),
        _numbers(found.base),
        _numbers(found.other),
        _known(found.distances, len(rows)),
    ]
    return _table(schema, "changed", rows, matched.alignment.other[found.pairs], matched.base_key, rows, values)


def lone_rows(schema: pa.Schema, matched: Matched) -> Iterator[pa.Table]:
    """The rows of the table for rows that one side alone has."""
    for change, rows, key in (
        ("dropped", matched.alignment.dropped, matched.base_key),
        ("added", matched.alignment.added, matched.other_key),
    ):
        base, other = (rows, None) if change == "dropped" else (None, rows)
        yield _table(schema, change, base, other, key, rows, [pa.nulls(len(rows), type_) for _, type_ in _VALUES])


def _table(
    schema: pa.Schema,
    change: str,
    base: Rows | None,
    other: Rows | None,
    key: Sequence[Cells],
    key_rows: Rows,
    values: Sequence[pa.Array[Any]],
) -> pa.Table:
    count = len(key_rows)
    numbers = [
        pa.nulls(count, pa.int64()) if rows is None else pa.array(rows + 1, pa.int64()) for rows in (base, other)
    ]
    keys = [cells.take(key_rows).to_arrow() for cells in key]
    return pa.Table.from_arrays([pa.array([change] * count, pa.string()), *numbers, *keys, *values], schema=schema)


def _texts(cells: Cells) -> pa.Array[Any]:
    return pa.array([_text(value) for value in cells.told()], pa.string())


def _text(value: Plain) -> str | None:
    return None if value is None else str(value)


def _numbers(cells: Cells) -> pa.Array[Any]:
    if cells.kind not in (Kind.NUMBER, Kind.INTEGER64, Kind.DURATION):
        return _none(len(cells))
    numbers: pa.Array[Any] = pa.array(cells.values.astype(np.float64), mask=cells.missing)
    return numbers


def _known(distances: Any, count: int) -> pa.Array[Any]:
    known: pa.Array[Any] = pa.array(distances, mask=np.isnan(distances)) if distances is not None else _none(count)
    return known


def _none(count: int) -> pa.Array[Any]:
    return pa.nulls(count, pa.float64())
