"""What people do with their watches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.errors import HiddenName, QuotaExceeded, SeveralAccounts, WatchingOff
from jobs.models import Job, Watch, WatchedAccount, WatchGap, WatchingPause, WatchState
from jobs.queue import broker, routing
from jobs.watching import looks, rhythm, watches
from jobs.watching.watches import BadRhythm, begin
from stories.errors import InputError
from tests.factories import make_job, make_user
from tests.unit.jobs.watching.making import ANNA, watching

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def nora() -> User:
    """An admin."""
    return make_user("nora", is_staff=True)


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What is sent to the broker."""
    messages: list[tuple[str, Any]] = []

    def send(task: str, row_id: Any) -> bool:
        messages.append((task, row_id))
        return True

    monkeypatch.setattr(broker, "send", send)
    return messages


@pytest.mark.parametrize(
    "line", ["@Anna", "anna", "https://www.tiktok.com/@anna/story/7512345678901234561?x=y"]
)
def test_an_account_is_looked_at_at_once(
    nora: User,
    line: str,
    sent: list[Any],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        watch = begin(nora, line, note=" why\x00 ")
    assert (watch.account.name, watch.account.tiktok_id) == ("anna", "")
    assert (watch.state, watch.note, watch.every_s) == (WatchState.CHECKING, "why", 6 * 3600)
    assert sent == [(routing.LOOK, watch.account_id)]
    assert looks.due(timezone.now()) == [watch.account_id]
    assert watch.renew_by > timezone.now() + timedelta(days=29)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no name!",
        "https://www.tiktok.com/tag/cats",
        "https://vm.tiktok.com/ZMabc123/",
        "1" * 70,
    ],
)
def test_what_names_no_account_is_refused(nora: User, line: str) -> None:
    with pytest.raises(InputError):
        begin(nora, line)
    assert not WatchedAccount.objects.exists()


@pytest.mark.parametrize("link", ["https://vm.tiktok.com/ZMabc123/", "Look: vt.tiktok.com/ZMab1"])
def test_a_link_that_hides_the_name_is_told_to_do_so(nora: User, link: str) -> None:
    with pytest.raises(HiddenName):
        begin(nora, link)


@pytest.mark.parametrize(
    "line",
    [
        "@anna @ben",
        "@anna, ben",
        "@anna;https://www.tiktok.com/@ben",
        "@anna\n@ben",
        "https://vm.tiktok.com/ZMabc123/ @anna",
    ],
)
def test_of_several_names_none_is_watched(nora: User, line: str) -> None:
    with pytest.raises(SeveralAccounts):
        begin(nora, line)
    assert not WatchedAccount.objects.exists()


@pytest.mark.parametrize(
    "line", ["@anna @ANNA", "See https://www.tiktok.com/@anna by @ben", "Look at @anna!"]
)
def test_one_name_among_words_is_watched(nora: User, line: str) -> None:
    assert begin(nora, line).account.name == "anna"


def test_who_may_not_watch_is_refused(set_env: SetEnv) -> None:
    with pytest.raises(WatchingOff):
        begin(make_user("omar"), "anna")
    set_env(watches="members")
    assert begin(make_user("omar"), "anna")


def test_one_there_is_already_is_renewed(nora: User) -> None:
    watch = watching(renew_by=timezone.now() + HOUR)
    assert begin(nora, "@ANNA") == watch
    watch.refresh_from_db()
    assert watch.renew_by > timezone.now() + HOUR
    assert Watch.objects.count() == 1


def test_one_that_has_ended_begins_anew(nora: User) -> None:
    refused = begin(nora, "anna")
    looks.end(refused, "private_account")
    again = begin(nora, "anna")
    assert again.pk == refused.pk
    assert (again.state, again.error_code) == (WatchState.CHECKING, "")


def test_two_who_begin_at_once_share_the_name(nora: User) -> None:
    other = make_user("omar", is_staff=True)
    assert begin(nora, "anna").account_id == begin(other, "anna").account_id


def test_there_are_limits_for_one_and_for_all(nora: User, set_env: SetEnv) -> None:
    set_env(watches_per_member=2, watches_max=3)
    kept = begin(nora, "one")
    watches.pause(begin(nora, "two"))
    with pytest.raises(QuotaExceeded) as caught:
        begin(nora, "three")
    assert "2" in caught.value.said
    begin(make_user("omar", is_staff=True), "one")
    looks.end(kept, "gone")  # one that has ended takes no place
    begin(nora, "three")
    pia = make_user("pia", is_staff=True)
    with pytest.raises(QuotaExceeded):
        begin(pia, "four")
    User.objects.filter(username="omar").update(is_staff=False)
    begin(pia, "four")


