"""What a running source tells of itself, as plain values: `live_source` makes it, `report` puts it into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Activity:
    """The names of all projects as last listed; of those that were read, when (trio's clock) and whether their store
    has been away since; how often anything was read; how many payloads are open.
    """

    projects: Sequence[str]
    read: Mapping[str, tuple[float, bool]]
    read_count: int
    open_count: int
