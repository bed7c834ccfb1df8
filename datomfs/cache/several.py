"""Doing one thing for many, several at a time, in threads that nobody waits for when the process ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from datomfs.errors import DatomfsError

T = TypeVar("T")
R = TypeVar("R")


def several(items: Iterable[T], work: Callable[[T], R], *, at_once: int) -> Iterator[tuple[T, R | DatomfsError]]:
    """Each item with what `work` made of it, or with the error that came of it, in the order they are done.

    Any other exception ends it all. When the caller stops asking, nothing more is begun.
    """
    waiting = deque(items)
    done: SimpleQueue[tuple[T, R | Exception]] = SimpleQueue()

    def run() -> None:
        while True:
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                done.put((item, work(item)))
            except Exception as error:
                done.put((item, error))

    count = len(waiting)
    for _ in range(min(at_once, count)):
        Thread(target=run, name="datomfs-several", daemon=True).start()
    try:
        for _ in range(count):
            item, result = done.get()
            if isinstance(result, Exception) and not isinstance(result, DatomfsError):
                raise result
            yield item, result
    finally:
        waiting.clear()
