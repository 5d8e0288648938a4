"""What is in a feed, and whom its secret lets in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import FeedAddress, Story
from jobs.queries import feed
from jobs.queue import erasure
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return make_user("alice")


def saved(owner: User, *, hours_ago: float = 1, **facts: object) -> Story:
    """A story that was saved so long ago."""
    item = make_item(make_job(owner=owner), state=ItemState.DONE)
    at = timezone.now() - timedelta(hours=hours_ago)
    return make_story(item, **({"state": ItemState.DONE, "captured_at": at} | facts))


def test_there_is_none_until_somebody_asks(alice: User) -> None:
    assert feed.address_of(alice.pk) is None
    assert feed.reader_of("") is None


def test_a_secret_opens_its_owners_feed_and_is_kept_nowhere(alice: User) -> None:
    secret = feed.renew(alice.pk)
    assert feed.reader_of(secret) == alice
    assert secret not in str(FeedAddress.objects.values().get())


def test_a_new_address_ends_the_old_one(alice: User) -> None:
    old = feed.renew(alice.pk)
    new = feed.renew(alice.pk)
    assert feed.reader_of(old) is None
    assert feed.reader_of(new) == alice


def test_switched_off_it_opens_for_nobody(alice: User) -> None:
    secret = feed.renew(alice.pk)
    feed.switch_off(alice.pk)
    feed.switch_off(alice.pk)
    assert feed.reader_of(secret) is None


def test_a_blocked_person_has_none(alice: User) -> None:
    secret = feed.renew(alice.pk)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert feed.reader_of(secret) is None


@pytest.mark.parametrize("secret", ["", "x" * 101, "é", "\0", "' OR 1=1 --"])
def test_what_is_no_secret_opens_nothing(alice: User, secret: str) -> None:
    feed.renew(alice.pk)
    assert feed.reader_of(secret) is None


def test_the_newest_saved_story_comes_first(alice: User) -> None:
    older, newer = saved(alice, hours_ago=5), saved(alice, hours_ago=2)
    saved(alice, state=ItemState.FAILED)
    saved(make_user("bob"))
    assert list(feed.saved_stories(alice.pk)) == [newer, older]


def test_a_forgotten_job_is_not_in_it(alice: User) -> None:
    story = saved(alice)
    erasure.erase(story.item.job)
    assert feed.saved_stories(alice.pk) == []


def test_it_ends_somewhere(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "STORIES", 2)
    for hours in range(3):
        saved(alice, hours_ago=hours + 1)
    assert len(feed.saved_stories(alice.pk)) == 2
