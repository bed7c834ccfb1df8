"""`datomfs cache`: what the cache holds, and whether it is sound.

Everything in this group works beside mounts on the same folder. The commands that bring something stand in
`cli.warming`, those that let something go in `cli.evicting`.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from datomfs.cli.evicting import clear, evict, unpin
from datomfs.cli.output import Record, emit_record, json_option
from datomfs.cli.progress import progress_bar
from datomfs.cli.selected import short_label
from datomfs.cli.sources import cache_dir_option
from datomfs.cli.warming import cache_options, pin, warm
from datomfs.cli.wiring import Session
from datomfs.errors import CacheDamaged
from datomfs.model.sizes import render_size
from datomfs.model.timestamps import render_timestamp

if TYPE_CHECKING:
    from datomfs.cache.folder import CacheFolder
    from datomfs.cache.index import Entry
    from datomfs.cache.inspection import Report
    from datomfs.cache.upkeep import Summary


@click.group()
def cache() -> None:
    """Look after the copies of payloads on this machine.

    \b
    Example: datomfs cache status
    """


@cache.command()
@cache_options
@json_option
@click.pass_obj
def status(session: Session, cache_size: int | None, as_json: bool) -> None:
    """Tell what the cache holds, and what it may hold.

    What is on its way counts already. Nothing is read but the index: `datomfs cache verify` looks at the files.

    \b
    Example: datomfs cache status --json
    """
    from datomfs.cache.upkeep import summarize

    folder = session.cache_folder(cache_size)
    record = _status_record(folder, summarize(folder))
    emit_record(record if as_json else _status_for_people(record), as_json=as_json)


@cache.command()
@click.option("--quick", is_flag=True, help="Read no bytes of objects: only put the index right.")
@cache_dir_option
@json_option
@click.pass_obj
def verify(session: Session, quick: bool, as_json: bool) -> None:
    """Check every object against its digests and its name.

    What is damaged is dropped and named, and comes again when it is next read; the exit code is 5 then. The index is
    put right: objects it does not know are counted, those that are not there forgotten, leftovers removed.

    \b
    Example: datomfs cache verify
    """
    from datomfs.cache.inspection import inspect
    from datomfs.cache.scan import find_objects

    folder = session.cache_folder()
    objects = find_objects(folder)
    with progress_bar("verifying", 0 if quick else sum(found.stored for found in objects)) as progress:
        report = inspect(folder, objects, quick=quick, on_progress=progress)
    record = _verify_record(folder, report)
    emit_record(record if as_json else _verify_for_people(record), as_json=as_json)
    if report.damaged:
        raise CacheDamaged(str(folder.path), len(report.damaged))


for command in (clear, evict, pin, unpin, warm):
    cache.add_command(command)


# -- records -------------------------------------------------------------------------------------------------------


def _status_record(folder: CacheFolder, summary: Summary) -> Record:
    return {
        "folder": str(folder.path),
        "size_bytes": folder.limits.quota,
        "used_bytes": summary.total,
        "disk_free_bytes": summary.free,
        "min_free_bytes": folder.limits.min_free,
        "complete": summary.complete,
        "partial": summary.partial,
        "pinned_bytes": summary.pinned_bytes,
        "pins": [
            {"label": label, "sha256": entry.sha256, "bytes": entry.bytes}
            for entry in summary.pins
            for label in (entry.pin or "").split(", ")
        ],
        "oldest": _entry_record(summary.oldest),
        "newest": _entry_record(summary.newest),
    }


def _entry_record(entry: Entry | None) -> Record | None:
    if entry is None:
        return None
    used = render_timestamp(datetime.fromtimestamp(entry.used_s, UTC))
    return {"name": entry.name, "bytes": entry.bytes, "used": used}


def _status_for_people(record: Record) -> Record:
    objects = record["complete"] + record["partial"]
    oldest, newest = record["oldest"], record["newest"]
    pins = [{short_label(one["label"]): render_size(one["bytes"])} for one in record["pins"]]
    return {
        "folder": record["folder"],
        "used": f"{render_size(record['used_bytes'])} of {render_size(record['size_bytes'])}",
        "disk free": f"{render_size(record['disk_free_bytes'])}, to keep {render_size(record['min_free_bytes'])}",
        "objects": f"{objects}, {record['partial']} of them partial" if record["partial"] else objects,
        "last used": f"{oldest['used']} to {newest['used']}" if oldest and newest else None,
        "pinned": f"{len(pins)}, {render_size(record['pinned_bytes'])}",
        **({"pins": pins} if pins else {}),
    }


def _verify_record(folder: CacheFolder, report: Report) -> Record:
    return {
        "folder": str(folder.path),
        "objects": report.objects,
        "bytes": report.bytes,
        "damaged": [asdict(damage) for damage in report.damaged],
        "counted": report.counted,
        "settled": report.settled,
        "forgotten": report.forgotten,
        "leftover_bytes": report.leftovers,
        "unread": report.unread,
    }


def _verify_for_people(record: Record) -> Record:
    """What was looked at, and what had to be put right."""
    shown = {name: record[name] for name in ("counted", "settled", "forgotten", "unread") if record[name]}
    if record["leftover_bytes"]:
        shown["leftovers"] = f"{render_size(record['leftover_bytes'])} removed"
    damaged = [{one["path"]: f"{one['problem']}; {render_size(one['bytes'])} dropped"} for one in record["damaged"]]
    return {
        "folder": record["folder"],
        "good": f"{record['objects']}, {render_size(record['bytes'])}",
        **shown,
        **({"damaged": damaged} if damaged else {}),
    }
