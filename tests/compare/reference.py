"""A comparison once more, one value at a time: what docs/operations.md says under "Comparing", slow and obvious."""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

MISSING = "missing"
NAN = "nan"
R_NA = struct.unpack("<d", bytes.fromhex("a20700000000f87f"))[0]
"""R's NA among doubles, its quiet bits set, as arithmetic leaves it."""

Name: TypeAlias = "tuple[str, int]"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is stored: its Arrow type in a word, and its values, None being null."""

    type: str
    values: Sequence[Any]

    @property
    def kind(self) -> str:
        """What datom takes it for; the type itself where it has no kind for it."""
        if self.type == "int64":
            known = [value for value in self.values if value is not None]
            return "num" if all(-(2**31) <= value < 2**31 for value in known) else "i64"
        return {"double": "num", "int32": "num", "string": "chr", "date": "date", "time": "time"}.get(
            self.type, self.type
        )

    def cell(self, row: int) -> Hashable:
        """A value, such that two are equal exactly where they count as equal without a tolerance."""
        value = self.values[row]
        if value is None or (self.kind == "num" and self.type != "double" and value == -(2**31)):
            return MISSING
        if self.kind == "i64" and value == -(2**63):
            return MISSING
        if isinstance(value, float) and math.isnan(value):
            return MISSING if struct.pack("<d", value)[:4] == struct.pack("<I", 1954) else NAN
        return repr(value) if isinstance(value, list) else value  # type: ignore[no-any-return]


Table: TypeAlias = "Mapping[Name, Column]"


@dataclass(frozen=True, slots=True)
class Found:
    """Rows are numbers from 0; `cells` are the pairs of rows in which a column differs."""

    pairs: list[tuple[int, int]]
    dropped: list[int]
    added: list[int]
    cells: dict[Name, list[tuple[int, int]]]
    of_another_kind: set[Name]


def compare(
    base: Table, other: Table, rows: tuple[int, int], key: Sequence[Name], absolute: float, relative: float
) -> Found:
    """What differs between two tables of so many rows."""
    pairs = _match(base, other, rows, key)
    cells = {}
    of_another_kind = set()
    for name in base.keys() & other.keys():
        mine, theirs = base[name], other[name]
        if mine.kind != theirs.kind:
            of_another_kind.add(name)
        if name in key or (mine.kind != theirs.kind and {mine.kind, theirs.kind} != {"num", "i64"}):
            continue
        is_number = mine.kind in ("num", "i64")
        differing = [
            (i, j)
            for i, j in pairs
            if mine.cell(i) != theirs.cell(j)
            and not (is_number and _is_close(mine.cell(i), theirs.cell(j), absolute, relative))
        ]
        if differing:
            cells[name] = differing
    left, right = {i for i, _ in pairs}, {j for _, j in pairs}
    dropped = [i for i in range(rows[0]) if i not in left]
    return Found(pairs, dropped, [j for j in range(rows[1]) if j not in right], cells, of_another_kind)


def _match(base: Table, other: Table, rows: tuple[int, int], key: Sequence[Name]) -> list[tuple[int, int]]:
    if not key:
        return [(row, row) for row in range(min(rows))]
    waiting = defaultdict(list)
    for row in range(rows[1]):
        waiting[tuple(other[name].cell(row) for name in key)].append(row)
    pairs = []
    for row in range(rows[0]):
        partners = waiting[tuple(base[name].cell(row) for name in key)]
        if partners:
            pairs.append((row, partners.pop(0)))
    return pairs


def _is_close(left: Hashable, right: Hashable, absolute: float, relative: float) -> bool:
    if (absolute, relative) == (0, 0) or not all(isinstance(value, int | float) for value in (left, right)):
        return False
    assert isinstance(left, int | float)
    assert isinstance(right, int | float)
    if math.isinf(left) or math.isinf(right):
        return False
    distance = float(abs(left - right)) if isinstance(left, int) and isinstance(right, int) else abs(left - right)
    return distance <= max(absolute, relative * max(abs(float(left)), abs(float(right))))
