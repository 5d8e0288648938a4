"""Statistics: SQLite is asked to look at its tables at the start and hourly, at some rows each."""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils import timezone

from benchmarks.filling import fill, make_owners
from jobs.housekeeping import statistics, sweep
from jobs.housekeeping.statistics import REFRESH_EVERY_S, StatisticsRefresher
from tests.unit.jobs.database_work import on_sqlite, steps

pytestmark = pytest.mark.django_db


def rows_known() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tbl FROM sqlite_stat1")
        return {row[0] for row in cursor.fetchall()}


@on_sqlite
def test_a_sweep_has_sqlite_look_at_its_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "refresher", StatisticsRefresher())
    fill(make_owners(1), jobs=3)
    sweep.sweep(timezone.now())
    assert rows_known() >= {"jobs_job", "jobs_item", "jobs_story", "jobs_artifact"}


@on_sqlite
def test_it_looks_at_the_start_and_then_hourly() -> None:
    now = [0.0]
    refresher = StatisticsRefresher(lambda: now[0])
    assert refresher.refresh()
    assert not refresher.refresh()
    now[0] += REFRESH_EVERY_S
    assert refresher.refresh()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="PostgreSQL looks by itself")
def test_elsewhere_nothing_is_asked() -> None:
    assert not StatisticsRefresher().refresh()


@on_sqlite
def test_a_look_costs_the_same_however_many_rows_there_are() -> None:
    fill(make_owners(1), jobs=400)
    few = steps(StatisticsRefresher().refresh)
    fill(make_owners(1), jobs=1600)
    many = steps(StatisticsRefresher().refresh)
    assert 0 < many < 1.5 * few
