"""One of the two tables of a comparison: a parquet file of which columns are read one at a time.

Who opens it has proven its bytes. Hashes of columns are those that somebody knows already, else they are computed from
the values; where the known ones come from is the caller's business.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from datomfs.errors import UnreadableFile
from datomfs.identity.columns import hash_column
from datomfs.identity.kinds import Kind, Refusal, kind_of

if TYPE_CHECKING:
    Values: TypeAlias = pa.ChunkedArray[Any]

T = TypeVar("T")


class ColumnId(NamedTuple):
    """What a column is found by: its name, and how many columns of that name stand before it."""

    name: str
    nth: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its schema alone. `type` is Arrow's; `kind` is datom's, None for what datom has none for.

    Of an int64 column only the values tell whether it is INTEGER64; here it is NUMBER.
    """

    id: ColumnId
    type: str
    kind: Kind | None


class StoredTable:
    """An open parquet file. `label` names it in errors, `known` are hashes of columns that need not be computed.

    Methods raise UnreadableFile for what is no parquet file or is damaged, and what reading `file` raises.
    """

    def __init__(self, file: io.IOBase, label: str, known: Mapping[ColumnId, str] | None = None) -> None:
        self._label = label
        self._hashes = dict(known or {})
        self._parquet = self._reading(lambda: pq.ParquetFile(file))  # type: ignore[arg-type]
        self.row_count: int = self._parquet.metadata.num_rows
        seen: Counter[str] = Counter()
        columns = []
        for field in self._parquet.schema_arrow:
            kind = kind_of(field)
            id_ = ColumnId(field.name, seen[field.name])
            columns.append(Column(id_, str(field.type), None if isinstance(kind, Refusal) else kind))
            seen[field.name] += 1
        self.columns: Mapping[ColumnId, Column] = {column.id: column for column in columns}

    @property
    def hashes(self) -> Mapping[ColumnId, str]:
        """The hashes of columns known by now."""
        return self._hashes

    def know(self, hashes: Mapping[ColumnId, str]) -> None:
        """Take somebody's word for the hashes of columns."""
        self._hashes |= hashes

    def read(self, id_: ColumnId) -> Values:
        """The values of a column, all of them, in memory."""
        table = self._reading(lambda: self._parquet.read(columns=[id_.name]))
        # A name with a dot in it is also the path of a field below another column: the reader gives both.
        return table.column([index for index, name in enumerate(table.schema.names) if name == id_.name][id_.nth])

    def hash(self, id_: ColumnId) -> str | None:
        """The hash of a column under datom-cv1, or None where it has none."""
        kind = self.columns[id_].kind
        if kind is None:
            return None
        if id_ not in self._hashes:
            found = hash_column(id_.name, kind, self.read(id_))
            if isinstance(found, Refusal):
                return None
            self._hashes[id_] = found
        return self._hashes[id_]

    def _reading(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFile(self._label, str(error).partition("\n")[0]) from error
