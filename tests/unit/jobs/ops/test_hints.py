"""Hints: there is one for whatever a probe says."""

from __future__ import annotations

from jobs.ops import readiness
from jobs.ops.hints import DATABASE_HINTS, DISK_WORDS, REDIS_HINTS


def test_each_reason_has_a_hint() -> None:
    assert set(REDIS_HINTS) == {*readiness._REDIS_REASONS.values(), "refuses", "away"}
    by_database = {*readiness._SQLITE_REASONS.values(), *readiness._POSTGRESQL_REASONS.values()}
    assert set(DATABASE_HINTS) == {*by_database, "away"}
    assert set(DISK_WORDS) == {
        "not_mounted",
        "no_more_files",
        "not_writable",
        "store_away",
        "store_refuses",
        "store_missing",
        "store_full",
        "store_is_another",
    }
    assert all(message and hint for message, hint in DISK_WORDS.values())
