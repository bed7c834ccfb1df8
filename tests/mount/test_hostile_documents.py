"""Random documents at the tree: every answer is an errno or right, never a traceback, never another project's data."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from datomfs.catalog.governance import GovStore
from datomfs.catalog.governed import Governed
from datomfs.catalog.portfolio import Portfolio
from datomfs.errors import StoreMissing
from datomfs.layout import MANIFEST_KEY, REF_FILE, gov_key, history_key, metadata_key, payload_key, snapshot_key
from datomfs.model.location import Location
from datomfs.mount.live_source import LiveSource
from datomfs.store.base import Store
from datomfs.store.memory import MemoryStore
from datomfs.vfs.tree import Tree
from tests.cache.stores import make_reader
from tests.mount.hostile import A, B, Findings, X, Y, Z, encode, entry, manifest, row, spoilt, walk

pytestmark = pytest.mark.expected_warnings

SECRET = b"the data of another project"
OURS = {X: b"one", Y: b"three"}
PROBES = {
    0: ["P", "Q", "R"],
    1: ["dm", "dm.parquet", "ex", ".datom", "@2026-03-31", "s"],
    2: [f"@{A}.parquet", f"@{B[:6]}.parquet", f"dm_{A[:8]}.parquet", f"@{A}", "@aaaaaa"],
}
"""What is asked for at each depth also where nobody lists it."""


class World:
    """Governance and two projects. P is written by anybody; Q holds what P must not show."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gov, self.p, self.q = (MemoryStore(name) for name in ("gov", "P", "Q"))
        self._stores = {str(folder / name): store for name, store in (("P", self.p), ("Q", self.q))}
        for data_sha, body in OURS.items():
            self.p.put(payload_key("dm", data_sha), body)
        rows = {"dm": row(), "secret": row()}
        self.q.put(MANIFEST_KEY, encode({**manifest(**rows), "project_name": "Q"}))
        for table in rows:
            self.q.put(history_key(table), encode([entry(A, X)]))
            self.q.put(payload_key(table, X), SECRET)
        for name in ("P", "Q"):
            self.put_ref(name, self.ref(name))

    def ref(self, name: str) -> dict[str, Any]:
        """A ref that is right."""
        return {"current": {"type": "local", "root": str(self.folder / name)}, "previous": []}

    def put_ref(self, name: str, ref: Any) -> None:
        """A project's ref, whatever it is."""
        self.gov.put(gov_key(name, REF_FILE), ref if isinstance(ref, bytes) else encode(ref))

    def put_documents(self, documents: Mapping[str, bytes]) -> None:
        """Documents of P by key; what was there is gone."""
        for info in list(self.p.list()):
            if "/.metadata/" in f"/{info.key}":
                self.p.delete(info.key)
        for key, body in documents.items():
            self.p.put(key, body)

    def look(self, *, list_versions: bool) -> Findings:
        """Everything a kernel could ask of a fresh mount."""

        async def main() -> Findings:
            reader = make_reader(self.folder / "cache")
            portfolio = Portfolio({}, self._open_store, governed=Governed(GovStore(self.gov), [self.folder]))
            async with trio.open_nursery() as nursery:
                source = LiveSource(portfolio, reader, nursery, refresh_s=60, stall_s=30)
                try:
                    tree = Tree(source, refresh_s=60, list_versions=list_versions, time_ns=0)
                    return await walk(tree, PROBES)
                finally:
                    source.close_all()
                    reader.close()
                    nursery.cancel_scope.cancel()

        return trio.run(main)

    def _open_store(self, project: str, location: Location) -> Store:
        """What is where a ref points to: one of the two stores, or nothing."""
        place = os.path.normpath(os.path.join(location.root, (location.prefix or "").strip("/")))
        if location.backend == "s3" or place not in self._stores:
            raise StoreMissing(location.url, "datom/")
        return self._stores[place]


@contextmanager
def world() -> Iterator[World]:
    """A world of its own for each example."""
    with tempfile.TemporaryDirectory() as folder:
        yield World(Path(folder))


def check(found: Findings) -> None:
    """The other project is whole, and none of its bytes are seen anywhere else."""
    assert {SECRET} == found.bytes_of["Q"]
    assert found.bytes_of.get("P", set()) <= set(OURS.values())


