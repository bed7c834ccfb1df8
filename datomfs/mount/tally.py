"""What the kernel asked of a mount and what it was told, in numbers. Counts; decides nothing."""

from __future__ import annotations

from collections import defaultdict


class Tally:
    """Requests since the mount began: by operation, errors by the name of their errno, and the bytes that were read.

    Touched by the trio thread alone.
    """

    def __init__(self) -> None:
        # A Counter costs three times as much for each of them.
        self.requests: defaultdict[str, int] = defaultdict(int)
        self.errors: defaultdict[str, int] = defaultdict(int)
        self.bytes_read = 0
