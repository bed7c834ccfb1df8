"""Which file is read by whom: by its ending, as R datom's sync does it. The door of the package.

A file of another format than its ending says is an error of the reader of that ending, never a guess. The readers are
imported when they are first needed, with the libraries they stand on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from datomfs.errors import EmptyTable, FileMissing, FormatUnsupported, LossyImport, UnreadableFile
from datomfs.importing.imported import Imported
from datomfs.importing.memory import check_format

_READERS = {
    "csv": "delimited.read_delimited",
    "tsv": "delimited.read_delimited",
    "txt": "delimited.read_delimited",
    "psv": "delimited.read_delimited",
    "parquet": "columnar.read_columnar",
    "sas7bdat": "statistical.read_sas7bdat",
    "xpt": "statistical.read_xpt",
    "sav": "statistical.read_sav",
    "zsav": "statistical.read_sav",
    "por": "statistical.read_por",
    "dta": "statistical.read_dta",
    "xls": "excel.read_workbook",
    "xlsx": "excel.read_workbook",
}
FORMATS = tuple(_READERS)


def format_of(path: Path) -> str:
    """The format a file has by its ending, in lower case: what stands as `original_format` in the metadata.

    Raises FormatUnsupported.
    """
    format_ = path.suffix.removeprefix(".").lower()
    if format_ not in _READERS:
        raise FormatUnsupported(str(path), FORMATS)
    return format_


def read_file(path: Path, *, as_r: bool = False) -> Imported:
    """The table a file holds, whole, in memory, as R datom reads it (format.md §3.7).

    Raises LossyImport where R loses or changes something of it, unless `as_r` says to do as R does; FormatUnsupported
    and FileMissing; UnreadableFile for what is damaged, in another format, or may not be read; EmptyTable where there
    is nothing in it; MemoryShort before a file that does not fit.
    """
    format_ = format_of(path)
    try:
        if path.exists() and not path.is_file():
            raise UnreadableFile(str(path), "it is not a file")  # a pipe would block for ever
        check_format(path, format_)
        imported = _reader(format_)(path)
    except FileNotFoundError as error:
        raise FileMissing(str(path)) from error
    except OSError as error:
        raise UnreadableFile(str(path), os.strerror(error.errno) if error.errno else str(error)) from error
    if not imported.table.num_rows or not imported.table.num_columns:
        raise EmptyTable(imported.table.num_rows, imported.table.num_columns)
    if imported.losses and not as_r:
        raise LossyImport(str(path), imported.losses)
    return imported


def _reader(format_: str) -> Callable[[Path], Imported]:
    module, _, name = _READERS[format_].partition(".")
    reader: Callable[[Path], Imported] = getattr(import_module(f"datomfs.importing.{module}"), name)
    return reader
