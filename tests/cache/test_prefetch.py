"""What is fetched for what the kernel asks: little for a column, all of it once for a whole file, never less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.cache.extents import Range
from datomfs.cache.grid import Grid, plain_grid
from datomfs.cache.prefetch import Planner
from tests.cache.kernel_reads import MIB, PAGE, REQUEST, Follower, chunks_of, requests_for, table_grid

CHUNK = 650_000
"""As in the file of design.md §7: 522 MB, 20 columns, 40 row groups."""


# -- columns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [(3, 11), (4, 5), (0, 1), (18, 19)])
def test_two_of_twenty_columns_cost_at_most_a_quarter_more_than_their_bytes(columns: tuple[int, int]) -> None:
    follower = Follower(table_grid([CHUNK] * 20, 40))
    follower.read(follower.grid.size - 20_000, follower.grid.size)
    wanted = chunks_of(follower.grid, *columns)
    for chunk in wanted:
        follower.read(*chunk)
    assert follower.fetched.total <= 1.25 * sum(chunk.length for chunk in wanted)


def test_a_chunk_comes_whole_at_its_first_request_with_what_the_kernel_adds() -> None:
    follower = Follower(table_grid([CHUNK] * 20, 4))
    chunk = chunks_of(follower.grid, 7)[0]
    first, *others = requests_for(*chunk, follower.grid.size)
    follower.ask(first)
    assert follower.fetched.covers(first.start, chunk.end + REQUEST)
    before = follower.fetched.total
    for request in others:
        follower.ask(request)
    assert before == follower.fetched.total, "the page that the chunk ends in is read ahead from its end"


def test_a_column_read_in_two_row_groups_in_a_row_comes_ahead_in_the_next() -> None:
    follower = Follower(table_grid([CHUNK] * 20, 8))
    chunks = chunks_of(follower.grid, 7)
    follower.read(*chunks[0])
    assert not follower.fetched.covers(*chunks[1])
    follower.read(*chunks[1])
    assert [True] * 4 == [follower.fetched.covers(*chunk) for chunk in chunks[2:6]]
    assert [False] * 2 == [follower.fetched.covers(*chunk) for chunk in chunks[6:8]]


def test_a_column_read_in_distant_row_groups_does_not_come_ahead() -> None:
    follower = Follower(table_grid([CHUNK] * 20, 8))
    chunks = chunks_of(follower.grid, 7)
    follower.read(*chunks[0])
    follower.read(*chunks[2])
    assert [False] * 4 == [follower.fetched.covers(*chunks[row_group]) for row_group in (1, 3, 4, 5)]


def test_a_column_ahead_stays_within_the_largest_window() -> None:
    follower = Follower(table_grid([CHUNK] * 20, 8), largest_window=2 * CHUNK)
    chunks = chunks_of(follower.grid, 7)
    follower.read(*chunks[0])
    follower.read(*chunks[1])
    assert [True, True, False, False] == [follower.fetched.covers(*chunk) for chunk in chunks[2:6]]


def test_a_footer_that_was_read_makes_the_beginning_a_column() -> None:
    follower = Follower(table_grid([CHUNK] * 20, 40))
    follower.read(follower.grid.size - 20_000, follower.grid.size)
    follower.read(*chunks_of(follower.grid, 0)[0])
    assert follower.fetched.total < 2 * CHUNK


# -- look-ups ------------------------------------------------------------------------------------------------------


@given(st.integers(1, 4 * MIB), st.integers(1, REQUEST - 1))
def test_a_short_look_up_fetches_what_it_asks_for(page: int, length: int) -> None:
    follower = Follower(plain_grid(100 * MIB))
    follower.ask(Range(page * 7, page * 7 + length))
    assert [Range(page * 7, page * 7 + length)] == follower.gets


def test_a_look_up_as_long_as_a_request_fetches_half_a_mib() -> None:
    follower = Follower(plain_grid(100 * MIB))
    follower.ask(Range(10 * MIB, 10 * MIB + REQUEST))
    assert [Range(10 * MIB, 10 * MIB + 4 * REQUEST)] == follower.gets


def test_random_look_ups_cost_at_most_thrice_their_bytes() -> None:
    follower = Follower(plain_grid(500 * MIB))
    asked = 0
    for number in range(150):
        start = number * 104_729 * 4096 % (499 * MIB)
        length = (4096, 64 << 10, 300_000, MIB)[number % 4]
        follower.read(start, start + length)
        asked += length
    assert follower.fetched.total <= 3 * asked


# -- in sequence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, PAGE, REQUEST + 1, 9 * MIB, 300 * MIB + 17])
@pytest.mark.parametrize("kind", ["plain", "parquet"])
def test_a_whole_file_in_sequence_is_fetched_exactly_once(size: int, kind: str) -> None:
    grid = plain_grid(size) if kind == "plain" else table_grid([CHUNK] * 7, max(1, size // CHUNK // 7))
    follower = Follower(grid)
    follower.read(0, grid.size)
    assert [Range(0, grid.size)] == list(follower.fetched)
    assert grid.size == sum(each.length for each in follower.gets)
    ahead = [each for plan in follower.plans for each in plan.ahead]
    assert len(ahead) == len({each.start for each in ahead})
    assert sum(each.length for each in ahead) <= grid.size


def test_what_is_ahead_of_a_reader_in_sequence_is_bounded_and_grows_to_the_bound() -> None:
    follower = Follower(plain_grid(400 * MIB))
    leads = []
    for request in requests_for(0, follower.grid.size, follower.grid.size):
        follower.ask(request)
        leads.append(list(follower.fetched)[-1].end - request.end)
    assert max(leads) <= 64 * MIB
    assert 48 * MIB < max(leads)


def test_a_narrow_window_is_kept() -> None:
    follower = Follower(plain_grid(100 * MIB), largest_window=4 * MIB)
    for request in requests_for(0, follower.grid.size, follower.grid.size):
        follower.ask(request)
        assert list(follower.fetched)[-1].end <= request.end + 4 * MIB


def test_reading_on_from_a_look_up_becomes_a_sequence() -> None:
    follower = Follower(plain_grid(400 * MIB))
    start = 101 * MIB + 5 * PAGE
    for request in requests_for(start, start + 3 * MIB, follower.grid.size, read_ahead=0):
        follower.ask(request)
    assert follower.fetched.covers(start, start + 10 * MIB)
    assert follower.fetched.total < 16 * MIB


def test_a_jump_begins_small_again() -> None:
    follower = Follower(plain_grid(400 * MIB))
    follower.read(0, 100 * MIB)
    before = follower.fetched.total
    follower.ask(Range(300 * MIB + PAGE, 300 * MIB + PAGE + REQUEST))
    assert 4 * REQUEST == follower.fetched.total - before


def test_requests_that_arrive_swapped_are_one_sequence() -> None:
    follower = Follower(plain_grid(100 * MIB))
    first, *others = requests_for(0, 100 * MIB, 100 * MIB)
    follower.ask(first)
    for even, odd in zip(others[::2], others[1::2], strict=False):
        follower.ask(odd)
        follower.ask(even)
    follower.ask(others[-1])
    assert [Range(0, 100 * MIB)] == list(follower.fetched)
    assert len([plan for plan in follower.plans if plan.ahead]) < 12


def test_swapped_requests_at_the_borders_of_blocks_are_no_jumps() -> None:
    grid = table_grid([4 * REQUEST] * 200, 1)
    follower = Follower(grid)
    first, *others = requests_for(0, grid.size, grid.size)
    follower.ask(first)
    for even, odd in zip(others[::2], others[1::2], strict=False):
        follower.ask(odd)
        follower.ask(even)
    follower.ask(Range(grid.size - PAGE, grid.size))
    assert grid.size == sum(each.length for each in follower.gets)
    assert len([plan for plan in follower.plans if plan.ahead]) < 12


# -- always --------------------------------------------------------------------------------------------------------

grids = st.one_of(
    st.integers(1, 30 * MIB).map(plain_grid),
    st.builds(table_grid, st.lists(st.integers(1, 9 * MIB), min_size=1, max_size=5), st.integers(1, 5)),
)


@given(grids, st.data())
def test_every_request_is_covered_by_what_was_planned(grid: Grid, data: st.DataObject) -> None:
    """`Follower.ask` looks."""
    follower = Follower(grid)
    size = follower.grid.size
    at = 0
    for _ in range(data.draw(st.integers(1, 30))):
        at = data.draw(st.one_of(st.just(at % size), st.integers(0, size - 1)))
        length = data.draw(st.sampled_from([1, PAGE, REQUEST, 3 * REQUEST, 2 * MIB]))
        follower.ask(Range(at, min(at + length, size)))
        at += length


def test_many_readers_cost_no_more_memory_than_a_thousand() -> None:
    planner = Planner(plain_grid(10_000 * MIB))
    for place in range(5000):
        planner.plan(2 * place * MIB + PAGE, 2 * place * MIB + 2 * PAGE)
    assert len(planner._streams) <= 1024
