"""Doing one thing for many: all results come, whatever fails."""

from __future__ import annotations

import threading

import pytest

from datomfs.cache.several import several
from datomfs.errors import FileMissing


def test_each_item_comes_with_its_result_or_its_error() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise FileMissing("three")
        return number * number

    results = dict(several(range(5), work, at_once=2))
    assert {0: 0, 1: 1, 2: 4, 4: 16} == {number: result for number, result in results.items() if number != 3}
    assert isinstance(results[3], FileMissing)


def test_as_many_work_at_once_as_were_asked_for() -> None:
    together = threading.Barrier(3, timeout=10)
    assert [0, 1, 2] == sorted(number for number, _ in several(range(3), lambda number: together.wait(), at_once=3))


def test_a_fault_of_ours_ends_it_all() -> None:
    with pytest.raises(ZeroDivisionError):
        list(several([1, 0], lambda number: 1 // number, at_once=1))


def test_nothing_is_begun_for_who_has_stopped_asking() -> None:
    begun: list[int] = []
    release = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number:
            release.wait(10)

    results = several(range(100), work, at_once=1)
    next(results)
    results.close()
    release.set()
    assert set(begun) <= {0, 1}
