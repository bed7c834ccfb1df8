"""The commands that read: ls, history, show, resolve, get. Each against the configuration, or one store by URL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from datomfs.cli.output import Record, emit_record, emit_rows, json_option
from datomfs.cli.wiring import Session
from datomfs.errors import RecordedMissing, UnreadableFile
from datomfs.layout import parse_target
from datomfs.model.names import check_name

if TYPE_CHECKING:
    from datomfs.catalog.catalog import Catalog, Table, TableVersion
    from datomfs.model.history import HistoryEntry
    from datomfs.store.base import ObjectInfo

F = TypeVar("F", bound=Callable[..., Any])


def store_options(command: F) -> F:
    """The two options that name one project without a configuration."""
    command = click.option("--project", "project_name", help="The name of the project in --store.")(command)
    return click.option("--store", "store_url", help="Read this store: a folder, or s3://bucket/prefix.")(command)


@click.command()
@click.argument("project", required=False)
@store_options
@json_option
@click.pass_obj
def ls(session: Session, project: str | None, store_url: str | None, project_name: str | None, as_json: bool) -> None:
    """List the projects, or the tables of one PROJECT.

    \b
    Example: datomfs ls STUDY_001
             datomfs ls --store /data/study1 --project STUDY_001
    """
    portfolio = session.portfolio(store_url, project_name)
    chosen = project or project_name
    if chosen is None:
        projects = [{"project": name, "location": portfolio.location(name).url} for name in portfolio.projects]
        emit_rows(projects, ("project", "location"), as_json=as_json)
        return
    manifest = portfolio.catalog(check_name(chosen)).read_manifest()
    rows: list[Record] = [
        {
            "project": chosen,
            "name": row.name,
            "kind": row.kind,
            "version": row.current_version if as_json else row.current_version[:8],
            "data_sha": row.current_data_sha,
            "updated": row.last_updated,
            "versions": row.version_count,
            "size_bytes": row.size_bytes,
        }
        for row in manifest.rows.values()
    ]
    emit_rows(rows, ("name", "kind", "version", "updated", "versions", "size_bytes"), as_json=as_json)


@click.command()
@click.argument("target")
@click.option("-n", "count", type=click.IntRange(min=1), help="Only the newest N versions.")
@store_options
@json_option
@click.pass_obj
def history(
    session: Session, target: str, count: int | None, store_url: str | None, project_name: str | None, as_json: bool
) -> None:
    """List the versions of PROJECT/TABLE, newest first.

    \b
    Example: datomfs history STUDY_001/dm -n 5
    """
    project, table, _ = parse_target(target)
    entries = session.portfolio(store_url, project_name).catalog(project).read_table(table).history.entries[:count]
    rows: list[Record] = [_entry_record(entry) for entry in entries]
    if not as_json:
        rows = [{**row, "version": row["version"][:8], "data_sha": row["data_sha"][:8]} for row in rows]
    emit_rows(rows, ("version", "timestamp", "author", "message", "data_sha"), as_json=as_json)


@click.command()
@click.argument("target")
@store_options
@json_option
@click.pass_obj
def show(session: Session, target: str, store_url: str | None, project_name: str | None, as_json: bool) -> None:
    """Show the metadata of PROJECT/TABLE[@VERSION], and what its history says of it.

    \b
    Example: datomfs show STUDY_001/dm@8a3b21cc
    """
    catalog, table, version = _resolve(session, target, store_url, project_name)
    current = version == table.resolve(None)
    snapshot = table.metadata if current else catalog.read_snapshot(version)
    record = {
        "project": version.project,
        "table": version.table,
        **_entry_record(version.entry),
        "current": current,
        "metadata": None if snapshot is None else dict(snapshot.document),
    }
    if not as_json:
        metadata = record.pop("metadata") or {}
        shown = (
            "table_type",
            "nrow",
            "ncol",
            "colnames",
            "size_bytes",
            "hash_algo",
            "custom",
            "parents",
            "source_lineage",
        )
        record = {**record, **{name: metadata[name] for name in shown if name in metadata}}
    emit_record(record, as_json=as_json)


@click.command()
@click.argument("target")
@store_options
@json_option
@click.pass_obj
def resolve(session: Session, target: str, store_url: str | None, project_name: str | None, as_json: bool) -> None:
    """Tell where the bytes of PROJECT/TABLE[@VERSION] lie: address, shas, size.

    \b
    Example: datomfs resolve STUDY_001/dm@8a3b21cc --json
    """
    catalog, _, version = _resolve(session, target, store_url, project_name)
    info = _payload(catalog, version)
    emit_record({**_version_record(catalog, version), "size_bytes": info.size}, as_json=as_json)


@click.command()
@click.argument("target")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The file to write.")
@store_options
@json_option
@click.pass_obj
def get(
    session: Session, target: str, output: Path, store_url: str | None, project_name: str | None, as_json: bool
) -> None:
    """Copy PROJECT/TABLE[@VERSION] to a file, proven to be the recorded bytes.

    \b
    Example: datomfs get STUDY_001/dm@8a3b21cc -o dm.parquet
    """
    from datomfs.cache.fetch import fetch_proven
    from datomfs.cache.proof import Recorded

    catalog, _, version = _resolve(session, target, store_url, project_name)
    info = _payload(catalog, version)
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise UnreadableFile(str(output), "it is a folder" if output.is_dir() else "its folder does not exist")
    recorded = Recorded(version.entry.parquet_sha, version.entry.data_sha)
    proven = fetch_proven(catalog.store, info, recorded, output.absolute())
    record = {**_version_record(catalog, version), "size_bytes": info.size, "file": str(output)}
    emit_record({**record, "verified": "full" if proven else "unrecorded"}, as_json=as_json)


def _resolve(
    session: Session, target: str, store_url: str | None, project_name: str | None
) -> tuple[Catalog, Table, TableVersion]:
    parsed = parse_target(target)
    catalog = session.portfolio(store_url, project_name).catalog(parsed.project)
    table = catalog.read_table(parsed.table)
    return catalog, table, table.resolve(parsed.version)


def _payload(catalog: Catalog, version: TableVersion) -> ObjectInfo:
    from datomfs.errors import ObjectMissing

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
