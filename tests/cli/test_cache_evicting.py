"""cache unpin, evict and clear: what they let go, what stays, and what they ask."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.cached import MIB, cache_folder, copies, counted, label, pinned
from tests.cli.command import Datomfs
from tests.mounts import StoredProject, Version, store_options


def versions(project: StoredProject) -> list[Version]:
    return project.tables["dm"]


# -- unpin ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("S", ["T/dm@cc"]),
        ("S/dm", ["S/lb@bb", "T/dm@cc"]),
        ("S/dm@aaaaaa", ["S/lb@bb", "T/dm@cc"]),
        ("bbbbbbbb", ["S/dm@aa", "T/dm@cc"]),
        ("3" * 64, ["S/dm@aa", "S/lb@bb"]),
        ("--all", []),
    ],
)
def test_pins_go_without_asking_any_store(datomfs: Datomfs, target: str, kept: list[str]) -> None:
    folder = cache_folder()
    for number, (name, digit) in enumerate((("S/dm", "a"), ("S/lb", "b"), ("T/dm", "c")), 1):
        folder.pin(str(number) * 64, f"{name}@{digit * 64}")
    folder.close()
    outcome = datomfs("cache", "unpin", target)
    assert (0, "") == (outcome.code, outcome.err)
    assert kept == [f"{name.partition('@')[0]}@{name[-2:]}" for name in sorted(pinned())]
    assert 3 - len(kept) == len(outcome.lines) - 1


def test_what_is_not_pinned_is_told_and_stops_no_other(datomfs: Datomfs) -> None:
    folder = cache_folder()
    folder.pin("1" * 64, f"S/dm@{'a' * 64}")
    folder.close()
    outcome = datomfs("cache", "unpin", "S/d", "S/dm@bbbbbb", "S/dm", "--json")
    assert 3 == outcome.code
    assert ["unpinned", "no pin of the cache is S/d", "no pin of the cache is S/dm@bbbbbb"] == [
        row.get("state") or row["error"] for row in outcome.json
    ]
    assert {} == pinned()


@pytest.mark.s3
def test_a_date_is_looked_up_in_the_store(datomfs: Datomfs, warm: StoredProject) -> None:
    first, last = versions(warm)
    datomfs("cache", "pin", label(warm, "dm", first), *store_options(warm))
    outcome = datomfs("cache", "unpin", "STUDY_001@20260301T000100Z", *store_options(warm))
    assert (0, {label(warm, "dm", last)}) == (outcome.code, set(pinned()))


# -- evict ---------------------------------------------------------------------------------------------------------


@pytest.mark.s3
def test_what_was_not_used_for_longest_goes_down_to_a_size_and_pins_stay(datomfs: Datomfs, warm: StoredProject) -> None:
    nothing = datomfs("cache", "evict", "--to", "1GiB", "--json")
    assert {"removed": 0, "removed_bytes": 0, "left_bytes": 2 * MIB + 100} == nothing.json
    assert ["removed  1, 2.0 MiB", "left     100 B"] == datomfs("cache", "evict", "--to", "0").lines
    assert copies(versions(warm)[1]) == counted()


@pytest.mark.s3
def test_what_is_named_goes_unless_it_is_pinned(datomfs: Datomfs, warm: StoredProject) -> None:
    first, last = versions(warm)
    targets = [label(warm, "dm", version) for version in (first, last)]
    outcome = datomfs("cache", "evict", *targets, *store_options(warm))
    assert ["removed", "kept"] == [line.split()[0] for line in outcome.lines[1:]]
    assert copies(last) == counted()
    outcome = datomfs("cache", "evict", *targets, "--pinned", *store_options(warm), "--json")
    assert ["not here", "removed"] == [row["state"] for row in outcome.json]
    assert ({}, {label(warm, "dm", last)}) == (counted(), set(pinned()))


def test_objects_are_named_by_their_hash_without_asking_any_store(datomfs: Datomfs) -> None:
    folder = cache_folder()
    names = ["a" * 64, folder.partial_name("a" * 64), "b" * 64]
    for name in names:
        folder.correct(name, 1, used_s=1)
    folder.close()
    assert 0 == datomfs("cache", "evict", "aaaaaaaa").code
    assert {"b" * 64: 1} == counted()


# -- clear ---------------------------------------------------------------------------------------------------------


@pytest.mark.s3
def test_all_copies_go_and_pins_stay_noted(datomfs: Datomfs, warm: StoredProject) -> None:
    asked = datomfs("cache", "clear")
    assert (2, copies(*versions(warm))) == (asked.code, counted())
    assert "give --yes" in asked.err
    assert {"removed_bytes": 2 * MIB + 100, "left_bytes": 0} == datomfs("cache", "clear", "--yes", "--json").json
    assert ({}, {label(warm, "dm", versions(warm)[1])}) == (counted(), set(pinned()))
    folder = cache_folder()
    assert not any(folder.place(version.parquet_sha or "").exists() for version in versions(warm))


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, {}), ("n", 130, {"a" * 64: 5})])
def test_a_person_is_asked(
    datomfs: Datomfs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str, code: int, left: dict[str, int]
) -> None:
    folder = cache_folder()
    folder.correct("a" * 64, 5, used_s=1)
    folder.close()
    (tmp_path / "answer").write_text(f"{answer}\n")
    with (tmp_path / "answer").open() as answers:
        monkeypatch.setattr(answers, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys, "stdin", answers)
        outcome = datomfs("cache", "clear")
    assert (code, left) == (outcome.code, counted())
    assert f"Remove 5 B from {folder.path}?" in outcome.err


@pytest.mark.parametrize(
    "words",
    [["unpin"], ["unpin", "--all", "S"], ["evict"], ["evict", "--to", "1GiB", "S"], ["evict", "--to", "1", "--pinned"]],
)
def test_what_cannot_be_meant_is_usage(datomfs: Datomfs, words: list[str]) -> None:
    outcome = datomfs("cache", *words)
    assert (2, "") == (outcome.code, outcome.out)
    assert "Usage: datomfs cache" in outcome.err
