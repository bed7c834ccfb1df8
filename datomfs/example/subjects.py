"""Who takes part in EXAMPLE-201, where, on which treatment, and on which days they come.

An open-label phase II study: 48 subjects, four sites, two doses of an invented compound E201, injected at five of
seven visits. `domains` builds on this what is written down about the subjects.

All chance comes from SHA-256 of a subject and a purpose: what happens to one subject in one domain is independent of
everything else, and equal on every machine.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

STUDY = "EXAMPLE-201"

T = TypeVar("T")


class Draw:
    """The chance that belongs to one name, the same for ever."""

    def __init__(self, name: str) -> None:
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        self._random = random.Random(seed)  # noqa: S311 - simulated patients, no secrets

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        # Of the methods of random.Random, Python promises the same sequence in all releases for random() alone.
        return int(self._random.random() * limit)

    def happens(self, percent: int) -> bool:
        """Whether something happens that does so in `percent` of all cases."""
        return self.below(100) < percent

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`."""
        return options[self.below(len(options))]


class Arm(NamedTuple):
    """A treatment: its code, its name, and the dose of one injection in mg."""

    code: str
    name: str
    dose_mg: int


class Visit(NamedTuple):
    """A planned visit; day 1 is the day of the first injection, and there is no day 0."""

    number: int
    name: str
    planned_day: int


SITES = (("101", "DEU"), ("102", "ESP"), ("103", "CAN"), ("104", "JPN"))
ARMS = (Arm("E25", "E201 25 mg", 25), Arm("E50", "E201 50 mg", 50))
SCREENING = Visit(1, "SCREENING", -14)
BASELINE = Visit(2, "BASELINE", 1)
VISITS = (
    SCREENING,
    BASELINE,
    Visit(3, "WEEK 2", 15),
    Visit(4, "WEEK 4", 29),
    Visit(5, "WEEK 8", 57),
    Visit(6, "WEEK 12", 85),
    Visit(7, "WEEK 16", 113),
)
SUBJECT_COUNT = 48
FIRST_ENROLMENT = date(2026, 1, 5)
LAST_ENROLMENT = date(2026, 5, 20)


@dataclass(frozen=True, slots=True)
class Subject:
    """One patient: the number `subjid` within the study, site, country, arm, and the day of each of VISITS."""

    subjid: str
    site: str
    country: str
    arm: Arm
    visit_days: tuple[date, ...]

    @property
    def usubjid(self) -> str:
        """The identifier that is unique over all studies."""
        return f"{STUDY}-{self.subjid}"

    def visits(self) -> Iterator[tuple[Visit, date]]:
        """Every visit with its day, in order."""
        return zip(VISITS, self.visit_days, strict=True)

    def day_of(self, visit: Visit) -> date:
        """The day of one of VISITS."""
        return self.visit_days[VISITS.index(visit)]


def subjects() -> list[Subject]:
    """All subjects the study will ever have, by USUBJID."""
    return sorted(map(_subject, range(SUBJECT_COUNT)), key=lambda subject: subject.usubjid)


def _subject(index: int) -> Subject:
    """The subject enrolled after `index` others; sites take turns, and arms take turns within each site."""
    number, turn = divmod(index, len(SITES))
    site, country = SITES[turn]
    subjid = f"{site}-{number + 1:03d}"
    draw = Draw(f"{STUDY}-{subjid}/visits")
    screening = _workday(FIRST_ENROLMENT + (LAST_ENROLMENT - FIRST_ENROLMENT) * index // (SUBJECT_COUNT - 1))
    baseline = _workday(screening + timedelta(days=7 + draw.below(8)))
    later = (_workday(baseline + timedelta(days=visit.planned_day - 3 + draw.below(5))) for visit in VISITS[2:])
    return Subject(subjid, site, country, ARMS[(number + turn) % len(ARMS)], (screening, baseline, *later))


def _workday(day: date) -> date:
    return day + timedelta(days=7 - day.weekday()) if day.weekday() >= 5 else day
