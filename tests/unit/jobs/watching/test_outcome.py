"""What came of a look: jobs, coverage, and who the account is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from jobs.errors import StorageUnavailable
from jobs.files import capacity
from jobs.models import Artifact, Item, Job, Watch, WatchedAccount, WatchGap, WatchState
from jobs.queue import found
from jobs.watching import looks, watches
from jobs.watching.outcome import note_gone, note_list
from stories.structures import Author
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.watching.making import ANNA, account, claimed, sight, story, watching

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]
HOUR = timedelta(hours=1)


def test_new_stories_become_a_job_and_old_ones_do_not() -> None:
    old, new = story(1), story(2)
    watch = watching(seen=[old.id], note="for the album")
    look = claimed(watch)
    told = note_list(look, sight([old, new]))
    assert told is not None
    job = Job.objects.get()
    assert told.jobs == [(watch, job)]
    assert (job.owner, job.from_watch, job.watch) == (watch.owner, True, watch)
    assert job.note == "for the album"
    item = Item.objects.get()
    assert (item.line, item.only_ids, item.look_id) == ("@anna", new.id, look.look_id)
    assert item.target == {
        "kind": "user", "name": "anna", "user_id": ANNA.id, "sec_uid": ANNA.sec_uid,
    }  # fmt: skip
    watch.refresh_from_db()
    assert watch.seen == sorted([old.id, new.id])
    assert (watch.covered_until, watch.error_code) == (look.began_at, "")
    assert watch.next_at is not None
    assert watch.next_at > timezone.now()


def test_a_look_that_finds_nothing_leaves_no_trace_but_its_time() -> None:
    seen = story()
    watch = watching(seen=[seen.id])
    for stories in ([], [seen]):
        Watch.objects.update(next_at=timezone.now())
        told = note_list(claimed(watch), sight(stories))
        assert told is not None
        assert [*told.jobs, *told.gaps, *told.ended, *told.renamed] == []
    assert not Job.objects.exists()
    watch.refresh_from_db()
    assert watch.looked_at is not None
    account = WatchedAccount.objects.get()
    assert account.complete_at == watch.covered_until
    assert account.claimed_at is None


def test_what_could_not_be_saved_is_tried_again_as_long_as_it_is_listed() -> None:
    lost, fine = story(1), story(2)
    watch = watching()
    note_list(claimed(watch), sight([lost, fine]))
    item = Item.objects.get()
    Item.objects.update(state="partial", error_code="media_unavailable", settled_at=timezone.now())
    Job.objects.update(settled_at=timezone.now())
    Watch.objects.update(next_at=timezone.now())
    note_list(claimed(watch), sight([lost]))
    item.refresh_from_db()
    assert (item.state, item.tries) == ("queued", 0)
    assert Job.objects.get().settled_at is None
    for code, listed in (("media_unavailable", []), ("private_post", [lost])):
        Item.objects.update(state="failed", error_code=code)
        Watch.objects.update(next_at=timezone.now())
        note_list(claimed(watch), sight(listed))
        item.refresh_from_db()
        assert item.state == "failed"


def test_two_who_watch_an_account_share_one_look() -> None:
    new = story()
    watch, other = watching("nora"), watching("omar", seen=[])
    told = note_list(claimed(watch), sight([new]))
    assert told is not None
    assert {job.owner.username for _, job in told.jobs} == {"nora", "omar"}
    assert Item.objects.values_list("look_id", flat=True).distinct().count() == 1
    other.refresh_from_db()
    assert other.seen == [new.id]


def test_what_is_seen_is_kept_for_two_days() -> None:
    old, new = story(1, 49 * HOUR), story(2, 47 * HOUR)
    watch = watching(seen=[old.id, new.id, "no number"])
    note_list(claimed(watch), sight())
    watch.refresh_from_db()
    assert watch.seen == [new.id]


def test_what_is_listed_stays_known_though_the_clock_is_days_ahead() -> None:
    listed = story(1, 5 * HOUR)
    watch = watching(seen=[listed.id])
    look = claimed(watch)
    note_list(replace(look, began_at=look.began_at + 72 * HOUR), sight([listed]))
    watch.refresh_from_db()
    assert watch.seen == [listed.id]
    assert not Job.objects.exists()


def test_what_is_here_already_is_not_saved_again() -> None:
    """Somebody begins to watch an account whose stories they have just saved."""
    watch = watching(state=WatchState.CHECKING)
    saved, cleaned, other = story(1), story(2), story(3)
    item = make_item(make_job(watch.owner), state="done")
    make_artifact(make_story(item, tiktok_id=saved.id))
    make_artifact(make_story(item, tiktok_id=cleaned.id), removed_at=timezone.now())
    theirs = make_item(make_job(make_user("omar")), state="done")
    make_artifact(make_story(theirs, tiktok_id=other.id))
    note_list(claimed(watch), sight([saved, cleaned, other]))
    (line,) = Item.objects.exclude(only_ids="")
    assert line.only_ids.split() == [cleaned.id, other.id]
    kept = Artifact.objects.get(story__tiktok_id=saved.id)
    # As long as files may live that somebody saved by hand.
    assert kept.expires_at == kept.created_at + settings.STORYKEEP.artifact_ttl_max
    assert Artifact.objects.get(story__tiktok_id=other.id).expires_at < timezone.now() + 3 * HOUR
    watch.refresh_from_db()
    assert watch.seen == sorted([saved.id, cleaned.id, other.id])


@pytest.mark.parametrize("left_s", [-20, 20])
@pytest.mark.parametrize("others", [0, 1])
def test_what_is_about_to_go_is_saved_again(left_s: int, others: int) -> None:
    """The sweep comes soon, or has its id already. others: pictures that are here for long."""
    watch, listed = watching(), story(1)
    kept = make_story(make_item(make_job(watch.owner), state="done"), tiktok_id=listed.id)
    make_artifact(kept, expires_at=timezone.now() + timedelta(seconds=left_s))
    for _ in range(others):
        make_artifact(kept)
    note_list(claimed(watch), sight([listed]))
    assert Item.objects.filter(only_ids=listed.id).count() == 1


def test_what_its_owner_collected_is_not_saved_again_for_having_gone() -> None:
    watch, listed = watching(), story(1)
    kept = make_story(make_item(make_job(watch.owner), state="done"), tiktok_id=listed.id)
    now = timezone.now()
    make_artifact(kept, collected_at=now, removed_at=now)
    make_artifact(kept, position=2)
    make_artifact(kept, position=2, removed_at=now)  # saved once more since
    note_list(claimed(watch), sight([listed]))
    assert not Item.objects.filter(only_ids=listed.id).exists()


def test_a_line_of_a_watch_waits_for_what_people_asked_for_until_a_story_leaves() -> None:
    note_list(claimed(watching()), sight([story(age=4 * HOUR)]))
    item = Item.objects.get()
    left = timedelta(hours=24 - 4) - found.MIN_LEFT
    assert abs(item.asked_at - item.created_at - left) < timedelta(seconds=5)
    Item.objects.all().delete()
    Watch.objects.update(next_at=timezone.now())
    note_list(claimed(Watch.objects.get()), sight([story(2, 23.5 * HOUR)]))
    item = Item.objects.get()
    assert item.asked_at == item.created_at


@pytest.mark.parametrize("reason", ["held_back", "broken_off", "unreadable", "not_ready"])
def test_a_list_that_is_not_whole_covers_nothing_and_its_stories_are_saved(reason: str) -> None:
    before = timezone.now() - 5 * HOUR
    watch = watching(covered_until=before, failures=1)
    note_list(claimed(watch), sight([story()], left_out=[reason]))
    watch.refresh_from_db()
    assert watch.covered_until == before
    assert (watch.failures, bool(watch.error_code)) == (2, True)
    assert Job.objects.count() == 1
    assert WatchedAccount.objects.get().complete_at is None


def test_what_is_not_for_everyone_is_no_hole() -> None:
    watch = watching()
    note_list(claimed(watch), sight(left_out=["private", "age_restricted", "foreign"]))
    watch.refresh_from_db()
    assert watch.covered_until is not None


def test_a_hole_is_told() -> None:
    now = timezone.now()
    watch = watching(covered_until=now - 31 * HOUR)
    told = note_list(claimed(watch), sight())
    assert told is not None
    ((of, gap),) = told.gaps
    assert of == watch
    assert gap == WatchGap.objects.get()


def test_stories_there_is_no_room_for_are_found_again(set_env: SetEnv) -> None:
    new = story()
    watch = watching(covered_until=timezone.now() - HOUR)
    other = watching("omar")
    make_item(make_job(watch.owner))
    set_env(quota_active=1)
    note_list(claimed(watch), sight([new]))
    watch.refresh_from_db()
    other.refresh_from_db()
    assert (watch.seen, watch.error_code) == ([], "quota_exceeded")
    assert watch.covered_until != other.covered_until
    assert other.seen == [new.id]  # nobody else is kept from theirs
    set_env(quota_active=0)
    Watch.objects.update(next_at=timezone.now())
    note_list(claimed(watch), sight([new]))
    assert Job.objects.filter(owner=watch.owner, from_watch=True).count() == 1


def test_a_disk_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise StorageUnavailable

    monkeypatch.setattr(capacity, "require_room", away)
    note_list(claimed(watching()), sight([story()]))
    assert Job.objects.count() == 1


def test_a_look_that_was_given_away_writes_nothing() -> None:
    watch = watching()
    look = claimed(watch)
    looks.release(look)
    assert claimed(watch)
    assert note_list(look, sight([story()])) is None
    assert note_gone(look, "gone") is None
    assert not Job.objects.exists()
    watch.refresh_from_db()
    assert watch.looked_at is None


def test_a_watch_that_was_paused_meanwhile_stays_paused() -> None:
    watch = watching()
    look = claimed(watch)
    Watch.objects.update(state=WatchState.PAUSED, next_at=None)
    note_list(look, sight([story()]))
    watch.refresh_from_db()
    assert (watch.state, watch.next_at) == (WatchState.PAUSED, None)
    assert not Job.objects.exists()


# --- who the account is -------------------------------------------------------------------------


def test_a_first_look_says_who_a_name_is() -> None:
    name = WatchedAccount.objects.create(name="anna")
    watch = watching(of=name, state=WatchState.CHECKING)
    told = note_list(claimed(watch), sight([story()]))
    assert told is not None
    assert not told.renamed
    name.refresh_from_db()
    assert (name.tiktok_id, name.nickname, name.sec_uid) == (ANNA.id, "Anna", ANNA.sec_uid)
    watch.refresh_from_db()
    assert watch.state == WatchState.ACTIVE


def test_a_name_that_is_an_account_somebody_watches_joins_them() -> None:
    earlier = watching("omar", next_at=timezone.now() + HOUR)
    name = WatchedAccount.objects.create(name="anna")
    watch = watching(of=name, state=WatchState.CHECKING)
    told = note_list(claimed(watch), sight([story()]))
    assert told is not None
    assert [of for of, _ in told.jobs] == [watch]
    watch.refresh_from_db()
    assert watch.account_id == earlier.account_id
    assert watch.state == WatchState.ACTIVE
    assert WatchedAccount.objects.count() == 1
    earlier.refresh_from_db()
    assert earlier.looked_at is None  # another's look is not shown to them


def begun_by_another_name(**facts: Any) -> Watch:
    name = WatchedAccount.objects.create(name="anna")
    return watching(of=name, state=WatchState.CHECKING, every_s=43200, **facts)


@pytest.mark.parametrize("state", [WatchState.ACTIVE, WatchState.PAUSED])
def test_who_watches_an_account_by_its_former_name_goes_on_with_the_newer_wishes(
    state: WatchState,
) -> None:
    seen, new = story(1), story(2)
    earlier = watching(state=state, next_at=timezone.now() + HOUR, seen=[seen.id])
    note_list(claimed(begun_by_another_name()), sight([seen, new]))
    (left,) = Watch.objects.all()
    assert (left.pk, left.state, left.every_s) == (earlier.pk, WatchState.ACTIVE, 43200)
    assert left.next_at is not None
    assert left.next_at > timezone.now()
    assert Item.objects.get().only_ids == new.id
    assert WatchedAccount.objects.count() == 1


def test_one_that_had_ended_begins_anew_under_the_id_that_was_given_out() -> None:
    """What was seen, found and missed before stays known; nobody watched in between."""
    seen, new = story(1), story(2)
    now = timezone.now()
    earlier = watching(
        state=WatchState.ENDED, next_at=None, seen=[seen.id], covered_until=now - 300 * HOUR
    )
    gap = WatchGap.objects.create(watch=earlier, begins_at=now - 9 * HOUR, ends_at=now)
    job = make_job(earlier.owner, from_watch=True, watch=earlier)
    watch = begun_by_another_name()
    told = note_list(claimed(watch), sight([seen, new]))
    assert told is not None
    assert told.gaps == []
    (left,) = Watch.objects.all()
    assert (left.pk, left.state, left.account.tiktok_id) == (watch.pk, WatchState.ACTIVE, ANNA.id)
    assert left.seen == sorted([seen.id, new.id])
    assert list(left.gaps.all()) == [gap]
    job.refresh_from_db()
    assert job.watch == left
    assert WatchedAccount.objects.count() == 1


def test_a_renamed_account_goes_on_under_its_new_name_with_one_notice() -> None:
    watch, other = watching("nora"), watching("omar")
    renamed = Author(id=ANNA.id, name="anna.new", nickname="A")
    told = note_list(claimed(watch), sight([story()], renamed))
    assert told is not None
    assert sorted(told.renamed, key=str) == sorted([(watch, "anna"), (other, "anna")], key=str)
    assert account().name == "anna.new"
    assert set(Watch.objects.values_list("name", "nickname")) == {("anna.new", "A")}
    assert set(Item.objects.values_list("line", flat=True)) == {"@anna.new"}
    Watch.objects.update(next_at=timezone.now())
    again = note_list(claimed(watch), sight([], renamed))
    assert again is not None
    assert not again.renamed


def test_a_new_name_is_seen_by_a_look_of_ones_own() -> None:
    """Else who rests, or looks later, would know that somebody else watches."""
    watch = watching("nora")
    later = watching("omar", next_at=timezone.now() + HOUR)
    rests = watching("pia", state=WatchState.PAUSED, next_at=None)
    renamed = Author(id=ANNA.id, name="anna.new", nickname="A")
    note_list(claimed(watch), sight([], renamed))
    for other in (later, rests):
        other.refresh_from_db()
        assert (other.known_name, other.nickname) == ("anna", "")
    watches.resume(rests)
    told = note_list(claimed(rests), sight([], renamed))
    assert told is not None
    assert told.renamed == [(rests, "anna")]


def test_a_private_or_gone_account_ends_all_that_looked_at_it() -> None:
    watch, other = watching("nora"), watching("omar")
    later = watching("pia", next_at=timezone.now() + HOUR)
    rests = watching("quinn", state=WatchState.PAUSED, next_at=None)
    told = note_gone(claimed(watch), "private_account")
    assert told is not None
    assert set(told.ended) == {watch, other}
    ended = Watch.objects.filter(state=WatchState.ENDED)
    assert set(ended.values_list("owner__username", "error_code", "next_at")) == {
        ("nora", "private_account", None),
        ("omar", "private_account", None),
    }
    assert looks.due(timezone.now()) == []
    assert looks.due(timezone.now() + 2 * HOUR) == [later.account_id], "a look of their own"
    rests.refresh_from_db()
    assert rests.state == WatchState.PAUSED
