"""`datomfs lineage`: where a version of a table comes from, or what was made from it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from datomfs.cli.lineage_graph import Graph, Link, mermaid_lines, tree_lines
from datomfs.cli.output import emit_failures, emit_json, emit_line, worst_code
from datomfs.cli.selected import check_over, find_version
from datomfs.cli.sources import Sources, source_options
from datomfs.cli.wiring import Session
from datomfs.errors import DatomfsError, InvalidTarget
from datomfs.layout import parse_selection

if TYPE_CHECKING:
    from datomfs.catalog.catalog import Catalog, TableVersion
    from datomfs.catalog.lineage import Place
    from datomfs.catalog.portfolio import Portfolio

_PROJECTS_AT_ONCE = 4
_VERSIONS_AT_ONCE = 8
_NO_SNAPSHOT = "read from the current metadata: the store keeps none of this version"


@click.command()
@click.argument("target", metavar="PROJECT/TABLE[@VERSION|@DATE]")
@click.option("--up/--down", "goes_up", default=True, help="What it was made from (the default), or from it.")
@click.option("--all-versions", is_flag=True, help="Down to all versions, not to current ones alone.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "json", "mermaid", "svg"]),
    default="tree",
    show_default=True,
    help="A tree, records, a diagram in the language of Mermaid, or a picture.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@source_options
@click.pass_obj
def lineage(session: Session, target: str, goes_up: bool, all_versions: bool, form: str, sources: Sources) -> None:
    """Tell what a version was made from, or what was made from it.

    Parents are followed into their projects. Down, it is the current tables of all projects that count, and what
    they were made from; what cannot be read is told, and the exit code is then that of the worst.

    \b
    Example: datomfs lineage STUDY_001/adsl@8a3b21cc
             datomfs lineage STUDY_001/dm --down --all-versions --format svg
    """
    if all_versions and goes_up:
        raise click.UsageError("--all-versions goes with --down")
    selection = parse_selection(target)
    if selection.table is None:
        raise InvalidTarget(target, "PROJECT/TABLE[@VERSION|@DATE]")
    check_over(selection.when, time.time_ns())
    portfolio = session.portfolio(sources)
    catalog = portfolio.catalog(selection.project)
    version = find_version(catalog, selection)
    failures: Sequence[tuple[str, DatomfsError]] = ()
    if goes_up:
        document = _walk_up(portfolio, catalog, version)
        graph = _graph_of(document)
    else:
        graph, failures = _walk_down(portfolio, version, all_versions=all_versions)
        document = _down_record(graph)
    if form == "json":
        emit_json(document)
    else:
        for line in _lines(graph, form):
            emit_line(line)
    emit_failures(failures)
    sys.exit(worst_code(error for _, error in failures))


def _lines(graph: Graph, form: str) -> Any:
    if form == "svg":
        from datomfs.cli.lineage_svg import svg_lines

        return svg_lines(graph)
    return mermaid_lines(graph) if form == "mermaid" else tree_lines(graph)


def _walk_up(portfolio: Portfolio, catalog: Catalog, version: TableVersion) -> dict[str, Any]:
    """The document that a mount shows as lineage.json."""
    from datomfs.catalog.lineage import Lineage, Place

    place = Place(version.project, version.table, version.version)
    metadata, note = catalog.find_metadata(version.table, version.version), None
    if metadata is None:
        metadata, note = catalog.read_metadata(version.table), _NO_SNAPSHOT
    document: dict[str, Any] = json.loads(Lineage(portfolio.catalog).walk(place, metadata, note))
    return document


def _graph_of(document: dict[str, Any]) -> Graph:
    links = {
        _place(record): [Link(_place(parent), parent.get("note")) for parent in record["parents"]]
        for record in document["versions"]
    }
    return Graph(_place(document), links, goes_up=True)


def _place(record: dict[str, Any]) -> Place:
    from datomfs.catalog.lineage import Place

    return Place(record["project"], record["table"], record["version"])


def _walk_down(
    portfolio: Portfolio, version: TableVersion, *, all_versions: bool
) -> tuple[Graph, Sequence[tuple[str, DatomfsError]]]:
    """What was made from a version, and the projects and versions of which nobody can say."""
    from datomfs.cache.several import several
    from datomfs.catalog.descent import descend, is_real, list_versions, read_parents
    from datomfs.catalog.lineage import Place

    failures: list[tuple[str, DatomfsError]] = []
    places: list[Place] = []
    for project, listed in several(
        portfolio.projects,
        lambda project: list_versions(portfolio.catalog(project), all_versions=all_versions),
        at_once=_PROJECTS_AT_ONCE,
    ):
        if isinstance(listed, DatomfsError):
            failures.append((project, listed))
        else:
            places += listed
    parents: dict[Place, Sequence[Place]] = {}
    known, projects = set(places), frozenset(portfolio.projects)
    while places:
        met: dict[Place, None] = {}
        for place, found in several(
            places, lambda place: read_parents(portfolio.catalog(place.project), place), at_once=_VERSIONS_AT_ONCE
        ):
            if isinstance(found, DatomfsError):
                failures.append((f"{place.project}/{place.table}@{place.version}", found))
            else:
                parents[place] = found
                met |= dict.fromkeys(found)
        # What a current table was made from need not be current any more, and may come down from the version, too.
        places = [place for place in met if place not in known and place.project in projects and is_real(place)]
        known.update(places)
    start = Place(version.project, version.table, version.version)
    links = {place: list(map(Link, children)) for place, children in descend(start, parents).items()}
    return Graph(start, links, goes_up=False), sorted(failures, key=lambda failure: failure[0])


def _down_record(graph: Graph) -> dict[str, Any]:
    versions = [
        {**place._asdict(), "children": [link.place._asdict() for link in links]}
        for place, links in graph.links.items()
    ]
    return {**graph.start._asdict(), "versions": versions}
