"""The commands `cache warm` and `cache pin`: having versions here before somebody reads them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from datomfs.cli.output import Record, SizeOption, emit_failures, emit_rows, json_option, worst_code
from datomfs.cli.progress import progress_bar
from datomfs.cli.selected import Chosen, Failure, choose, parse_targets, read_scripts, short_label
from datomfs.cli.sources import Sources, cache_dir_option, lock_option, source_options
from datomfs.cli.wiring import Session
from datomfs.errors import CacheFull, DatomfsError, NotFound
from datomfs.layout import SHORT_VERSION_DIGITS
from datomfs.model.sizes import render_size

if TYPE_CHECKING:
    from datomfs.cache.reader import PayloadReader

F = TypeVar("F", bound=Callable[..., Any])

_AT_ONCE = 4
"""Each object comes over several connections already; more of them at once make small ones faster."""

_COLUMNS = ("state", "project", "table", "version", "size", "here")


def cache_options(command: F) -> F:
    """The options that name the folder of the cache and what it may hold, as `mount` has them."""
    return cache_dir_option(
        click.option("--cache-size", type=SizeOption(), help="How much it may hold, for example 200GiB.")(command)
    )


@click.command()
@click.argument("targets", metavar="TARGET...", nargs=-1)
@click.option("--script", "are_scripts", is_flag=True, help="The targets are scripts (R, SAS, Python) to look through.")
@click.option("--pin", "pinned", is_flag=True, help="Pin what is named.")
@click.option("--dry-run", is_flag=True, help="Only tell what would come.")
@source_options
@lock_option
@cache_options
@json_option
@click.pass_obj
def warm(
    session: Session,
    targets: tuple[str, ...],
    are_scripts: bool,
    pinned: bool,
    dry_run: bool,
    sources: Sources,
    lock_path: Path | None,
    cache_size: int | None,
    as_json: bool,
) -> None:
    """Bring versions into the cache.

    TARGET is PROJECT[/TABLE] for what is current, PROJECT[/TABLE]@DATE for what was current then, or
    PROJECT/TABLE@VERSION. With --script it is a file: whatever paths of a mount stand in it are brought, and what does
    not exist is passed over. Each version is hashed when it is here. One that fails stops no other; the exit code is
    that of the worst. Folder stores are read in place: nothing of them is brought. With --lock all that the file names
    is brought, unless targets are given.

    \b
    Example: datomfs cache warm STUDY_001/dm STUDY_002@2026-03-31
             datomfs cache warm --script tables.R listings.sas
             datomfs cache warm --lock analysis.lock
    """
    portfolio = session.locked_portfolio(lock_path, sources) if lock_path else session.portfolio(sources)
    if not targets:
        if lock_path is None:
            raise click.UsageError("Missing argument 'TARGET...'.")
        targets = tuple(portfolio.projects)
    if are_scripts:
        selections, failures = read_scripts(targets, portfolio.projects)
    else:
        selections, failures = parse_targets(targets)
    chosen, not_found = choose(portfolio, selections, time.time_ns())
    passed_over = [one for one in not_found if are_scripts and isinstance(one.error, NotFound)]
    failures += [one for one in not_found if one not in passed_over]
    with closing(session.payload_reader(cache_size=cache_size)) as reader:
        plans = _plan(reader, chosen)
        if not dry_run:
            if pinned:
                _pin(reader, plans)
            _bring(reader, plans)
    _tell(plans, failures, passed_over, as_json=as_json)


@click.command()
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--no-warm", is_flag=True, help="Do not bring them now: keep them once somebody has read them.")
@source_options
@cache_options
@json_option
@click.pass_obj
def pin(
    session: Session,
    targets: tuple[str, ...],
    no_warm: bool,
    sources: Sources,
    cache_size: int | None,
    as_json: bool,
) -> None:
    """Keep versions in the cache, whatever else comes.

    TARGET is as for `datomfs cache warm`. What is pinned is the version it means today: a project's new versions are
    not. Pins count towards the size of the cache.

    \b
    Example: datomfs cache pin STUDY_001@2026-03-31
    """
    selections, failures = parse_targets(targets)
    chosen, not_found = choose(session.portfolio(sources), selections, time.time_ns())
    with closing(session.payload_reader(cache_size=cache_size)) as reader:
        plans = _plan(reader, chosen)
        _pin(reader, plans)
        if not no_warm:
            _bring(reader, plans)
    _tell(plans, [*failures, *not_found], [], as_json=as_json)


# -- inside --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Plan:
    """What is to be done, or was done, for one version: `here` are the bytes of it that are on this machine."""

    chosen: Chosen
    state: str
    here: int
    error: DatomfsError | None = None

    @property
    def record(self) -> Record:
        version = self.chosen.version
        return {
            "target": self.chosen.label,
            "state": self.state,
            "project": version.project,
            "table": version.table,
            "version": version.version,
            "sha256": self.chosen.sha256,
            "size_bytes": self.chosen.info.size,
            "here_bytes": self.here,
            "error": None if self.error is None else self.error.what,
        }

    def fail(self, error: DatomfsError) -> None:
        """It does not come."""
        self.state, self.error = "failed", error


def _plan(reader: PayloadReader, chosen: Sequence[Chosen]) -> list[_Plan]:
    """What is here and what is to come; what will not fit beside the rest is told now, not when it is half here."""
    from datomfs.cache.upkeep import room

    left: int | None = None
    plans = []
    for one in chosen:
        if one.is_in_place:
            plans.append(_Plan(one, "in place", one.info.size))
            continue
        if left is None:
            left = room(reader.folder, {each.sha256 for each in chosen})
        _, here = reader.standing(one.store, one.info, one.recorded)
        plan = _Plan(one, "here" if here >= one.info.size else "to come", min(here, one.info.size))
        if plan.state == "to come":
            if one.info.size - here > left:
                plan.fail(CacheFull(short_label(one.label), str(reader.folder.path)))
            else:
                left -= one.info.size - here
        plans.append(plan)
    return plans


def _pin(reader: PayloadReader, plans: Sequence[_Plan]) -> None:
    """Before anything comes, so that nobody else's need for room takes it away again."""
    for plan in plans:
        if plan.state != "in place":
            reader.folder.pin(plan.chosen.sha256, plan.chosen.label)


