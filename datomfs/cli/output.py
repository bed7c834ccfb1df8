"""How results leave the process: as text for people, or as JSON for programs. Commands build records and never print.

A record is a mapping of plain values; the same record serves both. JSON is one document on one line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

Record = Mapping[str, Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def emit_json(value: object) -> None:
    """One JSON document on a line of its own."""
    click.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def emit_record(record: Record, *, as_json: bool) -> None:
    """One record: as JSON, or as aligned `field  value` lines without what is absent."""
    if as_json:
        emit_json(record)
        return
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        if value is not None:
            click.echo(f"{name:<{width}}  {_text(value)}")


def emit_rows(rows: Sequence[Record], columns: Sequence[str], *, as_json: bool) -> None:
    """Records as a JSON array with all their fields, or as a table of the named ones."""
    if as_json:
        emit_json(rows)
        return
    table = [[column.upper() for column in columns], *([_text(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in table) for index in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
