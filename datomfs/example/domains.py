"""What is written down about the subjects of EXAMPLE-201: demographics, injections, laboratory, adverse events.

A record is a row that fills up: what was entered on which day. `study` asks for records and makes tables of them;
nothing here knows a cutoff or Arrow. Arithmetic is in whole numbers up to one last division, so that results are the
same to the last bit everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import NamedTuple

from datomfs.example.subjects import BASELINE, SCREENING, STUDY, Draw, Subject, Visit, subjects

Row = dict[str, object]


class LabTest(NamedTuple):
    """A laboratory test; `low` and `high` bound the reference range, in units of the last of `digits` decimals.

    `drift` is how far 50 mg move the mean from one visit to the next, in percent of the range.
    """

    code: str
    name: str
    category: str
    unit: str
    low: int
    high: int
    digits: int
    drift: int


LAB_TESTS = (
    LabTest("ALB", "Albumin", "CHEMISTRY", "g/L", 35, 50, 0, 0),
    LabTest("ALT", "Alanine Aminotransferase", "CHEMISTRY", "U/L", 7, 45, 0, 12),
    LabTest("AST", "Aspartate Aminotransferase", "CHEMISTRY", "U/L", 8, 40, 0, 8),
    LabTest("BILI", "Bilirubin", "CHEMISTRY", "umol/L", 30, 210, 1, 2),
    LabTest("CREAT", "Creatinine", "CHEMISTRY", "umol/L", 530, 1060, 1, 0),
    LabTest("HGB", "Hemoglobin", "HEMATOLOGY", "g/L", 120, 170, 0, -2),
    LabTest("PLAT", "Platelets", "HEMATOLOGY", "10^9/L", 150, 400, 0, -6),
)

# What was said, the term it is coded to, and the body system of that term.
COMPLAINTS = (
    ("HEADACHE", "Headache", "Nervous system disorders"),
    ("DIZZY SPELLS", "Dizziness", "Nervous system disorders"),
    ("FEELING SICK", "Nausea", "Gastrointestinal disorders"),
    ("LOOSE STOOLS", "Diarrhoea", "Gastrointestinal disorders"),
    ("TIRED ALL DAY", "Fatigue", "General disorders and administration site conditions"),
    ("SORE WHERE INJECTED", "Injection site pain", "General disorders and administration site conditions"),
    ("RUNNY NOSE", "Nasopharyngitis", "Infections and infestations"),
    ("ITCHY RASH", "Rash pruritic", "Skin and subcutaneous tissue disorders"),
    ("ACHING BACK", "Back pain", "Musculoskeletal and connective tissue disorders"),
)
SEVERITIES = ("MILD", "MILD", "MILD", "MODERATE", "MODERATE", "SEVERE")
CAUSALITIES = ("NOT RELATED", "NOT RELATED", "POSSIBLY RELATED", "RELATED")
RACES = ("WHITE", "WHITE", "ASIAN", "BLACK OR AFRICAN AMERICAN")

# The one slip of the pen: this subject was entered ten years too old, until somebody noticed.
MISTAKEN_SUBJECT = f"{STUDY}-103-002"
MISTAKE_FOUND = date(2026, 3, 16)


@dataclass(frozen=True, slots=True)
class Record:
    """A row in the making: (day, values) pairs, oldest first. The first creates the row, later ones amend it."""

    entries: tuple[tuple[date, Row], ...]

    def as_of(self, day: date) -> Row | None:
        """The row as the database showed it at the end of `day`; None while there was none."""
        row: Row = {}
        for entered, values in self.entries:
            if entered <= day:
                row |= values
        return row or None


def _identifiers(domain: str, subject: Subject) -> Row:
    return {"STUDYID": STUDY, "DOMAIN": domain, "USUBJID": subject.usubjid}


def _visit_columns(visit: Visit) -> Row:
    return {"VISITNUM": visit.number, "VISIT": visit.name, "VISITDY": visit.planned_day}


def _date_columns(stem: str, day: date) -> Row:
    """The same date twice: as SDTM's ISO text, and as a date to compute with."""
    return {f"{stem}DTC": day.isoformat(), f"{stem}DT": day}


def _demographics(subject: Subject) -> Iterator[Record]:
    """One row from screening on; arm and reference start follow with the first injection."""
    draw = Draw(f"{subject.usubjid}/dm")
    screening, baseline = subject.day_of(SCREENING), subject.day_of(BASELINE)
    age = 24 + draw.below(30) + draw.below(24)
    mistaken = subject.usubjid == MISTAKEN_SUBJECT
    enrolled: Row = {
        **_identifiers("DM", subject),
        "SUBJID": subject.subjid,
        "SITEID": subject.site,
        "COUNTRY": subject.country,
        **_date_columns("RFIC", screening),
        "AGE": age + 10 if mistaken else age,
        "AGEU": "YEARS",
        "SEX": draw.pick("FM"),
        "RACE": draw.pick(RACES),
    }
    treated = {**_date_columns("RFST", baseline), "ARMCD": subject.arm.code, "ARM": subject.arm.name}
    corrections: list[tuple[date, Row]] = [(MISTAKE_FOUND, {"AGE": age})] if mistaken else []
    yield Record(((screening, enrolled), (baseline, treated), *corrections))


