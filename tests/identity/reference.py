"""datom-cv1 once more, as plain as format.md §3.1 says it: the slow and obvious way, one value at a time.

A column is a kind, a name and its cells: for `chr` a text or None, for `i64` an int or None, for every other kind the
8 bytes that are hashed.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import NamedTuple

NA = bytes.fromhex("a20700000000f07f")
NAN = bytes.fromhex("000000000000f87f")


class Column(NamedTuple):
    """One column as the reference sees it."""

    kind: str
    name: str
    cells: Sequence[bytes | str | int | None]


def number(value: float | None) -> bytes:
    """The 8 bytes of a number; None is NA."""
    if value is None:
        return NA
    if value != value:
        return NAN
    return struct.pack("<d", 0.0 if value == 0 else value)


def number_of_bits(bits: int) -> bytes:
    """The 8 bytes of a double given by its bits: a NaN whose low word is 1954 stays as it is."""
    is_na = bits & 0xFFFFFFFF == 1954
    value = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return struct.pack("<Q", bits) if value != value and is_na else number(value)


def column_sha(column: Column) -> str:
    """The hash of one column."""
    payload = bytearray()
    if column.kind == "chr":
        for cell in column.cells:
            payload += b"\1" if cell is None else b"\0"
        for cell in column.cells:
            payload += str(cell or "").encode() + b"\0"
    elif column.kind == "i64":
        for cell in column.cells:
            payload += struct.pack("<q", -(2**63) if cell is None else cell)
    else:
        for cell in column.cells:
            assert isinstance(cell, bytes)
            payload += cell
    if column.kind == "drtn":
        payload += b"\0secs"
    return hashlib.sha256(column.kind.encode() + column.name.encode() + b"\0" + payload).hexdigest()


def data_sha(columns: Sequence[Column]) -> str:
    """The hash of a table."""
    counts = struct.pack("<d", len(columns[0].cells)) + struct.pack("<d", len(columns))
    shas = "".join(column_sha(column) for column in columns)
    return hashlib.sha256(b"datom-cv1" + counts + shas.encode("ascii")).hexdigest()
