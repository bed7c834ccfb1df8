"""Sizes: both families of units, the shortest spelling back, and every nonsense refused with its reason."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.model.sizes import Size, parse_size, render_size


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (0, 0),
        (1234, 1234),
        ("0", 0),
        ("1234", 1234),
        ("1234B", 1234),
        ("1KiB", 1 << 10),
        ("128MiB", 128 << 20),
        ("50GiB", 50 << 30),
        ("2TiB", 2 << 40),
        ("1KB", 10**3),
        ("5MB", 5 * 10**6),
        ("50GB", 50 * 10**9),
        ("2TB", 2 * 10**12),
        ("1.5GiB", 3 << 29),
        ("0.3KiB", 307),
        (" 50 GiB ", 50 << 30),
        ("50gib", 50 << 30),
        ("50Gb", 50 * 10**9),
        ((1 << 63) - 1, (1 << 63) - 1),
    ],
)
def test_sizes_are_read_in_bytes_and_with_either_family_of_units(value: object, size: int) -> None:
    assert size == parse_size(value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (-1, "-1 is not a size between 0 and 8388608TiB"),
        (1 << 63, "is not a size between 0 and 8388608TiB"),
        ("9999999999TiB", "is not a size between 0 and 8388608TiB"),
        ("-1GiB", "'-1GiB' is not a size: write bytes, or a number and a unit such as 50GiB"),
        ("", "'' is not a size"),
        ("GiB", "'GiB' is not a size"),
        ("a lot", "'a lot' is not a size"),
        ("1e9", "is not a size|unknown unit"),
        ("1,5GiB", "'1,5GiB' is not a size"),
        ("5G", "'5G' has an unknown unit 'G'; known are B, KiB, MiB, GiB, TiB, KB, MB, GB, TB"),
        ("5PiB", "unknown unit 'PiB'"),
        ("1.5", "'1.5' is not a whole number of bytes"),
        ("\uff15GiB", "is not a size"),
        (1.5, "1.5 is not a size"),
        (True, "True is not a size"),
        (None, "None is not a size"),
        ([1], "is not a size"),
        ("9" * 5000, "is not a size"),
    ],
)
def test_what_is_no_size_is_refused_with_the_reason(value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_size(value)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1, "1B"), (1234, "1234B"), (50 << 30, "50GiB"), (50 * 10**9, "50GB"), (3 << 29, "1536MiB")],
)
def test_a_size_is_told_in_its_shortest_exact_spelling(size: int, text: str) -> None:
    assert text == str(Size(size)) == f"{Size(size)}"


def test_programs_get_bytes() -> None:
    assert "[53687091200]" == json.dumps([parse_size("50GiB")])


@given(st.integers(0, (1 << 63) - 1))
def test_every_size_is_read_back_from_its_spelling(size: int) -> None:
    assert size == parse_size(str(Size(size)))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (102_348, "99.9 KiB"),
        (102_349, "100 KiB"),
        (5 << 20, "5.0 MiB"),
        (300 << 30, "300 GiB"),
        (2 << 40, "2.0 TiB"),
        (5000 << 40, "5000 TiB"),
    ],
)
def test_people_are_told_about_three_digits(count: int, text: str) -> None:
    assert text == render_size(count)
