"""What the fields of a column mean: the type fread gives it, its values, and what of them is lost.

A column has the first of fread's types, in fread's order, that each of its fields can be read as. Empty fields and NA
fit every type: they are missing in all of them but text, where an empty field is an empty text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from datomfs.identity.kinds import Kind
from datomfs.importing.arrow import Values, pc
from datomfs.importing.cells import Cells, cells_of_column
from datomfs.importing.dates import ISO_DATE, parse_days, parse_instants
from datomfs.importing.imported import Column
from datomfs.importing.instants import instants_column
from datomfs.importing.numbers import LEADING_ZERO, mask_of, parse_doubles, parse_integers
from datomfs.importing.scanner import Field
from datomfs.importing.special_numbers import EXCEL_ERROR, parse_hexadecimals, parse_specials
from datomfs.importing.texts import text_column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask: TypeAlias = NDArray[np.bool_]


class RType(IntEnum):
    """fread's types in the order in which it tries them."""

    EMPTY = 0
    UPPER_LOGICAL = 1
    TITLE_LOGICAL = 2
    LOWER_LOGICAL = 3
    INTEGER = 4
    INTEGER64 = 5
    DOUBLE = 6
    SPECIAL_DOUBLE = 7
    HEXADECIMAL = 8
    DATE = 9
    INSTANT = 10
    TEXT = 11


_TRUE = {RType.UPPER_LOGICAL: b"TRUE", RType.TITLE_LOGICAL: b"True", RType.LOWER_LOGICAL: b"true"}
_UPPER_MISSING = r"^NA$"
# The type of most columns is found out by their first fields; the others only have to confirm it.
_FIRST_ROWS = 1000
_LEAST_INTEGER = -(2**31)


def _matches(pattern: str) -> Callable[[Values], Mask]:
    return lambda texts: mask_of(pc.match_substring_regex(texts, pattern))


_ACCEPTS: dict[RType, Callable[[Values], Mask]] = {
    RType.EMPTY: lambda texts: np.zeros(len(texts), np.bool_),
    RType.UPPER_LOGICAL: _matches(r"^(TRUE|FALSE|NA)$"),
    RType.TITLE_LOGICAL: _matches(r"^(True|False)$"),
    RType.LOWER_LOGICAL: _matches(r"^(true|false)$"),
    RType.INTEGER: lambda texts: parse_integers(texts)[1],
    RType.INTEGER64: lambda texts: parse_integers(texts)[2],
    RType.DOUBLE: lambda texts: parse_doubles(texts).ok,
    RType.SPECIAL_DOUBLE: lambda texts: parse_doubles(texts).ok | parse_specials(texts)[1],
    RType.HEXADECIMAL: lambda texts: parse_hexadecimals(texts)[1],
    RType.DATE: lambda texts: parse_days(texts).ok,
    RType.INSTANT: lambda texts: parse_instants(texts).ok,
    RType.TEXT: lambda texts: np.ones(len(texts), np.bool_),
}


def type_of(cells: Cells) -> RType:
    """The first type that all fields of a column can be read as."""
    present, _ = cells.present()
    found = RType.EMPTY
    parts = (present[:_FIRST_ROWS], present) if len(present) > _FIRST_ROWS else (present,)
    for texts in parts:
        while not _ACCEPTS[found](texts).all():
            found = RType(found + 1)
    return found


def bump_types(known: Sequence[RType], rows: Sequence[Sequence[Field]]) -> list[RType]:
    """The types of a sample, column by column: from a known type on, each field takes the next type that it is of.

    Unlike in `type_of`, an earlier field need not be readable as the type that a later one brought. All columns are
    looked at together: a text may have ten thousand of them.
    """
    cells = cells_of_column([field for row in rows for field in row])
    texts, present = cells.present()
    accepts = np.ones((len(RType), len(present)), np.bool_)
    accepts[:, present] = [_ACCEPTS[type_](texts) for type_ in RType]
    types, order = np.array(known), np.arange(len(RType))[:, None]
    for row in range(len(rows)):
        fitting = accepts[:, row * len(known) : (row + 1) * len(known)] & (order >= types)
        types = fitting.argmax(axis=0)
    return [RType(type_) for type_ in types]


