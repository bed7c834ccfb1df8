"""Tables for comparisons: in memory, stored as parquet, opened as `compare` opens them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datomfs.compare.comparison import Comparison, Differences, Options, compare, match_rows
from datomfs.compare.stored import ColumnId, StoredTable


class Watched(StoredTable):
    """Notes which columns are read."""

    def __init__(self, table: pa.Table, known: Mapping[ColumnId, str] | None = None) -> None:
        file = io.BytesIO()
        pq.write_table(table, file, row_group_size=3)
        file.seek(0)
        self.was_read: list[str] = []
        super().__init__(file, "a table of the test")
        self.know(known or {})

    def read(self, id_: ColumnId) -> Any:
        self.was_read.append(id_.name)
        return super().read(id_)


def stored(**columns: Any) -> Watched:
    """A table of these columns."""
    return Watched(pa.table(columns))


def run(base: StoredTable, other: StoredTable, options: Options = Options()) -> tuple[Comparison, list[Differences]]:  # noqa: B008
    """A comparison, and all that went to its sink."""
    found: list[Differences] = []
    comparison = compare(base, other, match_rows(base, other, options.key), options, found.append)
    return comparison, found


def by(*names: str) -> Options:
    """Options that tell rows apart by these columns."""
    return Options(tuple(map(ColumnId, names)))
