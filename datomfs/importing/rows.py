"""The rows of a delimited text as fread reads them, one by one: exact for any text, and slow.

`quick_rows` is the way for the many texts in which all rows are alike. Here a row that does not fit makes the quote
rules be tried anew, and if none helps, it ends the table, whatever follows (fixture ragged_short).
"""

from __future__ import annotations

from dataclasses import dataclass

from datomfs.importing.cells import Cells, cells_of_column
from datomfs.importing.layout import Layout
from datomfs.importing.scanner import Field, Scanner


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a text after its first line, column by column, with what was lost on the way.

    `stopped` tells that something follows them, blank lines perhaps: fread has tried all its quote rules on that.
    """

    columns: list[Cells]
    count: int
    stopped: bool
    losses: tuple[str, ...] = ()


def read_rows(layout: Layout, width: int, begin: int, *, fill: bool) -> Rows:
    """All rows from a place on. With `fill`, short rows are completed, and a blank line is a row."""
    columns: list[list[Field]] = [[] for _ in range(width)]
    losses: list[str] = []
    scanner, at, count = layout.scanner(), begin, 0
    while at < layout.text.end:
        found = scanner.row(at, width, fill=fill)
        while found is None and scanner.rule < 3:
            scanner = Scanner(layout.text, layout.separator, scanner.rule + 1)
            found = scanner.row(at, width, fill=fill)
        if found is None:
            break
        fields, at = found
        count += 1
        if scanner.rule != layout.rule and not losses:
            losses.append(f"the quotes of row {count} do not fit; from there on others are guessed")
        for column, field in zip(columns, fields, strict=True):
            column.append(field)
    rest = layout.text.data[at : layout.text.end].strip(b" \t\n\r\v\f")
    if rest:
        lost = rest.splitlines()[0][:60].decode("utf-8", "backslashreplace")
        losses.append(f"row {count + 1} has not {width} fields: it and what follows is dropped, from {lost!r} on")
    return Rows(
        [cells_of_column(column) for column in columns], count, stopped=at < layout.text.end, losses=tuple(losses)
    )
