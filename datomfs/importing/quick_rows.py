"""The rows of a delimited text by Arrow's reader, where it and fread must agree; else None.

They agree where every row has as many fields, and quotes only stand around whole fields. What is not so is told by
bytes, before anything is read: `rows` reads such texts. In quotes nothing may have blanks around it, since Arrow does
not tell what stood in quotes, and fread trims what did not.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import csv

from datomfs.importing.arrow import pc
from datomfs.importing.cells import MISSING, Cells
from datomfs.importing.layout import Layout
from datomfs.importing.rows import Rows
from datomfs.importing.scanner import QUOTE

_BLOCK_BYTES = 8 * 1024 * 1024
_SCAN_BYTES = 16 * 1024 * 1024
_PADDED = r"^[ \t]|[ \t]$"
_PADDED_DATE = r"\d-\+?\d+-\+?\d+ +$"


def read_rows_quickly(layout: Layout, begin: int) -> Rows | None:
    """All rows from a place on, or None where only fread's own rules tell what they are."""
    end = _end_of_rows(layout, begin)
    text = memoryview(layout.text.data)[begin:end]
    if layout.rule != 0 or layout.separator == b" " or not len(text) or _has_odd_lines(layout, begin, end):
        return None
    quotes = _quotes_are_plain(text, layout.separator[0])
    if quotes is None:
        return None
    table = _parse(text, layout.separator, layout.width)
    if table is None:
        return None
    columns = []
    for column in table.columns:
        texts = column.combine_chunks()
        if pc.any(pc.match_substring_regex(texts, _PADDED)).as_py():
            if quotes or pc.any(pc.match_substring_regex(texts, _PADDED_DATE)).as_py():
                return None
            texts = pc.replace_substring_regex(texts, r"^ +| +$", "")
            texts = pc.if_else(pc.equal(texts, MISSING), pa.scalar(None, texts.type), texts)
        columns.append(Cells(texts))
    return Rows(columns, table.num_rows, stopped=layout.text.data.count(b"\n", end, layout.text.end) > 1)


def _parse(text: memoryview, separator: bytes, width: int) -> pa.Table | None:
    names = [str(place) for place in range(width)]
    try:
        return csv.read_csv(
            pa.BufferReader(pa.py_buffer(text)),  # type: ignore[arg-type]  # its stubs know Python's files only
            read_options=csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES),
            parse_options=csv.ParseOptions(
                delimiter=separator.decode(), double_quote=False, newlines_in_values=True, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_binary()),
                null_values=[MISSING.decode()],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None  # a row with another number of fields, or one that is longer than a block


def _end_of_rows(layout: Layout, begin: int) -> int:
    """Where the last row ends: before blank lines, which are rows of a single column only."""
    if layout.width == 1:
        return layout.text.end
    end = layout.text.end
    while end > begin and layout.text.data[end - 1] in b"\r\n":
        end -= 1
    return end


def _has_odd_lines(layout: Layout, begin: int, end: int) -> bool:
    """Whether lines end in another way than most do, a blank one would end the table, or NUL bytes occur."""
    data = layout.text.data
    if layout.text.lone_returns or data.find(b"\0", begin, end) >= 0:
        return True
    if data.count(b"\r", begin, end) != data.count(b"\r\n", begin, end):
        return True
    return layout.width > 1 and (
        data.find(b"\n\n", begin, end) >= 0 or data.find(b"\n\r\n", begin, end) >= 0 or data[begin] in b"\r\n"
    )


def _quotes_are_plain(text: memoryview, separator: int) -> bool | None:
    """Whether there are quotes; None where one stands inside a field, so that rules must tell what it means."""
    inside = False
    found = False
    bytes_ = np.frombuffer(text, np.uint8)
    before = np.array([separator, ord("\n")], np.uint8)
    after = np.array([separator, ord("\n"), ord("\r")], np.uint8)
    for start in range(0, len(bytes_), _SCAN_BYTES):
        places = np.flatnonzero(bytes_[start : start + _SCAN_BYTES] == QUOTE) + start
        if not len(places):
            continue
        found = True
        opening, closing = (places[1::2], places[0::2]) if inside else (places[0::2], places[1::2])
        opening = opening[opening > 0]
        closing = closing[closing + 1 < len(bytes_)]
        if not np.isin(bytes_[opening - 1], before).all() or not np.isin(bytes_[closing + 1], after).all():
            return None
        inside ^= bool(len(places) % 2)
    return None if inside else found
