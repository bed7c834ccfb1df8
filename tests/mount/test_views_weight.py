"""How much is remembered of what was read: by weight, those looked at longest ago going first."""

from __future__ import annotations

from collections.abc import Callable

import trio

from datomfs.mount.views import Views
from datomfs.mount.work import Work


def remembered(limit: int, weight: Callable[[int], int], *keys: int) -> list[int]:
    """The keys that are known after these were asked for, each being its own value."""

    async def work() -> list[int]:
        async with trio.open_nursery() as nursery:
            views: Views[int, int] = Views(Work(nursery, stall_s=30), refresh_s=60, limit=limit, weight=weight)
            for key in keys:
                assert key == await views.get(key, lambda key=key: answer(key), "a number")
            return sorted(views.keys)

    async def answer(key: int) -> int:
        return key

    return trio.run(work)


def test_as_many_are_remembered_as_the_limit_says() -> None:
    assert [3, 4, 5] == remembered(3, lambda value: 1, 1, 2, 3, 4, 5)


def test_those_looked_at_last_stay() -> None:
    assert [1, 4, 5] == remembered(3, lambda value: 1, 1, 2, 3, 1, 4, 1, 5)


def test_heavy_ones_take_the_place_of_several() -> None:
    assert [1, 6] == remembered(8, lambda value: value, 2, 3, 6, 1)


def test_one_that_is_too_heavy_is_remembered_alone() -> None:
    assert [100] == remembered(8, lambda value: value, 1, 2, 100)
    assert [1] == remembered(8, lambda value: value, 100, 1)