def read_column(cells: Cells, type_: RType) -> Column:
    """The values of a column that has a type, as R has them, and what is lost of them."""
    if type_ is RType.TEXT:
        return text_column(cells.plain())
    texts, present = cells.present()
    if type_ <= RType.LOWER_LOGICAL:
        return _logical_column(texts, present, type_)
    if type_ is RType.DATE:
        return _date_column(texts, present)
    if type_ is RType.INSTANT:
        return _instant_column(texts, present)
    losses = _losses(present, _matches(LEADING_ZERO)(texts), texts, "leading zeros are lost")
    if type_ <= RType.INTEGER64:
        column = _integer_column(texts, present, type_)
    else:
        column = _double_column(texts, present, type_)
    return Column(column.values, column.kind, (*losses, *column.losses))


def _logical_column(texts: Values, present: Mask, type_: RType) -> Column:
    values = mask_of(pc.equal(texts, pa.scalar(_TRUE.get(type_, b""), texts.type)))
    missing = _matches(_UPPER_MISSING)(texts)
    return Column(_spread(values, present, ~missing))


def _integer_column(texts: Values, present: Mask, type_: RType) -> Column:
    values, _, _ = parse_integers(texts)
    if type_ is RType.INTEGER:
        return Column(_spread(values.astype(np.int32), present))
    column = _spread(values, present)
    if (np.abs(values) > -_LEAST_INTEGER).any() or (values == -_LEAST_INTEGER).any():
        return Column(column)
    # All fit 32 bits but one, which R's integers have not: R hashes 64 bits here, and reads 32 back from its parquet.
    losses = _losses(present, values == _LEAST_INTEGER, texts, "is stored by R as a missing value")
    return Column(column, Kind.INTEGER64, losses)


def _double_column(texts: Values, present: Mask, type_: RType) -> Column:
    if type_ is RType.HEXADECIMAL:
        values, _, missing = parse_hexadecimals(texts)
        return Column(_spread(values, present, ~missing))
    doubles = parse_doubles(texts)
    vanished = doubles.ok & (np.isinf(doubles.values) | ((doubles.values == 0) & ~doubles.is_zero))
    losses = _losses(present, vanished, texts, "numbers too large or too small become Inf or 0")
    if type_ is RType.DOUBLE:
        return Column(_spread(doubles.values, present), losses=losses)
    specials, is_special, missing = parse_specials(texts)
    errors = _losses(present, _matches(EXCEL_ERROR)(texts), texts, "errors of a spreadsheet become NaN, Inf or NA")
    return Column(_spread(np.where(is_special, specials, doubles.values), present, ~missing), losses=(*losses, *errors))


def _date_column(texts: Values, present: Mask) -> Column:
    days = parse_days(texts).values
    losses = _losses(present, ~_matches(ISO_DATE)(texts), texts, "is taken for a date of an odd year")
    return Column(_spread(days.astype(np.int32), present).cast(pa.date32()), losses=losses)


def _instant_column(texts: Values, present: Mask) -> Column:
    instants = parse_instants(texts)
    losses = (
        *_losses(present, ~_matches(ISO_DATE)(texts), texts, "is taken for an instant of an odd year"),
        *_losses(present, instants.shifted, texts, "minutes of a zone west of Greenwich are taken the wrong way"),
    )
    seconds = np.zeros(len(present))
    seconds[present] = instants.values
    column = instants_column(seconds, present)
    return Column(column.values, column.kind, (*losses, *column.losses))


def _spread(values: NDArray[Any], present: Mask, valid: Mask | None = None) -> Values:
    """Values of the fields that are there, on their rows; null where none is, and where one is not valid."""
    whole = np.zeros(len(present), values.dtype)
    whole[present] = values
    missing = ~present
    if valid is not None:
        missing[present] = ~valid
    return pa.array(whole, mask=missing)


def _losses(present: Mask, lost: Mask, texts: Values, what: str) -> tuple[str, ...]:
    """The loss of the fields that are lost, with the first of them for an example; none where none is lost."""
    if not lost.any():
        return ()
    place = int(lost.argmax())
    row = int(np.flatnonzero(present)[place]) + 1
    return (f"{what} (row {row}: {texts[place].as_py().decode()})",)
