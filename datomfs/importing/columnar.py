"""Parquet, which loses nothing: the file is the table."""

from __future__ import annotations

from pathlib import Path

from datomfs.identity.parquet import read_parquet
from datomfs.importing.imported import Imported


def read_columnar(path: Path) -> Imported:
    """The table of a parquet file. Raises as `identity.parquet.read_parquet` does."""
    return Imported(read_parquet(path))