HISTORIES = st.sampled_from(
    [
        [entry(A, X)],
        [entry(B, Y), entry(A, X)],
        [entry(A, X), entry(A, X)],
        [entry(A, X), entry(A, Y)],
        [entry(B, Z), entry(A, X)],
        [entry(A[:6], X), entry(A, Y), entry(A[:12], Z)],
        [entry(B, X, parquet_sha="0" * 64), entry(A, X, author={"name": "n", "email": "e"})],
    ]
)
MANIFESTS = st.sampled_from(
    [
        manifest(dm=row()),
        manifest(dm=row(B, Y), ex=row()),
        manifest(dm=row(), s=row(kind="set")),
        manifest(secret=row(), dm=row(Z, Z)),
        {"project_name": "P", "tables": {"dm": row()}, "updated_at": "2026-03-01T00:00:00Z"},
        {**manifest(dm=row()), "project_name": "Q"},
    ]
)
METADATA = st.sampled_from(
    [{"schema_version": 2, "kind": kind, "data_sha": X, "project": "P", "custom": {}} for kind in ("table", "set")]
)


@settings(max_examples=60)
@given(spoilt(MANIFESTS), spoilt(HISTORIES), spoilt(METADATA), st.booleans())
def test_random_documents_are_answered_with_errno(
    manifest_body: bytes, history: bytes, metadata: bytes, list_versions: bool
) -> None:
    documents = {MANIFEST_KEY: manifest_body}
    for name in ("dm", "s"):
        documents |= {history_key(name): history, metadata_key(name): metadata, snapshot_key(name, A): metadata}
    with world() as here:
        here.put_documents(documents)
        check(here.look(list_versions=list_versions))


@settings(max_examples=40)
@given(st.data())
def test_random_refs_are_answered_with_errno(data: st.DataObject) -> None:
    with world() as here:
        here.put_documents({MANIFEST_KEY: encode(manifest(dm=row())), history_key("dm"): encode([entry(A, X)])})
        here.put_ref("P", data.draw(spoilt(st.sampled_from([here.ref("P"), here.ref("Q"), here.ref("R")]))))
        check(here.look(list_versions=True))


def test_documents_that_are_right_are_shown() -> None:
    """What the properties above would not notice: a walk that finds nothing."""
    with world() as here:
        here.put_documents({MANIFEST_KEY: encode(manifest(dm=row())), history_key("dm"): encode([entry(A, X)])})
        found = here.look(list_versions=False)
        assert {"P": {OURS[X]}, "Q": {SECRET}} == found.bytes_of
        assert f"P/dm/@{A[:8]}.parquet" in found.paths


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2262-04-12T00:00:00Z"]
)
def test_clocks_that_are_wrong_hide_nothing(moment: str) -> None:
    with world() as here:
        shown = {**manifest(dm={**row(), "last_updated": moment}), "updated_at": moment}
        here.put_documents(
            {MANIFEST_KEY: encode(shown), history_key("dm"): encode([entry(A, X) | {"timestamp": moment}])}
        )
        assert {OURS[X]} == here.look(list_versions=True).bytes_of["P"]


def test_nothing_nested_as_deep_as_the_reader_goes_is_a_traceback() -> None:
    for depth, key in itertools.product((50, 300, 480, 900, 980, 5_000, 100_000), ("custom", "author", "current")):
        deep = b"[" * depth + b"]" * depth
        marked = json.dumps({"deep": "here", "escaped": "\u00e9"})
        with world() as here:
            history = json.dumps([entry(A, X, **{key: marked})]).encode()
            metadata = json.dumps({"kind": "table", "data_sha": X, key: marked}).encode()
            quoted = json.dumps(marked).encode()
            here.put_documents(
                {
                    MANIFEST_KEY: encode(manifest(dm=row())),
                    history_key("dm"): history.replace(quoted, deep),
                    metadata_key("dm"): metadata.replace(quoted, deep),
                }
            )
            here.put_ref("P", json.dumps({**here.ref("P"), key: marked}).encode().replace(quoted, deep))
            check(here.look(list_versions=True))
