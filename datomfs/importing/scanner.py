"""Lines and fields of delimited text, cut where R's fread cuts them.

fread's rules for quotes are its own, so no csv library can stand in for this. It works on bytes: the encoding of a
text is looked at when all cutting is done. Knows nothing of types and headers.

The four quote rules of fread, of which it tries each where the one before does not fit: 0, quotes inside a quoted
field are doubled (and stay doubled); 1, they are escaped by a backslash (which stays); 2, a quoted field ends at the
first quote that stands before a separator or the end of a line; 3, quotes are characters like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

QUOTE = ord('"')
NO_SEPARATOR = b"\x7f"
"""What separates the fields of a file that has one column."""

_RETURN, _NEWLINE, _SPACE, _BACKSLASH, _NUL = b"\r\n \\\0"
_QUOTED = (re.compile(rb'[^"]*(?:""[^"]*)*'), re.compile(rb'(?:\\["\\]|[^"])*'))
_DAY = re.compile(rb"\+?\d+-\+?\d+-\+?\d+")
_ZONELESS = re.compile(_DAY.pattern + rb"(?:T[\d:.]+)?")
_LEADING = re.compile(rb"[ \0]*")
_WHITE = {b" ": re.compile(rb"[\t\0]*"), b"\t": re.compile(rb"[ \0]*")}
_ANY_WHITE = re.compile(rb"[ \t\0]*")


class Field(NamedTuple):
    """The bytes of a field without its quotes and without blanks around it, and whether it stood in quotes."""

    text: bytes
    quoted: bool


EMPTY = Field(b"", quoted=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A file's bytes; `end` is where fread takes them to end. `lone_returns`: a carriage return alone ends a line."""

    data: bytes
    end: int
    lone_returns: bool


