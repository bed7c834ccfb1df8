"""What differs between two tables, against a plain reference and case by case."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from datomfs.compare.cells import Tolerance
from datomfs.compare.comparison import Change, Options, match_rows
from datomfs.compare.stored import ColumnId
from datomfs.errors import KeyUnusable
from tests.compare import reference
from tests.compare.reference import R_NA, Column
from tests.compare.tables import Watched, by, run, stored

Drawn: TypeAlias = "tuple[dict[tuple[str, int], Column], int]"

_TYPES: dict[str, tuple[Any, list[Any]]] = {
    "double": (pa.float64(), [None, math.nan, R_NA, 0.0, -0.0, 1.0, 1.05, 2.0**53, 1e300, -1e300, math.inf, -math.inf]),
    "int32": (pa.int32(), [None, -(2**31), 0, 1, 2]),
    "int64": (pa.int64(), [None, -(2**31), -(2**63), 0, 1, 2**53, 2**53 + 1, 2**63 - 1]),
    "string": (pa.string(), [None, "", "a", "a ", "é"]),
    "date": (pa.date32(), [None, 0, 1, 40_000_000]),
    "time": (pa.timestamp("us"), [None, 0, 1, 10**15]),
    "list": (pa.list_(pa.int8()), [None, [], [1]]),
    "list2": (pa.list_(pa.int16()), [None, [], [1]]),
}


@st.composite
def tables(draw: st.DrawFn) -> Drawn:
    rows = draw(st.integers(0, 7))
    found: dict[tuple[str, int], Column] = {}
    for name in draw(st.lists(st.sampled_from(["a", "a", "a", "b", "a.b", "", "x,y"]), max_size=4)):
        nth = sum(known == name for known, _ in found)
        kind = draw(st.sampled_from(["double", "string"]) | st.sampled_from(sorted(_TYPES)))
        values = st.sampled_from(_TYPES[kind][1])
        found[name, nth] = Column(kind, draw(st.lists(values, min_size=rows, max_size=rows)))
    return found, rows if found else 0


def store(table: dict[tuple[str, int], Column]) -> Watched:
    arrays = []
    for column in table.values():
        type_ = _TYPES[column.type][0]
        is_count = column.type in ("date", "time")
        raw = pa.array(column.values, pa.int32() if column.type == "date" else pa.int64() if is_count else type_)
        arrays.append(raw.cast(type_))
    return Watched(pa.Table.from_arrays(arrays, names=[name for name, _ in table]))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Drawn, Drawn]:
    """A table, and another one, or the same with its rows shuffled, some gone, and some values others."""
    base, rows = draw(tables())
    if draw(st.booleans()):
        return (base, rows), draw(tables())
    order = draw(st.permutations(range(rows)))[: draw(st.integers(0, rows))] if draw(st.booleans()) else range(rows)
    other = {}
    for name, column in draw(st.permutations(list(base.items()))):
        values = [column.values[row] for row in order]
        for row in draw(st.sets(st.integers(0, len(values) - 1), max_size=2)) if values else ():
            values[row] = draw(st.sampled_from(_TYPES[column.type][1]))
        other[name] = Column(column.type, values)
    nth_in_order = all((name, nth - 1) in list(other)[:place] for place, (name, nth) in enumerate(other) if nth)
    return (base, rows), (other if nth_in_order else dict(sorted(other.items())), len(order))


@settings(max_examples=300)
@given(pairs(), st.data())
def test_a_comparison_finds_what_the_reference_finds(both: tuple[Drawn, Drawn], data: st.DataObject) -> None:
    (base, base_rows), (other, other_rows) = both
    once = [
        name
        for name in sorted(base.keys() & other.keys())
        if base[name].kind == other[name].kind
        and "list" not in base[name].type
        and (name[0], 1) not in base.keys() | other.keys()
    ]
    key = data.draw(st.lists(st.sampled_from(once), max_size=2, unique=True)) if once else []
    tolerance = data.draw(st.sampled_from([Tolerance(), Tolerance(0.1), Tolerance(0, 0.06), Tolerance(1.0, 1e-9)]))
    options = Options(tuple(ColumnId(*name) for name in key), tolerance)
    expected = reference.compare(base, other, (base_rows, other_rows), key, tolerance.absolute, tolerance.relative)
    left, right = store(base), store(other)
    alignment = match_rows(left, right, options.key).alignment
    comparison, found = run(left, right, options)
    event(f"{len(key)} key columns, {'some' if expected.cells else 'no'} values differ")

    assert expected.pairs == list(zip(alignment.base.tolist(), alignment.other.tolist(), strict=True))
    assert expected.dropped == alignment.dropped.tolist()
    assert expected.added == alignment.added.tolist()
    assert expected.cells == {
        tuple(each.column): list(
            zip(alignment.base[each.pairs].tolist(), alignment.other[each.pairs].tolist(), strict=True)
        )
        for each in found
    }
    assert {name: len(pairs) for name, pairs in expected.cells.items()} == {
        tuple(each.id): each.count for each in comparison.columns_differing
    }
    assert len(set().union(*expected.cells.values())) == comparison.changed_count
    assert base.keys() - other.keys() == {tuple(column.id) for column in comparison.columns_dropped}
    assert other.keys() - base.keys() == {tuple(column.id) for column in comparison.columns_added}


def test_equal_columns_are_read_for_their_hashes_and_nothing_else() -> None:
    base, other = stored(a=[1, 2], t=["x", "y"]), stored(a=[1, 2], t=["x", "z"])
    run(base, other)
    assert ["a", "t", "t"] == base.was_read
    again = Watched(pa.table({"a": [1, 2], "t": ["x", "y"]}), base.hashes)
    second = Watched(pa.table({"a": [1, 2], "t": ["x", "z"]}), other.hashes)
    comparison, _ = run(again, second)
    assert (["t"], ["t"]) == (again.was_read, second.was_read)
    assert 1 == comparison.changed_count


def test_hashes_do_not_tell_of_rows_that_changed_places() -> None:
    comparison, _ = run(stored(k=[1, 2], x=[5, 6]), stored(k=[2, 1], x=[5, 6]), by("k"))
    assert [2] == [each.count for each in comparison.columns_differing]
    assert comparison.rows_reordered


def test_order_of_columns_and_by_key_of_rows_does_not_count() -> None:
    base, other = stored(k=[1, 2], x=["a", "b"]), stored(x=["b", "a"], k=[2, 1])
    comparison, _ = run(base, other, by("k"))
    assert (True, True, True) == (comparison.is_equal, comparison.columns_reordered, comparison.rows_reordered)
    assert not run(base, other)[0].is_equal


def test_a_type_alone_is_told_and_is_no_difference() -> None:
    comparison, _ = run(stored(x=pa.array([1], pa.int32())), stored(x=pa.array([1.0])))
    assert comparison.is_equal
    (change,) = comparison.columns_changed
    assert ("int32", "double", False) == (change.base.type, change.other.type, change.is_difference)


def test_a_kind_is_a_difference_and_only_numbers_are_compared_across() -> None:
    comparison, found = run(stored(x=[1, 2], t=["1", "2"]), stored(x=[1, 2**40], t=[1, 2]))
    assert not comparison.is_equal
    assert [("x", "num", "i64", True), ("t", "chr", "num", True)] == [
        (change.id.name, change.base.kind, change.other.kind, change.is_difference)
        for change in comparison.columns_changed
    ]
    assert [("x", [1])] == [(each.column.name, each.pairs.tolist()) for each in found]


def test_integers_too_large_for_a_double_are_told_apart() -> None:
    comparison, _ = run(stored(x=[2**53, -(2**62)]), stored(x=[2**53 + 1, 2**62]))
    assert (2, float(2**63)) == (comparison.columns_differing[0].count, comparison.columns_differing[0].greatest)


def test_repeated_keys_belong_together_in_their_order_and_are_counted() -> None:
    comparison, _ = run(
        stored(k=["a", "a", "a", None], x=[1, 2, 3, 4]), stored(k=["a", None, "a"], x=[1, 4, 9]), by("k")
    )
    assert (2, 1) == (comparison.base_repeats, comparison.other_repeats)
    assert (3, 1, 0) == (comparison.row_count, comparison.dropped_count, comparison.added_count)
    (row,) = comparison.changed_rows
    assert (2, 3, ("a",), (Change(ColumnId("x"), 2, 9, 7.0),)) == (row.base, row.other, row.key, row.changes)
    assert [(3, None, ("a",))] == [(row.base, row.other, row.key) for row in comparison.dropped_rows]


def test_the_first_rows_of_all_columns_are_told_with_all_that_differs_in_them() -> None:
    base, other = stored(x=[0, 0, 0, 0], y=["", "", "", ""]), stored(x=[0, 0, 1, 1], y=["", "z", "", "z"])
    comparison, _ = run(base, other, Options(shown=2))
    assert 3 == comparison.changed_count
    assert [(2, ["y"]), (3, ["x"])] == [
        (row.base, [change.column.name for change in row.changes]) for row in comparison.changed_rows
    ]


def test_the_greatest_difference_passes_over_what_is_missing() -> None:
    comparison, _ = run(
        stored(x=[1.0, None, math.nan, -8.0], d=pa.array([0, 1, 2, 3], pa.date32())),
        stored(x=[1.5, 2.0, 3.0, 1.0], d=pa.array([0, 1, 2, 33], pa.date32())),
    )
    assert [("x", 4, 1, 9.0), ("d", 1, 0, 30.0)] == [
        (each.id.name, each.count, each.missing_count, each.greatest) for each in comparison.columns_differing
    ]


def test_values_are_told_as_people_write_them() -> None:
    day = 86_400_000_000
    base = stored(
        n=[1.0], f=[0.1], i=[math.inf], d=pa.array([20_000], pa.date32()), far=pa.array([40_000_000], pa.date32()),
        t=pa.array([day + 1], pa.timestamp("us")), s=pa.array([90], pa.time32("s")),
    )  # fmt: skip
    other = stored(
        n=[2.0], f=[math.nan], i=[-math.inf], d=pa.array([None], pa.date32()), far=pa.array([0], pa.date32()),
        t=pa.array([day], pa.timestamp("us")), s=pa.array([91], pa.time32("s")),
    )  # fmt: skip
    (row,) = run(base, other)[0].changed_rows
    assert {
        "n": (1, 2), "f": (0.1, "NaN"), "i": ("Inf", "-Inf"), "d": ("2024-10-04", None),
        "far": (40_000_000, "1970-01-01"), "t": ("1970-01-02T00:00:00.000001Z", "1970-01-02T00:00:00Z"), "s": (90, 91),
    } == {change.column.name: (change.base, change.other) for change in row.changes}  # fmt: skip


@pytest.mark.parametrize(
    ("base", "other", "reason"),
    [
        ({"x": [1]}, {"k": [1]}, "the first table has no such column"),
        ({"k": [1]}, {"x": [1]}, "the second table has no such column"),
        ({"k": [1]}, {"k": ["1"]}, "its kind is num in the first table and chr in the second"),
        ({"k": [1]}, {"k": [2**40]}, "its kind is num in the first table and i64 in the second"),
        ({"k": [[1]]}, {"k": [[1]]}, "its values are of the type list<element: int64>"),
    ],
)
def test_columns_that_can_be_no_key_are_refused(base: Any, other: Any, reason: str) -> None:
    with pytest.raises(KeyUnusable) as caught:
        run(stored(**base), stored(**other), by("k"))
    assert ("k", reason) == (caught.value.column, caught.value.reason)


def test_a_key_that_two_columns_have_is_refused() -> None:
    twice = Watched(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["k", "k"]))
    with pytest.raises(KeyUnusable, match="several columns of that name"):
        run(stored(k=[1]), twice, by("k"))


def test_a_number_and_a_large_integer_are_equal_only_exactly() -> None:
    base = stored(x=pa.array([2**62, 1, 2, 2**63 - 1, 2**53 + 1]))
    other = stored(x=[2.0**62, 1.5, 2.0, 2.0**63, 2.0**53])
    for one, two in ((base, other), (other, base)):
        assert [1, 3, 4] == run(one, two)[1][0].pairs.tolist()


def test_nan_and_missing_are_each_equal_to_themselves_alone() -> None:
    base = stored(x=[math.nan, None, R_NA, math.nan, None, 0.0], y=[1.0] * 6)
    other = stored(x=[math.nan, None, None, None, math.nan, -0.0], y=[1.0] * 6)
    assert [3, 4] == run(base, other)[1][0].pairs.tolist()


def test_a_tolerance_is_for_numbers() -> None:
    base = stored(x=[1.0, math.inf], d=pa.array([1, 1], pa.date32()), t=pa.array([1, 1], pa.timestamp("s")))
    other = stored(x=[2.0, 5.0], d=pa.array([2, 1], pa.date32()), t=pa.array([2, 1], pa.timestamp("s")))
    comparison, found = run(base, other, Options(tolerance=Tolerance(10, 10)))
    assert [("x", [1]), ("d", [0]), ("t", [0])] == [(each.column.name, each.pairs.tolist()) for each in found]
    assert [math.inf, 1, 1] == [each.greatest for each in comparison.columns_differing]
    assert None is comparison.changed_rows[1].changes[0].difference


def test_values_datom_has_no_kind_for_are_compared_within_one_type() -> None:
    base, other = stored(x=[[1], [2], None]), stored(x=[[1], [3], None])
    comparison, found = run(base, other)
    assert ([1], ()) == (found[0].pairs.tolist(), comparison.columns_changed)
    comparison, found = run(base, stored(x=pa.array([[1], [3], None], pa.list_(pa.int8()))))
    assert ([], [True], False) == (
        found, [change.is_difference for change in comparison.columns_changed], comparison.is_equal
    )  # fmt: skip


def test_many_rows_of_one_key_keep_their_order() -> None:
    rows = list(range(1000))
    grouped = sorted(rows, key=lambda row: row % 3)
    base, other = (stored(k=[row % 3 for row in order], x=order) for order in (rows, grouped))
    comparison, _ = run(base, other, by("k"))
    assert (True, True, 997) == (comparison.is_equal, comparison.rows_reordered, comparison.base_repeats)


def test_a_name_that_is_also_a_path_is_read_as_a_name() -> None:
    nested = pa.table({"a": [{"b": 1}], "a.b": [5]})
    comparison, _ = run(Watched(nested), Watched(nested.set_column(1, "a.b", pa.array([6]))))
    assert [("a.b", 1.0)] == [(each.id.name, each.greatest) for each in comparison.columns_differing]
