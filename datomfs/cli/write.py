"""The commands that write: init, clone, write, pull."""

from __future__ import annotations

from pathlib import Path

import click

from datomfs.cli.output import emit_record, json_option
from datomfs.cli.wiring import Session
from datomfs.errors import ConfigInvalid
from datomfs.model.names import check_name


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--project", required=True, help="The name of the new project.")
@click.option("--store", "store_url", required=True, help="Where its tables go: a folder, or s3://bucket/prefix.")
@click.option("--remote", required=True, help="An empty git repository for its metadata.")
@json_option
@click.pass_obj
def init(session: Session, directory: Path, project: str, store_url: str, remote: str, as_json: bool) -> None:
    """Begin a new project.

    Makes a clone in DIRECTORY, with the first commit on the remote, and an empty manifest in the store. The remote is
    any git repository without commits; `git init --bare FOLDER` makes one.

    \b
    Example: datomfs init study1 --project STUDY_001 --store /data/study1 --remote https://github.com/acme/study1.git
    """
    from datomfs.write.project import init_project

    location = session.new_location(check_name(project), store_url)
    init_project(directory.absolute(), project, location, remote, session.open_store)
    emit_record({"project": project, "clone": str(directory), "store": location.url, "remote": remote}, as_json=as_json)


@click.command()
@click.argument("remote")
@click.argument("directory", type=click.Path(path_type=Path))
@json_option
def clone(remote: str, directory: Path, as_json: bool) -> None:
    """Join a project, to write to it.

    Clones its git repository REMOTE into DIRECTORY. To read, no clone is needed.

    \b
    Example: datomfs clone https://github.com/acme/study1.git study1
    """
    from datomfs.write.project import clone_project

    project = clone_project(remote, directory.absolute())
    emit_record(
        {"project": project.name, "clone": str(directory), "store": project.location.url, "remote": remote},
        as_json=as_json,
    )


@click.command()
@click.argument("table")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-m", "--message", help="Why; stands in the history. Default: Update TABLE.")
@click.option("--meta", multiple=True, metavar="KEY=VALUE", help="A text of your own in the metadata; repeatable.")
@json_option
@click.pass_obj
def write(session: Session, table: str, file: Path, message: str | None, meta: tuple[str, ...], as_json: bool) -> None:
    """Make a parquet file the current version of a table.

    FILE is looked for from here, also with -C. Nothing happens when nothing changed; only metadata is written when the
    values are the current ones.

    \b
    Example: datomfs -C study1 write dm dm.parquet -m "extract of March"
    """
    from datomfs.write.writer import write_table

    repo = session.open_clone()
    try:
        result = write_table(repo, session.open_store, table, file, message=message, custom=_parse_meta(meta))
    finally:
        repo.close()
    emit_record(
        {
            "project": result.project,
            "table": result.table,
            "action": result.action.value,
            "version": result.version,
            "data_sha": result.data_sha,
            "parquet_sha": result.parquet_sha,
            "size_bytes": result.size_bytes,
        },
        as_json=as_json,
    )


@click.command()
@json_option
@click.pass_obj
def pull(session: Session, as_json: bool) -> None:
    """Bring the clone up to date with its remote.

    Also completes in the store what an interrupted write left.

    \b
    Example: datomfs -C study1 pull
    """
    from datomfs.write.writer import pull_clone

    repo = session.open_clone()
    try:
        commits, published = pull_clone(repo, session.open_store)
        record = {"commits": commits, "head": repo.head, "published": list(published)}
    finally:
        repo.close()
    emit_record(record, as_json=as_json)


def _parse_meta(options: tuple[str, ...]) -> dict[str, str]:
    """KEY=VALUE texts in the order given. Raises ConfigInvalid."""
    custom: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not key or not equals:
            raise ConfigInvalid(f"--meta {option}", "it does not have the form KEY=VALUE")
        if key in custom:
            raise ConfigInvalid(f"--meta {option}", f"{key} is given twice")
        custom[key] = value
    return custom
