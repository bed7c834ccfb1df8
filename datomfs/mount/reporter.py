"""Where a daemon's report comes from: the counters and views of everything that runs in it, put into one value."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import trio

from datomfs import __version__
from datomfs.cache.reader import PayloadReader
from datomfs.errors import CacheUnusable
from datomfs.mount.activity import Activity
from datomfs.mount.report import DocumentAge, Report, find_process_start
from datomfs.mount.tally import Tally
from datomfs.store.counted import Traffic


@dataclass(frozen=True, slots=True)
class Watched:
    """What a daemon's watchers are given: the stores' traffic to be told of; where its state, log and metrics lie."""

    traffic: Traffic
    state: Path
    log: Path | None
    metrics: Path | None


class Active(Protocol):
    """What tells of its activity: `live_source.LiveSource`."""

    def activity(self) -> Activity:
        """What there is to tell at the moment."""
        ...


class Reporter:
    """Gathers the report of one mount. `gather` runs in the trio thread, `complete` may wait for a disk."""

    def __init__(self, mountpoint: Path, source: Active, tally: Tally, reader: PayloadReader, watched: Watched) -> None:
        self._source = source
        self._tally = tally
        self._reader = reader
        self._watched = watched
        self._epoch_s = time.time() - trio.current_time()
        now = time.time()
        self._first = Report(
            str(mountpoint),
            __version__,
            os.getpid(),
            find_process_start(os.getpid()) or 0,
            started_at=now,
            written_at=now,
            cache_path=str(reader.folder.path),
            cache_limit=reader.folder.limits.quota,
            log=str(watched.log) if watched.log else None,
        )

    def gather(self) -> Report:
        """All that memory knows."""
        activity, traffic, cache = self._source.activity(), self._watched.traffic, self._reader.tally
        documents = (DocumentAge(name, self._epoch(at_s), away) for name, (at_s, away) in activity.read.items())
        return replace(
            self._first,
            written_at=time.time(),
            project_count=len(activity.projects),
            documents=tuple(sorted(documents, key=lambda document: document.project)),
            documents_read=activity.read_count,
            open_files=activity.open_count,
            requests=dict(self._tally.requests),
            errors=dict(self._tally.errors),
            bytes_read=self._tally.bytes_read,
            store_requests=dict(traffic.requests),
            store_failures=traffic.failures,
            bytes_fetched=traffic.bytes,
            reads={"memory": cache.at_once, "disk": cache.from_disk, "store": cache.fetched},
            proofs={found.value: count for found, count in cache.proofs.items()},
        )

    def complete(self, report: Report) -> Report:
        """The report with what the disk knows. A cache that nothing was put into yet is not made for it."""
        folder = self._reader.folder
        try:
            return replace(report, cache_bytes=folder.total() if folder.is_begun else 0)
        except (CacheUnusable, OSError):  # whoever needs it says so in the log
            return report

    def _epoch(self, at_s: float) -> float:
        """A moment of trio's clock, which stands still while the machine sleeps, as near as the wall's clock tells."""
        now = time.time() - trio.current_time()
        if abs(now - self._epoch_s) > 1.0:
            self._epoch_s = now
        return round(self._epoch_s + at_s, 3)
