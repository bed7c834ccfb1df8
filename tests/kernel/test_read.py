"""Bytes through the kernel: every pattern of reading gives those of the object."""

from __future__ import annotations

import mmap
import os
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.kernel.conftest import LARGE_SIZE, Shown
from tests.mounts import eventually, kernel_test, mounted, store_options, stored_in

pytestmark = kernel_test

EDGES = [0, 1, 511, 4095, 4096, 4097, 131_071, 131_072, 131_073, 1 << 20, LARGE_SIZE - 4096, LARGE_SIZE - 1, LARGE_SIZE]


@pytest.fixture
def large(shown: Shown) -> tuple[Path, bytes]:
    """A file of 3 MiB and a bit, and its bytes."""
    (version,) = shown.versions("large")
    return shown.mount.project / "large" / version.name, version.body


@pytest.mark.parametrize("offset", EDGES)
@pytest.mark.parametrize("length", [1, 4096, 131_072, 131_073, LARGE_SIZE])
def test_any_range_is_that_of_the_bytes(large: tuple[Path, bytes], offset: int, length: int) -> None:
    path, body = large
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # One call gives what the kernel likes to give; a loop, as every program has it, gives all.
        data = b""
        while len(data) < length and (piece := os.pread(descriptor, length - len(data), offset + len(data))):
            data += piece
        assert body[offset : offset + length] == data
    finally:
        os.close(descriptor)


def test_random_reads_are_those_of_the_bytes(large: tuple[Path, bytes]) -> None:
    path, body = large
    draw = random.Random(2)  # noqa: S311
    with path.open("rb", buffering=0) as file:
        for _ in range(200):
            offset, length = draw.randrange(LARGE_SIZE), draw.randrange(1, 100_000)
            file.seek(offset)
            assert body[offset : offset + length] == file.read(length)


@pytest.mark.parametrize("offset", [LARGE_SIZE, LARGE_SIZE + 1, 1 << 40])
def test_past_the_end_there_is_nothing(large: tuple[Path, bytes], offset: int) -> None:
    path, _ = large
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        assert b"" == file.read(10)


@pytest.mark.parametrize("size", [1000, 4096, 1 << 16, LARGE_SIZE + 1])
def test_reading_in_pieces_gives_the_whole(large: tuple[Path, bytes], size: int) -> None:
    path, body = large
    with path.open("rb", buffering=0) as file:
        assert body == b"".join(iter(lambda: file.read(size), b""))


def test_many_read_one_file_at_once(shown: Shown) -> None:
    (version,) = shown.versions("large")

    def read(number: int) -> bytes:
        path = shown.mount.project / "large" / f"@{version.version[: 8 + number]}.parquet"
        with path.open("rb") as file:
            file.seek(number * 100_000)
            return file.read(500_000)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(8)))
    assert [version.body[number * 100_000 :][:500_000] for number in range(8)] == found


def test_a_memory_map_shows_the_bytes(large: tuple[Path, bytes]) -> None:
    path, body = large
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert LARGE_SIZE == len(view)
        assert body[-10:] == view[-10:]
        assert body[1_000_000:1_000_100] == view[1_000_000:1_000_100]
        assert body == view[:]


def test_a_memory_map_outlives_its_descriptor(large: tuple[Path, bytes]) -> None:
    path, body = large
    with path.open("rb") as file:
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with view:
        assert body == view[:]


def test_an_empty_payload_is_an_empty_file(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"")
    with mounted(tmp_path, *store_options(stored)) as mount:
        assert b"" == (mount.project / "dm.parquet").read_bytes()
        assert 0 == (mount.project / "dm.parquet").stat().st_size


def test_what_nothing_recorded_is_served_as_it_is(tmp_path: Path) -> None:
    stored = stored_in(tmp_path / "store")
    stored.put("dm", b"from before cv1", recorded=False)
    with mounted(tmp_path, *store_options(stored)) as mount:
        assert b"from before cv1" == (mount.project / "dm.parquet").read_bytes()


def test_the_daemon_gives_back_what_was_opened(shown: Shown) -> None:
    (version,) = shown.versions("large")
    descriptors = Path(f"/proc/{shown.mount.pid}/fd")

    def open_payloads() -> list[str]:
        links = []
        for entry in descriptors.iterdir():
            with suppress(FileNotFoundError):  # the daemon closes others while we look
                links.append(os.readlink(entry))
        return [link for link in links if link.endswith(f"{version.data_sha}.parquet")]

    files = [(shown.mount.project / "large" / version.name).open("rb") for _ in range(5)]
    assert 1 <= len(open_payloads()) <= 5
    for file in files:
        file.close()
    eventually(lambda: [] == open_payloads())
