"""Tests for `jobs.queries.uncollected`."""

from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Artifact, Role
from jobs.queries import uncollected
from tests.factories import make_artifact, make_user
from tests.unit.jobs.pages.pages import saved
from tests.watched import DAY, make_find

pytestmark = pytest.mark.django_db


def test_it_tells_of_files_that_wait_for_their_owner_and_of_no_others(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    alice, now = make_user("alice"), timezone.now()
    waiting = make_find(alice, "nora", stories=2, until=now + DAY)
    story = waiting.items.get().stories.first()
    make_artifact(story, role=Role.POSTER, content=b"p")
    gone, taken, erased = (make_find(alice, name) for name in ("gone", "taken", "erased"))
    Artifact.objects.filter(job=gone).update(removed_at=now)
    Artifact.objects.filter(job=taken).update(collected_at=now)
    erased.erased_at = now
    erased.save()
    make_find(make_user("bob"))
    make_find(alice, "over", until=now)
    saved(alice)  # which she asked for
    with django_assert_num_queries(1):
        found = uncollected.of_owner(alice.pk)
    assert [(new.job_id, new.name, new.stories, new.until) for new in found] == [
        (waiting.pk, "nora", 2, now + DAY)
    ]


def test_the_newest_come_first() -> None:
    alice = make_user("alice")
    jobs = [make_find(alice, name).pk for name in ("first", "second")]
    assert [new.job_id for new in uncollected.of_owner(alice.pk)] == jobs[::-1]
