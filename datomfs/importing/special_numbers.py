"""Texts to the numbers that have no digits, or other ones: infinities, NaN, errors of Excel, hexadecimal doubles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from datomfs.importing.arrow import Values, pc
from datomfs.importing.numbers import mask_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXCEL_ERROR = r"^[+-]?(?:#(?:DIV/0!|VALUE!|NULL!|NAME\?|NUM!|REF!)|1\.#(?:[SQ]NAN|IND|INF))$"
SPECIAL = (
    r"^[+-]?(?:nan|inf|INF|Inf(?:inity)?|NaN[%QS]?\d*|NAN\d*|[qs]NaN\d*|1\.#(?:[SQ]NAN|IND|INF)"
    r"|#(?:DIV/0!|VALUE!|NULL!|NAME\?|NUM!|REF!|N/A))$"
)
_INFINITY = r"(?i)inf(?:inity)?$"
_MISSING = r"#(?:NULL!|NAME\?|NUM!|REF!|N/A)$"
_HEXADECIMAL = r"^[+-]?(?:0[xX][01]\.[0-9a-fA-F]{0,13}[pP][+-]?\d{1,4}|NaN|Infinity)$"
_HEXADECIMAL_PARTS = re.compile(rb"[+-]?0[xX]([01])\.[0-9a-fA-F]*[pP]([+-]?\d+)")
_LEAST_POWER, _MOST_POWER = -1022, 1023


def parse_specials(texts: Values) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """The special doubles of some texts, which texts are special, and which of those are missing values."""
    special = mask_of(pc.match_substring_regex(texts, SPECIAL))
    infinite = special & mask_of(pc.match_substring_regex(texts, _INFINITY))
    negative = mask_of(pc.starts_with(texts, b"-"))
    values = np.where(infinite, np.where(negative, -np.inf, np.inf), np.nan)
    return values, special, special & mask_of(pc.match_substring_regex(texts, _MISSING))


def parse_hexadecimals(texts: Values) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """The doubles that Java writes bit by bit, which texts are such ones, and which of those are missing values."""
    found = mask_of(pc.match_substring_regex(texts, _HEXADECIMAL))
    values, missing = np.zeros(len(texts)), np.zeros(len(texts), np.bool_)
    for place in np.flatnonzero(found):
        text: bytes = texts[int(place)].as_py()
        parts = _HEXADECIMAL_PARTS.fullmatch(text)
        if parts is None:
            missing[place] = text.endswith(b"NaN")
            values[place] = float(text)
        elif int(parts[2]) == _LEAST_POWER or (parts[1] == b"1" and _LEAST_POWER <= int(parts[2]) <= _MOST_POWER):
            values[place] = float.fromhex(text.decode())
        else:
            found[place] = False
    return values, found, missing
