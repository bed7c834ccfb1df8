"""Texts to numbers, as R's fread reads them.

Integers are exact. A double is made of the first 18 significant digits and a power of ten in the 80-bit arithmetic of
x86, and rounded to 64 bits then: rounded twice, it may be the neighbour of the number that is nearest to the text, and
a hash tells the difference (fixture double_random_15g).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from datomfs.importing.arrow import Values, pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTEGER = r"^[+-]?0*(\d{1,19}|0)$"
DOUBLE = r"^(?P<sign>[+-]?)0*(?P<whole>\d*)(?P<point>\.?)(?P<part>\d*)(?:[eE](?P<power>[+-]?\d{1,3}))?$"
LEADING_ZERO = r"^[+-]?0\d"

_MOST_DIGITS = 18
_MOST_POWER, _TABLE_POWER = 350, 300
_INTEGER32_MAX, _INTEGER64_MAX = 2**31 - 1, 2**63 - 1
_EXTENDED_MANTISSA_BITS, _EXTENDED_LOWEST = 64, -16445

# numpy's long double is R's where this is 63 bits (x86); elsewhere the same is computed with whole numbers.
_HAS_EXTENDED = np.finfo(np.longdouble).nmant == _EXTENDED_MANTISSA_BITS - 1


@dataclass(frozen=True, slots=True)
class Doubles:
    """The numbers of some texts; `ok` tells which texts are numbers, `is_zero` which are zero as they stand there."""

    values: NDArray[np.float64]
    ok: NDArray[np.bool_]
    is_zero: NDArray[np.bool_]


def parse_integers(texts: Values) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """The integers that texts stand for, which of them fit 32 bits, and which fit 64, as R has both: without the least.

    Where a text is no integer, or one that does not fit, the value is 0.
    """
    is_integer = mask_of(pc.match_substring_regex(texts, INTEGER))
    if not is_integer.any():
        return np.zeros(len(texts), np.int64), is_integer, is_integer
    digits = pc.replace_substring_regex(as_text(texts, is_integer, "0"), r"^[+-]?0*", "")
    lengths = lengths_of(digits)
    sizes = _or_zero(digits).cast(pa.uint64()).to_numpy(zero_copy_only=False)
    fits64 = is_integer & (sizes <= _INTEGER64_MAX)
    fits32 = fits64 & (sizes <= _INTEGER32_MAX) & (lengths <= 10)
    values = np.where(fits64, sizes, 0).astype(np.int64)
    return np.where(mask_of(pc.starts_with(texts, b"-")), -values, values), fits32, fits64


def parse_doubles(texts: Values) -> Doubles:
    """The doubles that texts stand for. More than 18 whole digits need a point or an exponent."""
    is_number = mask_of(pc.match_substring_regex(texts, DOUBLE))
    if not is_number.any():
        return Doubles(np.zeros(len(texts)), is_number, is_number)
    parts = pc.extract_regex(as_text(texts, is_number, "0"), DOUBLE)
    whole, part, power = (parts.field(name) for name in ("whole", "part", "power"))
    significant = pc.if_else(pc.equal(pc.binary_length(whole), 0), pc.replace_substring_regex(part, r"^0+", ""), part)
    whole_digits, part_digits, all_part_digits = (lengths_of(some) for some in (whole, significant, part))
    has_point, has_power = lengths_of(parts.field("point")) > 0, lengths_of(power) > 0
    taken = np.minimum(whole_digits + part_digits, _MOST_DIGITS)
    dropped = np.maximum(whole_digits - _MOST_DIGITS, 0)
    exponent = dropped - (all_part_digits - part_digits) - np.maximum(taken - whole_digits, 0)
    exponent += integers_of(power)
    digits = pc.utf8_slice_codeunits(
        pc.binary_join_element_wise(whole, significant, pa.scalar("", whole.type)), 0, _MOST_DIGITS
    )
    mantissa = _or_zero(digits).cast(pa.uint64()).to_numpy(zero_copy_only=False)
    starts_with_digit = mask_of(pc.match_substring_regex(texts, r"^[+-]?\d"))
    ok = is_number & (starts_with_digit | (all_part_digits > 0)) & (np.abs(exponent) <= _MOST_POWER)
    ok &= (whole_digits <= _MOST_DIGITS) | has_point | has_power
    values = scale(mantissa, np.where(ok, exponent, 0))
    negative = lengths_of(parts.field("sign")) > 0
    negative &= mask_of(pc.starts_with(texts, b"-"))
    return Doubles(np.where(negative, -values, values), ok, mantissa == 0)


def scale(mantissa: NDArray[np.uint64], exponent: NDArray[np.int64]) -> NDArray[np.float64]:
    """mantissa x 10^exponent, rounded to 64 bits of mantissa at each step and to a double at the end."""
    if not _HAS_EXTENDED:
        return scale_exactly(mantissa, exponent)
    table = _POWERS
    extra = np.where(exponent < -_TABLE_POWER, exponent + _TABLE_POWER, np.maximum(exponent - _TABLE_POWER, 0))
    rest = exponent - extra
    result = mantissa.astype(np.longdouble)
    with np.errstate(over="ignore", under="ignore"):
        for power in (extra, rest):
            if not power.any():
                continue
            factor = table[np.abs(power)]
            result = np.where(power < 0, result / factor, result * factor)
        return result.astype(np.float64)


def scale_exactly(mantissa: NDArray[np.uint64], exponent: NDArray[np.int64]) -> NDArray[np.float64]:
    """What `scale` gives, by whole numbers alone."""
    found = np.empty(len(mantissa), np.float64)
    for place, (digits, power) in enumerate(zip(mantissa.tolist(), exponent.tolist(), strict=True)):
        extra = power + _TABLE_POWER if power < -_TABLE_POWER else max(power - _TABLE_POWER, 0)
        value = Fraction(digits)
        for step in (extra, power - extra):
            factor = _to_extended(Fraction(10 ** abs(step)))
            value = _to_extended(value / factor if step < 0 else value * factor)
        try:
            found[place] = float(value)
        except OverflowError:
            found[place] = np.inf
    return found


def _to_extended(value: Fraction) -> Fraction:
    """The nearest number with a mantissa of 64 bits, an even one of two."""
    if not value:
        return value
    shift = value.numerator.bit_length() - value.denominator.bit_length() - _EXTENDED_MANTISSA_BITS
    for step in (shift, shift + 1):
        unit = Fraction(2) ** max(step, _EXTENDED_LOWEST)
        rounded = round(value / unit)
        if rounded < 2**_EXTENDED_MANTISSA_BITS:
            return rounded * unit
    return rounded * unit


_POWERS = np.array([np.longdouble(f"1e{power}") for power in range(_TABLE_POWER + 1)])


def mask_of(found: Values) -> NDArray[np.bool_]:
    """Truth values in numpy; a null is false."""
    # Not at once: for truth values Arrow's to_numpy imports pandas where that is installed.
    mask: NDArray[np.bool_] = found.fill_null(False).cast(pa.uint8()).to_numpy(zero_copy_only=False).astype(np.bool_)
    return mask


def as_text(texts: Values, wanted: NDArray[np.bool_], other: str) -> Values:
    """The wanted ones of some bytes, which are ASCII, as texts; `other` in the place of the rest."""
    return pc.if_else(pa.array(wanted), texts, pa.scalar(other.encode(), texts.type)).cast(pa.large_string())


def lengths_of(texts: Values) -> NDArray[np.int64]:
    """How many bytes texts have; a null has none."""
    lengths: NDArray[np.int64] = pc.binary_length(texts).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def integers_of(texts: Values) -> NDArray[np.int64]:
    """The integers of short texts of digits with a sign or none; an empty one is 0."""
    plain = pc.replace_substring_regex(texts, r"^\+", "")
    integers: NDArray[np.int64] = _or_zero(plain).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return integers


def _or_zero(digits: Values) -> Values:
    return pc.if_else(pc.equal(pc.binary_length(digits), 0), pa.scalar("0", digits.type), digits)
