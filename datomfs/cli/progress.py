"""A bar on standard error for what takes its time: bytes, speed, and how long it will still take.

There is none where standard error is no terminal. Standard output is for results alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

OnProgress = Callable[[str, int], None]
"""Told the name of something, and how many of its bytes are done. May be called from any thread."""


@contextmanager
def progress_bar(text: str, total: int) -> Iterator[OnProgress]:
    """A bar up to `total` bytes, as long as the `with` lasts; nothing of it stays on the terminal."""
    if not sys.stderr.isatty() or not total:
        yield lambda name, count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )
    positions: dict[str, int] = {}
    lock = Lock()

    with bar:
        task = bar.add_task(text, total=total)

        def move(name: str, count: int) -> None:
            with lock:
                moved = count - positions.get(name, 0)
                positions[name] = count
            bar.advance(task, moved)

        yield move
