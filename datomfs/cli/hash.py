"""`datomfs hash`: the identity of files of any format, without a project."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from datomfs.cli.output import Record, emit_error, emit_json, emit_line, json_option, printable
from datomfs.errors import DatomfsError, FileMissing, UnreadableFile


@click.command("hash")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--as-r", is_flag=True, help="Take what R reads also where it loses or changes something.")
@click.option("--metadata", is_flag=True, help="Hash metadata documents (JSON) instead of tables.")
@json_option
def hash_files(files: tuple[str, ...], as_r: bool, metadata: bool, as_json: bool) -> None:
    """Print the hashes of tables in FILES and their columns.

    FILES are parquet, csv, tsv, txt, psv, sas7bdat, xpt, sav, zsav, por, dta, xls or xlsx, by their endings. Equal
    values have equal hashes, in R and here, whoever wrote the file. A file that cannot be hashed does not stop the
    others; the exit code is then that of the worst. A file of which R would lose something is refused, unless --as-r
    says to take what is left; what R loses is told then. With --json each file gives one line.

    \b
    Example: datomfs hash dm.parquet lb.xpt vs.csv --json
    """
    code = 0
    for file in files:
        try:
            record = _hash_metadata(file) if metadata else _hash_table(file, as_r)
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


def _hash_table(file: str, as_r: bool) -> Record:
    from datomfs.identity.table import hash_table
    from datomfs.importing.formats import read_file

    imported = read_file(Path(file), as_r=as_r)
    found = hash_table(imported.table, imported.kinds)
    columns = [{"name": name, "sha": sha} for name, sha in found.column_hashes]
    losses = {"losses": list(imported.losses)} if imported.losses else {}
    return {"file": file, "data_sha": found.data_sha, "column_hashes": columns, **losses}


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
    for loss in record.get("losses", []):
        emit_line(f"  lost: {printable(loss)}")
    for column in record.get("column_hashes", []):
        emit_line(f"  {column['sha']}  {printable(column['name'])}")
