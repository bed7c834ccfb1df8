"""How a kernel asks for what a program reads, and what a planner makes of it: for tests of prefetching, no kernel."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from datomfs.cache.extents import Extents, Range
from datomfs.cache.grid import Grid
from datomfs.cache.prefetch import Plan, Planner

PAGE = 4096
REQUEST = 128 << 10
MIB = 1 << 20


def table_grid(chunk_sizes: Sequence[int], row_groups: int, footer: int = 20_000) -> Grid:
    """The grid of a parquet file whose row groups have chunks of these sizes; 4 bytes of magic before them."""
    starts, columns, at = array("q", [0]), array("l", [-1]), 4
    for _ in range(row_groups):
        for column, size in enumerate(chunk_sizes):
            starts.append(at)
            columns.append(column)
            at += size
    starts.append(at)
    columns.append(-1)
    return Grid(at + footer, starts, columns, is_parquet=True)


def chunks_of(grid: Grid, *columns: int) -> list[Range]:
    """Where the chunks of some columns lie, row group by row group."""
    blocks = map(grid.block, range(len(grid)))
    return [Range(block.start, block.end) for block in blocks if block.column in columns]


def requests_for(start: int, end: int, size: int, *, read_ahead: int = 1) -> Iterator[Range]:
    """A range as the kernel asks for it: from a page's start, 128 KiB at a time, and its read-ahead beyond the end."""
    at = start - start % PAGE
    upto = min(end + (-end) % PAGE, size)
    while at < upto:
        yield Range(at, min(at + REQUEST, upto))
        at += REQUEST
    for at in range(upto, min(upto + read_ahead * REQUEST, size), REQUEST):
        yield Range(at, min(at + REQUEST, size))


@dataclass
class Follower:
    """Takes in plans as a payload does: each range is fetched unless it is there already. Checks what always holds."""

    grid: Grid
    planner: Planner = field(init=False)
    largest_window: int = 64 * MIB
    fetched: Extents = field(default_factory=Extents)
    gets: list[Range] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.planner = Planner(self.grid, largest_window=self.largest_window)

    def ask(self, request: Range) -> Plan:
        """One request; its plan."""
        plan = self.planner.plan(*request)
        for each in (*plan.needed, *plan.ahead):
            assert 0 <= each.start < each.end <= self.grid.size
            for gap in self.fetched.missing(*each):
                self.gets.append(gap)
                self.fetched.add(*gap)
        assert self.fetched.covers(*request)
        self.plans.append(plan)
        return plan

    def read(self, start: int, end: int) -> None:
        """Read a range through the kernel."""
        for request in requests_for(start, end, self.grid.size):
            self.ask(request)
