"""Pins: what they keep, under which names, and how they go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.cache.folder import CacheFolder, Limits
from datomfs.cache.index import Entry, Pin

FIRST, SECOND, THIRD = (digit * 64 for digit in "abc")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CacheFolder]:
    """A cache of 100 bytes."""
    folder = CacheFolder(tmp_path / "cache", Limits(quota=100, min_free=0))
    yield folder
    folder.close()


def names(folder: CacheFolder) -> list[str]:
    return sorted(entry.name for entry in folder.entries() if entry.is_object)


def test_what_is_pinned_is_not_evicted_for_others(folder: CacheFolder) -> None:
    folder.correct(FIRST, 60, used_s=1)
    folder.correct(SECOND, 30, used_s=2)
    folder.pin(FIRST, "S/dm@aa")
    assert folder.reserve(THIRD, 40)
    assert [FIRST, THIRD] == names(folder)
    assert not folder.reserve(SECOND, 50)


@pytest.mark.parametrize("stem", [FIRST, f"{FIRST}-0123456789abcdef"])
def test_a_pin_keeps_what_is_still_coming(folder: CacheFolder, stem: str) -> None:
    name = folder.partial_name(stem)
    folder.correct(name, 60, used_s=1)
    folder.pin(FIRST, "S/dm@aa")
    assert not folder.reserve(SECOND, 50)
    assert {name: "S/dm@aa"} == {entry.name: entry.pin for entry in folder.entries() if entry.bytes}


def test_versions_that_share_their_bytes_have_pins_of_their_own(folder: CacheFolder) -> None:
    folder.correct(FIRST, 60, used_s=1)
    folder.pin(FIRST, "S/dm@aa")
    folder.pin(FIRST, "S/dm@bb")
    folder.pin(FIRST, "S/dm@bb")
    assert "S/dm@aa, S/dm@bb" == folder.entries()[0].pin
    assert folder.unpin(FIRST, "S/dm@aa")
    assert [Pin(FIRST, "S/dm@bb")] == folder.pins()
    assert not folder.reserve(SECOND, 50)
    assert folder.unpin(FIRST)
    assert folder.reserve(SECOND, 50)


def test_a_pin_without_an_object_is_told_and_is_none(folder: CacheFolder) -> None:
    folder.pin(FIRST, "S/dm@aa")
    (entry,) = folder.entries()
    assert Entry(FIRST, 0, 0, "S/dm@aa") == entry
    assert (False, False, FIRST) == (entry.is_object, entry.is_complete, entry.sha256)


def test_what_is_not_pinned_cannot_be_unpinned(folder: CacheFolder) -> None:
    folder.pin(FIRST, "S/dm@aa")
    assert not folder.unpin(SECOND)
    assert not folder.unpin(FIRST, "S/dm@bb")


def test_an_object_that_is_being_brought_counts_as_used(folder: CacheFolder) -> None:
    """Another process that needs room takes what really lies unused."""
    folder.correct(FIRST, 10, used_s=1)
    folder.correct(SECOND, 10, used_s=2)
    folder.reserve(FIRST, 10)
    assert [SECOND, FIRST] == [entry.name for entry in folder.entries()]


def test_what_is_held_is_not_evicted_by_this_process(folder: CacheFolder) -> None:
    folder.correct(FIRST, 60, used_s=1)
    folder.hold(FIRST)
    assert not folder.reserve(SECOND, 50)
