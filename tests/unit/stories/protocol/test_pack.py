"""Versions and their order."""

from __future__ import annotations

from stories.protocol.pack import Version


def test_versions_are_ordered_by_day_and_then_by_number() -> None:
    versions = [
        Version("2026-11-30", 10),
        Version("2026-11-30", 9),
        Version("2027-01-01", 1),
        Version("2026-12-01", 1),
    ]
    assert [str(version) for version in sorted(versions)] == [
        "2026-11-30.9",
        "2026-11-30.10",
        "2026-12-01.1",
        "2027-01-01.1",
    ]
