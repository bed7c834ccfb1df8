"""The CSV dumps beside what R wrote, and Arrow tables in the same terms.

Quoted is a text, also the empty one; nothing between commas is missing. Dates are days, times seconds since 1970. Whole
numbers are compared as such, so that no digit of an integer64 is lost; NaN is always `math.nan` itself, which lists
find equal to itself.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Value = str | bool | int | float | None

_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\n]*))([,\n])')
_WORDS: dict[str, Value] = {
    "": None, "TRUE": True, "FALSE": False, "NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf,
}  # fmt: skip
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def read_dump(path: Path) -> dict[str, list[Value]]:
    """The columns of a dump."""
    rows: list[list[Value]] = [[]]
    text, position = path.read_text(encoding="utf-8"), 0
    while position < len(text):
        found = _FIELD.match(text, position)
        if found is None:
            raise ValueError(f"{path}: no field begins at character {position}")
        quoted, bare, end = found.groups()
        rows[-1].append(_number(bare) if quoted is None else quoted.replace('""', '"'))
        if end == "\n":
            rows.append([])
        position = found.end()
    names, *lines = rows[:-1]
    return {str(name): [line[index] for line in lines] for index, name in enumerate(names)}


def read_arrow(table: pa.Table) -> dict[str, list[Value]]:
    """The columns of an Arrow table."""
    return {name: _values(table.column(name)) for name in table.column_names}


def r_class(kind: pa.DataType) -> list[str]:
    """The class a column of this Arrow type has in R (arrow's own table of conversions)."""
    if pa.types.is_dictionary(kind):
        return ["factor"]
    if pa.types.is_timestamp(kind):
        return ["POSIXct", "POSIXt"]
    return {
        pa.string(): ["character"],
        pa.bool_(): ["logical"],
        pa.int32(): ["integer"],
        pa.int64(): ["integer64"],
        pa.float64(): ["numeric"],
        pa.date32(): ["Date"],
    }[kind]


def _number(token: str) -> Value:
    if token in _WORDS:
        return _WORDS[token]
    return int(token) if token.lstrip("-").isdigit() else float(token)


def _values(column: pa.ChunkedArray[Any]) -> list[Value]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _values(column.cast(kind.value_type))
    if pa.types.is_date32(kind):
        return list(pc.cast(column, pa.int32()).to_pylist())
    if pa.types.is_timestamp(kind):
        return [
            None if count is None else count / _PER_SECOND[kind.unit]
            for count in pc.cast(column, pa.int64()).to_pylist()
        ]
    return [math.nan if isinstance(value, float) and math.isnan(value) else value for value in column.to_pylist()]
