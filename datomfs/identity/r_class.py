"""The class of an R vector out of the text R serialized it to.

R's arrow package stores a column of a class it has no Arrow type for under its base type, and beside it, in the field
metadata, an empty vector of that class as `serialize(x, ascii = TRUE)` writes it (R Internals, "Serialization
Formats"). Only the `class` attribute matters here, but the format has no lengths to skip by, so all of it is read.
Called by `kinds`. Knows neither Arrow nor hashing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

_Value: TypeAlias = "str | list[_Value] | dict[str, _Value] | None"

# Item types of R's SEXP and of its serialization.
_SYMBOL, _PAIRLIST, _CHARS, _LOGICAL, _INTEGER, _REAL, _STRINGS, _LIST = 1, 2, 9, 10, 13, 14, 16, 19
_NIL, _REFERENCE, _ALTREP = 254, 255, 238
_HAS_ATTRIBUTES, _HAS_TAG = 0x200, 0x400


def parse_r_class(serialized: bytes) -> tuple[str, ...]:
    """The class attribute of a serialized R vector, most special first; empty where it has none.

    Raises ValueError for what is not R's ASCII serialization of a plain vector.
    """
    try:
        reader = _Reader(serialized.decode("ascii"))
        reader.item()
    except (StopIteration, IndexError, RecursionError) as error:
        raise ValueError("not an R vector serialized as text") from error
    classes = reader.attributes.get("class")
    return tuple(str(name) for name in classes) if isinstance(classes, list) else ()


class _Reader:
    """One pass over the lines; `attributes` are those of the item that was read last."""

    def __init__(self, text: str) -> None:
        self._lines: Iterator[str] = iter(text.split("\n"))
        self._symbols: list[str] = []
        self.attributes: dict[str, _Value] = {}
        if next(self._lines) != "A":
            raise ValueError("not serialized as text")
        version = self._number()
        self._skip(2)  # the R that wrote it, and the oldest that can read it
        if version >= 3:
            self._skip(2)  # the length and the name of the native encoding

    def item(self) -> _Value:
        """The next item: a string, a list of items, a pairlist as a dict, or None for what is empty."""
        flags = self._number()
        kind = flags & 0xFF
        if kind == _NIL:
            return None
        if kind == _REFERENCE:
            return self._symbols[(flags >> 8 or self._number()) - 1]
        if kind == _SYMBOL:
            self._symbols.append(str(self.item()))
            return self._symbols[-1]
        if kind == _CHARS:
            return None if self._number() == -1 else next(self._lines)
        if kind == _PAIRLIST:
            return self._pairlist(flags)
        value: _Value
        if kind == _ALTREP:
            value, attributes = [self.item(), self.item()], self.item()
        else:
            value, attributes = self._vector(kind), self.item() if flags & _HAS_ATTRIBUTES else None
        self.attributes = attributes if isinstance(attributes, dict) else {}
        return value

    def _vector(self, kind: int) -> _Value:
        if kind not in (_LOGICAL, _INTEGER, _REAL, _STRINGS, _LIST):
            raise ValueError(f"an R object of type {kind}")
        count = self._number()
        if kind in (_STRINGS, _LIST):
            return [self.item() for _ in range(count)]
        self._skip(count)
        return None

    def _pairlist(self, flags: int) -> dict[str, _Value]:
        found: dict[str, _Value] = {}
        while flags & 0xFF == _PAIRLIST:
            if flags & _HAS_ATTRIBUTES:
                self.item()
            tag = str(self.item()) if flags & _HAS_TAG else ""
            found[tag] = self.item()
            flags = self._number()
        return found

    def _number(self) -> int:
        return int(next(self._lines))

    def _skip(self, count: int) -> None:
        for _ in range(count):
            next(self._lines)
