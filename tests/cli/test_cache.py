"""cache status and cache verify: what they tell of a cache, and what they put right."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cached import MIB, cache_folder, copies, counted, label
from tests.cli.command import Datomfs
from tests.mounts import StoredProject, Version, sha256, store_options

MANY = 100_000


def versions(project: StoredProject) -> list[Version]:
    return project.tables["dm"]


def fill(count: int) -> None:
    """Entries for so many objects, in no time."""
    folder = cache_folder()
    folder.total()
    with sqlite3.connect(folder.path / "index.sqlite3") as database:
        rows = ((sha256(str(number).encode()), 1000, number + 1) for number in range(count))
        database.executemany("INSERT INTO objects VALUES (?, ?, ?)", rows)
    database.close()
    folder.close()


class Watch:
    """What is opened or listed while it looks. Python never takes an audit hook out again, so there is only one."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is not None and event in ("open", "os.listdir", "os.scandir"):
            self.seen.append(f"{arguments[0]}{'' if event == 'open' else '/*'}")


@pytest.fixture(scope="session")
def watch() -> Watch:
    return Watch()


# -- status --------------------------------------------------------------------------------------------------------


@pytest.mark.s3
def test_status_tells_what_the_cache_holds(datomfs: Datomfs, warm: StoredProject) -> None:
    first, last = versions(warm)
    told = datomfs("cache", "status", "--cache-size", "3MiB", "--json").json
    folder = cache_folder()
    used = {entry.name: entry.used_s for entry in folder.entries()}
    assert used[first.parquet_sha] < used[last.parquet_sha]
    assert {
        "folder": str(folder.path),
        "size_bytes": 3 * MIB,
        "used_bytes": 2 * MIB + 100,
        "min_free_bytes": 1 << 30,
        "complete": 2,
        "partial": 0,
        "pinned_bytes": 100,
        "pins": [{"label": label(warm, "dm", last), "sha256": last.parquet_sha, "bytes": 100}],
    } == {name: value for name, value in told.items() if name not in ("disk_free_bytes", "oldest", "newest")}
    assert (first.parquet_sha, 2 * MIB) == (told["oldest"]["name"], told["oldest"]["bytes"])
    assert (last.parquet_sha, 100) == (told["newest"]["name"], told["newest"]["bytes"])
    assert told["disk_free_bytes"] > 0
    folder.close()


def test_status_tells_people_sizes_in_units(datomfs: Datomfs) -> None:
    folder = cache_folder()
    folder.correct("a" * 64, 5 * MIB, used_s=1_770_000_000)
    folder.correct(folder.partial_name("b" * 64), 1536, used_s=1_780_000_000)
    folder.pin("a" * 64, f"S/dm@{'c' * 64}")
    folder.close()
    lines = datomfs("cache", "status").lines
    assert [
        f"folder     {folder.path}",
        "used       5.0 MiB of 50.0 GiB",
        "objects    2, 1 of them partial",
        "last used  2026-02-02T02:40:00Z to 2026-05-28T20:26:40Z",
        "pinned     1, 5.0 MiB",
        "pins       S/dm@cccccccc=5.0 MiB",
    ] == [line for line in lines if not line.startswith("disk free")]


def test_an_empty_cache_has_a_status_too(datomfs: Datomfs) -> None:
    told = datomfs("cache", "status", "--json").json
    assert (0, 0, [], None, None) == tuple(
        told[name] for name in ("used_bytes", "complete", "pins", "oldest", "newest")
    )


def test_status_opens_nothing_but_the_index_however_much_there_is(datomfs: Datomfs, watch: Watch) -> None:
    fill(MANY)
    folder = cache_folder()
    folder.place("a" * 64).parent.mkdir(parents=True)
    watch.seen = []
    told = datomfs("cache", "status", "--json").json
    seen, watch.seen = watch.seen, None
    assert (MANY, 1000 * MANY) == (told["complete"], told["used_bytes"])
    # The folder itself is opened to be locked; to list it, or to look at anything else in it, would be another matter.
    inside = [path for path in seen if path.startswith(f"{folder.path}/")]
    assert [] == [path for path in inside if "index.sqlite3" not in path]


def test_a_cache_that_cannot_be_used_is_an_error(datomfs: Datomfs, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for words in (["status"], ["verify"], ["clear", "--yes"], ["evict", "--to", "1GiB"], ["unpin", "--all"]):
        outcome = datomfs("cache", *words, "--cache-dir", tmp_path / "file")
        assert (4, "") == (outcome.code, outcome.out)
        assert f"the cache {tmp_path}/file cannot be used" in outcome.err


# -- verify --------------------------------------------------------------------------------------------------------


@pytest.mark.s3
@pytest.mark.expected_warnings
def test_damage_is_named_dropped_and_comes_again(datomfs: Datomfs, warm: StoredProject) -> None:
    first, last = versions(warm)
    folder = cache_folder()
    place = folder.place(first.parquet_sha or "")
    with place.open("r+b") as file:
        file.write(b"\xff\x00")
    outcome = datomfs("cache", "verify", "--json")
    assert (5, f"damaged objects in the cache {folder.path}: 1") == (outcome.code, outcome.err.splitlines()[0][9:])
    assert {
        "folder": str(folder.path), "objects": 1, "bytes": 100, "counted": 0, "settled": 0, "forgotten": 0,
        "leftover_bytes": 0, "unread": 0,
    } == {name: value for name, value in outcome.json.items() if name != "damaged"}  # fmt: skip
    (damage,) = outcome.json["damaged"]
    assert (first.parquet_sha, str(place), 2 * MIB, True) == tuple(
        damage[name] for name in ("name", "path", "bytes", "removed")
    )
    assert copies(last) == counted()
    datomfs("cache", "warm", label(warm, "dm", first), *store_options(warm))
    assert (0, copies(first, last)) == (datomfs("cache", "verify").code, counted())
    folder.close()


@pytest.mark.s3
def test_a_quick_look_reads_no_objects_and_puts_the_index_right(
    datomfs: Datomfs, warm: StoredProject, watch: Watch
) -> None:
    folder = cache_folder()
    (folder.path / "incoming").mkdir()
    (folder.path / "incoming" / "part").write_bytes(bytes(1500))
    folder.correct("a" * 64, 7, used_s=1)
    folder.forget(versions(warm)[0].parquet_sha or "")
    folder.close()
    watch.seen = []
    outcome = datomfs("cache", "verify", "--quick")
    seen, watch.seen = watch.seen, None
    assert (0, "") == (outcome.code, outcome.err)
    assert ["folder", "good", "counted", "forgotten", "leftovers"] == [line.split()[0] for line in outcome.lines]
    assert ["2,", "2.0", "MiB", "1", "1", "1.5", "KiB", "removed"] == " ".join(
        line[11:].strip() for line in outcome.lines[1:]
    ).split()
    assert copies(*versions(warm)) == counted()
    objects = {str(folder.place(version.parquet_sha or "")) for version in versions(warm)}
    assert set() == objects & set(seen)
