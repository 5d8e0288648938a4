"""Residue: noted in the transaction that deletes, and settled only when nothing came since."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from jobs.files.deletion import DeletionTally
from jobs.queue import erasure, residue
from tests.factories import make_job
from tests.unit.jobs.database_work import on_sqlite

pytestmark = pytest.mark.django_db


@on_sqlite
def test_forgetting_a_job_leaves_something_to_be_done() -> None:
    residue.settle(residue.owed())
    assert residue.owed() == 0
    erasure.erase(make_job(links=1))
    assert residue.owed() == 1


@on_sqlite
def test_a_large_job_leaves_it_once_more_when_its_last_row_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(erasure, "LARGE", 0)
    erasure.erase(make_job(links=1))
    residue.settle(residue.owed())
    erasure.erase_marked(DeletionTally())
    assert residue.owed() == 1


@on_sqlite
def test_what_came_meanwhile_stays_owed() -> None:
    residue.note()
    number = residue.owed()
    residue.note()
    residue.settle(number)
    assert residue.owed() == number + 1
    residue.settle(number + 1)
    assert residue.owed() == 0


@on_sqlite
def test_what_was_not_deleted_in_the_end_is_not_owed() -> None:
    before = residue.owed()
    with transaction.atomic():
        residue.note()
        transaction.set_rollback(True)
    assert residue.owed() == before


@on_sqlite
def test_the_number_never_outgrows_its_place() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA user_version = {2**31 - 1}")
    residue.note()
    assert residue.owed() == 1


@pytest.mark.skipif(connection.vendor == "sqlite", reason="PostgreSQL is looked after in time")
def test_elsewhere_nothing_is_owed() -> None:
    residue.note()
    assert residue.owed() == 0
    residue.settle(0)
