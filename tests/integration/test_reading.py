"""Odd answers and odd links, from a paste through real workers to files."""

from __future__ import annotations

from django.utils import timezone

from jobs.housekeeping import reaper
from jobs.models import Item, Job, Role
from jobs.queue import submission
from jobs.states import ItemState
from jobs.upstream.breaker import open_state
from stories.targets import find_lines
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually

S = ItemState


def submit(text: str) -> Job:
    return submission.submit(make_user("alice"), find_lines(text))


def settled(job: Job) -> list[Item]:
    def ask() -> bool:
        job.refresh_from_db()
        return job.settled_at is not None

    eventually(ask)
    return list(job.items.order_by("position"))


def with_time_passed(job: Job) -> None:
    """The wait for the next attempt is over."""
    job.items.update(not_before=None)
    reaper.requeue_stalled(timezone.now())


def test_the_light_apps_advert_beside_a_story_is_no_failure(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    story = tiktok.account("corner.bakery").photo()
    shared = tiktok.short_link("ZSfakeOne", to=story, host="vt.tiktok.com")
    advert = tiktok.short_link(
        "ZSfakeApp", to="https://www.tiktok.com/download", host="vt.tiktok.com"
    )
    start_worker().ready()
    job = submit(f"Corner Bakery'nin videosuna bak! {shared}\nTikTok Lite: {advert}")
    saved, app = settled(job)
    assert (saved.state, saved.error_code) == (S.DONE, "")
    assert (app.state, app.error_code, app.tries) == (S.EMPTY, "advert", 1)
    assert job.artifacts.filter(role=Role.MEDIA).count() == 1


def test_a_fault_of_theirs_inside_an_answer_is_tried_again_by_itself(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    tiktok.account("corner.bakery").photo()
    fault = tiktok.fault("list", "code", code=100004, message="RPCError: timeout", times=1)
    start_worker().ready()
    job = submit("@corner.bakery")
    eventually(lambda: job.items.filter(state=S.QUEUED, error_code="upstream_down").exists())
    assert fault.hits == 1
    with_time_passed(job)
    (item,) = settled(job)
    assert (item.state, item.error_code) == (S.DONE, "")


def test_a_code_nobody_knows_is_a_change_only_in_the_end(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    tiktok.account("corner.bakery").photo()
    tiktok.fault("list", "code", code=4711, message="so new")
    start_worker().ready()
    job = submit("@corner.bakery")
    for tries in (1, 2):
        waits = job.items.filter(state=S.QUEUED, error_code="unknown_answer", tries=tries)
        eventually(waits.exists)
        with_time_passed(job)
    (item,) = settled(job)
    assert (item.state, item.error_code) == (S.FAILED, "upstream_changed")
    assert item.error_detail == "unknown code 4711: so new"
    assert open_state() is None


def test_what_is_gone_settles_in_one_attempt(start_worker: Start, tiktok: FakeTikTok) -> None:
    alice = tiktok.account("corner.bakery")
    alice.photo()
    tiktok.fault("page", "code", code=10204, message="")
    expired = alice.expired(listed=False)
    deleted = alice.photo(listed=False, oembed=False, embed={"itemInfos": None})
    never_was = tiktok.new_id(tiktok.now() - 3600)
    start_worker().ready()
    lines = [
        f"https://www.tiktok.com/@corner.bakery/video/{item_id}"
        for item_id in (expired.id, deleted.id, never_was)
    ]
    for item in settled(submit("\n".join(lines))):
        assert (item.state, item.error_code, item.tries) == (S.FAILED, "gone", 1)
