"""What lies in the folder of a cache: what is ours is found, leftovers go, all else is left alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datomfs.cache.block_file import map_path
from datomfs.cache.folder import CacheFolder
from datomfs.cache.inspection import Report
from tests.cache.inspected import BODY, add_partial, bring, counted, look, rest
from tests.cache.stores import RemoteStore, make_reader, nothing, put, recorded, sha256


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CacheFolder]:
    """A cache with one complete object, BODY."""
    reader = bring(tmp_path / "cache", BODY)
    yield reader.folder
    reader.close()


def test_what_nothing_uses_any_more_is_removed(folder: CacheFolder) -> None:
    (folder.path / "incoming").mkdir()
    (folder.path / "incoming" / "part").write_bytes(bytes(10))
    place = add_partial(folder, 0)
    map_path(place).unlink()
    stray = map_path(folder.place("a" * 64))
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(bytes(100))
    rest(stray)
    report = look(folder)
    assert [] == [path for path in (folder.path / "incoming", place, stray) if path.exists()]
    assert 10 + (1 << 20) + 100 <= report.leftovers + 4096
    assert {sha256(BODY): len(BODY)} == counted(folder)


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.write_text("mine"), lambda path: path.symlink_to("x")])
def test_files_that_are_none_of_ours_are_left_alone(folder: CacheFolder, make: Callable[[Path], object]) -> None:
    here = folder.place(sha256(BODY)).parent
    others = [
        here / "notes.map",
        here / f"{'e' * 64}.map.map",
        folder.path / "objects" / "zz",
        here / ("f" * 64),
        folder.path / "objects" / "note",
    ]
    for other in others:
        make(other)
        os.utime(other, (1, 1), follow_symlinks=False)
    assert Report(objects=1, bytes=len(BODY)) == look(folder)
    assert all(os.path.lexists(other) for other in others)


def test_links_are_not_followed(folder: CacheFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stray = elsewhere / f"aa{'0' * 62}.map"
    for path in (stray, elsewhere / f"aa{'1' * 62}"):
        path.write_bytes(b"not the cache's")
        rest(path)
    (folder.path / "objects" / "aa").symlink_to(elsewhere)
    assert Report(objects=1, bytes=len(BODY)) == look(folder)
    assert 2 == len(list(elsewhere.iterdir()))


def test_an_open_payload_is_read_on_while_its_cache_is_verified(tmp_path: Path) -> None:
    reader, store = make_reader(tmp_path / "cache"), RemoteStore()
    payload = reader.open(store, put(store, BODY), recorded(BODY), nothing)
    other = CacheFolder(tmp_path / "cache", reader.folder.limits)
    look(other)
    assert BODY == payload.read(0, len(BODY), nothing)
    payload.close()
    other.close()
    reader.close()
