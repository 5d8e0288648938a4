"""A server whose clock is two days off: what is posted is saved, and whoever runs it is told.

The site's clock is moved instead of ours, which comes to the same.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.ephemeral.clock import ClockWatch
from jobs.housekeeping import reaper
from jobs.models import Job, Story
from jobs.ops import checks, dashboard
from jobs.ops.findings import Verdict
from jobs.queue import submission
from jobs.states import ItemState
from jobs.upstream import breaker, site_clock
from stories.errors import Refused
from tests.factories import make_item, make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually

TWO_DAYS_S = 2 * 24 * 3600.0


@pytest.mark.parametrize(("ahead_s", "way"), [(TWO_DAYS_S, "ahead of"), (-TWO_DAYS_S, "behind")])
def test_a_job_is_saved_and_the_admin_is_told_of_the_clock(
    start_worker: Start, tiktok: FakeTikTok, ahead_s: float, way: str
) -> None:
    tiktok.advance(-ahead_s)
    author = tiktok.account("corner.bakery")
    author.video(seconds=1, ago_s=3600)
    linked = tiktok.account("night.trains").photo(ago_s=60)
    start_worker().ready()
    job = submission.submit(
        make_user("alice"), ["@corner.bakery", linked.url], options=submission.Options()
    )
    eventually(lambda: Job.objects.get(pk=job.pk).settled_at)
    assert list(job.items.values_list("state", flat=True)) == [ItemState.DONE] * 2
    stories = Story.objects.filter(item__job=job)
    for posted_at, leaves_at in stories.values_list("posted_at", "leaves_at"):
        assert abs(posted_at.timestamp() - tiktok.now()) < 4_000, "times are the site's"
        assert leaves_at == posted_at + timedelta(hours=24)
    assert stories.count() == 2
    assert tiktok.count("list") == 2, "no address was asked for anew"
    assert eventually(site_clock.ahead_s) == pytest.approx(ahead_s, abs=60)
    (finding,) = checks.check_site_clock()
    assert finding.verdict is Verdict.FAIL
    assert f"2 days {way}" in str(finding.message)
    assert f"2 days {way}" in str(dashboard.read_dashboard(timezone.now()).clock_difference)


def test_an_old_link_is_gone_and_a_fresh_one_is_not(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    tiktok.advance(-TWO_DAYS_S)
    author = tiktok.account("corner.bakery")
    fresh = author.photo(ago_s=60)
    old = f"https://www.tiktok.com/@corner.bakery/story/{tiktok.new_id(tiktok.now() - 10**6)}"
    start_worker().ready()
    job = submission.submit(make_user("alice"), [old, fresh.url], options=submission.Options())
    eventually(lambda: Job.objects.get(pk=job.pk).settled_at)
    items = job.items.order_by("position")
    assert list(items.values_list("state", "error_code")) == [
        (ItemState.FAILED, "gone"),
        (ItemState.DONE, ""),
    ]


def test_of_two_workers_that_see_the_clock_set_back_the_first_ends_what_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second sees it later, when others have begun to wait by the right clock."""
    system = [0.0]
    watches = [ClockWatch(lambda: system[0], lambda: 0.0) for _ in range(2)]
    for watch in watches:
        watch.look()
    system[0] -= 45 * 60

    def reap(watch: ClockWatch) -> None:
        monkeypatch.setattr(reaper, "watch", watch)
        reaper.requeue_stalled(timezone.now())

    later = timezone.now() + timedelta(minutes=50)
    before = make_item(error_code="timed_out", not_before=later)
    until = breaker.open_for(Refused())
    reap(watches[0])
    before.refresh_from_db()
    assert before.not_before is None
    since = make_item(error_code="timed_out", not_before=later)
    reap(watches[1])
    since.refresh_from_db()
    assert since.not_before == later
    # A pause is a length of time, which no clock that is set makes shorter.
    assert breaker.open_state() == breaker.BreakerState(until, "refused")
