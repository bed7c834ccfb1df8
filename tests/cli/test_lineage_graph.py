"""A lineage as tree, diagram and picture: everything is there once, and nothing gets out of its text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from datomfs.catalog.lineage import Place
from datomfs.cli.lineage_graph import Graph, Link, label, mermaid_lines, tree_lines
from datomfs.cli.lineage_svg import svg_lines

SVG = "{http://www.w3.org/2000/svg}"


def place(name: str) -> Place:
    return Place("P", name, "ab" * 32)


def graph(start: str, goes_up: bool = True, **links: str) -> Graph:
    """A lineage in which each name leads to those that follow it."""
    return Graph(
        place(start),
        {place(name): [Link(place(each)) for each in more.split()] for name, more in links.items()},
        goes_up,
    )


def drawn(lineage: Graph) -> ElementTree.Element:
    """The picture of a lineage."""
    return ElementTree.fromstring("\n".join(svg_lines(lineage)))  # noqa: S314  # of our own making


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any lineage, circles included, in which texts are anybody's."""
    texts = st.text(max_size=6) | st.sampled_from(
        ['"]', "</text>", "&", "#quot;", "\x1b[2J", "\uffff", "\ud800", "a\nb"]
    )
    places = draw(st.lists(st.builds(Place, texts, texts, texts), min_size=1, max_size=6, unique_by=label))
    links = {
        each: [Link(other) for other in draw(st.lists(st.sampled_from(places), max_size=3, unique=True))]
        for each in places
    }
    return Graph(places[0], links, draw(st.booleans()))


def test_a_tree_has_every_branch_and_tells_nothing_twice() -> None:
    assert [
        "P/top@abababab",
        "├── P/left@abababab",
        "│   └── P/raw@abababab",
        "│       └── P/first@abababab",
        "└── P/right@abababab",
        "    ├── P/raw@abababab  (see above)",
        "    └── P/other@abababab",
    ] == list(
        tree_lines(graph("top", top="left right", left="raw", right="raw other", raw="first", first="", other=""))
    )


def test_a_tree_says_why_it_ends() -> None:
    gone = Graph(place("top"), {place("top"): [Link(place("gone"), "no table\x07")]}, goes_up=True)
    assert ["P/top@abababab", "└── P/gone@abababab  (no table\\x07)"] == list(tree_lines(gone))


def test_a_chain_may_be_longer_than_the_stack_is_deep() -> None:
    chain = graph("t0", **{f"t{nth}": f"t{nth + 1}" for nth in range(3000)})
    assert 3001 == len(list(tree_lines(chain)))
    assert 3001 == len(drawn(chain).findall(f"{SVG}rect"))


def test_arrows_lead_from_parents_to_children_whichever_way_it_was_walked() -> None:
    for way in (graph("top", top="raw"), graph("raw", goes_up=False, raw="top")):
        lines = list(mermaid_lines(way))
        names = {found[2]: found[1] for line in lines if (found := re.search(r'(v\d+)\["P/(\w+)@', line))}
        assert f"    {names['raw']} --> {names['top']}" in lines


def test_a_picture_has_parents_left_of_their_children() -> None:
    picture = drawn(graph("top", top="left raw", left="raw", raw=""))
    boxes = picture.findall(f"{SVG}rect")
    spots = {
        (text.text or "")[2:].partition("@")[0]: float(box.attrib["x"])
        for text, box in zip(picture.findall(f"{SVG}text"), boxes, strict=True)
    }
    assert spots["raw"] < spots["left"] < spots["top"]
    assert 3 == len(picture.findall(f"{SVG}path"))
    assert ["3"] == [box.attrib["stroke-width"] for box in boxes if float(box.attrib["x"]) == spots["top"]]


def test_boxes_stand_beside_what_they_are_connected_with() -> None:
    crossed = graph("top", top="a b", a="x", b="y", x="", y="")
    turned = Graph(
        crossed.start, {**crossed.links, place("a"): [Link(place("y"))], place("b"): [Link(place("x"))]}, True
    )
    for lineage in (crossed, turned):
        picture = drawn(lineage)
        rows = {
            (text.text or "")[2:].partition("@")[0]: float(text.attrib["y"]) for text in picture.findall(f"{SVG}text")
        }
        parents = {one.table: [link.place.table for link in links] for one, links in lineage.links.items()}
        assert (rows["a"] < rows["b"]) == (rows[parents["a"][0]] < rows[parents["b"][0]])


@given(graphs())
def test_whatever_documents_hold_stays_text(lineage: Graph) -> None:
    picture = drawn(lineage)
    expected = {re.sub("[\ud800\ufffe\uffff]", "\ufffd", label(each)) for each in lineage.places}
    assert expected == {text.text for text in picture.findall(f"{SVG}text")}
    spots = {(box.attrib["x"], box.attrib["y"]) for box in picture.findall(f"{SVG}rect")}
    assert len(lineage.places) == len(spots)
    assert len(lineage.edges) == len(picture.findall(f"{SVG}path"))
    for line in mermaid_lines(lineage):
        assert re.fullmatch(r'flowchart LR|    (v\d+\["[^"<>&\n]*"\]|v\d+ --> v\d+|style v\d+ stroke-width:3px)', line)
    for line in tree_lines(lineage):
        assert line.isprintable() or not any(ord(char) < 32 for char in line)
