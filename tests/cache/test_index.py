"""What the cache holds, in numbers: never more than its quota, and nothing goes that is pinned or in use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.cache.index import Entry, Index

QUOTA = 100
NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with closing(Index(tmp_path / "index.sqlite3")) as opened:
        yield opened


def reserve(index: Index, name: str, count: int, *in_use: str) -> tuple[bool, list[str]]:
    """Whether there was room, and what went for it."""
    gone: list[str] = []
    return index.reserve(name, count, quota=QUOTA, in_use=frozenset(in_use), remove=gone.append), gone


def sizes(index: Index) -> dict[str, int]:
    """Bytes by name."""
    return {entry.name: entry.bytes for entry in index.entries()}


def refuse(name: str) -> None:
    """For removing what cannot be removed."""
    raise PermissionError(name)


# -- room ----------------------------------------------------------------------------------------------------------


def test_room_is_counted_before_it_is_used_and_given_back(index: Index) -> None:
    assert (True, []) == reserve(index, "a", 60)
    assert (False, []) == reserve(index, "b", 41, "a")
    index.release("a", 20)
    assert (True, []) == reserve(index, "b", 41)
    assert ({"a": 40, "b": 41}, 81) == (sizes(index), index.total())


def test_the_longest_unused_goes_first_and_no_more_than_must(index: Index) -> None:
    for name in "abc":
        reserve(index, name, 30)
    assert (True, ["a"]) == reserve(index, "d", 25)
    assert {"b": 30, "c": 30, "d": 25} == sizes(index)


def test_use_is_seen_when_an_object_is_opened(index: Index) -> None:
    for name in "abc":
        reserve(index, name, 30)
    index.settle("a", 30)
    assert (True, ["b"]) == reserve(index, "d", 25)


def test_use_is_written_down_once_a_minute(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        reserve(index, name, 30)
    used = {entry.name: entry.used_s for entry in index.entries()}
    monkeypatch.setattr("time.time", lambda: used["a"] + 59)
    index.touch("a")
    assert used == {entry.name: entry.used_s for entry in index.entries()}
    monkeypatch.setattr("time.time", lambda: used["a"] + 61)
    index.touch("a")
    assert (True, ["b"]) == reserve(index, "d", 25)


def test_nothing_goes_in_vain(index: Index) -> None:
    for name in "abc":
        reserve(index, name, 30)
    assert (False, []) == reserve(index, "d", 80, "c")
    assert (False, []) == reserve(index, "d", QUOTA + 1)
    assert {"a": 30, "b": 30, "c": 30, "d": 0} == sizes(index)


def test_pins_stay_also_before_their_object_is_there(index: Index) -> None:
    index.pin("a", "STUDY_001/dm@1234")
    assert [Entry("a", 0, 0, "STUDY_001/dm@1234")] == list(index.entries())
    reserve(index, "a", 50)
    reserve(index, "b", 50)
    assert (True, ["b"]) == reserve(index, "c", 10)
    assert (False, []) == reserve(index, "d", 60)
    assert index.unpin("a")
    assert not index.unpin("a")
    assert (True, ["a"]) == reserve(index, "d", 60)


def test_what_cannot_be_removed_is_passed_over(index: Index) -> None:
    """As what another user is bringing, in a cache that a group shares."""
    for name in "abc":
        reserve(index, name, 30)
    gone: list[str] = []

    def remove(name: str) -> None:
        if name == "a":
            refuse(name)
        gone.append(name)

    assert index.reserve("d", 35, quota=QUOTA, in_use=frozenset(), remove=remove)
    assert (["b"], {"a": 30, "c": 30, "d": 35}) == (gone, sizes(index))


def test_where_nothing_can_be_removed_there_is_no_room(index: Index) -> None:
    for name in "abc":
        reserve(index, name, 30)
    assert not index.reserve("d", 35, quota=QUOTA, in_use=frozenset(), remove=refuse)
    assert {"a": 30, "b": 30, "c": 30, "d": 0} == sizes(index)


def test_eviction_goes_as_far_as_it_can(index: Index) -> None:
    for name in "abc":
        reserve(index, name, 30)
    gone: list[str] = []
    assert 60 == index.evict(1000, in_use=frozenset("b"), remove=gone.append)
    assert ["a", "c"] == gone
    assert 0 == index.evict(1000, in_use=frozenset("b"), remove=gone.append)


def test_a_renamed_object_takes_a_place_and_is_counted_as_it_is(index: Index) -> None:
    """Another process may have counted some of it under the old name, and some under the new one."""
    reserve(index, "1000/x", 10)
    reserve(index, "x", 50)
    index.rename("1000/x", "x", 60, move=lambda: True)
    assert {"x": 60} == sizes(index)


def test_an_object_whose_files_did_not_move_is_counted_as_before(index: Index) -> None:
    reserve(index, "1000/x", 10)
    assert not index.rename("1000/x", "x", 60, move=lambda: False)
    assert {"1000/x": 10} == sizes(index)


def test_nothing_is_evicted_while_the_files_of_an_object_move(index: Index, tmp_path: Path) -> None:
    """Half of them would go, and the other half be counted by nobody."""
    other, order = Index(tmp_path / "index.sqlite3"), []
    reserve(index, "1000/x", 10)
    eviction = Thread(target=other.evict, args=(10,), kwargs={"in_use": frozenset(), "remove": order.append})

    def move() -> bool:
        eviction.start()
        eviction.join(0.2)
        order.append("moved")
        return True

    assert index.rename("1000/x", "x", 10, move=move)
    eviction.join()
    other.close()
    assert ["moved", "x"] == order


def test_settling_counts_what_is_there_but_nobodys_room(index: Index) -> None:
    reserve(index, "a", 50)
    index.settle("a", 30, at_least=True)
    assert 50 == index.total()
    index.settle("a", 30)
    assert 30 == index.total()
    index.settle("a", 40, at_least=True)
    assert 40 == index.total()


def test_releasing_more_than_was_counted_counts_nothing(index: Index) -> None:
    reserve(index, "a", 10)
    index.release("a", 11)
    index.release("gone", 11)
    assert ({"a": 0}, 0) == (sizes(index), index.total())


def test_what_remove_fails_with_leaves_all_as_it_was(index: Index) -> None:
    reserve(index, "a", 60)

    def fail(name: str) -> None:
        raise ValueError(name)

    with pytest.raises(ValueError, match="a"):
        index.reserve("b", 60, quota=QUOTA, in_use=frozenset(), remove=fail)
    assert {"a": 60} == sizes(index)
    assert (True, ["a"]) == reserve(index, "b", 60)


# -- any order -----------------------------------------------------------------------------------------------------

names = st.sampled_from(NAMES)
counts = st.integers(0, 60)
steps = st.one_of(
    st.tuples(st.just("reserve"), names, counts, st.frozensets(names)),
    st.tuples(st.sampled_from(["settle", "release"]), names, counts),
    st.tuples(st.just("rename"), names, names, counts),
    st.tuples(st.sampled_from(["delete", "unpin", "touch"]), names),
    st.tuples(st.just("pin"), names, st.just("label")),
    st.tuples(st.just("evict"), counts, st.frozensets(names)),
)


@given(st.lists(steps, max_size=25))
def test_the_quota_holds_and_the_total_is_the_sum_whatever_happens(made: list[tuple[Any, ...]]) -> None:
    with closing(Index(Path(":memory:"))) as index:
        for verb, *arguments in made:
            before, pins = sizes(index), {entry.name for entry in index.entries() if entry.pin}
            if verb in ("reserve", "evict"):
                _check_eviction(index, verb, arguments, before, pins)
            else:
                options = {"move": lambda: True} if verb == "rename" else {}
                getattr(index, verb)(*arguments, **options)
            assert sum(sizes(index).values()) == index.total()
            assert min(sizes(index).values(), default=0) >= 0


def _check_eviction(index: Index, verb: str, arguments: list[Any], before: dict[str, int], pins: set[str]) -> None:
    *whom, in_use = arguments
    gone: list[str] = []
    if verb == "evict":
        before_total = index.total()
        assert before_total - index.evict(*whom, in_use=in_use, remove=gone.append) == index.total()
    else:
        name, count = whom
        if index.reserve(name, count, quota=QUOTA, in_use=in_use, remove=gone.append):
            assert index.total() <= QUOTA
            assert before.get(name, 0) + count == sizes(index)[name]
        else:
            assert {**before, name: before.get(name, 0)} == sizes(index)
            assert [] == gone
        assert name not in gone
    assert set() == set(gone) & (pins | in_use)


# -- a hundred thousand objects ------------------------------------------------------------------------------------


class _Counting(sqlite3.Connection):
    """Counts the steps of SQLite's machine, in hundreds."""

    hundreds = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.set_progress_handler(self._count, 100)

    def _count(self) -> None:
        _Counting.hundreds += 1


def test_a_hundred_thousand_objects_are_not_walked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "index.sqlite3"
    Index(path).close()
    with closing(sqlite3.connect(path)) as database, database:
        rows = ((f"{number:064x}", 1000, number) for number in range(100_000))
        database.executemany("INSERT INTO objects VALUES (?, ?, ?)", rows)
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **options: real(*given, factory=_Counting, **options))
    with closing(Index(path)) as index:
        assert 100_000_000 == index.total()
        gone: list[str] = []
        assert index.reserve("new", 2500, quota=100_000_000, in_use=frozenset(), remove=gone.append)
        index.settle(f"{5:064x}", 1000)
        index.rename(f"{6:064x}", f"{7:064x}", 1000, move=lambda: True)
        assert index.find(f"{9:064x}") == Entry(f"{9:064x}", 1000, 9, None)
    assert [f"{number:064x}" for number in range(3)] == gone
    assert _Counting.hundreds < 20
