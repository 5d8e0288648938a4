"""Jobs in one state, and a page of them at a time."""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Item, Job
from jobs.queries import lists
from jobs.states import ItemState, job_state
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db

S = ItemState
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_filter_says_what_job_state_says(size: int) -> None:
    owner = make_user()
    expected: dict[ItemState, set[uuid.UUID]] = {state: set() for state in S}
    for states in itertools.combinations_with_replacement(S, size):
        job = Job(owner=owner)
        job.save()
        Item.objects.bulk_create(
            Item(job=job, owner=owner, position=place, line="x", kind="user", state=state)
            for place, state in enumerate(states, 1)
        )
        expected[job_state(states)].add(job.pk)
    for state in S:
        found = lists.in_state(Job.objects.all(), state)
        assert set(found.values_list("pk", flat=True)) == expected[state], state


def test_pages_follow_each_other_without_gap_or_double() -> None:
    owner = make_user()
    now = timezone.now()
    jobs = [make_job(owner, created_at=now - timedelta(seconds=n // 2)) for n in range(7)]
    seen: list[uuid.UUID] = []
    cursor: str | None = None
    sizes = []
    while True:
        ids, cursor = lists.page_of(Job.objects.all(), after=cursor, limit=3)
        seen += ids
        sizes.append(len(ids))
        if cursor is None:
            break
    assert sizes == [3, 3, 1]
    assert sorted(seen) == sorted(job.pk for job in jobs)
    ordered = Job.objects.order_by("-created_at", "-id").values_list("pk", flat=True)
    assert seen == list(ordered)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "_" * 32, " ", "AAA A"])
def test_a_cursor_that_is_none(cursor: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        lists.page_of(Job.objects.all(), after=cursor, limit=3)
