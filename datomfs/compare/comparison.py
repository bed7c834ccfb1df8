"""The comparison itself: columns by their hashes first, then values, one column of both tables in memory at a time.

What two columns are is settled by names and kinds, which rows belong together by `keys`, what is equal by `cells`. All
differences of a column go to a sink while it is in memory; what stays is counted, with the rows a report begins with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from datomfs.compare.cells import EXACT, Cells, Tolerance, differences, find_differing, is_comparable, read_cells
from datomfs.compare.keys import Alignment, align_by_key, align_by_position
from datomfs.compare.stored import Column, ColumnId, StoredTable
from datomfs.errors import KeyUnusable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from datomfs.compare.cells import Plain, Rows


@dataclass(frozen=True, slots=True)
class Options:
    """How to compare: by which columns rows are told apart (none: by position), and what counts as equal.

    `shown` is how many rows are kept for a report.
    """

    key: tuple[ColumnId, ...] = ()
    tolerance: Tolerance = EXACT
    shown: int = 20


@dataclass(frozen=True, slots=True)
class Differences:
    """All pairs of rows in which one column differs, ascending, with both values and how far they are apart.

    `pairs` are places in the alignment, `distances` what `cells.differences` tells.
    """

    column: ColumnId
    pairs: Rows
    base: Cells
    other: Cells
    distances: NDArray[np.float64] | None


Sink = Callable[[Differences], None]
"""Called with the differences of one column after another, while they are in memory."""


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column of both tables that is not stored alike: another type of Arrow's, or another kind as well.

    Values of different kinds are not compared, unless both are numbers.
    """

    id: ColumnId
    base: Column
    other: Column

    @property
    def is_difference(self) -> bool:
        """Whether its kind changed; a type alone is how one writer keeps what another keeps otherwise."""
        return self.base.kind != self.other.kind or self.base.kind is None


@dataclass(frozen=True, slots=True)
class ColumnDifferences:
    """A column in which `count` rows differ; in `missing_count` of them one side alone is missing.

    `greatest` is the greatest difference without its sign, in days for dates and in seconds for times; None for texts,
    and where no two values can be subtracted.
    """

    id: ColumnId
    count: int
    missing_count: int
    greatest: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """One cell that differs; `difference` is other less base, None where that means nothing."""

    column: ColumnId
    base: Plain
    other: Plain
    difference: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A row for a report: its numbers, from 1, where it has one, its key, and what differs in it."""

    base: int | None
    other: int | None
    key: tuple[Plain, ...]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two tables. Counts are of all, `changed_rows` and its kin are the first of them."""

    key: tuple[ColumnId, ...]
    base_row_count: int
    other_row_count: int
    column_count: int
    columns_dropped: tuple[Column, ...]
    columns_added: tuple[Column, ...]
    columns_changed: tuple[ColumnChange, ...]
    columns_reordered: bool
    columns_differing: tuple[ColumnDifferences, ...]
    row_count: int
    changed_count: int
    dropped_count: int
    added_count: int
    rows_reordered: bool
    base_repeats: int
    other_repeats: int
    changed_rows: tuple[Row, ...]
    dropped_rows: tuple[Row, ...]
    added_rows: tuple[Row, ...]

    @property
    def is_equal(self) -> bool:
        """Whether both tables have the same columns, of the same kinds, and the same rows.

        The order of columns does not count, nor, with a key, that of rows; nor does the type of Arrow where the kind
        is the same.
        """
        return not (
            self.columns_dropped
            or self.columns_added
            or any(change.is_difference for change in self.columns_changed)
            or self.changed_count
            or self.dropped_count
            or self.added_count
        )


@dataclass(frozen=True, slots=True)
class Matched:
    """Which rows belong together, and the key columns of both sides by which that was found; none by position."""

    alignment: Alignment
    base_key: tuple[Cells, ...]
    other_key: tuple[Cells, ...]


def match_rows(base: StoredTable, other: StoredTable, key: Sequence[ColumnId]) -> Matched:
    """The rows of two tables, put together by key columns or by position. Raises KeyUnusable, UnreadableFile."""
    if not key:
        return Matched(align_by_position(base.row_count, other.row_count), (), ())
    for id_ in key:
        for table, which in ((base, "first"), (other, "second")):
            if id_ not in table.columns:
                raise KeyUnusable(id_.name, f"the {which} table has no such column")
            if table.columns[id_].kind is None:
                raise KeyUnusable(id_.name, f"its values are of the type {table.columns[id_].type}")
            if id_._replace(nth=1) in table.columns:
                raise KeyUnusable(id_.name, f"the {which} table has several columns of that name")
    left, right = (
        tuple(read_cells(table.columns[id_].kind, table.read(id_)) for id_ in key) for table in (base, other)
    )
    for id_, mine, theirs in zip(key, left, right, strict=True):
        if mine.kind is not theirs.kind:
            raise KeyUnusable(id_.name, f"its kind is {mine.kind} in the first table and {theirs.kind} in the second")
    return Matched(align_by_key(left, right), left, right)


