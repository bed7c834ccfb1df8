"""Verifying a cache: what is damaged is found, dropped and named, and the index tells what is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.cache.block_file import BlockFile, map_path
from datomfs.cache.folder import CacheFolder
from datomfs.cache.inspection import Report, inspect
from datomfs.cache.scan import find_objects
from tests.cache.inspected import BODY, LONG_AGO_NS, add_partial, bring, counted, look, rest, spoil
from tests.cache.stores import sha256


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CacheFolder]:
    """A cache with one complete object, BODY."""
    reader = bring(tmp_path / "cache", BODY)
    yield reader.folder
    reader.close()


# -- objects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quick", [False, True])
def test_a_sound_cache_stays_as_it_is(folder: CacheFolder, quick: bool) -> None:
    add_partial(folder, 0, 2)
    before = folder.entries()
    assert Report(objects=2, bytes=len(BODY) + (1 << 20) + len(BODY) % (1 << 20)) == look(folder, quick=quick)
    assert before == folder.entries()


def test_every_byte_that_is_there_is_read(folder: CacheFolder) -> None:
    add_partial(folder, 1)
    seen: dict[str, int] = {}
    inspect(folder, find_objects(folder), quick=False, on_progress=seen.__setitem__)
    assert {found.name: found.stored for found in find_objects(folder)} == seen


@pytest.mark.expected_warnings
@pytest.mark.parametrize("has_map", [True, False])
def test_a_damaged_object_is_removed_and_named(folder: CacheFolder, has_map: bool) -> None:
    place = folder.place(sha256(BODY))
    spoil(place, 2 << 20)
    if not has_map:
        map_path(place).unlink()
    report = look(folder)
    (damage,) = report.damaged
    assert (sha256(BODY), str(place), len(BODY), True) == (damage.name, damage.path, damage.bytes, damage.removed)
    assert (0, False, False) == (report.objects, place.exists(), map_path(place).exists())
    assert {} == counted(folder)


def test_a_shortened_object_is_damaged(folder: CacheFolder) -> None:
    os.truncate(folder.place(sha256(BODY)), 100)
    assert [sha256(BODY)] == [damage.name for damage in look(folder).damaged]


def test_bytes_and_digests_of_something_else_are_told_by_the_name(folder: CacheFolder, tmp_path: Path) -> None:
    other = bring(tmp_path / "other", BODY[::-1])
    for suffix in (lambda path: path, map_path):
        suffix(other.folder.place(sha256(BODY[::-1]))).rename(suffix(folder.place(sha256(BODY))))
    other.close()
    assert f"its SHA-256 is {sha256(BODY[::-1])}" == look(folder).damaged[0].problem


@pytest.mark.expected_warnings
def test_damaged_pieces_of_a_partial_object_are_dropped_and_the_others_stay(folder: CacheFolder) -> None:
    place = add_partial(folder, 0, 1, 2)
    spoil(place, 1 << 20)
    (damage,) = look(folder).damaged
    assert (1 << 20, False) == (damage.bytes, damage.removed)
    file = BlockFile(place, len(BODY))
    assert [(1 << 20, 2 << 20)] == file.missing(0, len(BODY))
    assert BODY[: 1 << 20] == file.read(0, 1 << 20)
    file.close()
    assert {sha256(BODY): len(BODY), folder.partial_name(place.name): len(BODY) - (1 << 20)} == counted(folder)
    assert [] == look(folder).damaged


@pytest.mark.expected_warnings
def test_what_was_dropped_comes_again(folder: CacheFolder, tmp_path: Path) -> None:
    spoil(folder.place(sha256(BODY)))
    look(folder)
    reader = bring(tmp_path / "cache", BODY)
    assert Report(objects=1, bytes=len(BODY)) == look(reader.folder)
    reader.close()


def test_a_map_that_does_not_fit_its_sound_object_is_taken_away(folder: CacheFolder) -> None:
    place = folder.place(sha256(BODY))
    spoil(map_path(place), 60)
    assert Report(objects=1, bytes=len(BODY)) == look(folder)
    assert (True, False) == (place.exists(), map_path(place).exists())


def test_a_partial_object_under_the_map_of_another_is_removed(folder: CacheFolder) -> None:
    place = add_partial(folder, 0)
    spoil(map_path(place), 3)
    assert [(folder.partial_name(place.name), True)] == [(one.name, one.removed) for one in look(folder).damaged]
    assert not place.exists()


def test_a_partial_object_that_is_just_being_made_is_left_alone(folder: CacheFolder) -> None:
    place = add_partial(folder)
    found = find_objects(folder)
    os.truncate(place, len(BODY) + 1)
    assert [] == inspect(folder, found, quick=False, on_progress=lambda name, count: None).damaged
    assert len(BODY) + 1 == place.stat().st_size


def test_an_object_that_is_gone_meanwhile_is_not_made_again(folder: CacheFolder) -> None:
    place = add_partial(folder, 0)
    found = find_objects(folder)
    folder.remove(folder.partial_name(place.name))
    folder.remove(sha256(BODY))
    assert Report() == inspect(folder, found, quick=False, on_progress=lambda name, count: None)
    assert ([], []) == (find_objects(folder), list(place.parent.iterdir()))


# -- the index -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quick", [False, True])
def test_the_index_is_made_anew_from_the_files(folder: CacheFolder, quick: bool) -> None:
    place = add_partial(folder, 0)
    before = counted(folder)
    folder.close()
    (folder.path / "index.sqlite3").unlink()
    report = look(folder, quick=quick)
    assert (2, 0, 0) == (report.counted, report.settled, report.forgotten)
    assert before == counted(folder)
    assert LONG_AGO_NS / 1e9 == {entry.name: entry.used_s for entry in folder.entries()}[f"{os.geteuid()}/{place.name}"]


def test_entries_without_files_are_forgotten_and_pins_are_not(folder: CacheFolder) -> None:
    folder.correct("a" * 64, 10, used_s=1)
    folder.pin("b" * 64, "S/dm@bb")
    assert 1 == look(folder).forgotten
    assert {sha256(BODY): len(BODY)} == counted(folder)
    assert 1 == len(folder.pins())


def test_sizes_are_settled_and_uses_kept(folder: CacheFolder) -> None:
    name = sha256(BODY)
    rest(folder.place(name))
    for wrong in (1, 1 << 40):
        folder.correct(name, wrong, used_s=7)
        used_s = folder.entries()[0].used_s
        assert 1 == look(folder).settled
        assert [(len(BODY), used_s)] == [(entry.bytes, entry.used_s) for entry in folder.entries()]


def test_bytes_on_their_way_stay_counted_while_somebody_has_it_open(folder: CacheFolder) -> None:
    place = add_partial(folder, 0)
    name = folder.partial_name(place.name)
    other = folder.open(name, len(BODY))
    assert other is not None
    folder.reserve(name, 1 << 20)
    assert (0, 2 << 20) == (look(folder).settled, counted(folder)[name])
    folder.correct(name, 5, used_s=1)
    assert (1, 1 << 20) == (look(folder).settled, counted(folder)[name])
    folder.reserve(name, 1 << 20)
    other.close()
    assert (1, 1 << 20) == (look(folder).settled, counted(folder)[name])
