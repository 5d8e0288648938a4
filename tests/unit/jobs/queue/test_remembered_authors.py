"""Remembered authors: dropped once no line is about them, whoever's line it was."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.ephemeral.connection import RedisUnavailable
from jobs.housekeeping import sweep
from jobs.models import Job
from jobs.queue import erasure, remembered_authors
from jobs.states import ItemState
from jobs.upstream import identities
from tests.factories import make_item, make_job, make_user
from tests.memory import redis_stays_away

pytestmark = pytest.mark.django_db


class Memory:
    """Stands in for Redis: the names it remembers."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def remembered(self) -> list[str]:
        return list(self.names)

    def drop(self, names: list[str]) -> None:
        assert names
        self.names = [name for name in self.names if name not in names]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """A memory of one author, `one`."""
    made = Memory("one")
    monkeypatch.setattr(identities, "remembered", made.remembered)
    monkeypatch.setattr(identities, "drop", made.drop)
    return made


def line_about(name: str, job: Job, **facts: object) -> None:
    make_item(job, name="x", author_name=name, state=ItemState.DONE, **facts)


def test_a_forgotten_author_is_dropped_at_once(memory: Memory) -> None:
    job = make_job()
    line_about("One", job)
    assert remembered_authors.drop_unneeded() == 0
    assert memory.names == ["one"]
    erasure.erase(job)
    assert memory.names == []


def test_an_author_of_somebody_elses_line_stays(memory: Memory) -> None:
    mine, theirs = make_job(), make_job(make_user("bob"))
    line_about("one", mine)
    line_about("one", theirs)
    erasure.erase_all(mine.owner_id)
    assert memory.names == ["one"]
    erasure.erase_all(theirs.owner_id)
    assert memory.names == []


def test_an_author_stays_whose_name_a_line_that_waits_asks_for(memory: Memory) -> None:
    make_item(name="one")
    assert remembered_authors.drop_unneeded() == 0


def test_a_job_that_is_marked_counts_no_more(memory: Memory) -> None:
    job = make_job()
    line_about("one", job)
    Job.objects.filter(pk=job.pk).update(erased_at=timezone.now())
    assert remembered_authors.drop_unneeded() == 1


def test_a_line_of_the_day_before_yesterday_counts_no_more(memory: Memory) -> None:
    line_about("one", make_job(), settled_at=timezone.now() - timedelta(days=2))
    assert remembered_authors.drop_unneeded() == 1


def test_more_authors_than_one_query_asks_for(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered_authors, "_BATCH", 2)
    memory.names = ["one", "two", "three", "four", "five"]
    line_about("three", make_job())
    line_about("five", make_job())
    assert remembered_authors.drop_unneeded() == 3
    assert memory.names == ["three", "five"]


def test_the_sweep_drops_what_was_missed(memory: Memory) -> None:
    sweep.sweep(timezone.now())
    assert memory.names == []


def test_without_redis_forgetting_works(monkeypatch: pytest.MonkeyPatch) -> None:
    redis_stays_away()
    with pytest.raises(RedisUnavailable):
        identities.remembered()
    job = make_job(links=1)
    erasure.erase(job)
    assert not Job.objects.filter(pk=job.pk).exists()
