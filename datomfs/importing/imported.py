"""What a file became: its table, and what R changed on the way. Knows no format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from datomfs.identity.kinds import Kind
from datomfs.importing.arrow import Values


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its values, the kind R hashes it under where the Arrow type does not tell, and what R lost of it."""

    values: Values
    kind: Kind | None = None
    losses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """A file as R datom reads it.

    `kinds` has, by position, the kind of columns that Arrow has no type for: instants that no timestamp holds, and
    integers that R takes for 64-bit ones although 32 bits hold them. `losses` says, in sentences for people, what R
    does not keep of the file; it is empty unless that was allowed.
    """

    table: pa.Table
    kinds: Mapping[int, Kind] = field(default_factory=dict)
    losses: tuple[str, ...] = ()


def imported_of(names: list[str], columns: list[Column], losses: tuple[str, ...] = ()) -> Imported:
    """The columns under their names, which may repeat, with the losses of the file before those of its columns."""
    lost = [f"column {name!r}: {loss}" for name, column in zip(names, columns, strict=True) for loss in column.losses]
    return Imported(
        table=pa.Table.from_arrays([column.values for column in columns], names=names),
        kinds={place: column.kind for place, column in enumerate(columns) if column.kind is not None},
        losses=(*losses, *lost),
    )
