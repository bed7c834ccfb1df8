"""The rows that read: a payload of 200 MB through a mount beside the same bytes without one.

Cold means that the page cache holds nothing of the payload's file (it is dropped, and looked at), and that the mount
and its cache are new. What the machine below keeps, a virtual one's host or the S3 server, is warm for both sides.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from scripts.bench_rows.measure import (
    Figure,
    Series,
    beside_native,
    forget_pages,
    in_ms,
    in_turn,
    peak_memory,
    seconds_of,
)
from scripts.bench_rows.places import BigTable, Mounted, Workshop
from scripts.bench_rows.tables import TWO_COLUMNS

_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class _Reading:
    """One pass through a file: until it was open, and until it was read, in seconds; the daemon's peak in bytes."""

    open_s: float
    seconds: float
    daemon_memory: int = 0


def read_cold(workshop: Workshop) -> Iterator[Figure]:
    """Two figures: a first read beside a plain one, and beside one that proves the file before reading it."""
    table = workshop.in_folder
    payload = _file_of(table)

    def ours() -> _Reading:
        with workshop.mounted(table) as mounted:
            forget_pages(payload)
            return _read_mounted(mounted, table.size)

    def native() -> _Reading:
        forget_pages(payload)
        return _read(payload, table.size)

    def proving() -> _Reading:
        forget_pages(payload)
        proof_s = seconds_of(lambda: _sha256(payload))
        return _Reading(proof_s, proof_s + _read(payload, table.size).seconds)

    ours_taken, native_taken, proving_taken = in_turn(workshop.runs, ours, native, proving)
    yield beside_native("read-cold", _series(ours_taken), _series(native_taken), _remarks(table, ours_taken))
    proof = Series.of(one.open_s for one in proving_taken)
    yield beside_native(
        "read-cold, native proves too",
        _series(ours_taken),
        _series(proving_taken),
        f"the same; sha256 of the file alone, cold, {in_ms(proof.median)} ms",
    )


def read_warm(workshop: Workshop) -> Iterator[Figure]:
    """One figure: a second read through a mount beside a second read of the file."""
    return _read_again(workshop, "read-warm", workshop.in_folder, _file_of(workshop.in_folder))


def columns(workshop: Workshop) -> Iterator[Figure]:
    """One figure: pyarrow reading two of the columns from a warm mount beside the warm file."""
    table = workshop.in_folder
    payload = _file_of(table)

    def two_columns(file: Path) -> float:
        return seconds_of(lambda: pq.read_table(file, columns=list(TWO_COLUMNS)))

    with workshop.mounted(table) as mounted:
        for file in (mounted.file, payload):
            _read(file, table.size)
            two_columns(file)
        ours, native = in_turn(workshop.runs, lambda: two_columns(mounted.file), lambda: two_columns(payload))
    yield beside_native(
        "columns", Series.of(ours), Series.of(native), "a double and a text of 20 columns, warm, pyarrow"
    )


def _read_again(workshop: Workshop, name: str, table: BigTable, native: Path) -> Iterator[Figure]:
    with workshop.mounted(table) as mounted:
        # Twice: a payload written less than a second ago is proven again at its second open, and not after that.
        for file in (mounted.file, native) * 2:
            _read(file, table.size)
        ours_taken, native_taken = in_turn(
            workshop.runs, lambda: _read_mounted(mounted, table.size), lambda: _read(native, table.size)
        )
    yield beside_native(name, _series(ours_taken), _series(native_taken), _remarks(table, ours_taken))


def _read(file: Path, size: int) -> _Reading:
    """Read a file from beginning to end in pieces of 1 MiB. Raises ValueError unless it has `size` bytes."""
    buffer = bytearray(_STEP)
    start = time.perf_counter()
    fd = os.open(file, os.O_RDONLY)
    opened = time.perf_counter()
    try:
        offset = 0
        while count := os.preadv(fd, [buffer], offset):
            offset += count
    finally:
        os.close(fd)
    finished = time.perf_counter()
    if offset != size:
        raise ValueError(f"{offset} bytes were read of {size}")
    return _Reading(opened - start, finished - start)


def _read_mounted(mounted: Mounted, size: int) -> _Reading:
    reading = _read(mounted.file, size)
    return _Reading(reading.open_s, reading.seconds, peak_memory(mounted.pid))


def _file_of(table: BigTable) -> Path:
    return Path(table.study.location.root, table.key)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _series(taken: list[_Reading]) -> Series:
    return Series.of(one.seconds for one in taken)


def _remarks(table: BigTable, ours: list[_Reading]) -> str:
    open_s = Series.of(one.open_s for one in ours).median
    speed = table.size / _series(ours).median / 1e6
    daemon = max(one.daemon_memory for one in ours) / (1 << 20)
    what = f"{table.size / 1e6:.0f} MB, {speed:,.0f} MB/s"
    return f"{what}; open takes {in_ms(open_s)} ms of it; daemon at most {daemon:.0f} MiB"
