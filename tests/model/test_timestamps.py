"""Moments as documents spell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.model.timestamps import parse_timestamp_ns, render_timestamp


def test_a_moment_is_spelled_in_utc_to_the_second() -> None:
    moment = datetime(2026, 11, 20, 12, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert "2026-11-20T10:00:00Z" == render_timestamp(moment)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001  (hypothesis wants them naive)
def test_what_is_rendered_is_parsed_to_the_second(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC, microsecond=0)
    assert int(moment.timestamp()) * 1_000_000_000 == parse_timestamp_ns(render_timestamp(moment))


@pytest.mark.parametrize(
    "text", [None, "", "unknown", "2026-11-20", "2026-13-01T00:00:00Z", "2026-11-20T10:00:00", "2026-11-20 10:00:00Z"]
)
def test_what_cannot_be_read_is_zero_and_hides_nothing(text: str | None) -> None:
    assert 0 == parse_timestamp_ns(text)