def test_only_rhythms_that_are_allowed(nora: User, set_env: SetEnv) -> None:
    with pytest.raises(BadRhythm) as caught:
        begin(nora, "anna", every=HOUR)
    assert caught.value.choices == (3 * HOUR, 6 * HOUR, 12 * HOUR)
    watch = begin(nora, "anna", every=12 * HOUR)
    with pytest.raises(BadRhythm):
        watches.change(watch, every=timedelta(days=1))
    set_env(watch_every_min=HOUR)
    watches.change(watch, every=HOUR)
    assert watch.every_s == 3600


def test_a_change_renews_and_moves_the_next_look() -> None:
    now = timezone.now()
    watch = watching(looked_at=now - HOUR, next_at=now + 11 * HOUR, every_s=43200, renew_by=now)
    watches.change(watch, every=3 * HOUR, note="new", notify=False)
    stored = Watch.objects.get()
    assert (stored.every_s, stored.note, stored.notify) == (3 * 3600, "new", False)
    assert stored.next_at is not None
    assert timezone.now() - HOUR < stored.next_at < now + 5 * HOUR
    assert stored.renew_by > now


def test_a_paused_watch_is_looked_at_when_it_goes_on(sent: list[Any]) -> None:
    watch = watching()
    watches.pause(watch)
    assert looks.due(timezone.now()) == []
    watches.check(watch)  # nobody looks for one that rests
    assert looks.due(timezone.now()) == []
    watches.resume(watch)
    assert watch.state == WatchState.ACTIVE
    assert looks.due(timezone.now()) == [watch.account_id]
    watches.resume(watch)


@pytest.mark.parametrize("act", [
    watches.pause, watches.resume, watches.check, watches.renew,
    lambda row: watches.change(row, every=3 * HOUR, note="new"),
])  # fmt: skip
@pytest.mark.parametrize("was", [WatchState.ACTIVE, WatchState.CHECKING, WatchState.PAUSED])
def test_one_that_ended_since_it_was_read_stays_ended(
    sent: list[Any], act: Callable[[Watch], object], was: WatchState
) -> None:
    watch = watching(state=was, renew_by=timezone.now() + HOUR)
    read = Watch.objects.select_related("account", "owner").get()
    looks.end(watch, "private_account")
    act(read)
    stored = Watch.objects.get()
    assert (stored.state, stored.next_at) == (WatchState.ENDED, None)
    assert stored.error_code == "private_account"
    assert stored.renew_by == watch.renew_by
    assert sent == []


def test_a_pause_counts_though_another_state_was_read() -> None:
    watch = watching()
    watches.pause(Watch.objects.get())
    watches.resume(watch)
    assert Watch.objects.get().state == WatchState.ACTIVE


def test_a_change_goes_by_what_a_look_left_and_not_by_what_was_read() -> None:
    now = timezone.now()
    watching(looked_at=now - 11 * HOUR, next_at=now + HOUR, every_s=43200)
    read = Watch.objects.get()
    Watch.objects.update(looked_at=now, next_at=now + 12 * HOUR)
    watches.change(read, every=3 * HOUR)
    assert Watch.objects.get().next_at == rhythm.next_look(
        ANNA.id, 3 * HOUR, after=now, failures=0, deadline=None
    )


