"""The identity of a table's content: `data_sha`, algorithm datom-cv1 (format.md §3.1).

Equal values have equal hashes, here and in R, whatever file, chunks or compression they come in. The writer calls it
for what it is about to write, and for a payload that already stands where the new one belongs. Columns are hashed side
by side in threads; what one column needs is in `columns`.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from datomfs.errors import EmptyTable, UnhashableColumns
from datomfs.identity.columns import hash_column
from datomfs.identity.kinds import Kind, Refusal, kind_of


@dataclass(frozen=True, slots=True)
class TableSha:
    """The hash of a table, the (name, hash) of its columns in their order, and its counts of rows and columns."""

    data_sha: str
    column_hashes: tuple[tuple[str, str], ...]
    nrow: int
    ncol: int


_BY_TYPE: Mapping[int, Kind] = MappingProxyType({})


def hash_table(table: pa.Table, kinds: Mapping[int, Kind] = _BY_TYPE) -> TableSha:
    """The identity of a table as R datom would compute it for the same file. Order of rows and columns matters.

    `kinds` has, by position, the kind of columns whose Arrow type does not tell what R has there.

    Raises EmptyTable, and UnhashableColumns naming every column that R has no kind for, with reason and way out.
    Takes a few MiB for each core beside the table, however large that is.
    """
    if not table.num_rows or not table.num_columns:
        raise EmptyTable(table.num_rows, table.num_columns)
    with ThreadPoolExecutor(min(table.num_columns, os.cpu_count() or 1)) as pool:
        given = (kinds.get(place) for place in range(table.num_columns))
        outcomes = list(pool.map(_hash_or_refuse, table.schema, table.columns, given))
    names = table.schema.names
    refused = tuple(
        (name, outcome.reason) for name, outcome in zip(names, outcomes, strict=True) if isinstance(outcome, Refusal)
    )
    if refused:
        raise UnhashableColumns(refused)
    hashes = tuple((name, str(outcome)) for name, outcome in zip(names, outcomes, strict=True))
    data_sha = join_hashes(table.num_rows, [sha for _, sha in hashes])
    return TableSha(data_sha, hashes, table.num_rows, table.num_columns)


def join_hashes(nrow: int, shas: Sequence[str]) -> str:
    """The data_sha of a table with that many rows, and columns of these hashes in this order (format.md §3.1)."""
    digest = hashlib.sha256(b"datom-cv1" + struct.pack("<dd", nrow, len(shas)))
    digest.update("".join(shas).encode())
    return digest.hexdigest()


def _hash_or_refuse(field: pa.Field[Any], column: pa.ChunkedArray[Any], given: Kind | None) -> str | Refusal:
    kind = given or kind_of(field)
    return kind if isinstance(kind, Refusal) else hash_column(field.name, kind, column)
