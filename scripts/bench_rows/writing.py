"""The row `write`: a parquet file becoming a version, beside a plain rewrite of the file and its SHA-256."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from datomfs.write.writer import write_table
from scripts.bench_rows.hashing import memory_in_tables
from scripts.bench_rows.measure import Figure, Series, Spent, beside_native, in_new_process, in_turn, spend
from scripts.bench_rows.places import Workshop
from scripts.bench_rows.tables import mixed_table
from tests.builders import Study, make_study

_ROWS = 500_000


def write(workshop: Workshop) -> Iterator[Figure]:
    """One figure: `write_table` into a folder store with a local remote, each time a new table in a new process."""
    table = mixed_table(workshop.scaled(_ROWS))
    source = workshop.folder / "source.parquet"
    pq.write_table(table, source)
    study = make_study(workshop.folder / "write")
    names = (f"table{number}" for number in itertools.count(1))
    rewritten = workshop.folder / "rewritten.parquet"

    def ours() -> Spent:
        os.sync()  # what the round before left to be written is not this round's
        return in_new_process(_ours, study, next(names), source)

    def native() -> Spent:
        os.sync()
        rewritten.unlink(missing_ok=True)
        return in_new_process(_native, source, rewritten)

    ours_taken, native_taken = in_turn(workshop.runs, ours, native)
    yield beside_native(
        "write",
        Series.of(one.seconds for one in ours_taken),
        Series.of(one.seconds for one in native_taken),
        f"{table.num_rows:,} x {table.num_columns}, {rewritten.stat().st_size / 1e6:.0f} MB of parquet; "
        f"{memory_in_tables(ours_taken, native_taken, table.nbytes)}, the table itself included",
    )


def _ours(study: Study, name: str, source: Path) -> Spent:
    with study.repo() as repo:
        return spend(lambda: write_table(repo, study.open_store, name, source, message=None, custom={}).data_sha)


def _native(source: Path, target: Path) -> Spent:
    def rewrite() -> str:
        with pq.ParquetFile(source) as file:
            table = file.read()
        # As the payloads of datomfs are laid out, so that both encode the same.
        pq.write_table(table, target, row_group_size=1 << 20, write_page_index=True)
        with target.open("rb") as written:
            return hashlib.file_digest(written, "sha256").hexdigest()

    return spend(rewrite)
