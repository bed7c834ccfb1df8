"""A lineage as text for people: a tree, or a diagram in the language of Mermaid. `lineage_svg` draws it.

Texts in it come from documents that anybody may have written: none reaches a terminal, a page or a diagram as it is.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datomfs.cli.output import printable
from datomfs.layout import SHORT_VERSION_DIGITS

if TYPE_CHECKING:
    from datomfs.catalog.lineage import Place


@dataclass(frozen=True, slots=True)
class Link:
    """The next version on the way, and why nobody went on from there, if so."""

    place: Place
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """A lineage from its `start` on: where each version leads to, in the order they were found.

    It leads to parents where it `goes_up`, else to children.
    """

    start: Place
    links: Mapping[Place, Sequence[Link]]
    goes_up: bool

    @property
    def places(self) -> Sequence[Place]:
        """Every version that is named anywhere, once, nearer ones first."""
        named = (link.place for links in self.links.values() for link in links)
        return tuple(dict.fromkeys([self.start, *self.links, *named]))

    @property
    def edges(self) -> Sequence[tuple[Place, Place]]:
        """Each parent with its child, once."""
        pairs = ((place, link.place) for place, links in self.links.items() for link in links)
        return tuple(dict.fromkeys((there, here) if self.goes_up else (here, there) for here, there in pairs))


def label(place: Place) -> str:
    """A version as people read it."""
    return printable(f"{place.project}/{place.table}@{place.version[:SHORT_VERSION_DIGITS]}")


def tree_lines(graph: Graph) -> Iterator[str]:
    """The lineage as a tree; what was told before is not told again.

    Not by recursion: a chain of versions may be longer than Python's stack is deep.
    """
    yield label(graph.start)
    told = {graph.start}
    waiting = [("", link, is_last) for link, is_last in _backwards(graph.links.get(graph.start, ()))]
    while waiting:
        lead, link, is_last = waiting.pop()
        following = graph.links.get(link.place, ())
        is_known = link.place in told
        note = f"  ({printable(link.note)})" if link.note else "  (see above)" if is_known and following else ""
        yield f"{lead}{'└── ' if is_last else '├── '}{label(link.place)}{note}"
        if not is_known and not link.note:
            told.add(link.place)
            deeper = lead + ("    " if is_last else "│   ")
            waiting += [(deeper, each, last) for each, last in _backwards(following)]


def mermaid_lines(graph: Graph) -> Iterator[str]:
    """The lineage as a flowchart: from parents to children, whichever way it was walked."""
    numbers = {place: f"v{number}" for number, place in enumerate(graph.places)}
    yield "flowchart LR"
    for place, number in numbers.items():
        # Mermaid writes characters as `#quot;`; what HTML has an entity for is what could end a text or begin a tag.
        text = html.escape(label(place).replace("#", "#35;")).replace("&#x27;", "#39;").replace("&", "#")
        yield f'    {number}["{text}"]'
    for parent, child in graph.edges:
        yield f"    {numbers[parent]} --> {numbers[child]}"
    yield f"    style {numbers[graph.start]} stroke-width:3px"


def _backwards(links: Sequence[Link]) -> list[tuple[Link, bool]]:
    """Links from the last to the first, as a stack wants them, and whether each is the last."""
    return [(link, not nth) for nth, link in enumerate(reversed(links))]
