"""Parquet files for tests of the cache, as different writers lay them out."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 3000

NARROW = pa.table(
    {
        "USUBJID": [f"01-{row % 97:03}" for row in range(ROWS)],
        "AGE": [row * 7919 % 90 for row in range(ROWS)],
        "AVAL": [row * 0.37 for row in range(ROWS)],
        "FLAG": [None if row % 3 else "Y" for row in range(ROWS)],
    }
)
NESTED = pa.table(
    {
        "id": list(range(ROWS)),
        "visits": [[row, row + 1] for row in range(ROWS)],
        "site": [{"name": str(row % 5), "country": {"code": "CH"}} for row in range(ROWS)],
        "codes": pa.array([[("a", row)] for row in range(ROWS)], pa.map_(pa.string(), pa.int64())),
    }
)


def write(table: pa.Table, **options: Any) -> bytes:
    """A table as a parquet file of pyarrow's, in row groups of 1,000 rows unless told otherwise."""
    target = io.BytesIO()
    pq.write_table(table, target, **{"row_group_size": 1000, **options})
    return target.getvalue()


def _polars(table: pa.Table) -> bytes:
    polars = pytest.importorskip("polars")
    target = io.BytesIO()
    polars.from_arrow(table).write_parquet(target, row_group_size=1000)
    return target.getvalue()


WRITERS: dict[str, Callable[[], bytes]] = {
    "dictionaries": lambda: write(NARROW),
    "no dictionaries": lambda: write(NARROW, use_dictionary=False),
    "v2 pages": lambda: write(NARROW, data_page_version="2.0"),
    "page index": lambda: write(NARROW, write_page_index=True),
    "checksums": lambda: write(NARROW, write_page_checksum=True),
    "no statistics": lambda: write(NARROW, write_statistics=False),
    "uncompressed": lambda: write(NARROW, compression="none"),
    "zstd": lambda: write(NARROW, compression="zstd"),
    "one column": lambda: write(NARROW.select(["AVAL"])),
    "nested columns": lambda: write(NESTED),
    "one row group": lambda: write(NARROW, row_group_size=ROWS),
    "many row groups": lambda: write(NARROW, row_group_size=10),
    "wide": lambda: write(pa.table({f"V{column}": [1, 2, 3] for column in range(2000)})),
    "no rows": lambda: write(NARROW.slice(0, 0)),
    "no columns": lambda: write(pa.table({})),
    "polars": lambda: _polars(NARROW),
}
"""Files of 0 to 2,000 columns and 0 to 300 row groups."""


def chunks_by_arrow(body: bytes) -> list[tuple[int, int, int]]:
    """Start, end and column of each chunk, as Arrow sees them."""
    metadata = pq.read_metadata(pa.BufferReader(body))
    chunks = []
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in range(group.num_columns):
            chunk = group.column(column)
            start = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
            chunks.append((start, start + chunk.total_compressed_size, column))
    return chunks
