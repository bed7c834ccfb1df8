"""Files of SAS, SPSS and Stata as R's haven 2.5.1 reads them: both sides stand on the same library, ReadStat.

All numbers are doubles. What is a date, an instant or a time of day is told by a variable's format; labels are no part
of the values. An empty text is an empty text, never a missing one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from datomfs.errors import UnreadableFile
from datomfs.identity.kinds import Kind
from datomfs.importing.imported import Column, Imported, imported_of
from datomfs.importing.instants import instants_column, times_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SECONDS_PER_DAY = 86400


@dataclass(frozen=True, slots=True)
class _Vendor:
    """How a program counts: its formats by how they begin, the first that fits counts, and its day 0 before 1970.

    `day_length` and `second_length` are what it counts in a day, of dates, and in a second, of instants.
    """

    formats: tuple[tuple[str, Kind], ...]
    day_zero: int
    day_length: int = 1
    second_length: int = 1


_SAS = _Vendor(
    formats=(
        *((prefix, Kind.TIME) for prefix in ("DATETIME", "E8601DT", "B8601DT", "IS8601DT")),
        *((prefix, Kind.DATE) for prefix in ("DATE", "WEEKDATE", "MMDDYY", "DDMMYY", "YYMMDD")),
        *((prefix, Kind.DATE) for prefix in ("E8601DA", "B8601DA", "IS8601DA")),
        *((prefix, Kind.DURATION) for prefix in ("TIME", "HHMM", "E8601TM", "B8601TM", "IS8601TM")),
    ),
    day_zero=3653,
)
_SPSS = _Vendor(
    formats=(
        ("DATETIME", Kind.TIME),
        *((prefix, Kind.DATE) for prefix in ("DATE", "ADATE", "EDATE", "JDATE", "SDATE")),
        *((prefix, Kind.DURATION) for prefix in ("TIME", "DTIME")),
    ),
    day_zero=141428,
    day_length=_SECONDS_PER_DAY,
)
_STATA = _Vendor(
    formats=(("%tC", Kind.TIME), ("%tc", Kind.TIME), ("%td", Kind.DATE), ("%d", Kind.DATE)),
    day_zero=3653,
    second_length=1000,
)


def read_sas7bdat(path: Path) -> Imported:
    """The table of a SAS data set. Raises UnreadableFile."""
    return _read(path, "read_sas7bdat", _SAS, user_missing=True)


def read_xpt(path: Path) -> Imported:
    """The first table of a SAS transport file, of version 5 or 8. Raises UnreadableFile."""
    return _read(path, "read_xport", _SAS)


def read_sav(path: Path) -> Imported:
    """The table of an SPSS file, compressed or not. Raises UnreadableFile."""
    return _read(path, "read_sav", _SPSS, user_missing=True)


def read_por(path: Path) -> Imported:
    """The table of a portable SPSS file. Raises UnreadableFile."""
    return _read(path, "read_por", _SPSS)


def read_dta(path: Path) -> Imported:
    """The table of a Stata file. Raises UnreadableFile."""
    return _read(path, "read_dta", _STATA, user_missing=True)


def _read(path: Path, reader: str, vendor: _Vendor, **options: Any) -> Imported:
    import pyreadstat

    refusals = (pyreadstat.PyreadstatError, pyreadstat.ReadstatError, UnicodeDecodeError, ValueError, OverflowError)
    with path.open("rb"):
        pass  # its own errors do not tell a missing file from one that may not be read
    read: Callable[..., Any] = getattr(pyreadstat, reader)
    try:
        values, metadata = read(path, output_format="dict", disable_datetime_conversion=True, **options)
    except refusals as error:
        raise UnreadableFile(str(path), str(error).partition("\n")[0]) from error
    names = list(metadata.column_names)
    if len(values) != len(names):
        raise UnreadableFile(str(path), "two of its variables have the same name")
    columns = []
    for name in names:
        declared = metadata.missing_ranges.get(name, [])
        if metadata.readstat_variable_types[name] == "string":
            columns.append(_text_column(values[name], declared))
        else:
            format_ = metadata.original_variable_types[name] or ""
            columns.append(_number_column(values[name], declared, _kind_of(format_, vendor), vendor))
    return imported_of(names, columns)


def _kind_of(format_: str, vendor: _Vendor) -> Kind:
    return next((kind for prefix, kind in vendor.formats if format_.startswith(prefix)), Kind.NUMBER)


def _text_column(values: Sequence[str | None], declared: Sequence[dict[str, Any]]) -> Column:
    lost = {value for value in values if value is not None and _is_declared(value, declared)}
    # The ReadStat of haven cuts blanks off the end of a text in every format; a later one leaves them to Stata's.
    texts = [None if value is None or value in lost else value.rstrip(" ") for value in values]
    return Column(pa.array(texts, pa.large_string()), losses=_declared_losses(lost))


def _number_column(values: Sequence[Any], declared: Sequence[dict[str, Any]], kind: Kind, vendor: _Vendor) -> Column:
    # Letters among numbers are the special missing values of SAS and Stata: .A to .Z, .a to .z.
    lost = {
        value for value in values if value is not None and (isinstance(value, str) or _is_declared(value, declared))
    }
    present = np.array([value is not None and value not in lost for value in values], np.bool_)
    numbers = np.array([value if known else 0.0 for value, known in zip(values, present, strict=True)], np.float64)
    column = _column_of(numbers, present, kind, vendor)
    return Column(column.values, column.kind, (*_declared_losses(lost), *column.losses))


def _column_of(numbers: NDArray[np.float64], present: NDArray[np.bool_], kind: Kind, vendor: _Vendor) -> Column:
    if kind is Kind.TIME:
        return instants_column(numbers / vendor.second_length - vendor.day_zero * float(_SECONDS_PER_DAY), present)
    if kind is Kind.DURATION:
        return times_column(numbers, present)
    if kind is Kind.NUMBER:
        return Column(pa.array(numbers, mask=~present))
    days = np.where(present, numbers / vendor.day_length - vendor.day_zero, 0.0)
    if np.array_equal(days, np.trunc(days)) and (np.abs(days) < 2**31).all():
        return Column(pa.array(days.astype(np.int32), mask=~present).cast(pa.date32()))
    return Column(pa.array(days, mask=~present), Kind.DATE, ("its dates have parts of days; R hashes and drops them",))


def _is_declared(value: Any, declared: Sequence[dict[str, Any]]) -> bool:
    """Whether a value lies in a range that the file declares missing; a text is one only if it is the same."""
    return any(
        span["lo"] <= value <= span["hi"] if isinstance(span["lo"], float) else span["lo"] == value
        for span in declared
        if isinstance(span["lo"], str) == isinstance(value, str)
    )


def _declared_losses(lost: set[Any]) -> tuple[str, ...]:
    if not lost:
        return ()
    shown = ", ".join(f".{value}" if isinstance(value, str) else f"{value:g}" for value in sorted(lost, key=str)[:5])
    return (f"values with a meaning of their own become plain missing ones: {shown}",)