def compare(
    base: StoredTable, other: StoredTable, matched: Matched, options: Options, sink: Sink = lambda _: None
) -> Comparison:
    """What differs between two tables whose rows are matched. Raises UnreadableFile."""
    alignment = matched.alignment
    common = [id_ for id_ in base.columns if id_ in other.columns]
    changes: list[ColumnChange] = []
    found: list[tuple[ColumnDifferences, Differences]] = []
    is_changed = np.zeros(len(alignment.base), np.bool_)
    for id_ in common:
        change = ColumnChange(id_, base.columns[id_], other.columns[id_])
        if _is_comparable(change) and id_ not in options.key and not _is_same(base, other, id_, alignment):
            change, differing = _compare_column(base, other, change, alignment, options.tolerance)
            if len(differing.pairs):
                is_changed[differing.pairs] = True
                sink(differing)
                found.append((_count(differing), _first(differing, options.shown)))
        if change.base != change.other:
            changes.append(change)
    return Comparison(
        key=options.key,
        base_row_count=base.row_count,
        other_row_count=other.row_count,
        column_count=len(common),
        columns_dropped=tuple(column for id_, column in base.columns.items() if id_ not in other.columns),
        columns_added=tuple(column for id_, column in other.columns.items() if id_ not in base.columns),
        columns_changed=tuple(changes),
        columns_reordered=common != [id_ for id_ in other.columns if id_ in base.columns],
        columns_differing=tuple(counts for counts, _ in found),
        row_count=len(alignment.base),
        changed_count=int(np.count_nonzero(is_changed)),
        dropped_count=len(alignment.dropped),
        added_count=len(alignment.added),
        rows_reordered=not alignment.is_in_order,
        base_repeats=alignment.base_repeats,
        other_repeats=alignment.other_repeats,
        changed_rows=_changed_rows(matched, np.flatnonzero(is_changed)[: options.shown], [first for _, first in found]),
        dropped_rows=_lone_rows(matched.base_key, alignment.dropped[: options.shown], is_base=True),
        added_rows=_lone_rows(matched.other_key, alignment.added[: options.shown], is_base=False),
    )


def _is_comparable(change: ColumnChange) -> bool:
    mine, theirs = change.base, change.other
    return is_comparable(mine.kind, theirs.kind) and (mine.kind is not None or mine.type == theirs.type)


def _is_same(base: StoredTable, other: StoredTable, id_: ColumnId, alignment: Alignment) -> bool:
    """Whether hashes tell that a column is equal: they cover the order of rows, so that must be the same."""
    if not alignment.is_by_position:
        return False
    mine = base.hash(id_)
    return mine is not None and mine == other.hash(id_)


def _compare_column(
    base: StoredTable, other: StoredTable, change: ColumnChange, alignment: Alignment, tolerance: Tolerance
) -> tuple[ColumnChange, Differences]:
    """The column with the kinds its values have, and where it differs."""
    id_ = change.id
    mine, theirs = (read_cells(table.columns[id_].kind, table.read(id_)) for table in (base, other))
    settled = ColumnChange(id_, replace(change.base, kind=mine.kind), replace(change.other, kind=theirs.kind))
    mine, theirs = mine.take(alignment.base), theirs.take(alignment.other)
    pairs = np.flatnonzero(find_differing(mine, theirs, tolerance))
    mine, theirs = mine.take(pairs), theirs.take(pairs)
    return settled, Differences(id_, pairs, mine, theirs, differences(mine, theirs))


def _count(found: Differences) -> ColumnDifferences:
    distances = np.empty(0) if found.distances is None else np.abs(found.distances)
    known = distances[~np.isnan(distances)]
    missing_count = int(np.count_nonzero(found.base.missing | found.other.missing))
    return ColumnDifferences(found.column, len(found.pairs), missing_count, float(known.max()) if len(known) else None)


def _first(found: Differences, count: int) -> Differences:
    """The same with the first pairs alone: no row among the first that differ is a later one of any column."""
    first = np.arange(min(count, len(found.pairs)))
    return Differences(
        found.column,
        found.pairs[first],
        found.base.take(first),
        found.other.take(first),
        None if found.distances is None else found.distances[first],
    )


def _changed_rows(matched: Matched, pairs: Rows, found: Sequence[Differences]) -> tuple[Row, ...]:
    changes: dict[int, list[Change]] = {pair: [] for pair in pairs.tolist()}
    for each in found:
        distances = [None] * len(each.pairs) if each.distances is None else each.distances.tolist()
        for pair, base, other, distance in zip(
            each.pairs.tolist(), each.base.told(), each.other.told(), distances, strict=True
        ):
            if pair in changes:
                difference = distance if distance is not None and math.isfinite(distance) else None
                changes[pair].append(Change(each.column, base, other, difference))
    rows = matched.alignment.base[pairs]
    partners = matched.alignment.other[pairs].tolist()
    keys = _keys(matched.base_key, rows)
    return tuple(
        Row(row + 1, partner + 1, key, tuple(changes[pair]))
        for row, partner, key, pair in zip(rows.tolist(), partners, keys, pairs.tolist(), strict=True)
    )


def _lone_rows(key: Sequence[Cells], rows: Rows, *, is_base: bool) -> tuple[Row, ...]:
    numbers = [row + 1 for row in rows.tolist()]
    return tuple(
        Row(number if is_base else None, None if is_base else number, each)
        for number, each in zip(numbers, _keys(key, rows), strict=True)
    )


def _keys(key: Sequence[Cells], rows: Rows) -> list[tuple[Plain, ...]]:
    if not key:
        return [()] * len(rows)
    return list(zip(*(cells.take(rows).told() for cells in key), strict=True))
