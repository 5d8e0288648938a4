"""What is printed says what was measured."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import report

MIB = 1024**2


def _run(wall_s: float, strangers: float = 0.0) -> dict[str, Any]:
    return {
        "wall_s": wall_s,
        "cpu_s": {"worker": 3.0, "web": 0.5},
        "peak_pss_mib": {"worker": 150.0, "total": 260.0},
        "fake_cpu_s": 0.25,
        "strangers": strangers,
        "files": 140,
        "size_bytes": 128 * MIB,
        "page": {"polls": {200: 2, 304: 1}, "wire_bytes": {200: 40_000, 304: 900}},
        "api": {"polls": {}, "wire_bytes": {}},
    }


def _scenario(**run: float) -> dict[str, Any]:
    return {
        "about": "twenty authors",
        "aim": 2.2,
        "ratio": 2.0,
        "warm_ratio": 1.9,
        "curl": [{"wall_s": 1.0, "cpu_s": 0.25}],
        "fresh": [_run(2.0, **run)],
        "warm": [_run(1.9, **run)],
        "rest_pss_mib": {"worker": 100.0},
    }


def test_a_job_is_told_by_ratio_cpu_memory_and_polls(capsys: pytest.CaptureFixture[str]) -> None:
    report.scenario(_scenario())
    said = capsys.readouterr().out
    assert "140 files, 128 MiB" in said
    assert "ratio to curl: 2.00, warm 1.90 (aim 2.2)" in said
    assert "28.0" in said  # 3.5 CPU seconds for an eighth of a GiB
    assert "worker 150, total 260" in said
    assert "2 x 200 of 20.0 kB, 1 x 304 of 0.9 kB" in said
    assert "trusted" not in said


def test_a_machine_busy_with_other_things_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    report.scenario(_scenario(strangers=0.4))
    assert "other processes had 40% of the CPUs" in capsys.readouterr().out


def test_a_cost_that_was_broken_off_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    ended = {"cpu_ms": 2.0, "statements": 3, "wire_bytes": 1500, "ended": True}
    broken_off = ended | {"cpu_ms": 10_000.0, "ended": False}
    table = {"1": {"home": ended}, "20000": {"home": broken_off}}
    report.growth({"sqlite": {"queue": table, "jobs": table, "large_job": {"forget": ended}}})
    said = capsys.readouterr().out
    assert "20,000" in said
    assert "> 10000.0 / 3" in said


def test_looking_at_forty_accounts_has_limits(capsys: pytest.CaptureFixture[str]) -> None:
    fine = {"cpu_ms": 20.0, "wire_bytes": 25_000}
    page = {"view": fine, "changed": fine | {"wire_bytes": 30_001}, "unchanged": fine}
    report.polls({"120": {"page": page, "api": page}})
    said = capsys.readouterr().out
    assert "forty accounts, view: 150 ms / 60 kB held" in said
    assert "forty accounts, changed: 150 ms / 30 kB MISSED" in said


def test_each_run_of_workers_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    run: dict[str, Any] = dict.fromkeys(
        ("lines_per_s", "statements", "key_checks", "redis_commands", "database_ms"), 17.25
    )
    run |= {f"{part}_cpu_ms": 3.5 for part in ("worker", "database", "fake")}
    run |= {"workers": 4, "lock_share": 0.031, "longest_wait_s": 0.2, "strangers": 0.5}
    run |= {"waits": 0, "deadlocks": 0}
    report.throughput_head()
    report.throughput(run)
    head, row = capsys.readouterr().out.splitlines()[-2:]
    assert len(head) == len(row)
    assert row.split()[:2] == ["4", "17.2"]
    assert "3.1%" in row
