"""The commands `cache unpin`, `evict` and `clear`: letting go of what is here. Who reads it fetches it again."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from datomfs.cli.output import Record, SizeOption, emit_failures, emit_record, emit_rows, json_option, worst_code
from datomfs.cli.selected import choose, parse_targets, short_label
from datomfs.cli.sources import Sources, cache_dir_option, source_options
from datomfs.cli.wiring import Session
from datomfs.errors import DatomfsError, NotPinned
from datomfs.model.names import is_sha
from datomfs.model.sizes import Size, render_size

if TYPE_CHECKING:
    from datomfs.cache.index import Entry, Pin
    from datomfs.catalog.portfolio import Portfolio

Errors = list[tuple[str, DatomfsError]]
"""What was typed, and what came of it instead of what was meant."""


@click.command()
@click.argument("targets", metavar="TARGET...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Take all pins away.")
@source_options
@cache_dir_option
@json_option
@click.pass_obj
def unpin(
    session: Session,
    targets: tuple[str, ...],
    everything: bool,
    sources: Sources,
    as_json: bool,
) -> None:
    """Let pinned versions go when their time comes.

    TARGET is PROJECT[/TABLE] for all that is pinned of it, PROJECT/TABLE@VERSION, or the first digits of a version or
    of a SHA-256: none of these asks a store. PROJECT[/TABLE]@DATE does.

    \b
    Example: datomfs cache unpin STUDY_001/dm@8a3b21cc
             datomfs cache unpin --all
    """
    if everything == bool(targets):
        raise click.UsageError("Name what is to be unpinned, or give --all.")
    folder = session.cache_folder()
    pins, errors = folder.pins(), Errors()
    gone = dict.fromkeys(pins if everything else ())
    for target in targets:
        found = [one for one in pins if _is_meant(one, target)]
        if _is_dated(target):
            shas, failures = _choose(session.portfolio(sources), target)
            found = [one for one in pins if (one.sha256, one.label) in shas]
            errors += failures
        elif not found:
            errors.append((target, NotPinned(target)))
        gone |= dict.fromkeys(found)
    for one in gone:
        folder.unpin(one.sha256, one.label)
    rows: list[Record] = [{"label": one.label, "sha256": one.sha256, "state": "unpinned"} for one in gone]
    _tell(rows, errors, as_json=as_json)


@click.command()
@click.argument("targets", metavar="TARGET...", nargs=-1)
@click.option("--to", "size", type=SizeOption(zero=True), help="Remove until no more than this is left.")
@click.option("--pinned", is_flag=True, help="Remove the targets though they are pinned; the pins stay noted.")
@source_options
@cache_dir_option
@json_option
@click.pass_obj
def evict(
    session: Session,
    targets: tuple[str, ...],
    size: Size | None,
    pinned: bool,
    sources: Sources,
    as_json: bool,
) -> None:
    """Remove copies: what was not used for longest, down to a size, or what is named.

    TARGET is as for `datomfs cache warm`, or the first digits of a SHA-256, which asks no store. Pins stay. What is
    open in a mount stays readable there.

    \b
    Example: datomfs cache evict --to 20GiB
             datomfs cache evict STUDY_001@2026-03-31
    """
    from datomfs.cache import upkeep
    from datomfs.cache.index import Entry

    if (size is None) != bool(targets) or (pinned and size is not None):
        raise click.UsageError("Give --to SIZE, or name what is to be removed, with or without --pinned.")
    folder = session.cache_folder()
    if size is not None:
        gone = upkeep.evict_to(folder, size)
        freed, left = sum(entry.bytes for entry in gone), folder.total()
        record: Record = {"removed": len(gone), "removed_bytes": freed, "left_bytes": left}
        shown = {"removed": f"{len(gone)}, {render_size(freed)}", "left": render_size(left)}
        emit_record(record if as_json else shown, as_json=as_json)
        return
    errors = Errors()
    rows: list[Record] = []
    for target in targets:
        entries = [entry for entry in folder.entries() if entry.is_object]
        meant = {entry.sha256: entry.sha256 for entry in entries if is_sha(target) and entry.sha256.startswith(target)}
        if not meant:
            chosen, failures = _choose(session.portfolio(sources), target)
            meant = dict(chosen)
            errors += failures
        named = [entry for entry in entries if entry.sha256 in meant]
        removed = upkeep.evict(folder, [entry for entry in named if pinned or entry.pin is None])
        rows += [_eviction(meant[one.sha256], one, "removed" if one in removed else "kept") for one in named]
        absent = meant.keys() - {entry.sha256 for entry in named}
        rows += [_eviction(meant[sha256], Entry(sha256, 0, 0, None), "not here") for sha256 in sorted(absent)]
    _tell(rows, errors, as_json=as_json)


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@cache_dir_option
@json_option
@click.pass_obj
def clear(session: Session, yes: bool, as_json: bool) -> None:
    """Remove all copies, the pinned ones too.

    Pins stay noted: their versions are kept again once they are back. What is open in a mount stays readable there.

    \b
    Example: datomfs cache clear --yes
    """
    folder = session.cache_folder()
    before = folder.total()
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here: give --yes.")
        click.confirm(f"Remove {render_size(before)} from {folder.path}?", abort=True, err=True)
    folder.clear()
    left = folder.total()
    record: Record = {"removed_bytes": before - left, "left_bytes": left}
    shown = {"removed": render_size(before - left), "left": render_size(left)}
    emit_record(record if as_json else shown, as_json=as_json)


# -- what is meant -------------------------------------------------------------------------------------------------


def _is_meant(pin: Pin, target: str) -> bool:
    """Whether a pin is what was typed, as far as that can be told without asking a store."""
    name, _, version = pin.label.partition("@")
    wanted, at, wanted_version = target.partition("@")
    if at:
        return wanted == name and is_sha(wanted_version) and version.startswith(wanted_version)
    digits = is_sha(target) and (version.startswith(target) or pin.sha256.startswith(target))
    return digits or target in (name, name.partition("/")[0])


def _is_dated(target: str) -> bool:
    at, pin = target.partition("@")[1:]
    return bool(at) and not is_sha(pin)


def _choose(portfolio: Portfolio, target: str) -> tuple[list[tuple[str, str]], Errors]:
    """SHA-256 and label of what a target means to its store."""
    selections, failures = parse_targets([target])
    chosen, not_found = choose(portfolio, selections, time.time_ns())
    errors = [(one.target, one.error) for one in (*failures, *not_found)]
    return [(one.sha256, one.label) for one in chosen], errors


# -- what is told --------------------------------------------------------------------------------------------------


def _eviction(label: str, entry: Entry, state: str) -> Record:
    return {"label": label, "sha256": entry.sha256, "bytes": entry.bytes, "state": state, "pin": entry.pin}


def _tell(rows: Sequence[Record], errors: Errors, *, as_json: bool) -> None:
    """What became of each, and the errors; leaves with the exit code of the worst."""
    if as_json:
        emit_rows([*rows, *({"label": target, "error": error.what} for target, error in errors)], (), as_json=True)
    else:
        shown = [{**row, "label": short_label(row["label"])} for row in rows]
        if shown:
            emit_rows(shown, ("state", "label"), as_json=False)
        emit_failures(errors)
    sys.exit(worst_code(error for _, error in errors))
