"""Reads, rot, changed objects and restarts in any order: strict mode serves proven bytes or an error."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from datomfs.cache.reader import Payload, PayloadReader
from datomfs.errors import DatomfsError
from datomfs.store.base import ObjectInfo
from tests.cache.block_files import flip
from tests.cache.stores import RemoteStore, attest, make_reader, nothing, open_now, put, recorded, settle

MIB = 1 << 20
BODIES = {
    "large": os.urandom(2 * MIB + 4099),
    "small": os.urandom(100_000),
}

steps = st.one_of(
    st.tuples(st.just("read"), st.floats(0, 1), st.sampled_from([1, 4096, 128 << 10, MIB])),
    st.tuples(st.just("read all")),
    st.tuples(st.just("flip"), st.booleans(), st.floats(0, 1, exclude_max=True)),
    st.tuples(st.just("upload"), st.booleans(), st.booleans()),
    st.tuples(st.just("delete")),
    st.tuples(st.just("reopen"), st.booleans()),
    st.tuples(st.just("restart"), st.booleans()),
)


class Machine:
    """A reader, a store and a cache folder that a schedule happens to."""

    def __init__(self, folder: Path, body: bytes, options: dict[str, int]) -> None:
        self.folder = folder
        self.body = body
        self.options = options
        self.store = RemoteStore()
        self.info: ObjectInfo = attest(self.store, body)
        self.reader: PayloadReader = make_reader(folder, **options)
        self.payload: Payload | None = None
        self.reopen(fresh=True)

    def close(self) -> None:
        if self.payload is not None:
            self.payload.close()
            self.payload = None

    def reopen(self, *, fresh: bool) -> None:
        """Open the payload again, from a fresh listing or the one that was."""
        self.close()
        if fresh:
            self.info = next(iter(self.store.list()), self.info)
        try:
            self.payload = open_now(self.reader, self.store, self.info, recorded(self.body))
        except DatomfsError:
            return

    def restart(self, *, fresh: bool) -> None:
        """The process ends, and another one begins."""
        self.close()
        self.reader.close()
        self.reader = make_reader(self.folder, **self.options)
        self.reopen(fresh=fresh)

    def upload(self, *, same: bool, attested: bool) -> None:
        """Replace the object."""
        (attest if attested else put)(self.store, self.body if same else self.body[::-1])

    def flip(self, *, in_map: bool, where: float) -> None:
        """Rot in the cache, when nothing of it is on its way to its place."""
        settle(self.reader)
        files = sorted(each for each in self.folder.glob("*/*/*") if (each.suffix == ".map") == in_map)
        if files and files[0].stat().st_size:
            flip(files[0], int(where * files[0].stat().st_size * 8))

    def read(self, where: float, length: int) -> None:
        """A range: right, or an error."""
        start = int(where * len(self.body))
        expected = self.body[start : start + length]
        if self.payload is None:
            return
        assert self.payload.read_nowait(start, length) in (expected, None)
        try:
            assert expected == self.payload.read(start, length, nothing)
        except DatomfsError:
            return

    def do(self, step: tuple[Any, ...]) -> None:
        """One step of a schedule."""
        match step:
            case ("read", where, length):
                self.read(where, length)
            case ("read all",):
                for start in range(0, len(self.body), MIB):
                    self.read(start / len(self.body), MIB)
            case ("flip", in_map, where):
                self.flip(in_map=in_map, where=where)
            case ("upload", same, attested):
                self.upload(same=same, attested=attested)
            case ("delete",):
                self.store.delete(self.info.key)
            case ("reopen", fresh):
                self.reopen(fresh=fresh)
            case ("restart", fresh):
                self.restart(fresh=fresh)


@pytest.mark.expected_warnings
@pytest.mark.parametrize("options", [{}, {"quota": MIB}, {"quota": 0, "memory": 4 * MIB}], ids=["disk", "little", "no"])
@pytest.mark.parametrize("body", BODIES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(schedule=st.lists(steps, max_size=15))
@example(
    [("read all",), ("flip", False, 0.5), ("upload", False, True), ("read all",), ("restart", True), ("read all",)]
)
@example([("upload", True, False), ("restart", True), ("flip", True, 0.9), ("read all",), ("delete",), ("read all",)])
def test_no_byte_is_served_that_is_not_proven(
    tmp_path: Path, body: str, options: dict[str, int], schedule: list[tuple[Any, ...]]
) -> None:
    folder = tmp_path / "cache"
    shutil.rmtree(folder, ignore_errors=True)
    machine = Machine(folder, BODIES[body], options)
    try:
        for step in schedule:
            machine.do(step)
        # However it went, the right object can be read again.
        machine.upload(same=True, attested=True)
        machine.restart(fresh=True)
        with closing(open_now(machine.reader, machine.store, machine.info, recorded(machine.body))) as payload:
            assert machine.body == b"".join(
                bytes(payload.read(start, MIB, nothing)) for start in range(0, len(machine.body), MIB)
            )
    finally:
        machine.close()
        machine.reader.close()
