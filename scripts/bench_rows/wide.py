"""The data that the rows over S3 read: parquet files of 20 mixed columns, the same on every machine.

Values are drawn row group by row group, each from a seed of its own, so that a file of 500 MB is never in memory.
`write_foreign` lays it out as other writers do, in row groups of 128 Ki rows; datomfs's own layout of the same values
is made by datomfs. Called by `remote`; knows nothing of stores and mounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

PICKED = ("whole26", "real3")
"""What the rows that pick columns read of the twenty: an integer of 26 bits, which snappy shrinks, and a double."""

WIDE_ROWS = 27 * (128 << 10)
"""About 524 MB."""

SMALL_ROWS = 1250
"""About 190 KB."""

_GROUP_ROWS = 128 << 10
_WHOLE_BITS = (8, 17, 26, 35, 44, 53)
_REALS = 6
_FIRST_US = 1_704_067_200_000_000
_FIRST_DAY = 18_262
_COMPASS = ("north", "south", "east", "west")


@dataclass(frozen=True, slots=True)
class WideFile:
    """A parquet file of that shape: its bytes, its rows, and the bytes of the picked columns' chunks."""

    path: Path
    size: int
    rows: int
    picked_bytes: int


def wide_table(rows: int, seed: int) -> pa.Table:
    """A table of 20 columns, about 190 bytes a row in memory."""
    random = np.random.default_rng(seed)
    wide = random.integers(0, 1 << 62, rows)
    columns: dict[str, pa.Array[Any]] = {
        f"whole{bits}": pa.array(random.integers(0, 1 << bits, rows)) for bits in _WHOLE_BITS
    }
    columns |= {f"real{number}": pa.array(random.normal(size=rows)) for number in range(_REALS)}
    columns["moment"] = pa.array(_FIRST_US + random.integers(0, 10**13, rows), pa.timestamp("us"))
    columns["day"] = pa.array((_FIRST_DAY + random.integers(0, 2000, rows)).astype(np.int32)).cast(pa.date32())
    columns["flag"] = pa.array(random.random(rows) < 0.3)
    columns["group"] = _one_of([f"group-{number:03d}" for number in range(200)], random, rows)
    columns["region"] = _one_of(_COMPASS, random, rows)
    columns["digits"] = _hex_digits(wide)
    columns["subject"] = pc.binary_join_element_wise("subject-", pa.array(wide >> 40).cast(pa.string()), "")
    columns["gaps"] = pa.array(random.normal(size=rows), mask=random.random(rows) < 0.4)
    return pa.table(columns)


def write_foreign(file: Path, rows: int, seed: int = 0) -> WideFile:
    """Write such a file as other writers lay theirs out: snappy, 128 Ki rows to a group, no page index."""
    with pq.ParquetWriter(file, wide_table(1, 0).schema, compression="snappy") as writer:
        for number, start in enumerate(range(0, rows, _GROUP_ROWS)):
            writer.write_table(wide_table(min(_GROUP_ROWS, rows - start), seed + number), row_group_size=_GROUP_ROWS)
    return describe(file)


def describe(file: Path) -> WideFile:
    """What there is to know of a file of that shape, whoever wrote it."""
    found = pq.read_metadata(file)
    groups = [found.row_group(number) for number in range(found.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    picked = sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema in PICKED)
    return WideFile(file, file.stat().st_size, found.num_rows, picked)


def _one_of(texts: list[str] | tuple[str, ...], random: np.random.Generator, rows: int) -> pa.Array[Any]:
    return pa.array(texts).take(pa.array(random.integers(0, len(texts), rows), pa.int64()))


def _hex_digits(numbers: NDArray[np.int64]) -> pa.Array[Any]:
    digits = numbers.astype(">i8").tobytes().hex().encode()
    ends = np.arange(0, 16 * (len(numbers) + 1), 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(ends.tobytes()), pa.py_buffer(digits))
