"""Sizes as people write them: `50GiB`, `1.5 GB`, or a plain number of bytes.

Read by `config` and by options of the command line. Both families of units are known and kept apart: KiB counts by
1024, KB by 1000.
"""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {
    "B": 1,
    **{f"{letter}iB": 1 << 10 * power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}B": 10 ** (3 * power) for power, letter in enumerate("KMGT", 1)},
}
_FACTORS = {unit.lower(): factor for unit, factor in _UNITS.items()}
_SIZE = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?) *([a-zA-Z]*)")
_BINARY = [(unit, factor) for unit, factor in reversed(_UNITS.items()) if unit.endswith("iB")]
_WHOLE = 99.95
"""From here on a number has three digits without a fraction."""
_LIMIT = 1 << 63
"""What a size stays below: the kernel and its file systems count in signed numbers of 64 bits."""


class Size(int):
    """A number of bytes whose `str()` is its shortest exact spelling: `50GiB`, `2GB`, `1234B`."""

    def __str__(self) -> str:
        exact = (f"{self // factor}{unit}" for unit, factor in _UNITS.items() if self % factor == 0)
        return min(exact, key=len)


def render_size(count: int) -> str:
    """A number of bytes for people, to about three digits: `0 B`, `1.5 KiB`, `512 MiB`."""
    unit, factor = next(((unit, factor) for unit, factor in _BINARY if count >= factor), ("B", 1))
    number = count / factor
    return f"{number:.1f} {unit}" if factor > 1 and number < _WHOLE else f"{number:.0f} {unit}"


def parse_size(value: object) -> Size:
    """The size that a number of bytes, or a text with or without a unit, stands for; parts of a byte are dropped.

    The case of letters does not matter. Raises ValueError, with a text for people.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"{value!r} is not a size: write bytes, or a number and a unit such as 50GiB")
        number, unit = found.groups()
        factor = _FACTORS.get(unit.lower() or "b")
        if factor is None:
            raise ValueError(f"{value!r} has an unknown unit {unit!r}; known are {', '.join(_UNITS)}")
        if unit == "" and "." in number:
            raise ValueError(f"{value!r} is not a whole number of bytes")
        size = int(Fraction(number) * factor)
    if not 0 <= size < _LIMIT:
        raise ValueError(f"{value!r} is not a size between 0 and {_LIMIT // _UNITS['TiB']}TiB")
    return Size(size)
