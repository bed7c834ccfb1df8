"""The hash of one column under datom-cv1 (format.md §3.1, §3.5).

A column is fed to SHA-256 in slices, so a table needs little memory beside itself. Where a slice is in Arrow's memory
just as it is hashed (doubles, nothing missing, no zero below zero) it goes in without a copy. Called by `table`, from
several threads at once: numpy, Arrow and hashlib all let go of the interpreter lock on slices of this size.

The bits of an NA matter, and arithmetic on a NaN changes them: they are only ever written through masks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from datomfs.identity.kinds import Kind, Refusal, value_type

if TYPE_CHECKING:
    from hashlib import _Hash

    from numpy.typing import NDArray

    Column: TypeAlias = pa.ChunkedArray[Any]
    Part: TypeAlias = pa.Array[Any]

# A slice of doubles is 512 KiB: with its masks it stays in the cache of one core.
_ROWS = 64 * 1024
# Long texts make a slice shorter: this is what it may take, give or take the spread of their lengths.
_SLICE_BYTES = 4 * 1024 * 1024

_NA = np.uint64(0x7FF00000000007A2)
_NA_LOW_WORD = np.uint64(1954)
_NAN = np.uint64(0x7FF8000000000000)
_ZERO = np.uint64(0)
_MINUS_ZERO = np.uint64(0x8000000000000000)
_LOW_WORD = np.uint64(0xFFFFFFFF)

_INTEGER_NA = -(2**31)
_INTEGER_MAX = 2**31 - 1
_INTEGER64_NA = np.int64(-(2**63))

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_MS_PER_DAY = 86_400_000


def hash_column(name: str, kind: Kind, column: Column) -> str | Refusal:
    """The column's hash, 64 lowercase hex digits, or why there is none.

    `kind` is what `kinds.kind_of` said of its field. The hash covers kind, name and values, in row order; it does not
    depend on how the values are cut into chunks, nor on dictionaries.
    """
    kind = settled_kind(kind, column)
    digest = hashlib.sha256(kind.encode() + name.encode() + b"\0")
    if kind is Kind.TEXT:
        refusal = _feed_texts(digest, column)
        if refusal:
            return refusal
    elif kind is Kind.INTEGER64:
        _feed_integer64(digest, column)
    else:
        _feed_doubles(digest, column)
    if kind is Kind.DURATION:
        digest.update(b"\0secs")
    return digest.hexdigest()


def settled_kind(kind: Kind, column: Column) -> Kind:
    """The kind of a column once its values are seen, which decide for int64 (format.md §3.5)."""
    is_large = kind is Kind.NUMBER and pt.is_int64(value_type(column.type)) and not _fits_r_integer(column)
    return Kind.INTEGER64 if is_large else kind


# -- values as they are hashed, for who compares them --------------------------------------------------------------


def doubles(column: Column) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The values of a column that is hashed as doubles, and which of them are missing: null, or NA to R."""
    values, missing = [np.empty(0)], [np.empty(0, np.bool_)]
    for part in _slices(column):
        found, known = _as_r_double(part), _missing(part)
        is_na = np.isnan(found) & (found.view(np.uint64) & _LOW_WORD == _NA_LOW_WORD)
        values.append(found)
        missing.append(is_na if known is None else known | is_na)
    return np.concatenate(values), np.concatenate(missing)


def integers(column: Column) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The same for a column of the kind INTEGER64."""
    values, missing = [np.empty(0, np.int64)], [np.empty(0, np.bool_)]
    for part in _slices(column):
        found = _raw(part)
        values.append(found)
        missing.append(_is_null(part) | (found == _INTEGER64_NA))
    return np.concatenate(values), np.concatenate(missing)


def texts(column: Column) -> pa.Array[Any]:
    """The same for a column of the kind TEXT; what is missing is null."""
    parts = [part.cast(pa.large_string()) for part in _slices(column)]
    return pa.concat_arrays(parts) if parts else pa.array([], pa.large_string())


# -- numbers -------------------------------------------------------------------------------------------------------


def _fits_r_integer(column: Column) -> bool:
    """Whether R's arrow reads an int64 column as integer: it looks at all values of the column, missing ones aside."""
    for part in _slices(column):
        smallest, largest = pc.min(part).as_py(), pc.max(part).as_py()
        if smallest is not None and (smallest < _INTEGER_NA or largest > _INTEGER_MAX):
            return False
    return True


def _feed_integer64(digest: _Hash, column: Column) -> None:
    for part in _slices(column):
        values = _raw(part)
        digest.update((np.where(_is_null(part), _INTEGER64_NA, values) if part.null_count else values).data)


def _feed_doubles(digest: _Hash, column: Column) -> None:
    for part in _slices(column):
        values = _as_r_double(part)
        missing = _missing(part)
        digest.update((values if missing is None else np.where(missing, _NA, values.view(np.uint64))).data)


def _as_r_double(part: Part) -> NDArray[np.float64]:
    """The values as R has them once read; what stands under a null is of no account."""
    type_ = part.type
    if pt.is_float32(type_):
        with np.errstate(invalid="ignore"):  # a signalling NaN, which is as good as any
            return _canonical(_raw(part).astype(np.float64))
    if pt.is_float64(type_):
        return _canonical(_raw(part))
    if pt.is_decimal(type_):
        # Arrow's own cast to double is off by a bit now and then; its parser of text rounds correctly, as R's does.
        return _canonical(_raw(part.cast(pa.string()).cast(pa.float64())))
    if pt.is_date64(type_):
        # Parquet has days only, and Arrow's writer cuts towards zero: so does R then see them.
        return _canonical(np.trunc(_raw(part) / _MS_PER_DAY))
    if pt.is_timestamp(type_) or pt.is_time(type_) or pt.is_duration(type_):
        return _raw(part) / _PER_SECOND[type_.unit]
    return _raw(part).astype(np.float64)


