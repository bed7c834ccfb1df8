"""Texts to days and instants, as R's fread reads them: ISO 8601, in a reading of its own.

A date is three whole numbers between hyphens, whatever their width: 2026-1-5 is one, and so is 12-05-21, of the
year 12. An instant has a time after a blank or a T, and a zone or none, which means UTC; a date alone is its first
second. A negative zone of hours and minutes goes wrong in R (-03:30 counts as -02:30), and so it does here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from datomfs.importing.arrow import Values, pc
from datomfs.importing.numbers import as_text, integers_of, lengths_of, mask_of, parse_doubles

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DAY = r"\+?(?P<year>\d+)-\+?(?P<month>\d+)-\+?(?P<day>\d+)"
_TIME = r"\+?(?P<hour>\d+):\+?(?P<minute>\d+):(?P<second>[0-9.]+(?:[eE][+-]?\d{1,3})?)"
_ZONE = r"(?P<utc>Z)| ?(?P<zone>[+-]\d+)(?::(?P<zone_minute>\d+))?"
DATE = rf"^{_DAY} ?$"
INSTANT = rf"^{_DAY}(?:[ T]{_TIME}(?:{_ZONE})?)?$"
ISO_DATE = r"^\d{4}-\d{1,2}-\d{1,2}(?: ?|[ T].*)$"
"""What people mean by a date, as against what R takes for one."""

_MOST_DIGITS, _LAST_YEAR = 10, 5881579
_MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_SECONDS_PER_DAY = 86400


@dataclass(frozen=True, slots=True)
class Days:
    """Days since 1970-01-01 of some texts, and which texts are dates."""

    values: NDArray[np.int64]
    ok: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Instants:
    """Seconds since 1970-01-01 UTC of some texts, which texts are instants, and which have a zone that R gets wrong."""

    values: NDArray[np.float64]
    ok: NDArray[np.bool_]
    shifted: NDArray[np.bool_]


def parse_days(texts: Values) -> Days:
    """The days that texts stand for; 0 where they stand for none."""
    is_date = mask_of(pc.match_substring_regex(texts, DATE))
    if not is_date.any():
        return Days(np.zeros(len(texts), np.int64), is_date)
    return _days(pc.extract_regex(as_text(texts, is_date, "0-0-0"), DATE), is_date)


def parse_instants(texts: Values) -> Instants:
    """The instants that texts stand for; 0 where they stand for none."""
    is_instant = mask_of(pc.match_substring_regex(texts, INSTANT))
    if not is_instant.any():
        return Instants(np.zeros(len(texts)), is_instant, is_instant)
    parts = pc.extract_regex(as_text(texts, is_instant, "0-0-0"), INSTANT)
    days = _days(parts, is_instant)
    hour, hour_ok = _number(parts.field("hour"))
    minute, minute_ok = _number(parts.field("minute"))
    has_time = lengths_of(parts.field("hour")) > 0
    second = parse_doubles(parts.field("second").cast(pa.large_binary()))
    zone_hour, zone_minute, zone_ok = _zone(parts)
    in_day = (hour <= 23) & (minute <= 59) & hour_ok & minute_ok & second.ok & (second.values < 60)
    ok = days.ok & (~has_time | (in_day & zone_ok))
    whole = days.values * _SECONDS_PER_DAY + 3600 * (hour - zone_hour) + 60 * (minute - zone_minute)
    seconds = np.where(has_time & second.ok, second.values, 0.0)
    shifted = (lengths_of(parts.field("zone_minute")) > 0) & (zone_minute != 0)
    shifted &= mask_of(pc.starts_with(parts.field("zone"), "-"))
    return Instants(np.where(ok, whole.astype(np.float64) + seconds, 0.0), ok, ok & shifted)


def _days(parts: Values, matched: NDArray[np.bool_]) -> Days:
    year, year_ok = _number(parts.field("year"))
    month, month_ok = _number(parts.field("month"))
    day, day_ok = _number(parts.field("day"))
    ok = matched & year_ok & month_ok & day_ok & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12)
    year, month = np.where(ok, year, 1970), np.where(ok, month, 1)
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    ok &= (day >= 1) & (day <= _MONTH_DAYS[month - 1] + (is_leap & (month == 2)))
    first = ((year - 1970) * 12 + month - 1).astype("M8[M]").astype("M8[D]").astype(np.int64)
    return Days(np.where(ok, first + day - 1, 0), ok)


def _zone(parts: Values) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Hours and minutes to take off, and whether R accepts the zone; four digits are hours and minutes in one."""
    text, minute_text = parts.field("zone"), parts.field("zone_minute")
    width = lengths_of(text)
    hour, ok = _number(pc.replace_substring_regex(text, r"^[+-]", ""))
    hour = np.where(mask_of(pc.starts_with(text, "-")), -hour, hour)
    minute, minute_ok = _number(minute_text)
    has_minute = lengths_of(minute_text) > 0
    in_one = (width == 5) & (hour != 0)
    ok &= minute_ok & ~(has_minute & (width != 3))
    ok &= ~(in_one & (np.abs(hour) > 2400)) & ~((width == 3) & (np.abs(hour) > 24))
    minute = np.where(in_one, np.fmod(hour, 100), minute)
    return np.where(in_one, np.trunc(hour / 100).astype(np.int64), hour), minute, ok


def _number(digits: Values) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The numbers of digits, 0 for none, and which are integers of R's; the others are 0."""
    significant = pc.replace_substring_regex(digits, r"^0+", "")
    ok = lengths_of(significant) <= _MOST_DIGITS
    values = integers_of(pc.if_else(pa.array(ok), significant, pa.scalar("0", significant.type)))
    fits = ok & (values < 2**31)
    return np.where(fits, values, 0), fits
