"""The daemon's clock for whoever watches it: its report, written where nobody has to touch the mount to read it.

The report is gathered in the trio thread, so that a daemon which answers nobody any more writes nothing any more: its
file's age tells. Files are replaced whole, by rename.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import trio

from datomfs.mount.report import BEAT_S, HEARTBEAT_S, Report

log = logging.getLogger(__name__)

Put = Callable[[Report], None]
"""Takes a report to where it is wanted; may block, and raises OSError where it cannot."""


class Beat:
    """Takes what `gather` reports to each of `puts`: every `BEAT_S` when there is news, else every `HEARTBEAT_S`.

    `complete` adds what has to be waited for; it and the puts run in a thread.
    """

    def __init__(self, gather: Callable[[], Report], complete: Callable[[Report], Report], puts: Sequence[Put]) -> None:
        self._gather = gather
        self._complete = complete
        self._puts = puts
        self._last: Report | None = None
        self._failing: set[Put] = set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await trio.sleep(BEAT_S)
            await self.take()

    async def take(self) -> None:
        """One report, to all who want it, if there is news or it is time."""
        report, last = self._gather(), self._last
        if last is None or report.written_at - last.written_at >= HEARTBEAT_S or _is_news(last, report):
            self._last = report
            await trio.to_thread.run_sync(self._put, report, abandon_on_cancel=True)

    def _put(self, report: Report) -> None:
        report = self._complete(report)
        for put in self._puts:
            try:
                put(report)
                self._failing.discard(put)
            except OSError as error:
                if put not in self._failing:  # a full disk is told once, not every few seconds
                    log.warning("the state of the mount cannot be written: %s", error)
                self._failing.add(put)


def _is_news(last: Report, report: Report) -> bool:
    return replace(last, written_at=0.0) != replace(report, written_at=0.0)


def put_file(path: Path, data: bytes, *, mode: int) -> None:
    """Replace a file whole: whoever reads it sees the old bytes or the new ones. Raises OSError, also without a folder.

    It is not synced: after a power cut there is no daemon whose state anybody could want.
    """
    # Its own folder, for a rename to be one; a name that watchers of the folder pass over.
    fd, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(fd, "wb") as file:
            file.write(data)
            os.fchmod(fd, mode)
        os.replace(made, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(made)
        raise
