"""What was imported, cell by cell as R prints it: the class of each column and its values, for comparison with R's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from datomfs.identity.kinds import Kind
from datomfs.importing.imported import Imported
from tests.identity import reference

GOLDEN = Path(__file__).parents[1] / "golden" / "csv-import"

_PER_SECOND = {"us": 10**6, "ns": 10**9}
_MISSING = "NA"
_KINDS = {"numeric": "num", "logical": "num", "character": "chr", "Date": "date", "POSIXct": "time", "hms": "drtn"}


def r_columns(imported: Imported) -> list[tuple[str, str, list[Any]]]:
    """Name, R class and values of each column: doubles as doubles, missing ones as "NA", but None among texts."""
    kinds = (imported.kinds.get(place) for place in range(imported.table.num_columns))
    fields = zip(imported.table.schema, imported.table.columns, kinds, strict=True)
    return [(field.name, *_class_and_values(column, kind)) for field, column, kind in fields]


def _class_and_values(column: Any, kind: Kind | None) -> tuple[str, list[Any]]:
    type_ = column.type
    if pt.is_large_string(type_) or pt.is_string(type_):
        return "character", column.to_pylist()
    if pt.is_boolean(type_):
        return "logical", _render(column.cast(pa.int8()))
    if pt.is_int32(type_):
        return "integer", _render(column)
    if pt.is_int64(type_):
        return "integer64", _render(column)
    if pt.is_date(type_):
        return "IDate", _render(column.cast(pa.int32()))
    if pt.is_timestamp(type_):
        counts = column.cast(pa.int64()).to_pylist()
        return "POSIXct", [_MISSING if count is None else count / _PER_SECOND[type_.unit] for count in counts]
    doubles = [_MISSING if value is None else value for value in column.to_pylist()]
    return "POSIXct" if kind is Kind.TIME else "numeric", doubles


def _render(column: Any) -> list[str]:
    return [_MISSING if value is None else str(value) for value in column.to_pylist()]


def as_hashed(columns: list[Any]) -> list[reference.Column]:
    """What the reference of datom-cv1 hashes for columns as R has them (doubles in hexadecimal)."""
    found = []
    for name, class_, values in columns:
        cells = values if class_ == "character" else [_number(value) for value in values]
        found.append(reference.Column(_KINDS[class_], name, cells))
    return found


def _number(value: str) -> bytes:
    return reference.NA if value == _MISSING else reference.number(float.fromhex(value))
