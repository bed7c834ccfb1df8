"""Workbooks (xls, xlsx): the first sheet, as R's readxl reads it.

A sheet has cells, not columns: readxl gives a column the type of its first thousand cells, and changes what does not
fit. Where all cells of a column are of one type nothing is lost; where they are not, the loss is told. A date cell is
an instant of UTC, whatever its format shows.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from datomfs.errors import EmptyTable, UnreadableFile
from datomfs.importing.imported import Column, Imported, imported_of
from datomfs.importing.instants import instants_column

_Cell: TypeAlias = Any

_GUESSED_ROWS = 1000
_BLANK, _LOGICAL, _INSTANT, _NUMBER, _TEXT = range(5)  # in readxl's order: a column is of the last that occurs
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - of a sheet, which has no zone
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001
_FIRST_OF_MARCH_1900 = datetime(1900, 3, 1)  # noqa: DTZ001
_TENTHS_OF_MS = 10_000


def read_workbook(path: Path) -> Imported:
    """The table on the first sheet of a workbook: its first row that is not empty has the names.

    Raises UnreadableFile, and EmptyTable for a sheet without cells.
    """
    import python_calamine

    path.stat()
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as workbook:
            if not workbook.sheet_names:
                raise EmptyTable(0, 0)
            rows: list[list[_Cell]] = workbook.get_sheet_by_index(0).to_python(skip_empty_area=True)
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise UnreadableFile(str(path), str(error).partition("\n")[0]) from error
    if not rows:
        raise EmptyTable(0, 0)
    names, losses = _render_names(rows[0])
    columns = [_read_column([row[place] for row in rows[1:]]) for place in range(len(names))]
    return imported_of(names, columns, tuple(losses))


def _render_names(cells: list[_Cell]) -> tuple[list[str], list[str]]:
    """Names as readxl repairs them: nameless and repeated ones get their place after three dots."""
    plain = ["" if _type_of(cell) == _BLANK else _as_text(cell).strip() for cell in cells]
    names = [f"{name}...{place}" if not name or plain.count(name) > 1 else name for place, name in enumerate(plain, 1)]
    changed = [name for name, before in zip(names, plain, strict=True) if before and name != before]
    return names, [f"the names of columns that have the same become {', '.join(changed)}"] if changed else []


def _read_column(cells: list[_Cell]) -> Column:
    types = [_type_of(cell) for cell in cells]
    guessed = max(types[:_GUESSED_ROWS], default=_BLANK)
    present = np.array([type_ != _BLANK for type_ in types], np.bool_)
    odd = next((row for row, type_ in enumerate(types) if type_ not in (_BLANK, guessed)), None)
    losses = () if odd is None else (f"cells of several types become one (row {odd + 1}: {cells[odd]!r})",)
    if guessed == _TEXT:
        texts = [_as_text(cell).strip(" \t\r\n") if there else None for cell, there in zip(cells, present, strict=True)]
        return Column(pa.array([text or None for text in texts], pa.large_string()), losses=losses)
    if guessed in (_BLANK, _LOGICAL):
        fitting = present & np.array([type_ in (_LOGICAL, _NUMBER) for type_ in types])
        flags = [bool(cell) if fits else None for cell, fits in zip(cells, fitting, strict=True)]
        return Column(pa.array(flags if guessed else [None] * len(cells), pa.bool_()), losses=losses)
    if guessed == _NUMBER:
        fitting = present & np.array([type_ != _TEXT for type_ in types])
        numbers = [_as_number(cell) if fits else 0.0 for cell, fits in zip(cells, fitting, strict=True)]
        return Column(pa.array(np.array(numbers, np.float64), mask=~fitting), losses=losses)
    fitting = np.array([type_ in (_INSTANT, _NUMBER) for type_ in types])
    seconds = [_as_seconds(cell) if fits else 0.0 for cell, fits in zip(cells, fitting, strict=True)]
    column = instants_column(np.array(seconds, np.float64), fitting)
    return Column(column.values, column.kind, (*losses, *column.losses))


def _type_of(cell: _Cell) -> int:
    if cell is None or (isinstance(cell, str) and not cell.strip(" \t\r\n")):
        return _BLANK
    if isinstance(cell, bool):
        return _LOGICAL
    if isinstance(cell, date | time | timedelta):
        return _INSTANT
    return _TEXT if isinstance(cell, str) else _NUMBER


def _as_moment(cell: _Cell) -> datetime:
    """The moment that a date cell, or a number taken for one, stands for."""
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001
    if isinstance(cell, time):
        return datetime.combine(_DAY_ZERO.date(), cell)
    return _DAY_ZERO + (cell if isinstance(cell, timedelta) else timedelta(days=cell))


def _as_seconds(cell: _Cell) -> float:
    """Seconds since 1970, to a tenth of a millisecond, as readxl rounds them."""
    moment = _as_moment(cell)
    if moment < _FIRST_OF_MARCH_1900 - timedelta(days=1) and not isinstance(cell, date):
        moment += timedelta(days=1)  # Excel counts a 29 February 1900
    seconds = (moment - _EPOCH) / timedelta(seconds=1)
    return float(np.rint(seconds * _TENTHS_OF_MS) / _TENTHS_OF_MS)


def _as_number(cell: _Cell) -> float:
    return (_as_moment(cell) - _DAY_ZERO) / timedelta(days=1) if _type_of(cell) == _INSTANT else float(cell)


def _as_text(cell: _Cell) -> str:
    type_ = _type_of(cell)
    if type_ == _TEXT:
        return str(cell)
    return str(cell).upper() if type_ == _LOGICAL else f"{_as_number(cell):.15g}"
