"""The command `lock`: which versions a project shows, written down."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from datomfs.cli.output import check_output, emit_failures, emit_record, json_option, worst_code
from datomfs.cli.selected import Chosen, choose
from datomfs.cli.sources import Sources, source_options
from datomfs.cli.wiring import Session
from datomfs.errors import FileUnwritable, InvalidTarget
from datomfs.layout import Selection, When, parse_selection
from datomfs.model.lock import Lock, LockedProject, LockedTable, render_lock
from datomfs.model.names import check_name
from datomfs.model.timestamps import render_timestamp

if TYPE_CHECKING:
    from datomfs.catalog.catalog import Catalog
    from datomfs.catalog.portfolio import Portfolio

_FORM = "PROJECT[@DATE], each project once"


@click.command()
@click.argument("targets", metavar="PROJECT[@DATE]...", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The file to write.")
@source_options
@json_option
@click.pass_obj
def lock(session: Session, targets: tuple[str, ...], output: Path, sources: Sources, as_json: bool) -> None:
    """Write down which versions projects show.

    The file names every table of each PROJECT, as it is or as it was at a DATE, with its full version and hashes.
    `datomfs mount --lock` shows exactly that, wherever and whenever. A variable SOURCE_DATE_EPOCH stands for the time
    in it. Where something cannot be found, nothing is written.

    \b
    Example: datomfs lock STUDY_001@2026-03-31 STUDY_002 -o analysis.lock
    """
    selections = _parse(targets)
    portfolio = session.portfolio(sources)
    target = check_output(output)
    chosen, failures = choose(portfolio, selections, time.time_ns())
    if failures:
        emit_failures((one.target, one.error) for one in failures)
        raise SystemExit(worst_code(one.error for one in failures))
    projects = tuple(_lock_project(portfolio, selection, chosen) for selection in selections)
    _write(target, output, render_lock(Lock(_now(), projects)))
    count = sum(len(project.tables) for project in projects)
    emit_record({"file": str(output), "projects": len(projects), "tables": count}, as_json=as_json)


def _parse(targets: tuple[str, ...]) -> list[Selection]:
    selections: dict[str, Selection] = {}
    for target in targets:
        selection = parse_selection(target) if "@" in target or "/" in target else Selection(check_name(target))
        if selection.table is not None or selection.project in selections:
            raise InvalidTarget(target, _FORM)
        selections[selection.project] = selection
    return list(selections.values())


def _lock_project(portfolio: Portfolio, selection: Selection, chosen: list[Chosen]) -> LockedProject:
    catalog = portfolio.catalog(selection.project)
    return LockedProject(
        name=selection.project,
        as_of=selection.when.text if selection.when else None,
        location=portfolio.location(selection.project),
        documents=catalog.documents.url,
        commit=_commit(catalog, selection.when),
        tables=tuple(_lock_table(one) for one in chosen if one.version.project == selection.project),
    )


def _commit(catalog: Catalog, when: When | None) -> str | None:
    then = catalog.documents.at(when.time_ns) if when else catalog.documents
    return then.commit if then else None


def _lock_table(one: Chosen) -> LockedTable:
    entry = one.version.entry
    return LockedTable(
        one.version.table, entry.version, entry.data_sha, entry.parquet_sha, one.info.size, entry.timestamp
    )


def _now() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return render_timestamp(datetime.fromtimestamp(int(epoch) if epoch.isdigit() else time.time(), UTC))


def _write(target: Path, output: Path, text: str) -> None:
    """The whole file or none. Raises FileUnwritable."""
    try:
        made = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with made.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(made, target)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileUnwritable(str(output), str(error.strerror)) from error
