"""The command `doctor`: whether git and the store tell the same of projects."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from datomfs.cli.output import Record, emit_rows, json_option, worst_code
from datomfs.cli.sources import Sources, source_options
from datomfs.cli.wiring import Session
from datomfs.errors import DatomfsError, RoadsDiffer
from datomfs.model.names import check_name

if TYPE_CHECKING:
    from datomfs.catalog.comparison import Difference
    from datomfs.catalog.portfolio import Portfolio

_PROJECTS_AT_ONCE = 4
_NO_REPO = "its data repository is not named: give --repo, or `repo` in its section of the configuration"
_COLUMNS = ("project", "artifact", "found", "way_out")


@click.command()
@click.argument("projects", metavar="[PROJECT]...", nargs=-1)
@source_options
@json_option
@click.pass_obj
def doctor(session: Session, projects: tuple[str, ...], sources: Sources, as_json: bool) -> None:
    """Compare what git and the store tell of projects.

    Of each PROJECT, or of all: the manifest, the current metadata and the histories, and whether the store has every
    snapshot and payload that git names. Each difference is told with what mends it; the exit code is 5 then, and 0
    where nothing differs. What cannot be compared is told with the reason.

    \b
    Example: datomfs doctor STUDY_001
    """
    from datomfs.cache.several import several

    portfolio = session.portfolio(sources)
    names = dict.fromkeys(map(check_name, projects)) or portfolio.projects
    results = several(names, lambda name: _examine(portfolio, name), at_once=_PROJECTS_AT_ONCE)
    examined = sorted((_told(name, result) for name, result in results), key=lambda one: one.project)
    rows = [one.record for one in examined] if as_json else [row for one in examined for row in one.rows]
    emit_rows(rows, _COLUMNS, as_json=as_json)
    differing = tuple(one.project for one in examined if one.differences)
    if differing:
        raise RoadsDiffer(differing)
    sys.exit(worst_code(one.error for one in examined if one.error is not None))


@dataclass(frozen=True, slots=True)
class _Examined:
    """A project: what differs, or why that cannot be said."""

    project: str
    differences: tuple[Difference, ...] = ()
    reason: str | None = None
    error: DatomfsError | None = None

    @property
    def record(self) -> Record:
        state = "not compared" if self.reason else "differs" if self.differences else "equal"
        differences = [asdict(difference) for difference in self.differences]
        return {"project": self.project, "state": state, "reason": self.reason, "differences": differences}

    @property
    def rows(self) -> list[Record]:
        if not self.differences:
            found = f"not compared: {self.reason}" if self.reason else "nothing differs"
            return [{"project": self.project, "artifact": None, "found": found, "way_out": None}]
        return [{"project": self.project, **asdict(difference)} for difference in self.differences]


def _examine(portfolio: Portfolio, project: str) -> _Examined:
    from datomfs.catalog.catalog import Catalog
    from datomfs.catalog.comparison import compare
    from datomfs.catalog.documents import StoreDocuments
    from datomfs.catalog.git_documents import GitDocuments

    catalog = portfolio.catalog(project)
    if not isinstance(catalog.documents, GitDocuments):
        return _Examined(project, reason=_NO_REPO)
    catalog.documents.fetch()
    storage = Catalog(project, catalog.store, StoreDocuments(catalog.store))
    return _Examined(project, compare(catalog, storage))


def _told(project: str, result: _Examined | DatomfsError) -> _Examined:
    return _Examined(project, reason=result.what, error=result) if isinstance(result, DatomfsError) else result
