"""The commands mount and unmount."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click

from datomfs.cli.daemonize import daemon_side, start_daemon
from datomfs.cli.logs import check_log_file, log_to_file
from datomfs.cli.output import SizeOption, emit_line
from datomfs.cli.sources import Sources, cache_dir_option, lock_option, source_options
from datomfs.cli.wiring import Session
from datomfs.errors import FileUnwritable, MountExtraMissing


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path))
@source_options
@lock_option
@click.option("--foreground", is_flag=True, help="Stay in this terminal and log to it.")
@click.option("--quiet", is_flag=True, help="Say nothing when it is mounted.")
@click.option("--list-versions", is_flag=True, help="List all versions in table directories.")
@click.option("--refresh", "refresh_s", type=click.FloatRange(min=0, min_open=True), help="Seconds between re-reads.")
@cache_dir_option
@click.option("--cache-size", type=SizeOption(), help="How much that folder may hold, for example 200GiB.")
@click.option(
    "--verify", type=click.Choice(["strict", "deferred"]), help="When bytes are served: after their proof, or before."
)
@click.option("--allow-other", is_flag=True, help="Let all users of this machine read the mount.")
@click.option("--metrics-file", type=click.Path(path_type=Path), help="Where OpenMetrics of the mount go.")
@click.option("--pid-file", type=click.Path(path_type=Path), help="Where the daemon's pid goes.")
@click.option("--log-file", type=click.Path(path_type=Path), help="Where the daemon logs to.")
@click.pass_obj
def mount(
    session: Session,
    mountpoint: Path,
    sources: Sources,
    lock_path: Path | None,
    foreground: bool,
    quiet: bool,
    list_versions: bool,
    refresh_s: float | None,
    cache_size: int | None,
    verify: str | None,
    allow_other: bool,
    metrics_file: Path | None,
    pid_file: Path | None,
    log_file: Path | None,
) -> None:
    """Show the projects as files under a folder.

    MOUNTPOINT is an empty folder. The command returns when the mount answers; a daemon serves it until
    `datomfs unmount`.

    \b
    Example: datomfs mount /mnt/datom
             datomfs mount /mnt/datom --store /data/study1 --project STUDY_001
             datomfs mount /mnt/datom --lock analysis.lock
    """
    from datomfs.mount.mountpoint import check_allow_other, check_machine, check_mountpoint, mount_files
    from datomfs.mount.stale import clear_stale, is_stale

    mountpoint = Path(os.path.abspath(mountpoint))
    files = mount_files(mountpoint)
    pid_path, log_wanted = pid_file or files.pid, log_file or session.config.log_file
    log_path = log_wanted or files.log
    metrics_path = metrics_file or session.config.metrics_file
    if lock_path is not None:
        portfolio = session.locked_portfolio(lock_path, sources)
    else:
        portfolio = session.portfolio(sources, keeps=True)
    allow_other = allow_other or session.config.allow_other
    check_machine()
    if allow_other:
        check_allow_other()
    announce = daemon_side()
    log = log_path if announce is not None else log_wanted  # None: the terminal, which a daemon has not
    if announce is not None or foreground:
        _begin_log(session, log)
        clear_stale(mountpoint)
    if not is_stale(mountpoint):  # that is left to the daemon, whose log is to tell it
        check_mountpoint(mountpoint)
    if sources.project is not None and portfolio.find_kept(sources.project) is None:
        # One project named on the command line is all there will be to see: say now what is wrong with it, unless an
        # earlier mount has kept something to look at while nobody answers.
        portfolio.catalog(sources.project).read_manifest()
    if announce is None and not foreground:
        check_log_file(log_path)
        start_daemon(mountpoint, log_path)
        if not quiet:
            emit_line(f"mounted {mountpoint} (pid file {pid_path}, log {log_path})")
        return
    try:
        from datomfs.mount.daemon import serve
        from datomfs.mount.reporter import Watched
    except ModuleNotFoundError as error:
        raise MountExtraMissing(str(error.name)) from error
    _write_pid(pid_path)
    try:
        serve(
            mountpoint,
            portfolio,
            session.payload_reader(cache_size=cache_size, verify=verify),
            refresh_s=refresh_s or session.config.refresh_s,
            stall_s=session.config.stall_s,
            list_versions=list_versions or session.config.list_versions,
            allow_other=allow_other,
            is_locked=lock_path is not None,
            watched=Watched(session.traffic, files.state, log, metrics_path),
            on_ready=announce or (lambda: None),
        )
    finally:
        pid_path.unlink(missing_ok=True)


def _write_pid(path: Path) -> None:
    """Write our pid down. Raises FileUnwritable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(os.getpid()), encoding="ascii")
    except OSError as error:
        raise FileUnwritable(str(path), str(error.strerror)) from error


def _begin_log(session: Session, path: Path | None) -> None:
    """Log to a file, or to standard error, at the level of the settings or what `-v` says beyond it."""
    if path is not None:
        log_to_file(path)
    logger = logging.getLogger("datomfs")
    logger.setLevel(min(logging.getLevelNamesMapping()[session.config.log_level.upper()], logger.level))


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path))
@click.option("--lazy", is_flag=True, help="Detach it now, even where files in it are open.")
def unmount(mountpoint: Path, lazy: bool) -> None:
    """Take a mount away.

    \b
    Example: datomfs unmount /mnt/datom
    """
    from datomfs.mount.mountpoint import unmount as unmount_path

    unmount_path(Path(os.path.abspath(mountpoint)), lazy=lazy)
