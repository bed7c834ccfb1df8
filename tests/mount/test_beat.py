"""When a daemon's report is written, with a clock of the test's own, and that it is written whole."""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from datomfs.mount.beat import Beat, put_file
from datomfs.mount.report import BEAT_S, HEARTBEAT_S, Report

EPOCH_S = 1_000_000.0


class Watched:
    """Something that reports, and the times at which its reports were taken."""

    def __init__(self) -> None:
        self.requests = 0
        self.taken: list[tuple[float, int, int | None]] = []

    def gather(self) -> Report:
        now = EPOCH_S + trio.current_time()
        return Report("/m", "0", 1, 1, EPOCH_S, now, bytes_read=self.requests)

    def complete(self, report: Report) -> Report:
        return replace(report, cache_bytes=5)

    def take(self, report: Report) -> None:
        self.taken.append((report.written_at - EPOCH_S, report.bytes_read, report.cache_bytes))


def beat_for(watched: Watched, seconds: float, news_at: float | None = None) -> list[float]:
    """When reports were taken in so many seconds, seen from the first."""

    async def main() -> None:
        beat = Beat(watched.gather, watched.complete, [watched.take])
        await beat.take()
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(beat.run)
                if news_at is not None:
                    await trio.sleep(news_at)
                    watched.requests += 1

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.01))
    return [round(at - watched.taken[0][0], 3) for at, *_ in watched.taken]


def test_without_news_it_is_written_as_seldom_as_shows_that_the_daemon_lives() -> None:
    assert [0.0, HEARTBEAT_S, 2 * HEARTBEAT_S] == beat_for(Watched(), 2 * HEARTBEAT_S + 1)


def test_news_is_written_at_the_next_beat() -> None:
    watched = Watched()
    assert [0.0, 2 * BEAT_S] == beat_for(watched, 2.5 * BEAT_S, news_at=1.5 * BEAT_S)
    assert [(0, 5), (1, 5)] == [(count, cached) for _, count, cached in watched.taken]


@pytest.mark.expected_warnings
def test_a_place_that_takes_nothing_is_told_once_and_keeps_nobody_else_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched()
    full = [True]

    def put(report: Report) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")

    async def main() -> None:
        beat = Beat(watched.gather, watched.complete, [put, watched.take])
        for is_full in (True, True, False, True):
            full[0] = is_full
            watched.requests += 1
            await beat.take()

    trio.run(main)
    assert 4 == len(watched.taken)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert 2 * ["the state of the mount cannot be written: [Errno 28] No space left on device"] == lines


def test_a_file_is_replaced_whole_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"the old one, which is longer")
    with path.open("rb") as old:
        put_file(path, b"new", mode=0o644)
        assert (b"new", b"the old one, which is longer") == (path.read_bytes(), old.read())
    assert 0o644 == stat.S_IMODE(path.stat().st_mode)
    assert ["state.json"] == os.listdir(tmp_path)


def test_what_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        put_file(tmp_path / "folder", b"new", mode=0o600)
    assert ["folder"] == os.listdir(tmp_path)
