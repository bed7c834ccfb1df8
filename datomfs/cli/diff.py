"""`datomfs diff`: what differs between two versions of a table, or between two tables."""

from __future__ import annotations

import math
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from datomfs.cli.diff_report import Side, diff_record, emit_comparison
from datomfs.cli.output import check_output, emit_json, json_option
from datomfs.cli.selected import Chosen, check_over, choose_one
from datomfs.cli.sources import Sources, source_options
from datomfs.cli.wiring import Session
from datomfs.errors import DatomfsError, InvalidTarget
from datomfs.layout import Selection, parse_selection

if TYPE_CHECKING:
    from datomfs.cache.reader import PayloadReader
    from datomfs.catalog.catalog import Catalog
    from datomfs.catalog.kept import Shelf
    from datomfs.compare.comparison import Comparison, Matched, Options
    from datomfs.compare.stored import ColumnId, StoredTable

_DIFFERENT = 10
_FORM = "PROJECT/TABLE@VERSION or PROJECT/TABLE@DATE"


def _check_number(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not 0 <= value < math.inf:
        raise click.BadParameter("it must be a number from 0 on")
    return value


@click.command()
@click.argument("target", metavar="PROJECT/TABLE[@A]")
@click.argument("other", metavar="[@B]", required=False)
@click.option("--key", "keys", metavar="COLUMNS", multiple=True, help="Tell rows apart by these, with commas between.")
@click.option("--tolerance", default=0.0, callback=_check_number, help="Numbers this close are equal.")
@click.option("--relative-tolerance", default=0.0, callback=_check_number, help="The same as a share of the larger.")
@click.option(
    "--rows", "shown", type=click.IntRange(min=0), default=20, show_default=True, help="Show the first N rows."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write all differences into this parquet file.")
@source_options
@json_option
@click.pass_obj
def diff(
    session: Session,
    target: str,
    other: str | None,
    keys: tuple[str, ...],
    tolerance: float,
    relative_tolerance: float,
    shown: int,
    output: Path | None,
    sources: Sources,
    as_json: bool,
) -> None:
    """Compare two versions of a table: columns, rows, values.

    A and B are versions or dates; without one the current version is meant. B may also be PROJECT/TABLE[@B], another
    table. Rows belong together by their place, or by --key. The exit code is 0 where nothing differs, and 10 where
    something does.

    \b
    Example: datomfs diff STUDY_001/lb@2026-03-31 --key USUBJID,LBTESTCD,VISITNUM
             datomfs diff STUDY_001/lb@8a3b21cc @2f00aa19 --tolerance 1e-9 -o changes.parquet
    """
    from datomfs.compare.cells import Tolerance
    from datomfs.compare.comparison import Options

    selections = _parse_pair(target, other)
    file = None if output is None else check_output(output)
    with _opened(session, selections, sources) as (base, second):
        key = _find_key(keys, base.table)
        options = Options(key, Tolerance(tolerance, relative_tolerance), shown)
        comparison = _compare(base.table, second.table, options, file)
        sides = (base.side, second.side)
    if as_json:
        emit_json(diff_record(comparison, options, *sides))
    else:
        emit_comparison(comparison, *sides)
    sys.exit(0 if comparison.is_equal else _DIFFERENT)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A version whose bytes are proven, ready to be compared."""

    chosen: Chosen
    table: StoredTable
    verified: str

    @property
    def side(self) -> Side:
        entry = self.chosen.version.entry
        return Side(
            self.chosen.label,
            entry.timestamp,
            entry.data_sha,
            self.table.row_count,
            len(self.table.columns),
            self.verified,
        )


def _parse_pair(target: str, other: str | None) -> tuple[Selection, Selection]:
    """The two that are meant. Raises InvalidTarget, and what parsing them raises."""
    base = parse_selection(target)
    if base.table is None or (other is None and base.version is None and base.when is None):
        raise InvalidTarget(target, _FORM)
    if other is None:
        return base, Selection(base.project, base.table)
    second = parse_selection(f"{base.project}/{base.table}{other}" if other.startswith("@") else other)
    if second.table is None:
        raise InvalidTarget(other, "@VERSION, @DATE or PROJECT/TABLE[@VERSION|@DATE]")
    return base, second


@contextmanager
def _opened(session: Session, selections: Sequence[Selection], sources: Sources) -> Iterator[tuple[_Opened, _Opened]]:
    """Both versions, and what is learned of their columns' hashes kept for the next time."""
    from contextlib import ExitStack, closing

    portfolio = session.portfolio(sources)
    shelf = session.kept.shelf("column hashes")
    with closing(session.payload_reader(verify="strict")) as reader, ExitStack() as stack:
        opened = []
        for selection in selections:
            check_over(selection.when, time.time_ns())
            catalog = portfolio.catalog(selection.project)
            opened.append(stack.enter_context(_open(reader, catalog, choose_one(catalog, selection), shelf)))
        yield opened[0], opened[1]


@contextmanager
def _open(reader: PayloadReader, catalog: Catalog, chosen: Chosen, shelf: Shelf) -> Iterator[_Opened]:
    from datomfs.cache.standing import Verified
    from datomfs.cli.payload_file import PayloadFile
    from datomfs.compare.recorded import find_recorded_hashes, parse_hashes, render_hashes
    from datomfs.compare.stored import StoredTable

    payload = reader.open(chosen.store, chosen.info, chosen.recorded, lambda: None)
    with PayloadFile(payload) as file:
        table = StoredTable(file, chosen.label)
        is_proven = payload.verified in (Verified.FULL, Verified.ATTESTED)
        kept = shelf.find(chosen.sha256) if is_proven else None
        if kept is not None:
            table.know(parse_hashes(kept.body))
        else:
            document = _find_document(catalog, chosen)
            table.know(find_recorded_hashes(document, chosen.version.entry.data_sha, table))
        known = dict(table.hashes)
        yield _Opened(chosen, table, payload.verified.value)
        if is_proven and table.hashes != known:
            shelf.put(chosen.sha256, render_hashes(table.hashes))


def _find_document(catalog: Catalog, chosen: Chosen) -> dict[str, object]:
    """The metadata of a version, for what its writer noted of columns; a comparison goes on without it."""
    try:
        metadata = catalog.find_metadata(chosen.version.table, chosen.version.version)
    except DatomfsError:
        return {}
    return {} if metadata is None else dict(metadata.document)


def _find_key(texts: Sequence[str], base: StoredTable) -> tuple[ColumnId, ...]:
    """The columns that were named: a name with a comma in it is one where the table has it."""
    from datomfs.compare.stored import ColumnId

    names: dict[str, None] = {}
    for text in texts:
        is_name = ColumnId(text) in base.columns
        names |= dict.fromkeys([text] if is_name else [name.strip() for name in text.split(",")])
    return tuple(map(ColumnId, names))


def _compare(base: StoredTable, other: StoredTable, options: Options, output: Path | None) -> Comparison:
    from datomfs.compare.comparison import compare, match_rows

    matched = match_rows(base, other, options.key)
    if output is None:
        return compare(base, other, matched, options)
    return _compare_into(output, base, other, matched, options)


def _compare_into(
    output: Path, base: StoredTable, other: StoredTable, matched: Matched, options: Options
) -> Comparison:
    """The same, with all differences in a file that appears when it is complete."""
    import pyarrow.parquet as pq

    from datomfs.cache.download import disk_errors
    from datomfs.compare.comparison import compare
    from datomfs.compare.differences import changed_cells, differences_schema, lone_rows

    schema = differences_schema(options.key, matched)
    temporary = output.with_name(f".datomfs-{secrets.token_hex(8)}")
    with disk_errors(output.parent):
        try:
            with pq.ParquetWriter(temporary, schema) as writer:
                comparison = compare(
                    base,
                    other,
                    matched,
                    options,
                    lambda found: writer.write_table(changed_cells(schema, matched, found)),
                )
                for rows in lone_rows(schema, matched):
                    writer.write_table(rows)
            temporary.replace(output)
        finally:
            temporary.unlink(missing_ok=True)
    return comparison
