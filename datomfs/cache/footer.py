"""Where the column chunks of a parquet file lie, read from its footer; pure Python, for bytes of any kind.

Only this much of the footer is of use here, and the daemon must outlive any footer: Arrow's own reader ends the whole
process where sizes inside one contradict each other (an exception that leaves a C++ constructor), and bytes that are
not proven yet, or were written by other software, may say anything. Fields and ids are those of parquet-format's
`parquet.thrift`, the encoding is Thrift's compact protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = range(1, 14)
_DEEPEST = 32


class Chunk(NamedTuple):
    """The bytes of one column in one row group, `[start, end)`, and the column's place among the leaves."""

    start: int
    end: int
    column: int


def find_chunks(footer: bytes, *, most: int) -> list[Chunk] | None:
    """The chunks of a file, in the order of its footer; None where it cannot be read, or has more than `most`.

    `footer` are the file's metadata, without length and magic. Whether the chunks lie in the file is not looked at.
    """
    try:
        return _Reader(footer, most).chunks()
    except (IndexError, _Unreadable):
        return None


class _Unreadable(Exception):
    """The footer is not what it should be, or too much; never leaves this module."""


class _Reader:
    """Reads a footer from its beginning. Methods raise IndexError at its end, and _Unreadable."""

    def __init__(self, data: bytes, most: int) -> None:
        self._data = data
        self._at = 0
        self._most = most
        self._chunks: list[Chunk] = []
        self._column = 0
        self._numbers: dict[int, int] = {}

    def chunks(self) -> list[Chunk]:
        self._struct({4: (_LIST, lambda: self._structs(self._row_group))})
        return self._chunks

    def _row_group(self) -> None:
        self._column = 0
        self._struct({1: (_LIST, lambda: self._structs(self._column_chunk))})

    def _column_chunk(self) -> None:
        self._numbers.clear()
        self._struct({3: (_STRUCT, self._column_metadata)})
        try:
            length, start = self._numbers[7], self._numbers[9]
        except KeyError as error:  # encrypted
            raise _Unreadable from error
        # A dictionary comes before the data; writers without one say nothing, or 0.
        start = min(start, self._numbers.get(11) or start)
        self._chunks.append(Chunk(start, start + length, self._column))
        self._column += 1
        if len(self._chunks) > self._most:
            raise _Unreadable

    def _column_metadata(self) -> None:
        """Its total_compressed_size (7), data_page_offset (9) and dictionary_page_offset (11)."""
        self._struct({number: (_I64, partial(self._keep, number)) for number in (7, 9, 11)})

    def _keep(self, number: int) -> None:
        value = self._varint()
        self._numbers[number] = (value >> 1) ^ -(value & 1)

    # -- Thrift ----------------------------------------------------------------------------------------------------

    def _struct(self, wanted: Mapping[int, tuple[int, Callable[[], None]]], depth: int = 0) -> None:
        """All fields of a struct: those in `wanted`, by number and type, are read, others passed over."""
        data, number = self._data, 0
        while head := data[self._at]:
            self._at += 1
            kind = head & 15
            if head >> 4:
                number += head >> 4
            else:
                value = self._varint()
                number = (value >> 1) ^ -(value & 1)
            if number in wanted and wanted[number][0] == kind:
                wanted[number][1]()
            elif kind > _FALSE:  # those two are their own value
                self._skip(kind, depth)
        self._at += 1

    def _structs(self, read: Callable[[], None]) -> None:
        """A list of structs, each of which `read` reads."""
        count, kind = self._list_head()
        if kind != _STRUCT and count:
            raise _Unreadable
        for _ in range(count):
            read()

    def _list_head(self) -> tuple[int, int]:
        head = self._data[self._at]
        self._at += 1
        count = head >> 4
        return (self._varint() if count == 15 else count), head & 15

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Unreadable
        data = self._data
        if kind in (_I16, _I32, _I64):
            while data[self._at] > 127:
                self._at += 1
            self._at += 1
        elif kind == _BINARY:
            length = self._varint()
            self._at += length
        elif kind == _STRUCT:
            self._struct({}, depth + 1)
        elif kind in (_LIST, _SET):
            count, kind = self._list_head()
            self._skip_many(count, kind, depth)
        elif kind == _MAP:
            count = self._varint()
            kinds = self._data[self._at] if count else 0
            self._at += 1 if count else 0
            for _ in range(count):
                self._skip_many(1, kinds >> 4, depth)
                self._skip_many(1, kinds & 15, depth)
        else:
            self._skip_fixed(kind)

    def _skip_many(self, count: int, kind: int, depth: int) -> None:
        """Elements of a list, where each takes a byte at least: a count that cannot be right soon meets the end."""
        for _ in range(count):
            if kind <= _FALSE:
                self._skip_fixed(_BYTE)
            else:
                self._skip(kind, depth + 1)

    def _skip_fixed(self, kind: int) -> None:
        length = {_BYTE: 1, _DOUBLE: 8, _UUID: 16}.get(kind)
        if length is None:
            raise _Unreadable
        self._at += length
        if self._at > len(self._data):
            raise _Unreadable

    def _varint(self) -> int:
        data, value, shift = self._data, 0, 0
        while True:
            byte = data[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise _Unreadable
