"""The row `data_sha`: a table's identity beside the same hash in plain numpy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from datomfs.identity.table import hash_table
from scripts.bench_rows.measure import Figure, Series, Spent, beside_native, in_new_process, in_turn, spend
from scripts.bench_rows.places import Workshop
from scripts.bench_rows.plain import plain_data_sha
from scripts.bench_rows.tables import mixed_table

_ROWS = 500_000


def data_sha(workshop: Workshop) -> Iterator[Figure]:
    """One figure: the hash of a table in memory, each time in a new process, with the memory it takes beside it."""
    table = mixed_table(workshop.scaled(_ROWS))
    file = workshop.folder / "table.arrow"
    with pa.ipc.new_file(str(file), table.schema) as writer:
        writer.write_table(table)
    ours, native = in_turn(workshop.runs, lambda: in_new_process(_ours, file), lambda: in_new_process(_native, file))
    check_same_answer([*ours, *native])
    yield beside_native(
        "data_sha",
        Series.of(one.seconds for one in ours),
        Series.of(one.seconds for one in native),
        f"{table.num_rows:,} x {table.num_columns}, {table.nbytes / 1e6:.0f} MB in memory; "
        f"{memory_in_tables(ours, native, table.nbytes)}",
    )


def check_same_answer(taken: list[Spent]) -> None:
    """Raise unless all came to the same hash: a figure of a wrong answer is none."""
    answers = {one.answer for one in taken}
    if len(answers) != 1:
        raise ValueError(f"the two sides disagree: {answers}")


def memory_in_tables(ours: list[Spent], native: list[Spent], table_bytes: int) -> str:
    """The peaks of memory beyond what the process had at the start, as multiples of the table."""
    peaks = [max(one.memory for one in side) / table_bytes for side in (ours, native)]
    return f"peak of memory {peaks[0]:.2f} x the table (native {peaks[1]:.2f} x)"


def _ours(file: Path) -> Spent:
    table = _load(file)
    hash_table(table.slice(0, 1))
    return spend(lambda: hash_table(table).data_sha)


def _native(file: Path) -> Spent:
    table = _load(file)
    plain_data_sha(table.slice(0, 1))  # the first conversion makes Arrow import pandas, 0.2 s that are nobody's hashing
    return spend(lambda: plain_data_sha(table))


def _load(file: Path) -> pa.Table:
    """The table as its file has it; decoding nothing, Arrow leaves no freed memory behind that would hide a peak."""
    with pa.OSFile(str(file), "rb") as source:
        return pa.ipc.open_file(source).read_all()
