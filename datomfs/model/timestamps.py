"""Moments as documents spell them: UTC to the second, `2026-11-20T10:00:00Z` (format.md §4.2)."""

from __future__ import annotations

from datetime import UTC, datetime

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def render_timestamp(moment: datetime) -> str:
    """An aware moment as documents spell it."""
    return moment.astimezone(UTC).strftime(_FORMAT)


def parse_timestamp_ns(text: str | None) -> int:
    """Nanoseconds since 1970, or 0 for what is absent or cannot be read: a wrong date must not hide a version."""
    try:
        moment = datetime.strptime(text or "", _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(moment.timestamp()) * 1_000_000_000
