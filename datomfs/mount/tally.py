"""What the kernel asked of a mount and what it was told, in numbers. Counts; decides nothing."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Requests since the mount began: by operation, errors by the name of their errno, and the bytes that were read.

    Touched by the trio thread alone.
    """

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.bytes_read = 0
