"""Tests for `jobs.watching.overview`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Watch, WatchedAccount, WatchGap, WatchState
from jobs.states import ItemState
from jobs.watching import overview
from jobs.watching.coverage import Gap
from jobs.watching.overview import InstanceNumbers, WatchView
from tests.factories import make_item, make_job, make_user
from tests.watched import DAY, HOUR, make_find, make_watch

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def alice() -> User:
    return make_user("alice")


def view(watch: Watch, **facts: object) -> WatchView:
    """The watch as its owner sees it, with these columns."""
    Watch.objects.filter(pk=watch.pk).update(**facts)
    (found,) = (view for view in overview.of_owner(watch.owner_id) if view.watch.pk == watch.pk)
    return found


def test_a_look_is_waited_for_until_it_has_ended_or_ten_minutes_are_over(alice: User) -> None:
    now = timezone.now()
    watch = make_watch(alice)
    assert not view(watch).busy
    assert view(watch, checked_at=now, looked_at=now - MINUTE).busy
    assert not view(watch, looked_at=now).busy
    assert view(watch, state=WatchState.CHECKING, created_at=now, checked_at=None).busy
    assert not view(watch, created_at=now - 11 * MINUTE).busy
    assert not view(watch, created_at=now, next_at=None).busy


def test_the_next_check_is_free_ten_minutes_after_the_last(alice: User) -> None:
    now = timezone.now()
    watch = make_watch(alice)
    assert view(watch).check_at is None
    assert view(watch, checked_at=now).check_at == now + 10 * MINUTE
    assert view(watch, checked_at=now - 11 * MINUTE).check_at is None
    assert view(watch, checked_at=now + DAY).check_at is None  # the clock was set back


def test_the_last_job_of_a_watch_is_what_it_found(alice: User) -> None:
    watch = make_watch(alice)
    assert view(watch).find is None
    make_find(alice, watch=watch, created_at=timezone.now() - DAY)
    job = make_job(alice, watch=watch, from_watch=True)
    make_item(job, name="nora", only_ids="1 2")
    find = view(watch).find
    assert find is not None
    assert (find.job_id, find.stories, find.saving) == (job.pk, 2, True)
    job.erased_at = timezone.now()
    job.save()
    find = view(watch).find
    assert find is not None
    assert (find.stories, find.saving) == (1, False)


def test_a_find_says_how_much_of_it_is_not_saved(alice: User) -> None:
    watch = make_watch(alice)
    job = make_find(alice, watch=watch, stories=3)
    item = job.items.get()

    def short() -> tuple[int, int, bool]:
        find = view(watch).find
        assert find is not None
        return find.unsaved, find.partly, find.short

    assert short() == (0, 0, False)
    item.stories.filter(position=1).update(state=ItemState.FAILED)
    item.stories.filter(position=2).update(state=ItemState.PARTIAL)
    assert short() == (1, 1, True)
    item.stories.filter(position=1).delete()  # TikTok took it back before it could be saved
    assert short() == (1, 1, True)
    job.items.update(state=ItemState.RUNNING)
    assert short() == (0, 0, False)
    item.stories.all().delete()
    job.items.update(state=ItemState.FAILED)
    assert short() == (3, 0, True)


def test_a_look_that_finds_nothing_is_news_after_a_find_or_a_wish(alice: User) -> None:
    now = timezone.now()
    watch = make_watch(alice, looked_at=now)
    assert view(watch).nothing_new_at is None
    assert view(watch, checked_at=now - MINUTE).nothing_new_at == now
    assert view(watch, checked_at=now + MINUTE).nothing_new_at is None
    job = make_find(alice, watch=watch)
    seen = view(watch)
    assert (seen.found_last, seen.nothing_new_at, seen.find_told) == (True, None, False)
    assert view(watch, checked_at=None).find_told
    job.items.update(created_at=now - HOUR)
    seen = view(watch)
    assert (seen.found_last, seen.nothing_new_at, seen.find_told) == (False, now, False)


def test_a_look_is_slow_after_two_minutes(alice: User) -> None:
    now = timezone.now()
    watch = make_watch(
        alice,
        state=WatchState.CHECKING,
        covered_until=None,
        looked_at=None,
        created_at=now,
        next_at=now,
    )
    assert (view(watch).waiting, view(watch).slow) == (True, False)
    seen = view(watch, created_at=now - HOUR, next_at=now - 3 * MINUTE)
    assert (seen.waiting, seen.slow) == (True, True)
    assert not view(watch, error_code="timed_out").waiting
    assert not view(watch, state=WatchState.PAUSED, error_code="", next_at=None).waiting


def test_more_may_be_watched_than_are_allowed_now(
    alice: User, set_env: Callable[..., None]
) -> None:
    for name in ("nora", "omar"):
        make_watch(alice, name)
    for most, over in ((2, False), (1, True)):
        set_env(watches_per_member=most)
        assert overview.limits(overview.of_owner(alice.pk)).over is over


def test_gaps_are_told_newest_first_and_on_the_days_they_touch(alice: User) -> None:
    now = timezone.now()
    watch = make_watch(alice, created_at=now - 30 * DAY, covered_until=now - 25 * HOUR)
    old = WatchGap.objects.create(watch=watch, begins_at=now - 12 * DAY, ends_at=now - 11 * DAY)
    new = WatchGap.objects.create(watch=watch, begins_at=now - 3.5 * DAY, ends_at=now - 2.5 * DAY)
    open_one = Gap(now - 25 * HOUR, None)
    recent = [open_one, Gap(new.begins_at, new.ends_at)]
    seen = view(watch)
    assert list(seen.gaps) == recent
    assert [len(day.holes) for day in seen.days] == [0, 0, 0, 1, 1, 1, 1]
    assert [day.covered for day in seen.days] == [True] * 3 + [False] * 4
    assert overview.gaps_of(watch) == [*recent, Gap(old.begins_at, old.ends_at)]


def test_one_that_never_began_was_refused(alice: User) -> None:
    watch = make_watch(alice, state=WatchState.ENDED, next_at=None)
    assert (view(watch).ended, view(watch).refused) == (True, False)
    assert view(watch, name="").refused
    assert not view(watch, name="nora", covered_until=None).refused  # no list was whole


def test_one_that_has_ended_is_left_out_while_it_is_watched_anew(alice: User) -> None:
    ended = make_watch(alice, state=WatchState.ENDED, next_at=None)
    assert [view.watch for view in overview.of_owner(alice.pk)] == [ended]
    account = WatchedAccount.objects.create(name="nora")
    anew = Watch.objects.create(
        owner=alice, account=account, every_s=21600, renew_by=timezone.now() + DAY
    )
    assert [view.watch for view in overview.of_owner(alice.pk)] == [anew]


def test_ended_watches_do_not_count(alice: User) -> None:
    make_watch(alice, "ended", state=WatchState.ENDED, next_at=None)
    make_watch(alice, "nora", tiktok_id="77")
    limits = overview.limits(overview.of_owner(alice.pk))
    assert (limits.used, limits.limit) == (1, 5)
    assert overview.watched_accounts(alice.pk) == {"77", "@nora"}


def test_who_needs_their_owner_comes_first_and_who_was_refused_last(alice: User) -> None:
    late = timezone.now() - 30 * HOUR
    make_watch(alice, "zoe")
    make_watch(alice, "ben", nickname="Yves")
    make_watch(alice, "anna", state=WatchState.ENDED, next_at=None, tiktok_id="")
    make_watch(alice, "rests", state=WatchState.PAUSED, next_at=None, covered_until=late)
    make_watch(alice, "late", covered_until=late)
    make_watch(alice, "failed", error_code="upstream_unavailable")
    names = [view.name for view in overview.of_owner(alice.pk)]
    assert names == ["failed", "late", "rests", "ben", "zoe", "anna"]


def test_when_it_was_looked_is_told_apart_where_that_covered_nothing(alice: User) -> None:
    now = timezone.now()
    watch = make_watch(alice, covered_until=now - MINUTE, looked_at=now)
    assert view(watch).looked_since is None
    assert view(watch, covered_until=now - HOUR).looked_since == now
    assert view(watch, covered_until=None).looked_since == now
    assert view(watch, state=WatchState.ENDED, name="").looked_since is None


def test_the_instance_is_told_in_numbers(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    now = timezone.now()
    with django_assert_num_queries(1):
        assert overview.of_instance(now) == InstanceNumbers(watches=0, with_holes=0, looks_a_day=0)
    alice, bob = make_user("alice"), make_user("bob")
    make_watch(alice, "fast", every_s=10800)
    make_watch(bob, "late", covered_until=now - 2 * DAY)
    make_watch(bob, "rests", state=WatchState.PAUSED, next_at=None)
    make_watch(bob, "ended", state=WatchState.ENDED, next_at=None, covered_until=now - 9 * DAY)
    holed = make_watch(alice, "holed")
    for days in (1, 2, 20):
        at = now - days * DAY
        WatchGap.objects.create(watch=holed, begins_at=at - HOUR, ends_at=at)
    with django_assert_num_queries(1):
        assert overview.of_instance(now) == InstanceNumbers(watches=4, with_holes=2, looks_a_day=16)
