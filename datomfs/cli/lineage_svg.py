"""A lineage as a picture: SVG of boxes in columns, parents left of their children, drawn without another program.

A version stands one column right of the last of its parents. Within a column, boxes stand near the middle of what
they are connected with (the barycenter rule of layered drawing), which keeps most lines from crossing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from datomfs.cli.lineage_graph import Graph, label

if TYPE_CHECKING:
    from datomfs.catalog.lineage import Place

_CHARACTER, _PADDING = 7.3, 12
_HEIGHT, _ROW, _GAP, _MARGIN = 28, 44, 70, 16
_NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""What no XML may hold, beside the controls that are written as escapes anyway."""
_SWEEPS = 4
"""How often columns are put in order again; more changes little."""


def svg_lines(graph: Graph) -> Iterator[str]:
    """The lines of the picture. Sizes are in pixels."""
    columns = _columns(graph)
    widths = [max(len(label(place)) for place in column) * _CHARACTER + 2 * _PADDING for column in columns]
    spots: dict[Place, tuple[float, float, float]] = {}
    left = float(_MARGIN)
    for column, width in zip(columns, widths, strict=True):
        for row, place in enumerate(column):
            spots[place] = (left, _MARGIN + row * _ROW, width)
        left += width + _GAP
    height = 2 * _MARGIN + _ROW * max(map(len, columns))
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left - _GAP + _MARGIN:.0f}" height="{height}" '
        'font-family="monospace" font-size="12">'
    )
    for parent, child in graph.edges:
        (x, y, width), (to_x, to_y, _) = spots[parent], spots[child]
        start, end, middle = (x + width, y + _HEIGHT / 2), (to_x, to_y + _HEIGHT / 2), (x + width + to_x) / 2
        yield (
            f'<path d="M {start[0]:.0f} {start[1]:.0f} C {middle:.0f} {start[1]:.0f}, {middle:.0f} {end[1]:.0f}, '
            f'{end[0]:.0f} {end[1]:.0f}" fill="none" stroke="#888"/>'
        )
    for place, (x, y, width) in spots.items():
        stroke = 3 if place == graph.start else 1
        yield (
            f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{_HEIGHT}" rx="4" fill="#f6f8fa" stroke="#333" '
            f'stroke-width="{stroke}"/>'
        )
        yield f'<text x="{x + _PADDING:.0f}" y="{y + _HEIGHT / 2 + 4:.0f}">{_text(place)}</text>'
    yield "</svg>"


def _columns(graph: Graph) -> Sequence[Sequence[Place]]:
    """The versions column by column, from left to right and from top to bottom."""
    layers = _layers(graph)
    columns: list[list[Place]] = [[] for _ in range(max(layers.values()) + 1)]
    for place in graph.places:
        columns[layers[place]].append(place)
    neighbours: dict[Place, list[Place]] = {place: [] for place in graph.places}
    for parent, child in graph.edges:
        neighbours[parent].append(child)
        neighbours[child].append(parent)
    heights = {place: height for column in columns for place, height in _heights(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            # Each sees where the last one has come to stand: two that moved at once would change places for ever.
            column.sort(key=lambda place: _middle(neighbours[place], heights, heights[place]))
            heights.update(_heights(column))
    return columns


def _heights(column: Sequence[Place]) -> Iterator[tuple[Place, float]]:
    """How far below the middle each stands, in rows."""
    return ((place, row - (len(column) - 1) / 2) for row, place in enumerate(column))


def _layers(graph: Graph) -> Mapping[Place, int]:
    """For each version how many others come before it at most; an edge that would close a circle does not count."""
    layers = dict.fromkeys(graph.places, 0)
    waiting = {place: 0 for place in layers}
    children: dict[Place, list[Place]] = {place: [] for place in layers}
    for parent, child in graph.edges:
        waiting[child] += 1
        children[parent].append(child)
    ready = [place for place, count in waiting.items() if not count]
    while waiting:
        # Where all that is left waits for each other, the first found goes ahead.
        place = ready.pop() if ready else next(iter(waiting))
        if waiting.pop(place, None) is None:
            continue
        for child in children[place]:
            if child in waiting:
                layers[child] = max(layers[child], layers[place] + 1)
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)
    return layers


def _middle(neighbours: Sequence[Place], heights: Mapping[Place, float], own: float) -> float:
    return sum(heights[place] for place in neighbours) / len(neighbours) if neighbours else own


def _text(place: Place) -> str:
    return html.escape(_NO_XML.sub("\ufffd", label(place)))
