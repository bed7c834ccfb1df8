"""Delimited text (csv, tsv, txt, psv) as data.table's fread 1.18 reads it; R datom leaves all four to it.

The recipe: where the table begins and how its fields are cut (`layout`), the rows (`quick_rows`, else `rows`), whether
the first line holds names, what the columns mean (`column_types`). Every rule that loses something adds a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from datomfs.errors import EmptyTable, UnreadableFile
from datomfs.importing.arrow import pc
from datomfs.importing.cells import MISSING, Cells
from datomfs.importing.column_types import RType, bump_types, read_column, type_of
from datomfs.importing.imported import Column, Imported, imported_of
from datomfs.importing.layout import Layout, find_begin, find_layout, sampled_types
from datomfs.importing.memory import PEAK_OF_ODD_TEXT, check_memory
from datomfs.importing.quick_rows import read_rows_quickly
from datomfs.importing.rows import Rows, read_rows
from datomfs.importing.scanner import Field
from datomfs.importing.texts import decode

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_COMMENT = b"#"
_DOUBLED = b'""'
_BLANKS_SEPARATE = ".txt"
_QUOTE_LOSSES = {
    1: "backslashes before quotes stay in the text",
    2: "quotes inside of quotes are not escaped; where a field ends is guessed",
    3: "quotes that do not close are taken for letters",
}


def read_delimited(path: Path) -> Imported:
    """The table a delimited text holds, whole, in memory, with what R loses of it.

    Raises UnreadableFile for what fread refuses, too: UTF-16, and quotes of a single column that never close;
    EmptyTable where there is no row; MemoryShort. OSError comes as reading gives it.
    """
    data = path.read_bytes()
    if data.startswith(_UTF_16):
        raise UnreadableFile(str(path), "it is encoded in UTF-16, which R does not read either; recode it to UTF-8")
    text, begin = find_begin(data)
    if begin >= text.end:
        raise EmptyTable(0, 0)
    if text.lone_returns and data[begin] == ord("\r"):
        raise UnreadableFile(str(path), "its first line is blank, and lines end in carriage returns alone")
    layout = find_layout(text, begin)
    if layout is None:
        raise UnreadableFile(str(path), "it has one column, and quotes in it that do not close")
    rows = read_rows_quickly(layout, layout.body)
    if rows is None:
        check_memory(path, PEAK_OF_ODD_TEXT)
        rows = read_rows(layout, layout.width, layout.body, fill=False)
    table = _find_table(layout, rows)
    if not table.rows.count:
        raise EmptyTable(0, len(table.names))
    columns = [read_column(cells, type_) for cells, type_ in zip(table.rows.columns, table.types, strict=True)]
    names, lost_names = _render_names(table.names)
    columns = [_with_doubled_quotes(column, cells) for column, cells in zip(columns, table.rows.columns, strict=True)]
    losses = (*_layout_losses(layout, table, path.suffix.lower()), *lost_names, *table.rows.losses)
    return imported_of(names, columns, losses)


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows below the names, the names (None: the column has none), and the types of the columns.

    `names_at` is where the line with the names begins, or the first row where no line has any.
    """

    rows: Rows
    types: list[RType]
    names: list[Field | None]
    names_at: int
    loss: str | None = None


def _find_table(layout: Layout, rows: Rows) -> _Table:
    """The rows, with the first line if that is one of them and has no names (section 7 of freadMain).

    It has the names if some field of it is text where what is below is not. Else the line before it may have them,
    with more or fewer fields. Else it has them only if all its fields are text.
    """
    types = _types(rows)
    if _ends_blank(layout) and rows.count and layout.width == 1 and types[0] is not RType.TEXT:
        rows = replace(rows, columns=[rows.columns[0].without_last()], count=rows.count - 1)
    first = bump_types([RType.EMPTY] * layout.width, [layout.first])
    is_text = [type_ is RType.TEXT for type_ in first]
    if not _is_text_over_other(layout, is_text, types):
        if layout.previous is not None:
            return _table_below(layout, layout.previous, rows)
        if not all(is_text):
            rows = _with_first(layout, rows)
            return _read_again(layout, first, _Table(rows, _types(rows), [None] * layout.width, layout.start))
    return _read_again(layout, None, _Table(rows, types, list(layout.first), layout.start))


def _read_again(layout: Layout, first: list[RType] | None, table: _Table) -> _Table:
    """The table as fread has it after a second pass over the columns whose samples misled it.

    Where something follows the rows, a blank line perhaps, all quote rules were tried on it, and the last of them,
    under which quotes are letters, is still in force in that pass. `first` are the types of the first line, if that
    is a row.
    """
    if not table.rows.stopped or b'"' not in layout.text.data or layout.width == 1:
        return table
    samples = list(map(max, sampled_types(layout), first or [RType.EMPTY] * layout.width))
    misled = [sample < type_ for sample, type_ in zip(samples, table.types, strict=True)]
    begin = layout.body if first is None else layout.start
    again = read_rows(replace(layout, rule=3), layout.width, begin, fill=False)
    loss = "since something follows the last row, quotes stay in texts that come late in a column"
    rows = replace(table.rows, losses=(*table.rows.losses, loss))
    if again.count != table.rows.count:
        return replace(table, rows=rows) if any(misled) else table
    both = list(zip(misled, table.rows.columns, again.columns, strict=True))
    columns = [other if wrong else cells for wrong, cells, other in both]
    if not any(wrong and not cells.texts.equals(other.texts) for wrong, cells, other in both):
        return table
    rows = replace(rows, columns=columns)
    return replace(table, rows=rows, types=_types(rows))


