"""How well a payload is known: the words of the attribute `user.datom.verified` (design.md §2)."""

from __future__ import annotations

from enum import StrEnum


class Verified(StrEnum):
    """What has been seen of a payload's bytes so far."""

    FULL = "full"
    """All of them were hashed on this machine, and are the recorded ones."""

    ATTESTED = "attested"
    """The store attests the recorded SHA-256 for the object they come from."""

    PENDING = "pending"
    """Nothing is proven yet."""

    UNRECORDED = "unrecorded"
    """Nobody ever wrote down what the bytes were (before cv1, format.md §11.2)."""

    FAILED = "failed"
    """They are not the recorded ones, and are not served."""
