"""An author's picture is there for as long as its line, and no longer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from benchmarks.filling import fill_job
from jobs.files.deletion import DeletionTally
from jobs.housekeeping import sweep
from jobs.models import AuthorPicture, Item
from jobs.queue import erasure
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_user

pytestmark = pytest.mark.django_db


def pictured(owner: str = "alice") -> Item:
    """A settled line with a picture."""
    item = make_item(make_job(make_user(owner)), state=ItemState.DONE)
    AuthorPicture.objects.create(item=item, digest="d1", picture=b"face")
    return item


def test_it_goes_with_a_job_that_is_forgotten() -> None:
    item, other = pictured(), pictured("bob")
    erasure.erase(item.job)
    assert list(AuthorPicture.objects.values_list("pk", flat=True)) == [other.pk]


def test_it_goes_with_a_large_job_in_the_background() -> None:
    job = fill_job(make_user(), lines=2, stories=erasure.LARGE)
    for item in job.items.all():
        AuthorPicture.objects.create(item=item, digest="d1", picture=b"face")
    erasure.erase(job)
    erasure.erase_marked(DeletionTally(), rows=None)
    assert AuthorPicture.objects.count() == 0


def test_it_goes_with_an_account() -> None:
    item, other = pictured(), pictured("bob")
    item.owner.delete()
    assert list(AuthorPicture.objects.values_list("pk", flat=True)) == [other.pk]


def test_it_goes_when_the_time_of_a_job_is_over() -> None:
    item = pictured()
    long_ago = timezone.now() - settings.STORYKEEP.job_retention - timedelta(days=1)
    item.job.settled_at = long_ago
    item.job.save()
    sweep.sweep(timezone.now())
    assert AuthorPicture.objects.count() == 0
