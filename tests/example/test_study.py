"""EXAMPLE-201: the same everywhere, growing from cutoff to cutoff, and revised only as its module says."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import date, datetime
from functools import cache
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from datomfs.errors import ConfigInvalid, EmptyTable
from datomfs.example.study import CUTOFFS, DOMAINS, make_domain

FIRST_DAY = date(2026, 1, 5)
LAST = CUTOFFS[-1]
CORRECTED = "EXAMPLE-201-103-002"


Row = dict[str, Any]


@cache
def rows(domain: str, cutoff: date) -> list[Row]:
    return make_domain(domain, cutoff).to_pylist()


def keyed(domain: str, cutoff: date) -> dict[tuple[str, int], Row]:
    return {(row["USUBJID"], row.get(f"{domain.upper()}SEQ", 1)): row for row in rows(domain, cutoff)}


def changes(domain: str, earlier: date, later: date) -> list[tuple[str, str, Any, Any]]:
    """(USUBJID, column, before, after) of every value that differs in rows of both cutoffs."""
    before, after = keyed(domain, earlier), keyed(domain, later)
    return [
        (key[0], column, row[column], after[key][column])
        for key, row in before.items()
        for column in row
        if row[column] != after[key][column]
    ]


# -- the same everywhere -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", DOMAINS)
def test_two_calls_give_equal_tables(domain: str) -> None:
    assert make_domain(domain, LAST).equals(make_domain(domain, LAST))


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("dm", "ce3ec44d7e418dd2cbb78dc789eeacdb61aa674a1a065dc837c61940352db560"),
        ("ex", "268ee3357ffeab3e6d4823275d33529b2c32c194ffcd422d4435b900a90557bb"),
        ("lb", "6d2767e553917121089a1677f26604067f9bc6d00e02111e3049c2dcd47d58e6"),
        ("ae", "b4ff860373c0881d73d134589f6acfeb1bf41af94de16e7fd101470d8d1ec4d7"),
    ],
)
def test_values_of_all_cutoffs_have_their_fingerprint(domain: str, expected: str) -> None:
    text = json.dumps([rows(domain, cutoff) for cutoff in CUTOFFS], default=str)
    assert expected == hashlib.sha256(text.encode()).hexdigest()


def test_first_subject_reads_as_written_here() -> None:
    assert {
        "STUDYID": "EXAMPLE-201",
        "DOMAIN": "DM",
        "USUBJID": "EXAMPLE-201-101-001",
        "SUBJID": "101-001",
        "SITEID": "101",
        "COUNTRY": "DEU",
        "RFICDTC": "2026-01-05",
        "RFICDT": date(2026, 1, 5),
        "RFSTDTC": "2026-01-14",
        "RFSTDT": date(2026, 1, 14),
        "AGE": 43,
        "AGEU": "YEARS",
        "SEX": "M",
        "RACE": "ASIAN",
        "ARMCD": "E25",
        "ARM": "E201 25 mg",
    } == rows("dm", LAST)[0]


# -- shape ---------------------------------------------------------------------------------------------------------


def test_domains_are_the_four_of_the_study() -> None:
    expected = ("dm", "ex", "lb", "ae")
    assert expected == DOMAINS


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("dm", {"RFICDT": pa.date32(), "RFSTDT": pa.date32(), "AGE": pa.int32()}),
        (
            "ex",
            {
                "EXSEQ": pa.int32(),
                "EXDOSE": pa.float64(),
                "VISITNUM": pa.int32(),
                "VISITDY": pa.int32(),
                "EXSTDT": pa.date32(),
                "EXENDT": pa.date32(),
            },
        ),
        (
            "lb",
            {
                "LBSEQ": pa.int32(),
                "LBSTRESN": pa.float64(),
                "LBSTNRLO": pa.float64(),
                "LBSTNRHI": pa.float64(),
                "VISITNUM": pa.int32(),
                "VISITDY": pa.int32(),
                "LBDTM": pa.timestamp("us", "UTC"),
            },
        ),
        ("ae", {"AESEQ": pa.int32(), "AESER": pa.bool_(), "AESTDT": pa.date32(), "AEENDT": pa.date32()}),
    ],
)
@pytest.mark.parametrize("cutoff", [CUTOFFS[0], LAST])
def test_columns_are_text_but_for_these(domain: str, expected: dict[str, pa.DataType], cutoff: date) -> None:
    schema = make_domain(domain, cutoff).schema
    assert expected == {field.name: field.type for field in schema if field.type != pa.string()}


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_column_holds_values_at_the_last_cutoff(domain: str) -> None:
    table = make_domain(domain, LAST)
    assert not [name for name in table.column_names if table[name].null_count == table.num_rows]


@pytest.mark.parametrize("domain", ["ex", "lb", "ae"])
@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_rows_are_numbered_without_gaps_within_a_subject(domain: str, cutoff: date) -> None:
    numbers: dict[str, list[int]] = {}
    for row in rows(domain, cutoff):
        numbers.setdefault(row["USUBJID"], []).append(row[f"{domain.upper()}SEQ"])
    assert sorted(numbers) == list(numbers)
    assert {usubjid: list(range(1, len(found) + 1)) for usubjid, found in numbers.items()} == numbers


# -- the cutoffs ---------------------------------------------------------------------------------------------------


def test_tables_grow_from_cutoff_to_cutoff() -> None:
    for domain in DOMAINS:
        counts = [len(rows(domain, cutoff)) for cutoff in CUTOFFS]
        grown = counts[:-1] if domain == "dm" else counts  # enrolment ends before the last two cutoffs
        assert sorted(set(grown)) == grown


def test_every_cutoff_differs_from_the_one_before_in_every_domain() -> None:
    unchanged = [
        (domain, later)
        for domain in DOMAINS
        for earlier, later in pairwise(CUTOFFS)
        if rows(domain, earlier) == rows(domain, later)
    ]
    assert not unchanged


def test_last_cutoff_has_48_subjects() -> None:
    expected = 48
    usubjids = [row["USUBJID"] for row in rows("dm", LAST)]
    assert expected == len(usubjids)
    assert expected == len(set(usubjids))


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_row_ever_disappears(domain: str) -> None:
    for earlier, later in pairwise(CUTOFFS):
        assert set() == keyed(domain, earlier).keys() - keyed(domain, later).keys()


@pytest.mark.parametrize(
    ("domain", "filled", "revised"),
    [
        ("dm", {"RFSTDTC", "RFSTDT", "ARMCD", "ARM"}, {"AGE"}),
        ("ex", set(), set()),
        ("lb", {"LBORRES", "LBSTRESN", "LBNRIND", "LBBLFL"}, set()),
        ("ae", {"AEENDTC", "AEENDT"}, {"AEOUT"}),
    ],
)
def test_earlier_rows_change_only_as_documented(domain: str, filled: set[str], revised: set[str]) -> None:
    changed = [change for pair in pairwise(CUTOFFS) for change in changes(domain, *pair)]
    assert filled == {column for _, column, before, _ in changed if before is None}
    assert revised == {column for _, column, before, _ in changed if before is not None}


def test_one_age_is_corrected_once_between_february_and_march() -> None:
    corrections = [
        (later, usubjid, after - before)
        for earlier, later in pairwise(CUTOFFS)
        for usubjid, column, before, after in changes("dm", earlier, later)
        if column == "AGE"
    ]
    assert [(date(2026, 3, 28), CORRECTED, -10)] == corrections


@pytest.mark.parametrize("cutoff", CUTOFFS)
@pytest.mark.parametrize("domain", DOMAINS)
def test_nothing_is_dated_after_its_cutoff(domain: str, cutoff: date) -> None:
    late = []
    for row in rows(domain, cutoff):
        for column, value in row.items():
            if isinstance(value, date):
                day = value.date() if isinstance(value, datetime) else value
            elif column.endswith("DTC") and value is not None:
                day = date.fromisoformat(value[:10])
            else:
                continue
            if not FIRST_DAY <= day <= cutoff:
                late.append((column, value))
    assert not late


@pytest.mark.parametrize("cutoff", [FIRST_DAY, *CUTOFFS])
def test_every_subject_of_another_domain_is_in_dm(cutoff: date) -> None:
    enrolled = {row["USUBJID"] for row in rows("dm", cutoff)}
    domains = ["lb"] if cutoff == FIRST_DAY else ["ex", "lb", "ae"]
    for domain in domains:
        assert set() == {row["USUBJID"] for row in rows(domain, cutoff)} - enrolled


# -- what the rows say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", ["dm", "ex", "ae"])
def test_text_and_date_columns_say_the_same(domain: str) -> None:
    for row in rows(domain, LAST):
        for column in (name for name in row if name.endswith("DTC")):
            day = row[column.removesuffix("C")]
            assert (day and day.isoformat()) == row[column]


def test_laboratory_results_agree_with_text_flag_and_instant() -> None:
    flags = set()
    for row in rows("lb", LAST):
        value, low, high = row["LBSTRESN"], row["LBSTNRLO"], row["LBSTNRHI"]
        flag = None if value is None else "LOW" if value < low else "HIGH" if value > high else "NORMAL"
        flags.add(flag)
        assert flag == row["LBNRIND"]
        assert value == (row["LBORRES"] and float(row["LBORRES"]))
        assert row["LBDTC"] == row["LBDTM"].strftime("%Y-%m-%dT%H:%M")
    assert {None, "LOW", "NORMAL", "HIGH"} == flags


def test_injections_begin_on_the_reference_start_date() -> None:
    start = {row["USUBJID"]: row["RFSTDT"] for row in rows("dm", LAST) if row["RFSTDT"] is not None}
    first = {row["USUBJID"]: row["EXSTDT"] for row in rows("ex", LAST) if row["EXSEQ"] == 1}
    assert start == first


def test_adverse_events_are_resolved_exactly_when_they_have_an_end() -> None:
    ongoing = [row for row in rows("ae", LAST) if row["AEENDT"] is None]
    ended = [row for row in rows("ae", LAST) if row["AEENDT"] is not None]
    assert {"NOT RECOVERED/NOT RESOLVED"} == {row["AEOUT"] for row in ongoing}
    assert {"RECOVERED/RESOLVED"} == {row["AEOUT"] for row in ended}
    assert not [row for row in ended if row["AEENDT"] < row["AESTDT"]]


def test_serious_adverse_events_are_some_of_the_severe_ones() -> None:
    assert {"SEVERE"} == {row["AESEV"] for row in rows("ae", LAST) if row["AESER"]}
    assert {"MILD", "MODERATE", "SEVERE"} == {row["AESEV"] for row in rows("ae", LAST) if not row["AESER"]}


# -- refusals ------------------------------------------------------------------------------------------------------


def test_unknown_domain_is_refused_with_the_known_ones() -> None:
    expected = "example: there is no domain 'vs', only dm, ex, lb, ae"
    with pytest.raises(ConfigInvalid) as caught:
        make_domain("vs", LAST)
    assert expected == caught.value.what


@pytest.mark.parametrize("domain", DOMAINS)
def test_day_before_first_enrolment_has_no_table(domain: str) -> None:
    with pytest.raises(EmptyTable) as caught:
        make_domain(domain, date(2026, 1, 4))
    assert (0, make_domain(domain, LAST).num_columns) == (caught.value.rows, caught.value.columns)


def test_first_day_has_one_subject_and_no_injection_yet() -> None:
    expected = ["EXAMPLE-201-101-001"]
    assert expected == [row["USUBJID"] for row in rows("dm", FIRST_DAY)]
    with pytest.raises(EmptyTable):
        make_domain("ex", FIRST_DAY)


def test_importing_the_package_loads_no_pyarrow() -> None:
    program = "import sys, datomfs.example; sys.exit('pyarrow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
