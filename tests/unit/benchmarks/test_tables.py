"""The tables of the documentation come from what was measured."""

from __future__ import annotations

from typing import Any

from benchmarks import tables

GIB = 1024**3


def _job(strangers: float) -> dict[str, Any]:
    run = {
        "cpu_s": {"worker": 3.0, "web": 1.0},
        "size_bytes": GIB // 8,
        "strangers": strangers,
        "peak_pss_mib": {"worker": 149.6},
    }
    return {
        "ratio": 2.125,
        "warm_ratio": 2.0,
        "fresh": [run],
        "warm": [run],
        "rest_pss_mib": {"worker": 101.0},
    }


def _cells(label: str, *columns: dict[str, Any]) -> list[str]:
    lines = [line.strip("| ").split(" | ") for line in tables.aims(columns)]
    return next(cells for name, *cells in lines if name.startswith(label))


def test_a_row_has_a_cell_for_each_measurement_and_a_dash_where_one_lacks_it() -> None:
    measured = {"real-b@24": _job(0.0)}
    assert _cells("(b) of curl, 24", measured, {}) == ["2.12 / 2.00", "–"]
    assert _cells("CPU of (b)", measured, {}) == ["4.0 s, 32 s/GiB", "–"]
    assert _cells("worker during", measured, {}) == ["150 / 101 MiB", "–"]


def test_a_ratio_of_a_busy_machine_is_not_printed() -> None:
    assert _cells("(b) of curl, 24", {"real-b@24": _job(0.5)}) == ["busy machine"]
    assert _cells("CPU of (b)", {"real-b@24": _job(0.5)}) == ["4.0 s, 32 s/GiB"]


def test_growth_says_what_did_not_come_to_an_end() -> None:
    ended = {"cpu_ms": 12.4, "wire_bytes": 2000, "ended": True}
    table = {"1": {"home": ended}, "20000": {"home": ended | {"ended": False}}}
    measured = {"sqlite": {"queue": table, "jobs": table, "large_job": {"forget": ended}}}
    lines = tables.growth({"growth": measured})
    assert "| home | 12 | not in 10 s |" in lines
    assert "| sqlite, jobs | 1 | 20,000 |" in lines
    assert "| forget | 12 | 2 |" in lines
