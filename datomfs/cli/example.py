"""`datomfs example`: data to try things with."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click


@click.command()
@click.argument("domain")
@click.option(
    "--cutoff", required=True, type=click.DateTime(["%Y-%m-%d"]), help="What the study's database held on that day."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The parquet file to write.")
def example(domain: str, cutoff: datetime, output: Path) -> None:
    """Write a DOMAIN (dm, ex, lb, ae) of a simulated phase II study of 48 subjects.

    \b
    Example: datomfs example dm --cutoff 2026-03-28 -o dm.parquet
    """
    import pyarrow.parquet as pq

    from datomfs.example.study import make_domain

    table = make_domain(domain, cutoff.date())
    pq.write_table(table, output)
    click.echo(f"{output}: {table.num_rows} rows, {table.num_columns} columns")
