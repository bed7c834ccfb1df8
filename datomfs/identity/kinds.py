"""Which datom-cv1 kind an Arrow column has, or why it has none (format.md §3.5).

The identity of a table is what R datom computes for the frame that R reads from the same file, so this is R's view of
Arrow's types. Called by `table` before any value is looked at. Knows types and field metadata only; what only values
can tell (int64, a NUL in a text) is `columns`' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from datomfs.identity.r_class import parse_r_class


class Kind(StrEnum):
    """The kinds of datom-cv1 as they are hashed; INTEGER64 is decided by values, never by a type (format.md §3.1)."""

    NUMBER = "num"
    TEXT = "chr"
    DATE = "date"
    TIME = "time"
    DURATION = "drtn"
    INTEGER64 = "i64"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a column cannot be hashed, and the way out, as one phrase."""

    reason: str


_BYTES = Refusal("it holds bytes; write them as text, in base64 for example")

# The first that fits counts: a half float is a float too, a run-end encoded column is nested.
_BY_TYPE = (
    (pt.is_float16, Refusal("it holds half floats, which R reads as their raw bits; cast it to float32")),
    (pt.is_boolean, Kind.NUMBER),
    (pt.is_integer, Kind.NUMBER),
    (pt.is_floating, Kind.NUMBER),
    (pt.is_decimal, Kind.NUMBER),
    (pt.is_string, Kind.TEXT),
    (pt.is_large_string, Kind.TEXT),
    (pt.is_string_view, Kind.TEXT),
    (pt.is_date, Kind.DATE),
    (pt.is_timestamp, Kind.TIME),
    (pt.is_time, Kind.DURATION),
    (pt.is_duration, Kind.DURATION),
    (pt.is_null, Refusal("it has no type, for want of any value; cast it to the type it is meant to have")),
    (pt.is_binary, _BYTES),
    (pt.is_large_binary, _BYTES),
    (pt.is_binary_view, _BYTES),
    (pt.is_fixed_size_binary, _BYTES),
    (pt.is_run_end_encoded, Refusal("it is run-end encoded; decode it")),
    (pt.is_nested, Refusal("it holds several values in a row; make columns or rows of them, or write each as text")),
    (pt.is_interval, Refusal("it holds calendar intervals; write them as a number of days or months")),
)


def kind_of(field: pa.Field[Any]) -> Kind | Refusal:
    """The kind of a column by its field, or why it has none. An int64 column counts as NUMBER here."""
    if "\0" in field.name:
        return Refusal("its name holds a NUL character; rename it")
    kind = _kind_of_type(value_type(field.type))
    metadata = field.metadata or {}
    if isinstance(kind, Refusal) or metadata.get(b"ARROW:extension:name") != b"arrow.r.vctrs":
        return kind
    return _kind_in_r(kind, metadata.get(b"ARROW:extension:metadata", b""))


def value_type(type_: pa.DataType) -> pa.DataType:
    """The type of the values themselves: without extension, without dictionary."""
    if isinstance(type_, pa.BaseExtensionType):
        return value_type(type_.storage_type)
    if isinstance(type_, pa.DictionaryType):
        return value_type(type_.value_type)
    return type_


def _kind_of_type(type_: pa.DataType) -> Kind | Refusal:
    for is_of, kind in _BY_TYPE:
        if is_of(type_):
            return kind
    return Refusal(f"it is of the Arrow type {type_}; cast it to a number, a text, a date or a time")


def _kind_in_r(kind: Kind, serialized: bytes) -> Kind | Refusal:
    """What becomes of a stored column where R restores a class of its own to it."""
    try:
        classes = parse_r_class(serialized)
    except ValueError:
        return Refusal("its R class cannot be read; write the column without one")
    if "haven_labelled" in classes:
        return kind
    if "ITime" in classes and kind is Kind.NUMBER:
        return Kind.DURATION
    return Refusal(f"it is of the R class {'/'.join(classes)}; convert it to a plain vector, a Date or a POSIXct")