def test_a_change_and_its_renewal_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = watching(note="old")
    with monkeypatch.context() as patch:
        patch.setattr(watches, "renew", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            watches.change(watch, note="new")
    stored = Watch.objects.get()
    assert (stored.note, stored.renew_by) == ("old", watch.renew_by)
    watches.change(stored, note="new")
    assert Watch.objects.get().note == "new"
    stored.delete()
    watches.change(watch, note="newer")  # gone since it was read


def test_one_that_ends_while_it_is_begun_again_is_begun_anew(
    nora: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watching(of=WatchedAccount.objects.create(name="anna"), state=WatchState.CHECKING)

    def lose(_: object) -> bool:
        looks.end(watch, "private_account")
        return False

    monkeypatch.setattr(watches, "renew", lose)
    again = begin(nora, "anna")
    assert (again.pk, again.state, again.error_code) == (watch.pk, WatchState.CHECKING, "")


def test_one_that_was_paused_before_its_first_look_goes_on_with_that() -> None:
    watch = watching(of=WatchedAccount.objects.create(name="anna"), state=WatchState.CHECKING)
    watches.pause(watch)
    watches.resume(watch)
    assert watch.state == WatchState.CHECKING


def test_all_of_mine_and_none_of_others() -> None:
    mine = watching("nora")
    ended = watching("nora", of=WatchedAccount.objects.create(name="x"), state=WatchState.ENDED,
                     next_at=None)  # fmt: skip
    theirs = watching("omar")
    assert watches.pause_all(mine.owner_id) == 1
    assert [Watch.objects.get(pk=w.pk).state for w in (mine, ended, theirs)] == [
        WatchState.PAUSED, WatchState.ENDED, WatchState.ACTIVE,
    ]  # fmt: skip
    assert watches.resume_all(mine.owner_id) == 1
    assert Watch.objects.get(pk=mine.pk).state == WatchState.ACTIVE


def test_nothing_of_a_deleted_watch_is_left_but_its_jobs() -> None:
    watch = watching()
    other = watching("omar")
    now = timezone.now()
    WatchGap.objects.create(watch=watch, begins_at=now - HOUR, ends_at=now)
    job = make_job(watch.owner, watch=watch, from_watch=True)
    watches.delete(watch)
    assert WatchedAccount.objects.count() == 1
    watches.delete(other)
    assert not WatchedAccount.objects.exists()
    assert not WatchGap.objects.exists()
    job.refresh_from_db()
    assert (job.watch, job.from_watch) == (None, True)
    assert Job.objects.count() == 1


def test_a_look_is_to_be_had_once_in_ten_minutes(
    sent: list[Any], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    watch = watching(next_at=timezone.now() + HOUR)
    with django_capture_on_commit_callbacks(execute=True):
        watches.check(watch)
    assert sent == [(routing.LOOK, watch.account_id)]
    assert looks.due(timezone.now()) == [watch.account_id]
    with pytest.raises(QuotaExceeded) as caught:
        watches.check(watch)
    assert caught.value.retry_after_s is not None
    assert 590 < caught.value.retry_after_s <= 600
    watch.checked_at = timezone.now() + HOUR  # the clock was set back since
    watches.check(watch)


def test_of_several_who_ask_at_the_same_moment_one_is_enough(
    sent: list[Any], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    watch = watching(next_at=timezone.now() + HOUR)
    twins = [Watch.objects.get(), Watch.objects.get()]
    with django_capture_on_commit_callbacks(execute=True):
        for twin in twins:
            watches.check(twin)
    assert sent == [(routing.LOOK, watch.account_id)]


def test_files_are_named_by_the_clock_of_who_begins_or_changes_it(nora: User) -> None:
    with timezone.override("Europe/Berlin"):
        watch = begin(nora, "anna")
    assert watch.time_zone == "Europe/Berlin"
    with timezone.override("Asia/Tokyo"):
        watches.change(watch, note="x")
    assert Watch.objects.get().time_zone == "Asia/Tokyo"


def test_no_look_is_promised_that_nobody_makes(set_env: SetEnv) -> None:
    watch = watching(next_at=timezone.now() + HOUR)
    WatchingPause.objects.create()
    with pytest.raises(QuotaExceeded) as refused:
        watches.check(watch)
    assert refused.value.said == "An admin has paused all watching."
    WatchingPause.objects.all().delete()
    set_env(watches="off")
    with pytest.raises(WatchingOff):
        watches.check(watch)


def test_what_watches_cost() -> None:
    eight = [watching(f"owner{n}") for n in range(8)]
    assert watches.looks_a_day(eight) == 32
    watches.pause(eight[0])
    assert watches.looks_a_day(eight) == 28


def test_who_pauses_and_resumes_asks_for_no_more_looks_than_who_checks() -> None:
    watch = watching()
    now = timezone.now()
    watches.pause(watch)
    watches.resume(watch)
    assert watch.next_at is not None
    assert watch.next_at < now + MINUTE  # the first time at once
    watches.pause(watch)
    watches.resume(watch)
    assert abs(watch.next_at - now - watches.CHECK_EVERY) < MINUTE
    with pytest.raises(QuotaExceeded):
        watches.check(watch)


def test_who_begins_one_watch_after_the_other_is_slowed_down(set_env: SetEnv) -> None:
    """Each is a look at once; those at names that nobody has end, and count for no limit."""
    set_env(watches="members", watches_per_member=2)
    nora, omar = make_user("nora"), make_user("omar")
    for number in range(2 * watches.BEGUN_TIMES):
        watches.delete(watches.begin(nora, f"@name{number}"))
    with pytest.raises(QuotaExceeded) as refused:
        watches.begin(nora, "@another")
    assert refused.value.retry_after_s
    watches.begin(omar, "@another")


def test_one_that_is_watched_again_is_as_it_was(nora: User) -> None:
    ended = watching(
        state=WatchState.ENDED, next_at=None, every_s=12 * 3600, note="x", notify=False
    )
    again = begin(nora, "@anna")
    assert again != ended
    assert (again.every_s, again.note, again.notify) == (12 * 3600, "x", False)
    again.delete()
    other = begin(nora, "@anna", every=6 * HOUR, note="", notify=True)
    assert (other.every_s, other.note, other.notify) == (6 * 3600, "", True)


def test_one_that_rests_goes_on_when_it_is_begun(nora: User) -> None:
    watch = watching(state=WatchState.PAUSED, next_at=None)
    assert begin(nora, "@anna") == watch
    watch.refresh_from_db()
    assert watch.state == WatchState.ACTIVE
    assert watch.next_at is not None
