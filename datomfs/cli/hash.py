"""`datomfs hash`: the identity of files, without a project."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from datomfs.cli.output import Record, emit_error, emit_json, emit_line, json_option, printable
from datomfs.errors import DatomfsError, FileMissing, UnreadableFile


@click.command("hash")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--metadata", is_flag=True, help="Hash metadata documents (JSON) instead of parquet files.")
@json_option
def hash_files(files: tuple[str, ...], metadata: bool, as_json: bool) -> None:
    """Print the data_sha of parquet FILES and the hash of each column.

    Equal values have equal hashes, in R and here, whoever wrote the file. A file that cannot be hashed does not stop
    the others; the exit code is then that of the worst. With --json each file gives one line.

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
                emit_json({"file": file, "error": error.what})
            else:
                emit_error(str(error) if file in vars(error).values() else f"{file}: {error}")
            continue
        if as_json:
            emit_json(record)
        else:
            _print(record)
    sys.exit(code)


def _hash_table(file: str) -> Record:
    from datomfs.identity.table import hash_table
    from datomfs.write.source import read_parquet

    found = hash_table(read_parquet(Path(file)))
    columns = [{"name": name, "sha": sha} for name, sha in found.column_hashes]
    return {"file": file, "data_sha": found.data_sha, "column_hashes": columns}


def _hash_metadata(file: str) -> Record:
    from datomfs.identity.metadata import canonical_text, metadata_sha
    from datomfs.model.fields import parse_object

    try:
        document = parse_object(Path(file).read_bytes(), file)
    except FileNotFoundError as error:
        raise FileMissing(file) from error
    except OSError as error:
        raise UnreadableFile(file, str(error.strerror)) from error
    return {"file": file, "canonical": canonical_text(document), "metadata_sha": metadata_sha(document)}


def _print(record: Record) -> None:
    emit_line(f"{record.get('data_sha') or record['metadata_sha']}  {printable(record['file'])}")
    for column in record.get("column_hashes", []):
        emit_line(f"  {column['sha']}  {printable(column['name'])}")
