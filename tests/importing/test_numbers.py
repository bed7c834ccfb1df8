"""Numbers and dates from text, against readers that go letter by letter."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from datomfs.importing.dates import parse_days, parse_instants
from datomfs.importing.numbers import parse_doubles, parse_integers, scale, scale_exactly

_digits = st.text("0123456789", max_size=22)
_numbers = st.tuples(
    st.sampled_from(["", "-", "+"]), _digits, st.sampled_from(["", "."]), _digits,
    st.sampled_from(["", "e", "E-", "e+"]), _digits,
).map("".join)  # fmt: skip


def _bytes(texts: list[str]) -> pa.Array:
    return pa.array([text.encode() for text in texts], pa.large_binary())


def read_double(text: str) -> float | None:
    """One double as fread reads it, letter by letter, with exact fractions for its 80-bit numbers."""
    sign, rest = (text[0], text[1:]) if text[:1] in ("-", "+") else ("", text)
    whole = rest.lstrip("0")
    digits = re.match(r"\d*", whole)[0]  # type: ignore[index]
    after = whole[len(digits) :]
    taken, exponent = digits[:18], max(0, len(digits) - 18)
    if len(digits) > 18 and not after.startswith((".", "e", "E")):
        return None
    part = ""
    if after.startswith("."):
        part = re.match(r"\d*", after[1:])[0]  # type: ignore[index]
        after = after[1 + len(part) :]
        significant = part.lstrip("0") if not digits else part
        exponent -= len(part) - len(significant)
        more = significant[: 18 - len(taken)]
        taken, exponent = taken + more, exponent - len(more)
    if not re.match(r"\d", rest) and not part:
        return None
    if after:
        power = re.fullmatch(r"[eE]([+-]?\d{1,3})", after)
        if power is None:
            return None
        exponent += int(power[1])
    if abs(exponent) > 350:
        return None
    value = scale_exactly(np.array([int(taken or "0")], np.uint64), np.array([exponent]))[0]
    return float(-value if sign == "-" else value)


@given(st.lists(_numbers, min_size=1, max_size=8))
def test_doubles_are_read_as_letter_by_letter(texts: list[str]) -> None:
    found = parse_doubles(_bytes(texts))
    ours = [float(value) if ok else None for value, ok in zip(found.values, found.ok, strict=True)]
    assert [read_double(text) for text in texts] == ours


@given(st.integers(0, 10**18 - 1), st.integers(-350, 350))
def test_scaling_by_the_processor_and_by_whole_numbers_is_the_same(mantissa: int, exponent: int) -> None:
    arguments = np.array([mantissa], np.uint64), np.array([exponent])
    assert scale_exactly(*arguments)[0] == scale(*arguments)[0]


def test_a_number_is_rounded_twice() -> None:
    # Found by chance: straight to a double this is another one.
    text, expected = "659487489763053e-6", 659487489.7630529
    assert expected != float(text)
    assert expected == read_double(text) == parse_doubles(_bytes([text])).values[0]


@given(st.lists(st.tuples(st.sampled_from(["", "-", "+"]), _digits).map("".join), min_size=1, max_size=8))
def test_integers_are_read_as_letter_by_letter(texts: list[str]) -> None:
    values, fits32, fits64 = parse_integers(_bytes(texts))
    for text, value, is32, is64 in zip(texts, values, fits32, fits64, strict=True):
        number = int(text) if re.fullmatch(r"[+-]?\d+", text) else None
        assert (number is not None and abs(number) < 2**63) == is64
        assert (number is not None and abs(number) < 2**31) == is32
        assert not is64 or number == value


@given(st.dates(), st.booleans())
def test_days_are_those_of_the_calendar(day: date, padded: bool) -> None:
    text = day.isoformat() if padded else f"{day.year}-{day.month}-{day.day}"
    days = parse_days(_bytes([text]))
    assert (True, day.toordinal() - 719163) == (days.ok[0], days.values[0])


@given(st.integers(1, 9999), st.integers(0, 14), st.integers(0, 33))
def test_what_is_in_no_calendar_is_no_date(year: int, month: int, day: int) -> None:
    try:
        date(year, month, day)
        expected = True
    except ValueError:
        expected = False
    assert expected == parse_days(_bytes([f"{year}-{month}-{day}"])).ok[0]


@given(
    st.integers(0, 25), st.integers(0, 61), st.integers(0, 61), st.sampled_from(["", "Z", "+05:30", "-0430", "+25:00"])
)
def test_instants_have_a_time_of_day_and_a_zone(hour: int, minute: int, second: int, zone: str) -> None:
    found = parse_instants(_bytes([f"2026-01-28T{hour:02d}:{minute:02d}:{second:02d}{zone}"]))
    assert (hour < 24 and minute < 60 and second < 60 and zone != "+25:00") == found.ok[0]
    shift = {"": 0, "Z": 0, "+05:30": 19800, "-0430": -16200}.get(zone, 0)
    assert not found.ok[0] or 1769558400 + hour * 3600 + minute * 60 + second - shift == found.values[0]
