"""`datomfs example`: data to try things with."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from datomfs.cli.output import emit_line
from datomfs.errors import FileUnwritable


@click.command()
@click.argument("domain")
@click.option(
    "--cutoff", required=True, type=click.DateTime(["%Y-%m-%d"]), help="What the study's database held on that day."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The parquet file to write.")
def example(domain: str, cutoff: datetime, output: Path) -> None:
    """Make a table to try things with.

    DOMAIN is dm, ex, lb or ae of a simulated phase II study of 48 subjects, which ran from January to June 2026.

    \b
    Example: datomfs example dm --cutoff 2026-03-28 -o dm.parquet
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from datomfs.example.study import make_domain

    table = make_domain(domain, cutoff.date())
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    try:
        output.write_bytes(buffer.getvalue())
    except OSError as error:
        raise FileUnwritable(str(output), str(error.strerror)) from error
    emit_line(f"{output}: {table.num_rows} rows, {table.num_columns} columns")
