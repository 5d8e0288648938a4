"""What people are told of their watches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Job, Watch, WatchedAccount, WatchState
from jobs.queue import notifying
from jobs.watching import looks, telling, watches
from jobs.watching.outcome import note_gone, note_list
from notices.kinds import Kind
from notices.models import Message, Preference, Webhook
from stories.structures import Author
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.watching.making import ANNA, claimed, sight, story, watching

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _nora_is_told() -> None:
    owner = make_user("nora", is_staff=True)
    Preference.objects.create(owner=owner)
    Webhook.objects.create(owner=owner, address="sealed", secret="sealed", host="x")


def told() -> list[tuple[str, dict[str, Any]]]:
    """What is in the outbox, in order."""
    rows = Message.objects.order_by("created_at").values_list("kind", "facts")
    return [(kind, facts) for kind, facts in rows]


def test_a_new_name_is_told_once() -> None:
    watch = watching()
    for name in ("anna.new", "anna.new"):
        Watch.objects.update(next_at=timezone.now())
        note_list(claimed(watch), sight(author=Author(id=ANNA.id, name=name)))
    assert told() == [(Kind.WATCH_RENAMED, {"old": "anna", "new": "anna.new"})]


def test_each_of_several_new_names_is_told() -> None:
    watch = watching()
    for name in ("b", "anna", "b"):
        Watch.objects.update(next_at=timezone.now())
        note_list(claimed(watch), sight(author=Author(id=ANNA.id, name=name)))
    assert [facts["new"] for _kind, facts in told()] == ["b", "anna", "b"]


def test_the_end_of_a_watch_is_told_with_its_reason() -> None:
    watch = watching(covered_until=timezone.now())
    note_gone(claimed(watch), "private_account")
    assert told() == [(Kind.WATCH_ENDED, {"author": "anna", "why": "private"})]


def test_a_watch_that_never_had_a_whole_list_is_told_to_end_all_the_same() -> None:
    """Its first list was partly readable, so there are jobs of it."""
    watch = watching(covered_until=None)
    note_gone(claimed(watch), "private_account")
    assert told() == [(Kind.WATCH_ENDED, {"author": "anna", "why": "private"})]


@pytest.mark.parametrize("lapsed", [False, True])
def test_the_hole_a_watch_ends_with_is_told(lapsed: bool) -> None:
    now = timezone.now()
    watch = watching(covered_until=now - 60 * HOUR)
    if lapsed:
        Watch.objects.update(renew_by=now)
        looks.tick(now)
    else:
        note_gone(claimed(watch), "private_account")
    assert [kind for kind, _facts in told()] == [Kind.WATCH_ENDED, Kind.WATCH_HOLE]
    assert watch.gaps.count() == 1


def test_who_has_just_asked_sees_that_it_cannot_be_and_is_not_told() -> None:
    watch = watching(of=WatchedAccount.objects.create(name="anna"), state=WatchState.CHECKING)
    note_gone(claimed(watch), "no_such_account")
    assert told() == []


def test_who_may_watch_no_longer_is_not_told_to_renew(set_env: SetEnv) -> None:
    now = timezone.now()
    watch = watching(renew_by=now + telling.RENEW_SOON - HOUR, next_at=now + 99 * HOUR)
    set_env(watches="admins")
    User.objects.update(is_staff=False)
    assert telling.tell_ending(now) == 0
    User.objects.update(is_staff=True)
    assert telling.tell_ending(now) == 1
    assert watch.owner_id == Message.objects.get().owner_id


def test_one_that_ends_soon_is_told_once_and_again_when_it_has_ended() -> None:
    now = timezone.now()
    watch = watching(renew_by=now + telling.RENEW_SOON + HOUR, next_at=now + 99 * HOUR)
    looks.tick(now)
    assert told() == []
    for minute in range(3):
        looks.tick(now + timedelta(hours=2, minutes=minute))
    looks.tick(watch.renew_by)
    assert [kind for kind, _ in told()] == [Kind.WATCH_RENEW_SOON, Kind.WATCH_ENDED]
    assert told()[1][1]["why"] == "lapsed"


def test_a_hole_is_told_with_its_times() -> None:
    now = timezone.now()
    watch = watching(covered_until=now - 30 * HOUR)
    note_list(claimed(watch), sight())
    ((kind, facts),) = told()
    assert kind == Kind.WATCH_HOLE
    assert facts["since"] == (now - 30 * HOUR).isoformat()
    assert Message.objects.get().rides


def test_a_hole_is_not_told_where_that_is_not_wanted() -> None:
    watch = watching(covered_until=timezone.now() - 30 * HOUR, notify=False)
    note_list(claimed(watch), sight())
    assert told() == []


def test_what_a_watch_found_is_told_by_its_job_unless_that_is_not_wanted() -> None:
    for notify in (False, True):
        watch = watching(notify=notify, of=WatchedAccount.objects.create(name=f"x{notify}"))
        job = make_job(watch.owner, watch=watch, from_watch=True)
        make_artifact(make_story(make_item(job, state="done", author_name="anna")))
        notifying.notify(Job.objects.filter(pk=job.pk), timezone.now())
        assert len(told()) == notify


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_is_told_of_a_watch_that_was_deleted(whole: bool) -> None:
    watch = watching(covered_until=timezone.now() - 30 * HOUR)
    note_list(claimed(watch), sight([story()]))
    assert told()
    if whole:
        watches.delete_all(watch.owner_id)
    else:
        watches.delete(watch)
    assert told() == []
