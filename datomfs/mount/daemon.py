"""The process behind a mount: from a checked mountpoint to the last request, and down again in every outcome."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pyfuse3
import trio

from datomfs.cache.reader import PayloadReader
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import MountFailed
from datomfs.model.sizes import render_size
from datomfs.mount.allocator import limit_arenas
from datomfs.mount.beat import Beat, put_file
from datomfs.mount.control import Control
from datomfs.mount.kernel_entries import KernelEntries
from datomfs.mount.live_source import LiveSource
from datomfs.mount.open_metrics import render_metrics
from datomfs.mount.operations import DatomOperations
from datomfs.mount.read_ahead import limit_read_ahead
from datomfs.mount.report import Report, render_report
from datomfs.mount.reporter import Reporter, Watched
from datomfs.mount.service_manager import ServiceManager, take_manager
from datomfs.vfs.tree import Tree

log = logging.getLogger(__name__)

_OPTIONS = frozenset({"fsname=datomfs", "subtype=datomfs", "ro", "nodev", "nosuid", "noexec"})


def serve(
    mountpoint: Path,
    portfolio: Portfolio,
    reader: PayloadReader,
    *,
    refresh_s: float,
    stall_s: float,
    list_versions: bool,
    allow_other: bool,
    is_locked: bool,
    watched: Watched,
    on_ready: Callable[[], None],
) -> None:
    """Mount and answer until it is unmounted, or SIGTERM or SIGINT come; `on_ready` is called when it answers.

    SIGHUP has everything that moves read again; from a terminal it says that this is gone, and ends the mount, too.

    The mountpoint has passed `mountpoint.check_mountpoint`. Raises MountFailed.
    """

    manager = take_manager()

    async def run() -> None:
        # Before there is a mount: a signal's default would leave it behind, dead.
        with (
            trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals,
            trio.open_signal_receiver(signal.SIGUSR2) as level_signals,
        ):
            async with trio.open_nursery() as nursery:
                source = LiveSource(portfolio, reader, nursery, refresh_s=refresh_s, stall_s=stall_s)
                tree = Tree(
                    source,
                    refresh_s=refresh_s,
                    list_versions=list_versions,
                    is_locked=is_locked,
                    time_ns=time.time_ns(),
                )
                control = Control(source)
                source.watch(KernelEntries(tree))
                operations = DatomOperations(tree, control, os.getuid(), os.getgid())
                options = {*pyfuse3.default_options, *_OPTIONS, *(["allow_other"] if allow_other else [])}
                try:
                    pyfuse3.init(operations, str(mountpoint), options)
                except RuntimeError as error:
                    raise MountFailed(str(mountpoint), str(error)) from error
                try:
                    nursery.start_soon(_obey, signals, nursery, control)
                    reporter = Reporter(mountpoint, source, operations.tally, reader, watched)
                    puts = [partial(_put_state, watched.state), partial(_put_status, manager)]
                    if watched.metrics is not None:
                        puts.append(partial(_put_metrics, watched.metrics))
                    beat = Beat(reporter.gather, reporter.complete, puts)

                    def announce() -> None:
                        manager.tell(READY="1")
                        on_ready()

                    nursery.start_soon(_begin, mountpoint, announce, source, beat)
                    nursery.start_soon(_live, manager)
                    nursery.start_soon(_switch_level_on_signal, level_signals)
                    await pyfuse3.main()
                finally:
                    manager.tell(STOPPING="1")
                    pyfuse3.close(unmount=True)
                    source.close_all()
                    reader.close()
                    log.info("unmounted %s", mountpoint)
                nursery.cancel_scope.cancel()

    limit_arenas()
    try:
        trio.run(run)
    except ExceptionGroup as group:
        raise _first(group) from group
    finally:
        for path in (watched.state, watched.metrics):
            if path is not None:
                with suppress(OSError):
                    path.unlink()  # what is not mounted has no numbers


async def _obey(signals: AsyncIterator[int], serving: trio.Nursery, control: Control) -> None:
    """To end, requests that are under way are given up: who waits for a store that hangs must not keep the mount."""
    has_terminal = os.isatty(0)
    async for number in signals:
        if number == signal.SIGHUP and not has_terminal:
            serving.start_soon(_refresh, control)
            continue
        log.info("ending: %s", signal.Signals(number).name)
        serving.cancel_scope.cancel()


async def _refresh(control: Control) -> None:
    for line in (await control.refresh()).splitlines():
        log.info("refreshed: %s", line)


async def _switch_level_on_signal(signals: AsyncIterator[int]) -> None:
    """Log everything from one signal to the next, then as before."""
    logger = logging.getLogger("datomfs")
    usual = logger.level
    async for _ in signals:
        logger.setLevel(usual if logger.level == logging.DEBUG else logging.DEBUG)
        log.info("logging from %s on", logging.getLevelName(logger.level))


async def _begin(mountpoint: Path, on_ready: Callable[[], None], source: LiveSource, beat: Beat) -> None:
    """Say that the mount is ready once it has answered a request of our own through the kernel; then look around."""
    try:
        await trio.to_thread.run_sync(os.statvfs, mountpoint, abandon_on_cancel=True)
    except OSError as error:
        raise MountFailed(str(mountpoint), f"it does not answer: {error.strerror}") from error
    await trio.to_thread.run_sync(limit_read_ahead, mountpoint, abandon_on_cancel=True)
    log.info("mounted %s", mountpoint)
    await beat.take()  # who is told that it is ready may ask for its state
    on_ready()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(beat.run)
        nursery.start_soon(source.look_around)


async def _live(manager: ServiceManager) -> None:
    """Show a manager that watches that this thread, which answers the kernel, still runs (sd_watchdog_enabled(3))."""
    while manager.watchdog_s is not None:
        manager.tell(WATCHDOG="1")
        await trio.sleep(manager.watchdog_s / 2)


def _put_status(manager: ServiceManager, report: Report) -> None:
    away = sum(document.away for document in report.documents)
    errors = sum(count for name, count in report.errors.items() if name != "ENOENT")
    manager.tell(
        STATUS=f"{report.project_count} projects ({away} away), {report.open_files} open files, "
        f"{render_size(report.bytes_read)} read, {render_size(report.bytes_fetched)} fetched, {errors} errors"
    )


def _put_metrics(path: Path, report: Report) -> None:
    put_file(path, render_metrics(report), mode=0o644)  # the exporter runs as somebody else


def _put_state(path: Path, report: Report) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    put_file(path, render_report(report), mode=0o600)


def _first(error: Exception) -> Exception:
    """What went wrong, out of the groups that nurseries wrap around it."""
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error
