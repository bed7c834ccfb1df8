"""datom-cv1 in plain numpy, one thread, whole columns: the native counterpart of `hash_table` (format.md 3.1).

Written straight from the format, for the types of `tables` alone, and shares no line with datomfs: that both come to
the same data_sha is checked at every run.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

_NA = np.uint64(0x7FF00000000007A2)
_NAN = np.uint64(0x7FF8000000000000)
_INTEGERS_OF_R = (-(2**31) + 1, 2**31 - 1)


def plain_data_sha(table: pa.Table) -> str:
    """The data_sha of a table made by `tables.mixed_table`. Takes a few times its largest column beside the table."""
    shas = [_column_sha(name, column) for name, column in zip(table.schema.names, table.columns, strict=True)]
    counts = struct.pack("<dd", table.num_rows, table.num_columns)
    return hashlib.sha256(b"datom-cv1" + counts + "".join(shas).encode("ascii")).hexdigest()


def _column_sha(name: str, column: pa.ChunkedArray[Any]) -> str:
    values = column.combine_chunks()
    if pt.is_dictionary(values.type):
        values = values.cast(pa.string())
    kind, payloads = _payloads(values)
    digest = hashlib.sha256(f"{kind}{name}\0".encode())
    for payload in payloads:
        digest.update(payload.data)
    return digest.hexdigest()


def _payloads(values: Any) -> tuple[str, list[NDArray[Any]]]:
    """The kind of a column, and what is hashed of it."""
    is_null: NDArray[np.bool_] = values.is_null().to_numpy(zero_copy_only=False)
    type_ = values.type
    if pt.is_string(type_):
        _, offsets, data = values.fill_null("").buffers()
        ends = np.frombuffer(offsets, np.int32, len(values) + 1)[1:]
        texts = np.insert(np.frombuffer(data, np.uint8, ends[-1]), ends, 0)
        return "chr", [is_null, texts]
    if pt.is_date(type_):
        return "date", [_as_hashed(values.cast(pa.int32()), is_null)]
    if pt.is_timestamp(type_):
        seconds = values.cast(pa.int64()).fill_null(0).to_numpy() / 1e6
        return "time", [np.where(is_null, _NA, seconds.view(np.uint64))]
    if pt.is_int64(type_):
        integers = values.fill_null(0).to_numpy()
        if integers.min() < _INTEGERS_OF_R[0] or integers.max() > _INTEGERS_OF_R[1]:
            return "i64", [np.where(is_null, np.int64(-(2**63)), integers)]
    return "num", [_as_hashed(values, is_null)]


def _as_hashed(values: Any, is_null: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Doubles as bits: one NaN, one zero, and R's NA for what is missing."""
    filled = values.fill_null(False if pt.is_boolean(values.type) else 0)
    doubles = filled.to_numpy(zero_copy_only=False).astype(np.float64)
    doubles[doubles == 0] = 0.0
    bits = np.where(np.isnan(doubles), _NAN, doubles.view(np.uint64))
    return np.where(is_null, _NA, bits)