def _canonical(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values with one zero and one NaN; a NaN that is NA to R, by its low word, keeps its bits."""
    bits = values.view(np.uint64)
    is_nan = np.isnan(values)
    is_minus_zero = bits == _MINUS_ZERO
    if not is_nan.any() and not is_minus_zero.any():
        return values
    is_plain_nan = is_nan & (bits & _LOW_WORD != _NA_LOW_WORD)
    return np.where(is_plain_nan, _NAN, np.where(is_minus_zero, _ZERO, bits)).view(np.float64)


def _missing(part: Part) -> NDArray[np.bool_] | None:
    """Which rows are NA to R, or None where none is: nulls, and the smallest 32-bit integer."""
    missing = _is_null(part) if part.null_count else None
    if pt.is_int32(part.type) or pt.is_int64(part.type):
        is_smallest: NDArray[np.bool_] = _raw(part) == _INTEGER_NA
        if is_smallest.any():
            return is_smallest if missing is None else is_smallest | missing
    return missing


# -- texts ---------------------------------------------------------------------------------------------------------


def _feed_texts(digest: _Hash, column: Column) -> Refusal | None:
    """A mask byte for every row comes first, then each value and a NUL."""
    for part in _slices(column):
        digest.update(_is_null(part).data)
    rows_before = 0
    for part in _slices(column):
        data, ends = _text_bytes(part)
        if data.size and data.min() == 0:
            row = rows_before + int(np.searchsorted(ends, data.argmin(), side="right")) + 1
            return Refusal(f"row {row} holds a NUL character, which no text of R can; remove it")
        digest.update(_with_nul_after_each(data, ends).data)
        rows_before += len(part)
    return None


def _text_bytes(part: Part) -> tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]:
    """The bytes of all values, one after another, and where each value ends among them; a null has no bytes."""
    dtype = np.dtype(np.int64 if pt.is_large_string(part.type) else np.int32)
    _, offsets_buffer, data_buffer = part.buffers()
    offsets = _view(offsets_buffer, dtype, part.offset, len(part) + 1)
    if part.null_count and np.diff(offsets)[_is_null(part)].any():
        return _text_bytes(part.fill_null(""))
    data = _view(data_buffer, np.dtype(np.uint8), int(offsets[0]), int(offsets[-1] - offsets[0]))
    return data, offsets[1:] - offsets[0]


def _with_nul_after_each(data: NDArray[np.uint8], ends: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    is_data = np.ones(data.size + ends.size, np.bool_)
    is_data[ends + np.arange(ends.size)] = False
    joined = np.zeros(is_data.size, np.uint8)
    joined[is_data] = data
    return joined


# -- Arrow's memory ------------------------------------------------------------------------------------------------


def _slices(column: Column) -> Iterator[Part]:
    """The column in pieces small enough to work on, none empty, each an array of plain values."""
    for chunk in column.chunks:
        rows = _rows_per_slice(chunk)
        for start in range(0, len(chunk), rows):
            yield _plain(chunk.slice(start, rows))


def _plain(part: Part) -> Part:
    if isinstance(part, pa.ExtensionArray):
        return _plain(part.storage)
    if isinstance(part, pa.DictionaryArray):
        return _plain(part.dictionary).take(part.indices)
    return part.cast(pa.large_string()) if pt.is_string_view(part.type) else part


def _rows_per_slice(chunk: Part) -> int:
    if isinstance(chunk, pa.DictionaryArray):
        per_row = chunk.indices.nbytes / max(1, len(chunk)) + _size(chunk.dictionary) / max(1, len(chunk.dictionary))
    else:
        per_row = _size(chunk) / max(1, len(chunk))
    return max(1, min(_ROWS, int(_SLICE_BYTES / max(1, per_row))))


def _size(part: Part) -> int:
    """The bytes its values take; of views rather too many, since older Arrows cannot tell a slice of theirs."""
    return part.get_total_buffer_size() if pt.is_string_view(part.type) else part.nbytes


def _raw(part: Part) -> NDArray[Any]:
    """The values of a fixed-width array as they lie in memory: Arrow's own, not to be written to."""
    if pt.is_boolean(part.type):
        part = part.cast(pa.uint8())
    type_ = part.type
    is_number = pt.is_integer(type_) or pt.is_floating(type_)
    dtype = np.dtype(type_.to_pandas_dtype() if is_number else f"i{type_.bit_width // 8}")
    return _view(part.buffers()[1], dtype, part.offset, len(part))


def _view(buffer: Any, dtype: np.dtype[Any], start: int, count: int) -> NDArray[Any]:
    return np.frombuffer(buffer, dtype, count, start * dtype.itemsize) if count else np.empty(0, dtype)


def _is_null(part: Part) -> NDArray[np.bool_]:
    # Not to_numpy: for a boolean array it imports pandas where that is installed, 0.14 s of each `datomfs hash`.
    return _raw(part.is_null()).view(np.bool_)
