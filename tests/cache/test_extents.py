"""Sets of byte ranges, against sets of integers."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from datomfs.cache.extents import Extents, Range

LIMIT = 40

places = st.integers(0, LIMIT)
changes = st.lists(st.tuples(st.sampled_from(["add", "add", "remove"]), places, places), max_size=30)
"""Ranges that end before they begin are among them: they are empty."""


def build(steps: list[tuple[str, int, int]]) -> tuple[Extents, set[int]]:
    """The extents that some changes lead to, and the same as a set of integers."""
    extents, model = Extents(), set[int]()
    for step, start, end in steps:
        getattr(extents, step)(start, end)
        if step == "add":
            model |= set(range(start, end))
        else:
            model -= set(range(start, end))
    return extents, model


def bytes_in(ranges: list[Range]) -> list[int]:
    """Every byte of some ranges, in their order, twice where they overlap."""
    return [byte for each in ranges for byte in range(*each)]


@given(changes)
def test_what_was_added_and_not_removed_is_there(steps: list[tuple[str, int, int]]) -> None:
    extents, model = build(steps)
    assert sorted(model) == bytes_in(list(extents))
    assert len(model) == extents.total


@given(changes)
def test_ranges_neither_overlap_nor_touch_nor_are_empty(steps: list[tuple[str, int, int]]) -> None:
    ranges = list(build(steps)[0])
    assert all(each.length > 0 for each in ranges)
    assert all(before.end < after.start for before, after in itertools.pairwise(ranges))


@given(changes, places, places)
def test_a_range_is_covered_when_every_byte_of_it_is_there(
    steps: list[tuple[str, int, int]], start: int, end: int
) -> None:
    extents, model = build(steps)
    assert (set(range(start, end)) <= model) == extents.covers(start, end)


@given(changes, places, places)
def test_missing_is_what_is_not_there_in_order_and_in_as_few_ranges_as_can_be(
    steps: list[tuple[str, int, int]], start: int, end: int
) -> None:
    extents, model = build(steps)
    missing = extents.missing(start, end)
    assert [byte for byte in range(start, end) if byte not in model] == bytes_in(missing)
    assert all(before.end < after.start for before, after in itertools.pairwise(missing))


@given(changes)
def test_nothing_is_left_after_clearing(steps: list[tuple[str, int, int]]) -> None:
    extents, _ = build(steps)
    extents.clear()
    assert ([], 0) == (list(extents), extents.total)
    extents.add(3, 5)
    assert [Range(3, 5)] == list(extents)
