"""What `datomfs diff` prints: a summary, columns, then the first rows, in the manner of PROC COMPARE; or one record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from datomfs.cli.output import Record, emit_line, emit_record, emit_rows
from datomfs.cli.selected import short_label

if TYPE_CHECKING:
    from datomfs.compare.comparison import ColumnChange, ColumnDifferences, Comparison, Options, Row
    from datomfs.compare.stored import Column, ColumnId


@dataclass(frozen=True, slots=True)
class Side:
    """One of both versions: PROJECT/TABLE@VERSION, its time, the hash and the size of its values, how it is proven."""

    version: str
    timestamp: str | None
    data_sha: str
    rows: int
    columns: int
    verified: str


def diff_record(comparison: Comparison, options: Options, base: Side, other: Side) -> Record:
    """All of a comparison but the rows beyond the first."""
    return {
        "equal": comparison.is_equal,
        "base": asdict(base),
        "other": asdict(other),
        "key": [id_.name for id_ in comparison.key],
        "tolerance": asdict(options.tolerance),
        "columns": {
            "common": comparison.column_count,
            "dropped": list(map(_column_record, comparison.columns_dropped)),
            "added": list(map(_column_record, comparison.columns_added)),
            "changed": list(map(_change_record, comparison.columns_changed)),
            "reordered": comparison.columns_reordered,
        },
        "rows": {
            "common": comparison.row_count,
            "equal": comparison.row_count - comparison.changed_count,
            "changed": comparison.changed_count,
            "dropped": comparison.dropped_count,
            "added": comparison.added_count,
            "reordered": comparison.rows_reordered,
            "base_repeats": comparison.base_repeats,
            "other_repeats": comparison.other_repeats,
        },
        "values": list(map(_differences_record, comparison.columns_differing)),
        "changed_rows": [_row_record(comparison, row) for row in comparison.changed_rows],
        "dropped_rows": [_row_record(comparison, row) for row in comparison.dropped_rows],
        "added_rows": [_row_record(comparison, row) for row in comparison.added_rows],
    }


def emit_comparison(comparison: Comparison, base: Side, other: Side) -> None:
    """The same as text."""
    sides = [{"": name, **asdict(side)} for name, side in (("base", base), ("other", other))]
    rows = [{**side, "version": short_label(side["version"])} for side in sides]
    emit_rows(rows, ("", "version", "timestamp", "rows", "columns", "verified"), as_json=False)
    emit_line("")
    emit_record(_summary(comparison), as_json=False)
    _emit_table("Columns that are not in both, or not stored alike", _column_rows(comparison))
    _emit_table("Values that differ, by column", _value_rows(comparison))
    changed = [line for row in comparison.changed_rows for line in _changed_rows(comparison, row)]
    _emit_table(f"Rows that differ{_first(comparison.changed_rows, comparison.changed_count)}", changed)
    for what, lone, count in (
        ("base", comparison.dropped_rows, comparison.dropped_count),
        ("other", comparison.added_rows, comparison.added_count),
    ):
        _emit_table(f"Rows only in {what}{_first(lone, count)}", [{"row": _name_of(comparison, row)} for row in lone])


# -- text ----------------------------------------------------------------------------------------------------------


def _summary(comparison: Comparison) -> Record:
    """One line each; what is nothing out of the ordinary is left out."""
    order = {True: "another", False: None}
    lines = {
        "columns in common": comparison.column_count,
        "columns only in base": len(comparison.columns_dropped) or None,
        "columns only in other": len(comparison.columns_added) or None,
        "columns of another kind": sum(change.is_difference for change in comparison.columns_changed) or None,
        "columns with differing values": len(comparison.columns_differing),
        "order of columns": order[comparison.columns_reordered],
        "rows matched by": ", ".join(map(_label, comparison.key)) or "position",
        "rows in common": comparison.row_count,
        "rows only in base": comparison.dropped_count or None,
        "rows only in other": comparison.added_count or None,
        "rows with differing values": comparison.changed_count,
        "order of rows": order[comparison.rows_reordered],
        "rows with a key again, in base": comparison.base_repeats or None,
        "rows with a key again, in other": comparison.other_repeats or None,
        "result": "nothing differs" if comparison.is_equal else "they differ",
    }
    return {name: value for name, value in lines.items() if value is not None}


def _column_rows(comparison: Comparison) -> list[Record]:
    lone = [
        {"column": _label(column.id), "found": f"only in {where}", "base": base, "other": other}
        for where, columns in (("base", comparison.columns_dropped), ("other", comparison.columns_added))
        for column in columns
        for base, other in [(_type(column), None) if where == "base" else (None, _type(column))]
    ]
    changed = [
        {
            "column": _label(change.id),
            "found": "another kind" if change.is_difference else "another type",
            "base": _type(change.base),
            "other": _type(change.other),
        }
        for change in comparison.columns_changed
    ]
    return [*lone, *changed]


def _value_rows(comparison: Comparison) -> list[Record]:
    return [
        {
            "column": _label(found.id),
            "rows": found.count,
            "missing in one": found.missing_count,
            "greatest difference": found.greatest,
        }
        for found in comparison.columns_differing
    ]


def _changed_rows(comparison: Comparison, row: Row) -> list[Record]:
    """A line for each cell; what tells the row stands in the first."""
    return [
        {
            "row": _name_of(comparison, row) if not nth else "",
            "column": _label(change.column),
            "base": change.base,
            "other": change.other,
            "difference": change.difference,
        }
        for nth, change in enumerate(row.changes)
    ]


def _name_of(comparison: Comparison, row: Row) -> object:
    """Its key, or its number: by position one is enough, since it is the same on both sides."""
    if not comparison.key:
        return row.base or row.other
    return dict(zip(map(_label, comparison.key), row.key, strict=True))


def _first(rows: Sequence[Row], count: int) -> str:
    return f", the first {len(rows)} of {count}" if len(rows) < count else ""


def _emit_table(title: str, rows: Sequence[Record]) -> None:
    if rows:
        emit_line("")
        emit_line(title)
        emit_rows(rows, tuple(rows[0]), as_json=False)


def _label(id_: ColumnId) -> str:
    return f"{id_.name} ({id_.nth + 1})" if id_.nth else id_.name


def _type(column: Column) -> str:
    return f"{column.kind or 'no kind'}, {column.type}"


# -- records -------------------------------------------------------------------------------------------------------


def _id_record(id_: ColumnId) -> Record:
    return {"name": id_.name, "nth": id_.nth + 1}


def _column_record(column: Column) -> Record:
    return {**_id_record(column.id), "kind": column.kind, "type": column.type}


def _change_record(change: ColumnChange) -> Record:
    sides = {
        name: {"kind": side.kind, "type": side.type} for name, side in (("base", change.base), ("other", change.other))
    }
    return {**_id_record(change.id), **sides, "difference": change.is_difference}


def _differences_record(found: ColumnDifferences) -> Record:
    greatest = found.greatest if found.greatest is None or math.isfinite(found.greatest) else "Inf"
    return {**_id_record(found.id), "rows": found.count, "missing": found.missing_count, "greatest": greatest}


def _row_record(comparison: Comparison, row: Row) -> Record:
    changes = [
        {**_id_record(change.column), "base": change.base, "other": change.other, "difference": change.difference}
        for change in row.changes
    ]
    key = {id_.name: value for id_, value in zip(comparison.key, row.key, strict=True)}
    return {"base_row": row.base, "other_row": row.other, "key": key, **({"changes": changes} if changes else {})}
