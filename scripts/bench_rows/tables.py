"""The table every row works on: 20 columns of the kinds studies hold, the same on every machine.

Its values are drawn from one seed, so that figures of different runs speak of the same bytes. Called by `hashing`,
`writing` and `places`; knows nothing of what is done with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column: TypeAlias = pa.Array[Any]
    Mask: TypeAlias = NDArray[np.bool_]

TWO_COLUMNS = ("AVAL", "SUBJID")
"""A double and a text of high cardinality: what the row `columns` reads of the twenty."""

_SEED = 20260328
_EPOCH_S = 1_700_000_000
_FIRST_DAY = 19_000


def mixed_table(rows: int) -> pa.Table:
    """A table of `rows` rows and 20 columns in one chunk, about 140 bytes a row in memory."""
    random = np.random.default_rng(_SEED)

    def missing(share: float) -> Mask:
        return random.random(rows) < share

    def below(limit: int) -> NDArray[np.int64]:
        return random.integers(0, limit, rows)

    measured = random.normal(100.0, 15.0, rows)
    change = random.normal(size=rows)
    change[missing(0.05)] = np.nan
    ratio = np.where(missing(0.1), -0.0, random.normal(size=rows))
    ratio[missing(0.02)] = np.nan
    start = (_EPOCH_S + below(90_000_000)) * 1_000_000
    return pa.table(
        {
            "SUBJID": _identifiers(random, rows),
            "SITE": _texts("site-", below(200)),
            "ARM": pa.array(["placebo", "low dose", "high dose"]).take(pa.array(below(3), pa.int64())),
            "COMMENT": _texts("Prüfung ", below(rows), missing(0.3)),
            "VISIT": _categories("visit ", below(12)),
            "PARAM": _categories("parameter ", below(60), missing(0.05)),
            "AGE": pa.array(below(100).astype(np.int32)),
            "SEQ": pa.array(below(5000).astype(np.int32), mask=missing(0.1)),
            "COUNT": pa.array(below(1 << 20), mask=missing(0.1)),
            "BARCODE": pa.array(below(1 << 60), mask=missing(0.1)),
            "AVAL": pa.array(measured),
            "BASE": pa.array(measured.round(1), mask=missing(0.2)),
            "CHG": pa.array(change),
            "RATIO": pa.array(ratio, mask=missing(0.1)),
            "DOSE": pa.array(below(8) * 12.5),
            "DAY": pa.array((_FIRST_DAY + below(2000)).astype(np.int32), mask=missing(0.05)).cast(pa.date32()),
            "START": pa.array(start, pa.timestamp("us", "UTC")),
            "END": pa.array(start + below(10**9), mask=missing(0.2)).cast(pa.timestamp("us")),
            "SAFETY": pa.array(random.random(rows) < 0.9),
            "SERIOUS": pa.array(random.random(rows) < 0.1, mask=missing(0.3)),
        }
    )


def _identifiers(random: np.random.Generator, rows: int) -> Column:
    """16 hex digits each, hardly ever twice the same."""
    digits = random.bytes(8 * rows).hex().encode()
    ends = np.arange(0, 16 * (rows + 1), 16, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(ends.tobytes()), pa.py_buffer(digits))


def _texts(prefix: str, numbers: NDArray[np.int64], mask: Mask | None = None) -> Column:
    distinct, where = np.unique(numbers, return_inverse=True)
    texts = pa.array([f"{prefix}{number:03d}" for number in distinct])
    return texts.take(pa.array(where, pa.int64(), mask=mask))


def _categories(prefix: str, numbers: NDArray[np.int64], mask: Mask | None = None) -> Column:
    texts = pa.array([f"{prefix}{number:02d}" for number in range(int(numbers.max(initial=0)) + 1)])
    return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int32(), mask=mask), texts)
