"""Seconds since 1970, as R has them, to a timestamp column. Every format with dates in it comes through here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from datomfs.identity.kinds import Kind
from datomfs.importing.imported import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRACTIONS = (("us", 10**6), ("ns", 10**9))
_LARGEST = 2**63 - 1
_SECONDS_PER_DAY = 86400
_TOO_FINE = "its seconds are too fine, or too far away, for a timestamp; R hashes them, and stores others"


def instants_column(seconds: NDArray[np.float64], present: NDArray[np.bool_]) -> Column:
    """The seconds as UTC timestamps: of microseconds, or of nanoseconds where that makes a difference.

    R has a double for each, and hashes that. Where no count of nanoseconds is the same double, R's own parquet file
    does not hold what R hashed (fixture dt_frac9): the doubles are kept then, of the kind TIME, and it is a loss.
    """
    values = np.where(present, seconds, 0.0)
    for unit, per_second in _FRACTIONS:
        counts = _counts(values, per_second)
        if counts is not None:
            return Column(pa.array(counts, mask=~present).cast(pa.timestamp(unit, "UTC")))
    return Column(pa.array(values, mask=~present), Kind.TIME, (_TOO_FINE,))


def times_column(seconds: NDArray[np.float64], present: NDArray[np.bool_]) -> Column:
    """Seconds of a day, or of any length, as R's hms and difftime have them.

    They are times of day where all of them are below a day, else durations.
    """
    values = np.where(present, seconds, 0.0)
    in_day = bool(((values >= 0) & (values < _SECONDS_PER_DAY)).all())
    for unit, per_second in _FRACTIONS:
        counts = _counts(values, per_second)
        if counts is not None:
            return Column(pa.array(counts, mask=~present).cast(pa.time64(unit) if in_day else pa.duration(unit)))
    return Column(pa.array(values, mask=~present), Kind.DURATION, (_TOO_FINE,))


def _counts(values: NDArray[np.float64], per_second: int) -> NDArray[np.int64] | None:
    """The units in these seconds, if dividing them gives the very same doubles."""
    whole = np.floor(values)
    if not np.isfinite(values).all() or (np.abs(whole) >= _LARGEST // per_second).any():
        return None
    counts = whole.astype(np.int64) * per_second + np.rint((values - whole) * per_second).astype(np.int64)
    return counts if np.array_equal(counts / per_second, values) else None
