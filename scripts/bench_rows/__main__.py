"""The program behind `scripts/bench`: which rows, how often, and where the figures go."""

from __future__ import annotations

import argparse
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from scripts.bench_rows import governed, hashing, listing, picking, reading, standing, starting, streaming, writing
from scripts.bench_rows.measure import Figure, RowUnavailable
from scripts.bench_rows.places import Workshop, open_workshop
from scripts.bench_rows.report import describe_machine, render_report, replace_figures

ROWS: Mapping[str, Callable[[Workshop], Iterator[Figure]]] = {
    "seq": streaming.seq,
    "cols-pyarrow": picking.cols_pyarrow,
    "cols-duckdb": picking.cols_duckdb,
    "cols-own-layout": picking.cols_own_layout,
    "random": picking.random_reads,
    "ls": listing.ls,
    "footers": listing.footers,
    "readers8": streaming.readers8,
    "warm": streaming.warm,
    "portfolio": governed.portfolio,
    "daemon": standing.daemon,
    "data_sha": hashing.data_sha,
    "write": writing.write,
    "read-cold": reading.read_cold,
    "read-warm": reading.read_warm,
    "columns": reading.columns,
    "help": starting.show_help,
}

_PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
_FEWEST_RUNS = 3


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code, 1 where a row ended by a fault of the benchmark."""
    options = _parse(arguments)
    figures: list[Figure] = []
    unavailable: list[str] = []
    faults: list[str] = []
    with open_workshop(options.runs, options.scale, peers=options.peers) as workshop:
        machine = describe_machine(workshop.folder, options.runs)
        for name in options.rows or ROWS:
            print(f"bench: {name}", file=sys.stderr)
            try:
                figures += ROWS[name](workshop)
            except RowUnavailable as error:
                unavailable.append(f"{name} was not measured: {error}")
            except Exception as error:  # a fault in one row is no reason to lose half an hour of others
                traceback.print_exc()
                faults.append(f"{name} was not measured, by a fault of the benchmark: {error!r}")
    report = render_report(machine, figures, [*unavailable, *faults])
    print(report)
    if options.write:
        _PAGE.write_text(replace_figures(_PAGE.read_text(encoding="utf-8"), report), encoding="utf-8")
    return 1 if faults else 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure datomfs beside those who do the same, and print a markdown table.",
        epilog=f"Rows: {', '.join(ROWS)}. Temporary files, up to 6 GB, go to TMPDIR, which should be on a disk.",
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="what to measure; everything if none is named")
    parser.add_argument("--runs", type=int, default=3, help="how often each side runs, at least 3; default 3")
    parser.add_argument(
        "--peers", action=argparse.BooleanOptionalAction, default=True, help="mount rclone, s3fs and JuiceFS beside us"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="a fraction of the data, to try things; default 1")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md; needs all rows")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"no row {unknown[0]}; there are {', '.join(ROWS)}")
    if options.runs < _FEWEST_RUNS:
        parser.error(f"a median needs {_FEWEST_RUNS} runs at least")
    if not 0 < options.scale <= 1:
        parser.error("the scale is a fraction, above 0 and up to 1")
    if options.write and (options.rows or options.scale != 1 or not options.peers):
        parser.error("--write takes all rows at full size, with peers: figures of one page come from one run")
    return options


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    # Ending by SystemExit, so that mounts, server and files go, as they do after Ctrl-C.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _end)
    sys.exit(main(sys.argv[1:]))
