"""The values of one column as they are compared: as datom-cv1 hashes them, so equal cells have equal hashes.

One zero, one NaN; null and R's NA are the same: missing, which equals itself and nothing else. A column that datom has
no kind for is compared by how Python writes its values. Only numbers know a tolerance. The rules are those of
docs/operations.md, "Comparing".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datomfs.identity.columns import doubles, integers, settled_kind, texts
from datomfs.identity.kinds import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from datomfs.compare.stored import Values

    Rows: TypeAlias = NDArray[np.int64]
    Mask: TypeAlias = NDArray[np.bool_]

Plain: TypeAlias = "str | int | float | None"
"""A value as a report has it: dates, times and what is not finite are texts."""

_NUMBERS = frozenset({Kind.NUMBER, Kind.INTEGER64})
_TEXTS = frozenset({Kind.TEXT, None})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_EXACT = 2.0**63


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much numbers may differ and still count as equal: the larger of the two, as `math.isclose` has it.

    `relative` is a share of the larger of both values without their signs.
    """

    absolute: float = 0.0
    relative: float = 0.0


EXACT = Tolerance()


@dataclass(frozen=True, slots=True)
class Cells:
    """Values of one kind, None for a kind that datom has not. Texts are Arrow's, everything else numpy's.

    What stands where a value is `missing` is of no account.
    """

    kind: Kind | None
    values: Any
    missing: Mask

    def __len__(self) -> int:
        return len(self.missing)

    def take(self, rows: Rows) -> Cells:
        """The cells of these rows, in this order."""
        taken = self.values.take(pa.array(rows)) if self.kind in _TEXTS else self.values[rows]
        return replace(self, values=taken, missing=self.missing[rows])

    def told(self) -> list[Plain]:
        """The values for a report."""
        values = self.values.to_pylist() if self.kind in _TEXTS else self.values.tolist()
        return [
            None if is_missing else _told(self.kind, value)
            for value, is_missing in zip(values, self.missing.tolist(), strict=True)
        ]

    def to_arrow(self) -> pa.Array[Any]:
        """The values as an Arrow array: double, int64, string, date32, a timestamp in UTC."""
        if self.kind in _TEXTS:
            found: pa.Array[Any] = self.values
        elif self.kind is Kind.DATE:
            found = pa.array(self._known().astype(np.int32), mask=self.missing).cast(pa.date32())
        elif self.kind is Kind.TIME:
            micros = np.round(self._known() * 1e6).astype(np.int64)
            found = pa.array(micros, pa.timestamp("us", "UTC"), mask=self.missing)
        else:
            found = pa.array(self.values, mask=self.missing)
        return found

    def _known(self) -> NDArray[np.float64]:
        """The values with zeros where they are missing: to turn an NA into an integer means nothing."""
        return np.where(self.missing, 0.0, self.values)


def read_cells(kind: Kind | None, column: Values) -> Cells:
    """The cells of a column, given the kind its schema tells."""
    if kind is None:
        written = pa.array([None if value is None else repr(value) for value in column.to_pylist()], pa.large_string())
        return Cells(None, written, _nulls(written))
    kind = settled_kind(kind, column)
    if kind is Kind.TEXT:
        found = texts(column)
        return Cells(kind, found, _nulls(found))
    return Cells(kind, *(integers(column) if kind is Kind.INTEGER64 else doubles(column)))


def is_comparable(base: Kind | None, other: Kind | None) -> bool:
    """Whether values of two kinds can be equal at all: numbers can, whatever R keeps them in."""
    return base == other or {base, other} <= _NUMBERS


def find_differing(base: Cells, other: Cells, tolerance: Tolerance) -> Mask:
    """Which rows differ, of two columns of the same length whose kinds are comparable."""
    if base.kind in _TEXTS:
        unequal = _mask(pc.not_equal(base.values, other.values).fill_null(False))
    else:
        unequal = _numbers_differ(base, other, tolerance)
    differing: Mask = (base.missing != other.missing) | (unequal & ~(base.missing | other.missing))
    return differing


def differences(base: Cells, other: Cells) -> NDArray[np.float64] | None:
    """How much more each other value is: in days for dates, in seconds for times; NaN where one is missing or NaN.

    None for texts.
    """
    if base.kind in _TEXTS:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        if base.kind is other.kind is Kind.INTEGER64:
            distance = _distances(base.values, other.values)
            found = np.where(other.values < base.values, -distance, distance)
        else:
            found = other.values.astype(np.float64) - base.values.astype(np.float64)
    return np.where(base.missing | other.missing, np.nan, found)


def _numbers_differ(base: Cells, other: Cells, tolerance: Tolerance) -> Mask:
    left, right = base.values, other.values
    unequal: Mask
    with np.errstate(invalid="ignore", over="ignore"):
        if base.kind is other.kind:
            unequal = (left != right) & ~(np.isnan(left) & np.isnan(right))
        elif base.kind is Kind.INTEGER64:
            unequal = ~_equals_double(left, right)
        else:
            unequal = ~_equals_double(right, left)
        if base.kind not in _NUMBERS or tolerance == EXACT:
            return unequal
        wide_left, wide_right = left.astype(np.float64), right.astype(np.float64)
        distance = (
            _distances(left, right) if base.kind is other.kind is Kind.INTEGER64 else np.abs(wide_left - wide_right)
        )
        largest = np.maximum(np.abs(wide_left), np.abs(wide_right))
        is_close = (distance <= np.maximum(tolerance.absolute, tolerance.relative * largest)) & np.isfinite(largest)
        unequal &= ~is_close
    return unequal


def _equals_double(wide: NDArray[np.int64], double: NDArray[np.float64]) -> Mask:
    """Where an integer is exactly a double: to turn either into the other would round it first."""
    fits = (double >= -_LARGEST_EXACT) & (double < _LARGEST_EXACT)
    whole = np.where(fits, double, 0.0)
    equal: Mask = fits & (whole == np.trunc(whole)) & (whole.astype(np.int64) == wide)
    return equal


def _distances(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far integers are apart, which may be more than their own type can say."""
    high, low = np.maximum(left, right).view(np.uint64), np.minimum(left, right).view(np.uint64)
    return (high - low).astype(np.float64)


def _nulls(array: pa.Array[Any]) -> Mask:
    return _mask(array.is_null())


def _mask(array: pa.Array[Any]) -> Mask:
    # By way of bytes: for booleans Arrow imports pandas where that is installed, which takes its time.
    mask: Mask = array.cast(pa.uint8()).to_numpy().view(np.bool_)
    return mask


def _told(kind: Kind | None, value: Any) -> Plain:
    if isinstance(value, str | int):
        return value
    if not np.isfinite(value):
        return "NaN" if value != value else "Inf" if value > 0 else "-Inf"
    try:
        if kind is Kind.DATE:
            return (_EPOCH + timedelta(days=value)).date().isoformat()
        if kind is Kind.TIME:
            return (_EPOCH + timedelta(seconds=value)).replace(tzinfo=None).isoformat() + "Z"
    except OverflowError:  # a year that has not four digits: the number tells it
        pass
    return int(value) if value.is_integer() and abs(value) < 2**53 else float(value)
