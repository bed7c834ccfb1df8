"""The command `ls`: projects, and the tables of one, now or at a moment."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from datomfs.cli.output import Record, emit_failures, emit_rows, json_option, worst_code
from datomfs.cli.selected import check_over
from datomfs.cli.sources import Sources, source_options
from datomfs.cli.wiring import Session
from datomfs.errors import DatomfsError, InvalidTarget
from datomfs.layout import SHORT_VERSION_DIGITS, Selection, When, parse_selection
from datomfs.model.names import check_name

if TYPE_CHECKING:
    from datomfs.catalog.catalog import Catalog
    from datomfs.model.manifest import ManifestRow

_TABLES_AT_ONCE = 8
_COLUMNS = ("name", "kind", "version", "updated", "versions", "size_bytes")


@click.command()
@click.argument("target", metavar="[PROJECT[@DATE]]", required=False)
@source_options
@json_option
@click.pass_obj
def ls(session: Session, target: str | None, sources: Sources, as_json: bool) -> None:
    """List the projects, or the tables of one PROJECT.

    With a DATE they are those of that moment, as they were then. DATE is a UTC day, YYYY-MM-DD, up to its end, or
    YYYYMMDDTHHMMSSZ. The size is that of the version shown, as its writer noted it, where the manifest tells.

    \b
    Example: datomfs ls STUDY_001
             datomfs ls STUDY_001@2026-03-31
             datomfs ls --store /data/study1 --project STUDY_001
    """
    portfolio = session.portfolio(sources)
    chosen = target or sources.project
    if chosen is None:
        projects = [{"project": name, "location": portfolio.location(name).url} for name in portfolio.projects]
        emit_rows(projects, ("project", "location"), as_json=as_json)
        return
    selection = parse_selection(chosen) if "@" in chosen else Selection(check_name(chosen))
    if selection.table is not None:
        raise InvalidTarget(chosen, "PROJECT[@DATE]")
    check_over(selection.when, time.time_ns())
    catalog = portfolio.catalog(selection.project)
    failures: list[tuple[str, DatomfsError]] = []
    if selection.when is None:
        rows = [_row_record(catalog, row) for row in catalog.read_manifest().rows.values()]
    else:
        rows, failures = _list_past(catalog, selection.when)
    if not as_json:
        rows = [{**row, "version": row["version"][:SHORT_VERSION_DIGITS]} for row in rows]
    emit_rows(rows, _COLUMNS, as_json=as_json)
    emit_failures(failures)
    sys.exit(worst_code(error for _, error in failures))


def _list_past(catalog: Catalog, when: When) -> tuple[list[Record], list[tuple[str, DatomfsError]]]:
    """The tables that existed at a moment, in the order of their names, and those of which nobody can say."""
    from datomfs.cache.several import several
    from datomfs.catalog.moment import read_moment

    moment = read_moment(catalog, when.time_ns)
    if moment.is_exact:
        return [_row_record(catalog, moment.tables[name]) for name in sorted(moment.tables)], []

    def find(table: str) -> Record | None:
        versions = catalog.read_versions(table)
        found = versions.as_of(when.time_ns)
        if found is None:
            return None
        row, entries = moment.tables[table], versions.history.entries
        return {
            "project": catalog.project,
            "name": table,
            "kind": row.kind,
            "version": found.version,
            "data_sha": found.entry.data_sha,
            "updated": found.entry.timestamp,
            "versions": len({entry.version for entry in entries if 0 != entry.time_ns <= when.time_ns}),
            "size_bytes": row.size_bytes if found.version == row.current_version else None,
        }

    results = sorted(several(moment.tables, find, at_once=_TABLES_AT_ONCE), key=lambda one: one[0])
    failures = [(f"{catalog.project}/{name}", error) for name, error in results if isinstance(error, DatomfsError)]
    return [record for _, record in results if record is not None and not isinstance(record, DatomfsError)], failures


def _row_record(catalog: Catalog, row: ManifestRow) -> Record:
    return {
        "project": catalog.project,
        "name": row.name,
        "kind": row.kind,
        "version": row.current_version,
        "data_sha": row.current_data_sha,
        "updated": row.last_updated,
        "versions": row.version_count,
        "size_bytes": row.size_bytes,
    }
