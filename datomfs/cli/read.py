"""The commands that read one table: history, show, resolve, get."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from datomfs.cli.output import Record, check_output, emit_record, emit_rows, json_option
from datomfs.cli.sources import Sources, source_options
from datomfs.cli.wiring import Session
from datomfs.errors import InvalidTarget, ObjectMissing, RecordedMissing
from datomfs.layout import SHORT_VERSION_DIGITS, parse_target, short_version

if TYPE_CHECKING:
    from datomfs.catalog.catalog import Catalog, Table, TableVersion
    from datomfs.model.history import HistoryEntry
    from datomfs.store.base import ObjectInfo

_SHOWN_METADATA = (
    "table_type", "nrow", "ncol", "colnames", "size_bytes", "hash_algo", "custom", "parents", "source_lineage",
)  # fmt: skip
"""What `show` tells of a metadata document in text, beside what the history says."""


@click.command()
@click.argument("target")
@click.option("-n", "count", type=click.IntRange(min=1), help="Only the newest N versions.")
@source_options
@json_option
@click.pass_obj
def history(session: Session, target: str, count: int | None, sources: Sources, as_json: bool) -> None:
    """List the versions of a table, newest first.

    TARGET is PROJECT/TABLE. The current version is marked: after a revert it is not the newest.

    \b
    Example: datomfs history STUDY_001/dm -n 5
    """
    if parse_target(target).version is not None:
        raise InvalidTarget(target, "PROJECT/TABLE")
    catalog, table = _read_table(session, target, sources)
    current = table.current
    rows: list[Record] = [
        {**_entry_record(entry), "current": current is not None and entry.version == current.version}
        for entry in table.history.entries[:count]
    ]
    if as_json:  # only there, because without a commit in the history git is walked through for it
        rows = [{**row, **_commit_record(catalog, table.name, row)} for row in rows]
    else:
        versions = table.history.versions
        rows = [
            {
                **row,
                "version": short_version(row["version"], versions),
                "current": "yes" if row["current"] else "",
                "data_sha": row["data_sha"][:SHORT_VERSION_DIGITS],
            }
            for row in rows
        ]
    emit_rows(rows, ("version", "current", "timestamp", "author", "message", "data_sha"), as_json=as_json)


@click.command()
@click.argument("target")
@source_options
@json_option
@click.pass_obj
def show(session: Session, target: str, sources: Sources, as_json: bool) -> None:
    """Show what is known of one version of a table.

    TARGET is PROJECT/TABLE for the current version, or PROJECT/TABLE@VERSION.

    \b
    Example: datomfs show STUDY_001/dm@8a3b21cc
    """
    catalog, table, version = _resolve(session, target, sources)
    current = version.entry == table.current
    snapshot = table.metadata if current else catalog.read_snapshot(version)
    entry = _entry_record(version.entry)
    record = {
        "project": version.project,
        "table": version.table,
        **entry,
        **_commit_record(catalog, version.table, entry),
        "current": current,
        "metadata": None if snapshot is None else dict(snapshot.document),
    }
    if not as_json:
        metadata = record.pop("metadata") or {}
        record = {**record, **{name: metadata[name] for name in _SHOWN_METADATA if name in metadata}}
    emit_record(record, as_json=as_json)


@click.command()
@click.argument("target")
@source_options
@json_option
@click.pass_obj
def resolve(session: Session, target: str, sources: Sources, as_json: bool) -> None:
    """Tell where the bytes of a version lie.

    TARGET is PROJECT/TABLE[@VERSION]. Gives the address of the object in the store, its shas, and its size.

    \b
    Example: datomfs resolve STUDY_001/dm@8a3b21cc --json
    """
    catalog, _, version = _resolve(session, target, sources)
    info = _payload(catalog, version)
    emit_record({**_version_record(catalog, version), "size_bytes": info.size}, as_json=as_json)


@click.command()
@click.argument("target")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The file to write.")
@source_options
@json_option
@click.pass_obj
def get(session: Session, target: str, output: Path, sources: Sources, as_json: bool) -> None:
    """Copy a version to a file.

    TARGET is PROJECT/TABLE[@VERSION]. The file appears when it is complete and proven to be the recorded bytes; a file
    of that name is replaced only then.

    \b
    Example: datomfs get STUDY_001/dm@8a3b21cc -o dm.parquet
    """
    from datomfs.cache.download import fetch_proven
    from datomfs.cache.proof import Recorded

    catalog, _, version = _resolve(session, target, sources)
    info = _payload(catalog, version)
    recorded = Recorded(version.entry.parquet_sha, version.entry.data_sha)
    proven = fetch_proven(catalog.store, info, recorded, check_output(output))
    record = {**_version_record(catalog, version), "size_bytes": info.size, "file": str(output)}
    emit_record({**record, "verified": "full" if proven else "unrecorded"}, as_json=as_json)


def _resolve(session: Session, target: str, sources: Sources) -> tuple[Catalog, Table, TableVersion]:
    catalog, table = _read_table(session, target, sources)
    return catalog, table, table.resolve(parse_target(target).version)


def _read_table(session: Session, target: str, sources: Sources) -> tuple[Catalog, Table]:
    parsed = parse_target(target)
    catalog = session.portfolio(sources).catalog(parsed.project)
    table = catalog.read_table(parsed.table)
    catalog.check_project(table)
    return catalog, table


def _payload(catalog: Catalog, version: TableVersion) -> ObjectInfo:
    try:
        return catalog.store.head(version.key)
    except ObjectMissing as error:
        raise RecordedMissing(catalog.uri(version.key)) from error


def _version_record(catalog: Catalog, version: TableVersion) -> Record:
    return {
        "project": version.project,
        "table": version.table,
        "version": version.version,
        "uri": catalog.uri(version.key),
        "data_sha": version.entry.data_sha,
        "parquet_sha": version.entry.parquet_sha,
    }


def _commit_record(catalog: Catalog, table: str, entry: Record) -> Record:
    """The commit of an entry, as its history has it, or as git tells."""
    return {"commit_sha": entry["commit_sha"] or catalog.find_commit(table, entry["version"])}


def _entry_record(entry: HistoryEntry) -> Record:
    return {
        "version": entry.version,
        "timestamp": entry.timestamp,
        "author": entry.author,
        "message": entry.message,
        "data_sha": entry.data_sha,
        "parquet_sha": entry.parquet_sha,
        "original_file_sha": entry.original_file_sha,
        "commit_sha": entry.commit_sha,
    }
