"""A feed's row is called by its beginning, never by its secret."""

from __future__ import annotations

from datetime import UTC, datetime

from jobs.models import FeedAddress


def test_it_says_since_when_it_is_there() -> None:
    row = FeedAddress(digest="d" * 64, created_at=datetime(2026, 11, 20, 14, 3, tzinfo=UTC))
    assert str(row) == "feed since 2026-11-20 14:03"