def _bring(reader: PayloadReader, plans: Sequence[_Plan]) -> None:
    from datomfs.cache.several import several

    coming = {plan.chosen.label: plan for plan in plans if plan.state in ("to come", "here")}
    for plan in coming.values():
        reader.hold(plan.chosen.store, plan.chosen.info, plan.chosen.recorded)
    with progress_bar("warming", sum(plan.chosen.info.size for plan in coming.values())) as progress:

        def bring(plan: _Plan) -> None:
            one = plan.chosen
            progress(one.label, plan.here)
            reader.bring(one.store, one.info, one.recorded, lambda count: progress(one.label, count))
            progress(one.label, one.info.size)

        for plan, result in several(coming.values(), bring, at_once=_AT_ONCE):
            if isinstance(result, DatomfsError):
                plan.fail(result)
            else:
                plan.state = "here" if plan.state == "here" else "brought"
                plan.here = plan.chosen.info.size


def _tell(
    plans: Sequence[_Plan], failures: Sequence[Failure], passed_over: Sequence[Failure], *, as_json: bool
) -> None:
    """What became of each target; leaves with the exit code of the worst."""
    rows = [plan.record for plan in plans]
    rows += [_failure_record(one, "failed") for one in failures]
    rows += [_failure_record(one, "not found") for one in passed_over]
    if as_json:
        emit_rows(rows, (), as_json=True)
    elif rows:
        emit_rows([_for_people(row) for row in rows], _COLUMNS, as_json=False)
    errors = [(short_label(plan.chosen.label), plan.error) for plan in plans if plan.error is not None]
    errors += [(one.target, one.error) for one in failures]
    if not as_json:
        emit_failures(errors)
    sys.exit(worst_code(error for _, error in errors))


def _failure_record(failure: Failure, state: str) -> Record:
    absent = dict.fromkeys(("project", "table", "version", "sha256", "size_bytes", "here_bytes"))
    return {"target": failure.target, "state": state, **absent, "error": failure.error.what}


def _for_people(row: Record) -> Record:
    size, here = row["size_bytes"], row["here_bytes"]
    return {
        **row,
        "project": row["project"] or row["target"],
        "version": row["version"] and row["version"][:SHORT_VERSION_DIGITS],
        "size": None if size is None else render_size(size),
        "here": None if here is None else render_size(here),
    }
