"""Documents as nobody should write them, and everything a kernel may ask of a tree over them.

A strategy begins with documents that are right and puts something wrong into some of their places, because a document
that is wrong everywhere is refused at its first field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from datomfs.errors import DatomfsError
from datomfs.mount.errno import errno_of
from datomfs.vfs.nodes import ROOT_INODE, Attrs
from datomfs.vfs.tree import Tree

A, B = "aa" * 32, "ab" * 32
"""Two versions with a common beginning."""
X, Y, Z = "11" * 32, "22" * 32, "33" * 32
"""Three data_sha; of Z the store has nothing."""

_NASTY = st.sampled_from(
    [
        "", ".", "..", "../Q", "a/b", "/etc/passwd", "dm", "Q", "nul\0", "new\nline", "x" * 300, "datom", ".metadata",
        A, B, A[:6], A[:12], A.upper(), "../" + A, A[:20] + "." + A[:20], "g" * 64, X, Y, Z, "\ud800", "é" * 70,
        "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-03-01T00:00:00+14:00", "1e9",
    ]
)  # fmt: skip
_SCALARS = st.one_of(
    _NASTY,
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 2, 3, 1 << 63, -(1 << 70), 1e308, 0.5, float("inf"), float("-inf")]),
    st.text(max_size=8),
)
JUNK = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NASTY | st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def entry(version: str, data_sha: str, **more: Any) -> dict[str, Any]:
    """A history entry that is right."""
    return {"version": version, "data_sha": data_sha, "timestamp": "2026-03-01T00:00:00Z", **more}


def row(version: str = A, data_sha: str = X, kind: str = "table") -> dict[str, Any]:
    """A row of a manifest that is right."""
    return {
        "kind": kind, "current_version": version, "current_data_sha": data_sha,
        "last_updated": "2026-03-01T00:00:00Z", "size_bytes": 3, "version_count": 1,
    }  # fmt: skip


def manifest(**rows: Any) -> dict[str, Any]:
    """A manifest that is right."""
    moment = "2026-03-01T00:00:00Z"
    return {"schema_version": 2, "project_name": "P", "artifacts": rows, "updated_at": moment}


def encode(document: Any) -> bytes:
    """A document as bytes; infinities as numbers that are too large, as JSON has no others."""
    text = json.dumps(document)
    return text.replace("-Infinity", "-1e999").replace("Infinity", "1e999").encode()


@st.composite
def spoilt(draw: st.DrawFn, documents: st.SearchStrategy[Any], most: int = 3) -> bytes:
    """A document with junk in some of its places, or cut short, or something else altogether."""
    document = draw(documents)
    for _ in range(draw(st.integers(0, most))):
        document = _spoil(draw, document)
    body = encode(document)
    what = draw(st.integers(0, 12))
    if what == 0:
        return body[: draw(st.integers(0, len(body)))]
    return draw(st.binary(max_size=20)) if what == 1 else body


def _spoil(draw: st.DrawFn, document: Any) -> Any:
    """The document with one place changed, taken out, doubled or renamed."""
    if isinstance(document, dict) and document and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(document)))
        others = {name: value for name, value in document.items() if name != key}
        match draw(st.integers(0, 4)):
            case 0:
                return others
            case 1:
                return {**others, draw(_NASTY): document[key]}
            case _:
                return {**document, key: _spoil(draw, document[key])}
    if isinstance(document, list) and document and draw(st.integers(0, 5)):
        place = draw(st.integers(0, len(document) - 1))
        changed = _spoil(draw, document[place])
        twins = [changed] if draw(st.booleans()) else [document[place], changed]
        return [*document[:place], *twins, *document[place + 1 :]]
    return draw(JUNK)


# -- asking --------------------------------------------------------------------------------------------------------


@dataclass
class Findings:
    """What a walk came to: the bytes of each payload below a project, and the errno of each refusal."""

    bytes_of: dict[str, set[bytes]] = field(default_factory=dict)
    refusals: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


async def walk(tree: Tree, names: Mapping[int, Sequence[str]]) -> Findings:
    """Ask everything of everything that is listed, and of more `names` at each depth.

    An error that is none of ours is raised: it would be a traceback in the log of a mount.
    """
    findings = Findings()
    await _enter(tree, ROOT_INODE, (), names, findings)
    return findings


async def _enter(
    tree: Tree, inode: int, path: tuple[str, ...], names: Mapping[int, Sequence[str]], findings: Findings
) -> None:
    listed: list[str] = []
    try:
        for name, _, attrs in await tree.readdir(inode):
            check_attrs(attrs)
            listed.append(name)
    except DatomfsError as error:
        findings.refusals.append(errno_of(error))
    except NotADirectoryError:
        await _read(tree, inode, path, findings)
        return
    assert len(set(listed)) == len(listed)
    for name in (*listed, *names.get(len(path), ())):
        assert "/" not in name
        assert name not in listed or len(name.encode()) <= 255
        try:
            attrs = await tree.lookup(inode, name)
        except DatomfsError as error:
            findings.refusals.append(errno_of(error))
            continue
        check_attrs(attrs)
        if len(path) < 6:
            findings.paths.append("/".join((*path, name)))
            await _enter(tree, attrs.inode, (*path, name), names, findings)


async def _read(tree: Tree, inode: int, path: tuple[str, ...], findings: Findings) -> None:
    async def links() -> None:
        assert "\0" not in await tree.readlink(inode)

    async def attributes() -> None:
        for name in tree.listxattr(inode):
            assert isinstance(await tree.getxattr(inode, name), bytes)

    async def content() -> None:
        handle = await tree.open(inode)
        try:
            body = bytes(await tree.read(handle, 0, 1 << 16))
        finally:
            tree.close(handle)
        if path[-1].endswith(".parquet"):
            findings.bytes_of.setdefault(path[0], set()).add(body)

    for ask in (links, attributes, content):
        try:
            await ask()
        except DatomfsError as error:
            findings.refusals.append(errno_of(error))
        except (NotADirectoryError, IsADirectoryError):
            pass  # a link has no bytes, and a file no target
    check_attrs(tree.getattr(inode))


def check_attrs(attrs: Attrs) -> None:
    """Attributes must be such as the kernel can hold: inode and size of 63 bits, seconds and nanoseconds of a time."""
    assert 0 < attrs.inode < 1 << 63
    assert 0 <= attrs.size < 1 << 63
    assert -(1 << 63) <= attrs.time_ns // 10**9 < 1 << 63
