"""How results leave the process: as text for people, or as JSON for programs. Commands build records and never print.

A record is a mapping of plain values; the same record serves both. JSON is one document on one line. Text is for
eyes: documents come from strangers, so control characters in it are shown as escapes and never reach a terminal.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from datomfs.errors import DatomfsError, FileUnwritable
from datomfs.model.sizes import parse_size

Record = Mapping[str, Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


class SizeOption(click.ParamType):  # type: ignore[type-arg]  # older releases of click take no argument here
    """An option's size, as `model.sizes` reads it; 0 is none, unless `zero` lets it be one."""

    name = "size"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes."""
        try:
            size = parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not size and not self._zero:
            self.fail("it must be above 0", param, ctx)
        return size


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def emit_line(text: str) -> None:
    """One line of text. Raises FileUnwritable; when nobody reads any more (`| head -1`) the process ends well."""
    try:
        click.echo(text)
    except OSError as error:
        # What the stream still holds goes nowhere: Python would try it again at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        raise FileUnwritable("standard output", str(error.strerror)) from error


def emit_error(text: str) -> None:
    """What went wrong, for people, on standard error; its lines stay lines."""
    click.echo("\n".join(map(printable, f"datomfs: {text}".splitlines())), err=True)


def emit_failures(failures: Iterable[tuple[str, DatomfsError]]) -> None:
    """What became of targets instead of what was wanted, on standard error, each with what was typed."""
    for target, error in failures:
        emit_error(str(error) if target in vars(error).values() else f"{target}: {error}")


def worst_code(errors: Iterable[DatomfsError]) -> int:
    """The exit code of a command that went on after errors: that of the worst, 0 where there was none."""
    return max((error.exit_code for error in errors), default=0)


def emit_json(value: object) -> None:
    """One JSON document on a line of its own, in plain ASCII where the stream is not UTF-8."""
    utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    emit_line(json.dumps(value, ensure_ascii=not utf8, separators=(",", ":")))


def emit_record(record: Record, *, as_json: bool) -> None:
    """One record: as JSON, or as aligned `field  value` lines without what is absent."""
    if as_json:
        emit_json(record)
        return
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        if value is None:
            continue
        lines = [_text(item) for item in value] if _is_records(value) else [_text(value)]
        for label, line in zip([name, *[""] * len(lines)], lines, strict=False):
            emit_line(f"{label:<{width}}  {line}")


def emit_rows(rows: Sequence[Record], columns: Sequence[str], *, as_json: bool) -> None:
    """Records as a JSON array with all their fields, or as a table of the named ones."""
    if as_json:
        emit_json(rows)
        return
    table = [[column.upper() for column in columns], *([_text(row[column]) for column in columns] for row in rows)]
    widths = [max(_width(line[index]) for line in table) for index in range(len(columns))]
    for line in table:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
        emit_line("  ".join(cells).rstrip())


def check_output(output: Path) -> Path:
    """The file behind `output`, which is replaced as a whole: a device or a pipe must not be. Raises FileUnwritable."""
    target = Path(os.path.realpath(output))
    try:
        if target.exists() and not target.is_file():
            raise FileUnwritable(str(output), "it is a folder" if target.is_dir() else "it is not a regular file")
        if not target.parent.is_dir():
            raise FileUnwritable(str(output), "its folder does not exist")
    except OSError as error:
        raise FileUnwritable(str(output), str(error.strerror)) from error
    return target


def printable(text: str) -> str:
    """The text with what would move a cursor, or turn the reading direction, written as escapes."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _text(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer():
            return str(int(value))
        case Mapping():
            return ", ".join(f"{printable(str(key))}={_text(item)}" for key, item in value.items()) or "-"
        case list():
            return ", ".join(map(_text, value)) or "-"
    return printable(str(value))


def _is_records(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(item, Mapping) for item in value)


def _width(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
