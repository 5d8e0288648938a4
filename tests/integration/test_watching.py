"""Watched accounts through real workers, and files collected from the real web server."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Artifact, Item, Job, Role, Watch, WatchedAccount, WatchState
from jobs.queue import broker, routing
from jobs.states import ItemState
from jobs.watching import looks, watches
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually

HOUR = timedelta(hours=1)


def an_admin(name: str = "nora") -> User:
    return make_user(name, is_staff=True)


def jobs_done(count: int) -> list[Job]:
    """So many jobs of watches, once all are settled."""

    def ask() -> bool:
        done = Job.objects.filter(from_watch=True, settled_at__isnull=False)
        return done.count() == count

    eventually(ask)
    return list(Job.objects.filter(from_watch=True).order_by("created_at"))


def looked_again() -> None:
    """Have everything looked at once more, as the clock would, until that is over."""
    Watch.objects.update(next_at=timezone.now(), looked_at=None)
    assert broker.send_periodic(routing.WATCH)
    eventually(lambda: not Watch.objects.filter(looked_at=None).exists())


def test_what_two_watch_is_looked_at_and_fetched_once(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    author = tiktok.account("sample.user")
    author.photo()
    author.carousel(2)
    start_worker().ready()
    nora, omar = an_admin("nora"), an_admin("omar")
    watches.begin(nora, "@sample.user")
    (first,) = jobs_done(1)
    assert first.items.get().state == ItemState.DONE
    watches.begin(omar, "sample.user", every=12 * HOUR)
    _, theirs = jobs_done(2)
    assert theirs.owner == omar
    assert WatchedAccount.objects.count() == 1

    looked_again()
    assert Job.objects.count() == 2
    tiktok.forget_requests()
    clip = author.video(seconds=1)
    looked_again()
    *_, one, other = jobs_done(4)
    assert {one.owner, other.owner} == {nora, omar}
    assert one.items.get().only_ids == other.items.get().only_ids == clip.id
    # One look and one transfer for both.
    assert tiktok.count("profile") == 0
    assert tiktok.count("list") == 2
    files = Artifact.objects.filter(job__in=(one, other), role=Role.MEDIA)
    assert len({file.sha256 for file in files}) == 1
    assert len({file.content_id for file in files if file.content_id}) == 1
    downloads = [seen for seen in tiktok.requests if seen.endpoint == "video"]
    whole = {seen.headers.get("range", "") for seen in downloads}
    assert len(downloads) == len(whole)
    kept = files.order_by("expires_at").first()
    assert kept is not None
    assert kept.expires_at > timezone.now() + timedelta(days=2)


def test_an_account_that_cannot_be_watched_is_refused(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    tiktok.account("locked.diary", private=True)
    start_worker().ready()
    refused = {
        "locked.diary": "private_account",
        "nobody.here": "no_such_account",
    }
    for name, code in refused.items():
        watch = watches.begin(an_admin(), name)
        eventually(lambda: Watch.objects.get(pk=watch.pk).state == WatchState.ENDED)  # noqa: B023
        watch.refresh_from_db()
        assert watch.error_code == code
    assert not Job.objects.exists()


def test_a_worker_that_dies_in_the_middle_of_a_look_loses_and_doubles_nothing(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    author = tiktok.account("sample.user")
    story = author.photo()
    worker = start_worker().ready()
    fault = tiktok.fault("list", "stall", after=0)
    watch = watches.begin(an_admin(), "sample.user")
    eventually(lambda: fault.hits > 0)
    worker.kill()
    tiktok.faults.clear()
    account = WatchedAccount.objects.get()
    assert account.claimed_at is not None
    start_worker().ready()
    assert looks.due(timezone.now()) == []  # until the look is too old to be somebody's
    WatchedAccount.objects.update(claimed_at=timezone.now() - looks.LEASE)
    assert broker.send_periodic(routing.WATCH)
    jobs_done(1)
    assert Item.objects.get().only_ids == story.id
    watch.refresh_from_db()
    assert (watch.state, watch.failures) == (WatchState.ACTIVE, 0)