def _ends_blank(layout: Layout) -> bool:
    """Whether the last line is there, but blank: fread skips it unless its column is text."""
    data, end = layout.text.data, layout.text.end
    start = max(data.rfind(b"\n", layout.body, end), data.rfind(b"\r", layout.body, end)) + 1
    return layout.body <= start < end and not data[start:end].strip(b" \t\0")


def _is_text_over_other(layout: Layout, is_text: list[bool], types: list[RType]) -> bool:
    """Whether a field of the first line is text while a sample of its column is of another type.

    Where the whole column is of another type, so is each sample of it: only if no column settles it that way, the
    samples are taken that fread takes.
    """
    if not layout.sample_lines:
        return False
    columns = list(zip(is_text, layout.sample, types, strict=True))
    if any(text and sample > RType.EMPTY and type_ < RType.TEXT for text, sample, type_ in columns):
        return True
    if not any(text and sample < RType.TEXT for text, sample, _ in columns):
        return False
    samples = sampled_types(layout)
    return any(text and RType.EMPTY < sample < RType.TEXT for text, sample in zip(is_text, samples, strict=True))


def _table_below(layout: Layout, previous: int, rows: Rows) -> _Table:
    """The table whose names stand in a line with another number of fields (fixtures dt_space, trailing_comma_data)."""
    scanner = layout.scanner()
    count, _ = scanner.count_fields(previous)
    found, _ = scanner.first_fields(previous, count)
    names: list[Field | None] = [*found]
    loss = f"{count} names stand over {layout.width} columns"
    if count > layout.width:
        rows = read_rows(layout, count, layout.start, fill=True)
        return _Table(rows, _types(rows), names, previous, f"{loss}; the last columns are left empty")
    missing: list[Field | None] = [None] * (layout.width - count)
    if len(missing) == 1:
        names, loss = missing + names, f"{loss}; each is given to the column right of its own"
    else:
        names, loss = names + missing, f"{loss}; the last columns get names like V{layout.width}"
    rows = _with_first(layout, rows)
    return _Table(rows, _types(rows), names, previous, loss)


def _with_first(layout: Layout, rows: Rows) -> Rows:
    columns = [cells.prepend(field) for cells, field in zip(rows.columns, layout.first, strict=True)]
    return replace(rows, columns=columns, count=rows.count + 1)


def _types(rows: Rows) -> list[RType]:
    return [type_of(cells) for cells in rows.columns]


def _render_names(fields: list[Field | None]) -> tuple[list[str], list[str]]:
    """The names of the columns, and what is lost of them. Nameless columns are V1, V2 … by their place."""
    names, losses = [], []
    for place, field in enumerate(fields, 1):
        text = b"" if field is None else field.text if field.quoted else field.text.rstrip(b" ")
        if field is None or not text or field == (MISSING, False):
            names.append(f"V{place}")
            if field is not None and field.text:
                losses.append(f"the name NA of column {place} is taken for a missing one")
            continue
        names.append(decode(text))
        if names[-1].encode() != text or (field.quoted and _DOUBLED in text):
            losses.append(f"the name of column {place} becomes {names[-1]!r}")
    return names, losses


def _with_doubled_quotes(column: Column, cells: Cells) -> Column:
    """The column, with its loss if quotes in it stay doubled (fixture quoted_quote)."""
    if cells.quoted is None:
        return column
    doubled = pc.and_(cells.quoted, pc.match_substring(cells.texts, _DOUBLED.decode()).fill_null(False))
    row = pc.index(doubled, True).as_py()
    if row < 0:
        return column
    return replace(column, losses=(*column.losses, f"doubled quotes stay doubled (row {row + 1})"))


def _layout_losses(layout: Layout, table: _Table, suffix: str) -> list[str]:
    data, losses = layout.text.data, []
    skipped = data[layout.begin : table.names_at].strip().splitlines()
    dropped = next((line for line in skipped if line.strip() and not line.lstrip().startswith(_COMMENT)), None)
    if dropped is not None:
        losses.append(f"lines before the table are dropped: {dropped[:60].decode('utf-8', 'backslashreplace')!r}")
    if layout.separator == b" " and suffix != _BLANKS_SEPARATE:
        losses.append("blanks are taken for separators")
    if layout.rule:
        losses.append(_QUOTE_LOSSES[layout.rule])
    returns = data.count(b"\r", layout.begin, layout.text.end) - data.count(b"\r\n", layout.begin, layout.text.end + 1)
    if returns > 0 and not layout.text.lone_returns:
        losses.append("carriage returns alone are letters in one version of R's reader and end lines in another")
    if data.find(b"\0", layout.begin, layout.text.end) >= 0:
        losses.append("NUL bytes are left out")
    if table.loss:
        losses.append(table.loss)
    return losses