def _exposure(subject: Subject) -> Iterator[Record]:
    """One injection at each visit from baseline to week 12, now and then of half the dose."""
    draw = Draw(f"{subject.usubjid}/ex")
    for number, (visit, day) in enumerate(list(subject.visits())[1:-1], start=1):
        halved = visit is not BASELINE and draw.happens(6)
        row: Row = {
            **_identifiers("EX", subject),
            "EXSEQ": number,
            "EXTRT": "E201",
            "EXDOSE": subject.arm.dose_mg / (2 if halved else 1),
            "EXDOSU": "mg",
            "EXDOSFRM": "INJECTION",
            "EXROUTE": "SUBCUTANEOUS",
            "EXADJ": "PHYSICIAN DECISION" if halved else None,
            **_visit_columns(visit),
            **_date_columns("EXST", day),
            **_date_columns("EXEN", day),
        }
        yield Record(((day, row),))


def _laboratory(subject: Subject) -> Iterator[Record]:
    """Every test at every visit. Most results are there at once, some weeks later, a few samples are lost."""
    draw = Draw(f"{subject.usubjid}/lb")
    usual = {test: test.low + (test.high - test.low) * (10 + draw.below(80)) // 100 for test in LAB_TESTS}
    numbers = count(1)
    for visit, day in subject.visits():
        drawn = datetime.combine(day, time(7, 30), UTC) + timedelta(minutes=draw.below(150))
        received_mg = subject.arm.dose_mg * max(0, visit.number - BASELINE.number)
        for test in LAB_TESTS:
            percent = draw.below(21) + draw.below(21) - 20 + test.drift * received_mg // 50
            measured = usual[test] + (test.high - test.low) * percent // 100
            row: Row = {
                **_identifiers("LB", subject),
                "LBSEQ": next(numbers),
                "LBTESTCD": test.code,
                "LBTEST": test.name,
                "LBCAT": test.category,
                "LBORRESU": test.unit,
                "LBSTRESU": test.unit,
                "LBSTNRLO": test.low / 10**test.digits,
                "LBSTNRHI": test.high / 10**test.digits,
                **_visit_columns(visit),
                "LBDTC": f"{drawn:%Y-%m-%dT%H:%M}",
                "LBDTM": drawn,
            }
            if draw.happens(1):
                yield Record(((day, row | {"LBSTAT": "NOT DONE", "LBREASND": "SAMPLE LOST"}),))
            else:
                reported = day + timedelta(days=10 + draw.below(40)) if draw.happens(4) else day
                yield Record(((day, row), (reported, _result(test, visit, measured))))


def _result(test: LabTest, visit: Visit, measured: int) -> Row:
    """The columns that a laboratory report fills in; `measured` counts units of the last decimal."""
    value = measured / 10**test.digits
    low, high = measured < test.low, measured > test.high
    return {
        "LBORRES": f"{value:.{test.digits}f}",
        "LBSTRESN": value,
        "LBNRIND": "LOW" if low else "HIGH" if high else "NORMAL",
        "LBBLFL": "Y" if visit is BASELINE else None,
    }


def _adverse_events(subject: Subject) -> Iterator[Record]:
    """Up to five complaints after the first injection, more of them early; most end, and are completed then."""
    draw = Draw(f"{subject.usubjid}/ae")
    events = [_adverse_event(subject, draw) for _ in range(draw.below(6))]
    # Numbered in the order they were reported: a later one never changes the number of an earlier one.
    events.sort(key=lambda record: record.entries[0][0])
    for number, ((reported, row), *completions) in enumerate((event.entries for event in events), start=1):
        yield Record(((reported, row | {"AESEQ": number}), *completions))


def _adverse_event(subject: Subject, draw: Draw) -> Record:
    verbatim, term, system = draw.pick(COMPLAINTS)
    severity = draw.pick(SEVERITIES)
    start = subject.day_of(BASELINE) + timedelta(days=draw.below(112) * draw.below(112) // 112)
    reported = start + timedelta(days=draw.below(4))
    row: Row = {
        **_identifiers("AE", subject),
        "AETERM": verbatim,
        "AEDECOD": term,
        "AEBODSYS": system,
        "AESEV": severity,
        "AESER": severity == "SEVERE" and draw.happens(50),
        "AEREL": draw.pick(CAUSALITIES),
        "AEOUT": "NOT RECOVERED/NOT RESOLVED",
        **_date_columns("AEST", start),
    }
    if draw.happens(15):
        return Record(((reported, row),))
    end = start + timedelta(days=draw.below(45))
    completion = {"AEOUT": "RECOVERED/RESOLVED", **_date_columns("AEEN", end)}
    return Record(((reported, row), (max(end, reported) + timedelta(days=draw.below(6)), completion)))


_RECORD_MAKERS: Mapping[str, Callable[[Subject], Iterator[Record]]] = {
    "dm": _demographics,
    "ex": _exposure,
    "lb": _laboratory,
    "ae": _adverse_events,
}


def simulate(domain: str) -> Iterator[Record]:
    """Every record the study will ever have in `domain` (dm, ex, lb or ae), by USUBJID and sequence number."""
    for subject in subjects():
        yield from _RECORD_MAKERS[domain](subject)
