"""`datomfs hash`: the identity of files, without a project."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from datomfs.cli.output import Record, emit_json, json_option
from datomfs.errors import DatomfsError, FileMissing, UnreadableFile


@click.command("hash")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--metadata", is_flag=True, help="Hash metadata documents (JSON) instead of parquet files.")
@json_option
def hash_files(files: tuple[Path, ...], metadata: bool, as_json: bool) -> None:
    """Print the data_sha of parquet FILES and the hash of each column.

    Equal values have equal hashes, in R and here, whoever wrote the file. With --json each file gives one line.

    \b
    Example: datomfs hash dm.parquet lb.parquet --json
    """
    code = 0
    for file in files:
        try:
            record = _hash_metadata(file) if metadata else _hash_table(file)
        except DatomfsError as error:
            code = max(code, error.exit_code)
            if as_json:
                emit_json({"file": str(file), "error": str(error)})
            else:
                click.echo(f"datomfs: {file}: {error}", err=True)
            continue
        if as_json:
            emit_json(record)
        else:
            _print(record)
    sys.exit(code)


def _hash_table(file: Path) -> Record:
    from datomfs.identity.table import hash_table
    from datomfs.write.source import read_parquet

    found = hash_table(read_parquet(file))
    columns = [{"name": name, "sha": sha} for name, sha in found.column_hashes]
    return {"file": str(file), "data_sha": found.data_sha, "column_hashes": columns}


def _hash_metadata(file: Path) -> Record:
    from datomfs.identity.metadata import canonical_text, metadata_sha
    from datomfs.model.fields import parse_object

    try:
        document = parse_object(file.read_bytes(), str(file))
    except FileNotFoundError as error:
        raise FileMissing(str(file)) from error
    except OSError as error:
        raise UnreadableFile(str(file), str(error.strerror)) from error
    return {"file": str(file), "canonical": canonical_text(document), "metadata_sha": metadata_sha(document)}


def _print(record: Record) -> None:
    click.echo(f"{record.get('data_sha') or record['metadata_sha']}  {record['file']}")
    for column in record.get("column_hashes", []):
        click.echo(f"  {column['sha']}  {column['name']}")