class Scanner:
    """Cuts a text under one separator and one quote rule. Places are offsets into its bytes."""

    def __init__(self, text: Text, separator: bytes, rule: int) -> None:
        self._data, self._end, self._lone_returns = text.data, text.end, text.lone_returns
        self.text, self.separator, self.rule = text, separator, rule
        self._byte = separator[0]
        self._plain = re.compile(rb"[^\n\r" + re.escape(separator) + rb"]*")
        self._white = _WHITE.get(separator, _ANY_WHITE)

    def line_end(self, place: int) -> int | None:
        """The last byte of the line ending that begins at a place, or None where none does."""
        data, at, end = self._data, place, self._end
        while at < end and data[at] == _RETURN:
            at += 1
        if at < end and data[at] == _NEWLINE:
            while at + 1 < end and data[at + 1] == _RETURN:
                at += 1
            return at
        return place if self._lone_returns and place < end and data[place] == _RETURN else None

    def count_fields(self, place: int) -> tuple[int, int]:
        """How many fields the line at a place has, and where the next begins; 0 for a blank line, -1 for no line."""
        at = self._skip_white(self._skip_spaces(place))
        line_end = self.line_end(at)
        if line_end is not None or at >= self._end:
            return 0, (at if line_end is None else line_end) + 1
        count = 1
        while at < self._end:
            _, at = self.field(at)
            at = self._join_spaces(at)
            if self._is_separator(at):
                at += 1
                count += 1
                continue
            line_end = self.line_end(at)
            if line_end is not None:
                return count, line_end + 1
            if at < self._end:
                return -1, place
        return count, at

    def row(self, place: int, limit: int, *, fill: bool = False) -> tuple[list[Field], int] | None:
        """The fields of the line at a place, `limit` of them, and where the next line begins; None if it has others.

        With `fill`, fields that are missing at the end are empty. A blank line is one empty field.
        """
        fields: list[Field] = []
        at = self._skip_spaces(place)
        if limit > 1 and not fill and at < self._end and self._data[at] in b"\r\n" and self.line_end(at) is not None:
            return None
        while len(fields) < limit:
            field, at = self.field(at)
            fields.append(field)
            at = self._join_spaces(at)
            if not self._is_separator(at):
                break
            at += 1
        if len(fields) < limit and not fill:
            return None
        line_end = self.line_end(at)
        if line_end is None and at < self._end:
            return None
        fields += [EMPTY] * (limit - len(fields))
        return fields, at if line_end is None else line_end + 1

    def first_fields(self, place: int, limit: int) -> tuple[list[Field], int]:
        """The fields of the line at a place, `limit` at most, and where they end."""
        fields: list[Field] = []
        at = self._skip_spaces(place)
        while len(fields) < limit:
            field, at = self.field(at)
            fields.append(field)
            at = self._join_spaces(at)
            if not self._is_separator(at) or len(fields) == limit:
                break
            at += 1
        return fields, at

    def field(self, place: int) -> tuple[Field, int]:
        """The field at a place, and where it ends: on a separator, on a line ending, or where it cannot go on."""
        start = self._match(_LEADING, place)
        if self.rule == 3 or start >= self._end or self._data[start] != QUOTE:
            end = self._plain_end(start)
            return Field(self._trimmed(start, end), quoted=False), end
        opened = start + 1
        close, opened = self._closing(opened)
        if close < self._end and self._data[close] == QUOTE:
            return Field(self._data[opened:close], quoted=True), self._skip_white(close + 1)
        if close >= self._end and self.rule != 2:
            opened -= 1  # a quote that nothing closes is part of the text
        return Field(self._data[opened:close].rstrip(b" \0"), quoted=False), close

    def _trimmed(self, start: int, end: int) -> bytes:
        """The text of a field without the blanks after it, but for one that fread's instants stumble over.

        They take a blank after a date for one before a time, and where blanks separate, one after a time for one
        before a zone: such a column is text.
        """
        text = self._data[start:end].rstrip(b" \0")
        if self._byte == _SPACE and self._is_separator(end):
            return text + b" " if _ZONELESS.fullmatch(text) else text
        return text + b" " if end - start > len(text) and _DAY.fullmatch(text) else text

    def _closing(self, opened: int) -> tuple[int, int]:
        """Where the field that was opened by a quote ends, and where its text begins."""
        if self.rule < 2:
            return self._match(_QUOTED[self.rule], opened), opened
        data, at = self._data, opened
        while at < self._end and data[at] not in b"\r\n":
            if data[at] == QUOTE and self._ends_field(at + 1):
                return at, opened
            if data[at] == self._byte:
                later = self._quote_before_separator(at + 1)
                return (at, opened - 1) if later is None else (later, opened)
            at += 1
        return at, opened - 1

    def _quote_before_separator(self, at: int) -> int | None:
        data = self._data
        while at < self._end and data[at] not in b"\r\n":
            if data[at] == QUOTE and self._ends_field(at + 1):
                return at
            at += 1
        return None

    def _plain_end(self, at: int) -> int:
        at = self._match(self._plain, at)
        while not self._ends_field(at):
            at = self._match(self._plain, at + 1)
        return at

    def _ends_field(self, at: int) -> bool:
        return at >= self._end or self._data[at] == self._byte or self.line_end(at) is not None

    def _is_separator(self, at: int) -> bool:
        return at < self._end and self._data[at] == self._byte

    def _skip_white(self, at: int) -> int:
        return self._match(self._white, at)

    def _skip_spaces(self, at: int) -> int:
        """Blanks at the start of a line separate nothing where blanks separate."""
        while self._byte == _SPACE and at < self._end and self._data[at] == _SPACE:
            at += 1
        return at

    def _join_spaces(self, at: int) -> int:
        """Where blanks separate: several of them are one, and those at the end of a line are none."""
        if self._byte != _SPACE or not self._is_separator(at):
            return at
        while self._is_separator(at + 1):
            at += 1
        return at + 1 if at + 1 >= self._end or self._data[at + 1] in b"\r\n" else at

    def _match(self, pattern: re.Pattern[bytes], at: int) -> int:
        found = pattern.match(self._data, min(at, self._end), self._end)
        return found.end() if found else at
