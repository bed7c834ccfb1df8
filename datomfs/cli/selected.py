"""From what was typed, or stands in scripts, to versions and the objects that hold their bytes.

Selections are `layout.Selection`s. Each is looked up on its own, several at a time: one that fails is told, and stops
no other. What is done with the versions is the business of the commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from datomfs.errors import (
    DatomfsError,
    FileMissing,
    MomentNotOver,
    NothingNamed,
    NothingThen,
    ObjectMissing,
    RecordedMissing,
    UnreadableFile,
)
from datomfs.layout import SHORT_VERSION_DIGITS, Selection, When, parse_selection

if TYPE_CHECKING:
    from datomfs.cache.proof import Recorded
    from datomfs.catalog.catalog import Catalog, TableVersion
    from datomfs.catalog.portfolio import Portfolio
    from datomfs.store.base import ObjectInfo, ReadableStore

_SELECTIONS_AT_ONCE = 4
_TABLES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Chosen:
    """A version that was meant, and its object as its store tells it."""

    version: TableVersion
    store: ReadableStore
    info: ObjectInfo

    @property
    def label(self) -> str:
        """PROJECT/TABLE@VERSION, with all digits."""
        return f"{self.version.project}/{self.version.table}@{self.version.version}"

    @property
    def recorded(self) -> Recorded:
        """What its history says of its bytes."""
        from datomfs.cache.proof import Recorded

        return Recorded(self.version.entry.parquet_sha, self.version.entry.data_sha)

    @property
    def sha256(self) -> str:
        """The name of its bytes in the cache."""
        return self.recorded.sha256

    @property
    def is_in_place(self) -> bool:
        """Whether it is a file of a folder store, which is read where it lies."""
        return self.store.local_path(self.info.key) is not None


@dataclass(frozen=True, slots=True)
class Failure:
    """What was meant and could not be found or done, as it was typed, and why."""

    target: str
    error: DatomfsError


def parse_targets(targets: Iterable[str]) -> tuple[list[Selection], list[Failure]]:
    """The selections that were typed, and what is none."""
    selections: list[Selection] = []
    failures: list[Failure] = []
    for target in targets:
        try:
            selections.append(parse_selection(target))
        except DatomfsError as error:
            failures.append(Failure(target, error))
    return selections, failures


def read_scripts(files: Sequence[str], projects: Sequence[str]) -> tuple[list[Selection], list[Failure]]:
    """What scripts will open of these projects, and the scripts that cannot be read. Raises NothingNamed."""
    from datomfs.cli.script_paths import find_selections

    selections: dict[Selection, None] = {}
    failures: list[Failure] = []
    for file in files:
        try:
            selections |= dict.fromkeys(find_selections(_read(file), projects))
        except DatomfsError as error:
            failures.append(Failure(file, error))
    if not selections and not failures:
        raise NothingNamed(tuple(files))
    return list(selections), failures


def choose(portfolio: Portfolio, selections: Iterable[Selection], now_ns: int) -> tuple[list[Chosen], list[Failure]]:
    """The versions that selections mean, each once, and what could not be found; both in the order of names.

    A project means each of its tables at its current version, or at the one it had at a date: tables that came later
    are passed over.
    """
    from datomfs.cache.several import several

    chosen: dict[str, Chosen] = {}
    failures: list[Failure] = []

    def look_up(selection: Selection) -> tuple[list[Chosen], list[Failure]]:
        check_over(selection.when, now_ns)
        catalog = portfolio.catalog(selection.project)
        if selection.table is None:
            return _find_all(catalog, selection)
        return [choose_one(catalog, selection)], []

    for selection, result in several(dict.fromkeys(selections), look_up, at_once=_SELECTIONS_AT_ONCE):
        if isinstance(result, DatomfsError):
            failures.append(Failure(str(selection), result))
        else:
            chosen |= {one.label: one for one in result[0]}
            failures += result[1]
    return [chosen[label] for label in sorted(chosen)], sorted(failures, key=lambda one: one.target)


def find_version(catalog: Catalog, selection: Selection) -> TableVersion:
    """The version that a selection with a table means; its moment is over. Raises NotFound, and what reading raises."""
    from datomfs.catalog.moment import read_moment

    table = catalog.read_table(selection.table or "")
    catalog.check_project(table)
    if selection.when is None:
        return table.resolve(selection.version)
    version = read_moment(catalog, selection.when.time_ns).find(table)
    if version is None:
        raise NothingThen(f"{selection.project}/{selection.table}", selection.when.text)
    return version


def choose_one(catalog: Catalog, selection: Selection) -> Chosen:
    """The same with its object. Raises RecordedMissing where that is gone, too."""
    return _find(catalog, find_version(catalog, selection))


def check_over(when: When | None, now_ns: int) -> None:
    """Raise MomentNotOver for a moment that may still change; None is the present, which may be asked for."""
    if when is not None and when.time_ns >= now_ns:
        raise MomentNotOver(when.text)


# -- inside --------------------------------------------------------------------------------------------------------


def _find_all(catalog: Catalog, selection: Selection) -> tuple[list[Chosen], list[Failure]]:
    """What a selection without a table means. Raises NothingThen where no table is that old."""
    from datomfs.cache.several import several
    from datomfs.catalog.moment import read_moment

    moment = read_moment(catalog, selection.when.time_ns if selection.when else None)

    def find(table: str) -> Chosen | None:
        version = moment.find(catalog.read_versions(table))
        return _find(catalog, version) if version is not None else None

    results = list(several(moment.tables, find, at_once=_TABLES_AT_ONCE))
    chosen = [result for _, result in results if isinstance(result, Chosen)]
    failures = [
        Failure(str(selection._replace(table=name)), result)
        for name, result in results
        if isinstance(result, DatomfsError)
    ]
    if selection.when is not None and not chosen and not failures:
        raise NothingThen(selection.project, selection.when.text)
    return chosen, failures


def _find(catalog: Catalog, version: TableVersion) -> Chosen:
    try:
        return Chosen(version, catalog.store, catalog.store.head(version.key))
    except ObjectMissing as error:
        raise RecordedMissing(catalog.uri(version.key)) from error


def _read(file: str) -> str:
    """The text of a script; letters that are not UTF-8 are taken for Latin-1, which old SAS programs are in."""
    try:
        data = Path(file).read_bytes()
    except FileNotFoundError as error:
        raise FileMissing(file) from error
    except OSError as error:
        raise UnreadableFile(file, str(error.strerror)) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def short_label(label: str) -> str:
    """A label as people read it: 8 digits of its version."""
    name, at, version = label.partition("@")
    return f"{name}{at}{version[:SHORT_VERSION_DIGITS]}"
