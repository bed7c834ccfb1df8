"""What the cache tells of itself, how much more fits, and what leaves it first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datomfs.cache import upkeep
from datomfs.cache.folder import CacheFolder, Limits
from datomfs.errors import CacheUnusable

FIRST, SECOND, THIRD, FOURTH = (digit * 64 for digit in "abcd")
QUOTA = 1000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[CacheFolder]:
    """Four objects, the last being partial; the second is pinned, and one that is not here."""
    folder = CacheFolder(tmp_path / "cache", Limits(quota=QUOTA, min_free=0))
    for number, name in enumerate((FIRST, SECOND, THIRD, folder.partial_name(FOURTH)), 1):
        add(folder, name, 100 * number, used_s=number)
    folder.pin(SECOND, "S/dm@bb")
    folder.pin("e" * 64, "S/dm@ee")
    yield folder
    folder.close()


def add(folder: CacheFolder, name: str, size: int, used_s: float) -> None:
    place = folder.place(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(bytes(size))
    folder.correct(name, size, used_s)


def names(folder: CacheFolder) -> set[str]:
    return {entry.name for entry in folder.entries() if entry.is_object}


def test_a_cache_tells_what_it_holds(folder: CacheFolder) -> None:
    found = upkeep.summarize(folder)
    assert (1000, 3, 1) == (found.total, found.complete, found.partial)
    assert {"S/dm@bb": 200, "S/dm@ee": 0} == {entry.pin: entry.bytes for entry in found.pins}
    assert 200 == found.pinned_bytes
    assert (FIRST, folder.partial_name(FOURTH)) == (
        found.oldest and found.oldest.name,
        found.newest and found.newest.name,
    )


def test_an_empty_cache_has_nothing_old_or_new(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "other", Limits(QUOTA, 0))
    found = upkeep.summarize(folder)
    assert (0, 0, 0, None, None) == (found.total, found.complete, found.partial, found.oldest, found.newest)
    folder.close()


@pytest.mark.parametrize(
    ("kept", "room"), [(set(), QUOTA - 200), ({THIRD}, QUOTA - 500), ({SECOND, FOURTH, "f" * 64}, QUOTA - 600)]
)
def test_what_is_pinned_or_wanted_leaves_less_room(folder: CacheFolder, kept: set[str], room: int) -> None:
    assert room == upkeep.room(folder, kept)


def test_the_disk_bounds_the_room_too(folder: CacheFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be evicted is room as well as what is free."""
    wide = CacheFolder(folder.path, Limits(quota=1 << 62, min_free=30))
    monkeypatch.setattr(wide, "free", lambda: 100)
    assert 100 - 30 + 800 == upkeep.room(wide, ())
    monkeypatch.setattr(wide, "free", lambda: 0)
    assert 0 == upkeep.room(wide, (FIRST, THIRD, FOURTH))
    wide.close()


def test_what_was_not_used_for_longest_goes_first_and_no_more_than_needed(folder: CacheFolder) -> None:
    assert [FIRST, THIRD] == [entry.name for entry in upkeep.evict_to(folder, 600)]
    assert {SECOND, folder.partial_name(FOURTH)} == names(folder)
    assert 600 == folder.total()
    assert not folder.place(FIRST).exists()
    assert [] == upkeep.evict_to(folder, 600)


def test_pins_stay_though_the_size_is_not_reached(folder: CacheFolder) -> None:
    upkeep.evict_to(folder, 0)
    assert {SECOND} == names(folder)
    assert 200 == folder.total()


def test_what_is_named_goes_though_it_is_pinned_and_the_pin_stays(folder: CacheFolder) -> None:
    entries = [entry for entry in folder.entries() if entry.sha256 in (SECOND, "e" * 64)]
    assert [SECOND] == [entry.name for entry in upkeep.evict(folder, entries)]
    assert {SECOND, "e" * 64} == {pin.sha256 for pin in folder.pins()}


def test_all_goes_but_the_notes_of_pins(folder: CacheFolder) -> None:
    (folder.path / "incoming").mkdir()
    (folder.path / "incoming" / "part").write_bytes(b"part")
    folder.clear()
    assert (set(), 0) == (names(folder), folder.total())
    assert 2 == len(folder.pins())
    assert [] == [path for path in folder.path.iterdir() if path.is_dir()]


def test_an_object_that_cannot_be_removed_is_an_error_of_the_cache(
    folder: CacheFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(CacheUnusable, match="Read-only"):
        upkeep.evict_to(folder, 0)


def test_what_another_user_is_bringing_is_passed_over(folder: CacheFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.is_relative_to(folder.path / "partial"):
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert [FIRST, THIRD] == [entry.name for entry in upkeep.evict_to(folder, 0)]
    assert 600 == folder.total()
