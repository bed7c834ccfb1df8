"""`datomfs status`: how mounts do, by what their daemons wrote down. A mount itself is never touched: it may hang."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from datomfs.cli.output import Record, emit_json, emit_line, emit_record, json_option
from datomfs.errors import MountUnreported, NotMounted
from datomfs.model.sizes import Size, render_size

if TYPE_CHECKING:
    from datomfs.mount.report import Report

log = logging.getLogger(__name__)

_WELL = "serving"
_NOT_WELL = 9


@click.command()
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False)
@json_option
def status(mountpoint: Path | None, as_json: bool) -> None:
    """Tell how mounts do: all of yours, or the one at MOUNTPOINT.

    The exit code is 9 when one does not serve. Asks the daemon's own notes and never the mount, so it answers also
    where a daemon hangs.

    \b
    Example: datomfs status
             datomfs status /mnt/datom --json
    """
    reports = _all_reports() if mountpoint is None else [_report_of(Path(os.path.abspath(mountpoint)))]
    found = [(report, _state(report)) for report in reports]
    if as_json:
        records = [_record(report, state) for report, state in found]
        emit_json(records if mountpoint is None else records[0])
    elif not found:
        emit_line("nothing of yours is mounted")
    else:
        for number, (report, state) in enumerate(found):
            if number:
                emit_line("")
            emit_record(_summary(report, state), as_json=False)
    if any(state != _WELL for _, state in found):
        sys.exit(_NOT_WELL)


def _all_reports() -> list[Report]:
    """What the daemons of this user wrote, of those that run or have left a mount behind."""
    from datomfs.mount.mountpoint import STATE_SUFFIX, mounts_folder

    reports = [_read(path) for path in sorted(mounts_folder().glob(f"*{STATE_SUFFIX}"))]
    return [report for report in reports if report is not None and _state(report) is not None]


def _report_of(mountpoint: Path) -> Report:
    """What the daemon of one mount wrote. Raises NotMounted, MountUnreported."""
    from datomfs.mount.mountpoint import FSTYPE, find_fstype, mount_files

    report = _read(mount_files(mountpoint).state)
    if report is not None and _state(report) is not None:
        return report
    if find_fstype(mountpoint) != FSTYPE:
        raise NotMounted(str(mountpoint))
    raise MountUnreported(str(mountpoint))


def _read(path: Path) -> Report | None:
    from datomfs.mount.report import parse_report

    try:
        return parse_report(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read: %s", path, error)
        return None


def _state(report: Report) -> str | None:
    """`serving`, `silent`, `dead` or `detached`; None where there is neither a daemon nor a mount any more."""
    from datomfs.mount.mountpoint import FSTYPE, find_fstype
    from datomfs.mount.report import SILENT_S, find_process_start

    lives = find_process_start(report.pid) == report.process_start
    is_mounted = find_fstype(Path(report.mountpoint)) == FSTYPE
    if not lives:
        return "dead" if is_mounted else None
    if not is_mounted:
        return "detached"
    return "silent" if time.time() - report.written_at > SILENT_S else _WELL


def _record(report: Report, state: str | None) -> Record:
    """All there is to tell; times as ages in seconds."""
    now = time.time()
    record = asdict(report)
    for name in ("process_start", "started_at", "written_at"):
        del record[name]
    documents = [
        {"project": each.project, "age_s": round(now - each.read_at, 1), "away": each.away} for each in report.documents
    ]
    ages = {"uptime_s": round(now - report.started_at, 1), "report_age_s": round(now - report.written_at, 1)}
    return {"mountpoint": report.mountpoint, "state": state, **ages, **record, "documents": documents}


def _summary(report: Report, state: str | None) -> Record:
    """The same for eyes: what is nothing is left out."""
    now = time.time()
    oldest = max((now - each.read_at for each in report.documents), default=None)
    away = [each.project for each in report.documents if each.away]
    read = f"{len(report.documents)} read, the oldest {_span(oldest)} ago" if oldest is not None else "none read yet"
    cached = "unknown" if report.cache_bytes is None else render_size(report.cache_bytes)
    return {
        "mountpoint": report.mountpoint,
        "state": f"{state}, last heard of {_span(now - report.written_at)} ago" if state != _WELL else state,
        "daemon": f"pid {report.pid}, datomfs {report.version}, up {_span(now - report.started_at)}",
        "projects": f"{report.project_count}; documents: {read}",
        "away": away or None,
        "open files": report.open_files,
        "requests": _counts(report.requests),
        "errors": _counts(report.errors),
        "read": render_size(report.bytes_read),
        "fetched": f"{render_size(report.bytes_fetched)} in {sum(report.store_requests.values())} requests",
        "store failures": report.store_failures or None,
        "cache": f"{cached} of {Size(report.cache_limit)} in {report.cache_path}",
        "reads": _counts(report.reads),
        "proofs": _counts(report.proofs),
        "log": report.log,
    }


def _counts(counts: Mapping[str, int]) -> Mapping[str, int] | None:
    return {name: count for name, count in sorted(counts.items()) if count} or None


def _span(seconds: float) -> str:
    """A time span, as coarse as eyes want it."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
