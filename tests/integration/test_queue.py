"""From a submission to files on disk, through real workers, whatever happens on the way."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from jobs import tasks
from jobs.ephemeral import connection, heartbeats, progress
from jobs.files import disk, store
from jobs.housekeeping import reaper
from jobs.models import Artifact, Audio, Item, Job, Package, PackageState, Role, Story
from jobs.queue import actions, broker, claims, submission
from jobs.states import ItemState
from jobs.upstream.breaker import open_state
from jobs.zips import packing
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import RedisServer, Start, eventually

S = ItemState


def submit(*lines: str, owner: str = "alice", **options: Any) -> Job:
    return submission.submit(make_user(owner), lines, options=submission.Options(**options))


def settled(job: Job, within: float = 20) -> Job:
    def ask() -> bool:
        job.refresh_from_db()
        return job.settled_at is not None

    eventually(ask, within)
    return job


def states(job: Job) -> list[str]:
    return list(job.items.order_by("position").values_list("state", flat=True))


def media_of(job: Job) -> QuerySet[Artifact]:
    return job.artifacts.filter(role=Role.MEDIA).order_by("story__position", "position")


def media(job: Job) -> list[Artifact]:
    return list(media_of(job))


def check_disk() -> None:
    """Every row has its file, every file its row, and nothing unfinished lies about."""
    work = settings.STORYKEEP.artifacts / disk.WORK
    # A worker whose line was cancelled finds that out within a second, and takes away again what
    # it moved into the store for the rows it was about to write.
    eventually(lambda: not work.exists() or list(work.iterdir()) == [])
    stored = {file.id for folder in store.walk() for file in folder}
    assert stored == set(Artifact.objects.filter(removed_at=None).values_list("pk", flat=True))


def test_lines_become_checked_files(start_worker: Start, tiktok: FakeTikTok) -> None:
    author = tiktok.account("sample.user", nickname="Sample Näme 🌊")
    clip = author.video(seconds=2, caption="Ünïcode, caption")
    author.photo(formats=("webp",))
    author.carousel(3)
    post = tiktok.account("other.user").post(seconds=2)
    tiktok.account("quiet.owl")
    tiktok.account("locked.diary", private=True)
    short = tiktok.short_link("ZM123", to=clip)
    worker = start_worker().ready()

    job = settled(
        submit(
            "@sample.user",
            short,
            "quiet.owl",
            "locked.diary",
            "nobody.here",
            "https://www.tiktok.com/tag/cats",
            post.shared_url,
            audio=Audio.M4A,
        )
    )

    user, story, quiet, locked, nobody, tag, ordinary = job.items.order_by("position")
    assert user.state == S.DONE, user.error_code
    assert (user.author_name, user.author_nickname) == ("sample.user", "Sample Näme 🌊")
    stories = list(user.stories.order_by("position"))
    assert [story.kind for story in stories] == ["video", "photo", "carousel"]
    assert {story.state for story in stories} == {S.DONE}
    assert stories[0].caption == "Ünïcode, caption"
    roles = list(user.artifacts.values_list("story__position", "role"))
    assert roles.count((1, Role.MEDIA)) == roles.count((1, Role.AUDIO_TRACK)) == 1
    assert roles.count((2, Role.MEDIA)) == roles.count((2, Role.CONVERTED)) == 1
    assert roles.count((3, Role.MEDIA)) == 3
    assert roles.count((3, Role.ZIP)) == 1
    names = [artifact.name for artifact in job.artifacts.all()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("sample.user_2") for name in names)
    for file in media(job):
        with store.open_artifact(file.pk) as opened:
            body = opened.read()
        assert (len(body), hashlib.sha256(body).hexdigest()) == (file.size_bytes, file.sha256)
        assert file.checked

    assert (story.state, story.kind, story.stories.count()) == (S.DONE, "story", 1)
    assert quiet.state == S.EMPTY
    assert [locked.error_code, nobody.error_code] == ["private_account", "no_such_account"]
    assert [tag.error_code, ordinary.error_code] == ["unsupported_link", "not_a_story"]
    assert {item.state for item in (locked, nobody, tag, ordinary)} == {S.FAILED}
    check_disk()
    assert "X-Expires" not in worker.output
    assert "tiktokcdn" not in worker.output
    assert "Traceback" not in worker.output


def test_progress_is_told_while_it_happens(start_worker: Start, tiktok: FakeTikTok) -> None:
    tiktok.account("sample.user").video(min_bytes=300_000)
    tiktok.fault("video", "slow", bytes_per_s=100_000)
    start_worker().ready()
    job = submit("sample.user")
    item = str(job.items.get().pk)

    def saving() -> progress.ItemProgress | None:
        now = progress.read(job.pk).get(item)
        return now if now and now.bytes_done else None

    shown = eventually(saving)
    assert shown.phase == "saving"
    assert (shown.found, shown.files_total, shown.files_done) == (1, 1, 0)
    assert 0 < shown.bytes_done < shown.bytes_total
    eventually(lambda: progress.read(job.pk)[item].eta_s)
    settled(job)


def test_a_message_delivered_twice_does_no_harm(start_worker: Start, tiktok: FakeTikTok) -> None:
    tiktok.account("sample.user").carousel(3)
    job = submit("sample.user")
    item = job.items.get()
    for _ in range(5):
        assert broker.send(broker.FETCH_ITEM, item.pk)
    start_worker(), start_worker()
    settled(job)
    item.refresh_from_db()
    assert (item.state, item.attempt) == (S.DONE, 1)
    assert len(media(job)) == 3
    check_disk()


def test_who_comes_second_is_looked_up_before_most_of_what_came_first(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    """However many lines a worker can hold: those that wait for the rate limit are few."""
    names = [f"author.{number}" for number in range(12)]
    for name in (*names, "one.more"):
        tiktok.account(name).photo()
    alices = submit(*names)
    start_worker(threads=16, STORYKEEP_LIST_RATE="2", STORYKEEP_LIST_BURST="2").ready()
    listed = alices.items.filter(listed_at__isnull=False)
    eventually(lambda: listed.count() >= 2)
    bobs = submit("one.more", owner="bob")
    settled(bobs)
    (bob,) = bobs.items.all()
    assert bob.state == S.DONE
    between = listed.filter(listed_at__gt=bob.asked_at, listed_at__lt=bob.listed_at)
    # At this rate four lines may look at once, and some end while bob's is on its way.
    assert between.count() <= 6
    actions.cancel(alices)


def test_an_idle_worker_takes_what_a_busy_one_cannot(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    names = [f"author{number}" for number in range(8)]
    for name in names:
        tiktok.account(name).photo(min_bytes=200_000)
    for name in names[:4]:  # from every mirror
        tiktok.fault({"endpoint": "picture", "account": name}, "slow", bytes_per_s=4_000)
    busy = start_worker().ready()
    job = submit(*names)
    eventually(lambda: len(tiktok.seen("picture")) == 4)  # four threads, four long transfers
    idle = start_worker().ready()
    eventually(lambda: job.items.filter(state=S.DONE).count() == 4)
    assert [worker.output.count("1 stories") for worker in (busy, idle)] == [4, 4]
    assert actions.cancel(job) == 4
    eventually(lambda: busy.output.count("no longer ours") == 4)
    check_disk()


def test_killed_in_the_middle_of_a_transfer(start_worker: Start, tiktok: FakeTikTok) -> None:
    author = tiktok.account("sample.user")
    author.photo()
    author.video(min_bytes=800_000)
    tiktok.fault("video", "slow", bytes_per_s=100_000)
    worker = start_worker().ready()
    job = submit("sample.user")
    eventually(lambda: media(job))  # the photo is there, the video is coming
    worker.kill()
    parts = list((settings.STORYKEEP.artifacts / disk.WORK).glob("*/*.part"))
    assert parts
    tiktok.faults.clear()
    start_worker().ready()

    reaper.requeue_stalled(timezone.now() + claims.LEASE)  # what the scheduler does, a little later

    settled(job)
    item = job.items.get()
    assert (item.state, item.attempt) == (S.DONE, 2)
    kinds = media_of(job).values_list("story__kind", flat=True)
    assert list(kinds) == ["photo", "video"]
    assert tiktok.count("picture", method="GET") == 1
    check_disk()


def test_redis_restarted_empty(
    start_worker: Start,
    tiktok: FakeTikTok,
    redis_server: RedisServer,
) -> None:
    names = [f"author{number}" for number in range(10)]
    for name in names:
        tiktok.account(name).photo(min_bytes=100_000)
    tiktok.fault("picture", "slow", bytes_per_s=100_000)
    worker = start_worker().ready()
    job = submit(*names)
    eventually(lambda: job.items.filter(state=S.RUNNING).count() == 4)
    redis_server.stop()
    during = submit("author0", owner="bob")  # nothing hangs, nothing is lost
    time.sleep(0.5)
    redis_server.start()

    def repair() -> bool:
        # What the scheduler does every 15 s, by a clock that runs ahead.
        reaper.requeue_stalled(timezone.now() + timedelta(seconds=30))
        return not Item.objects.open().exists()

    tiktok.faults.clear()
    eventually(repair, within=30)
    settled(job)
    settled(during)
    assert worker.running
    assert set(states(job) + states(during)) == {S.DONE}
    check_disk()


def test_cancel_in_the_middle_of_a_transfer(start_worker: Start, tiktok: FakeTikTok) -> None:
    author = tiktok.account("sample.user")
    author.photo()
    author.video(min_bytes=2_000_000)
    tiktok.fault("video", "slow", bytes_per_s=100_000)
    worker = start_worker().ready()
    job = submit("sample.user")
    eventually(lambda: Story.objects.filter(state=S.DONE).exists())
    assert actions.cancel(job) == 1
    cancelled_at = time.monotonic()
    eventually(lambda: "no longer ours" in worker.output, within=5)
    took = time.monotonic() - cancelled_at
    check_disk()
    assert took < 2  # promised: cancel stops transfers within two seconds

    settled(job)
    photo, video = Story.objects.order_by("position")
    assert (photo.state, video.state) == (S.DONE, S.CANCELLED)
    (file,) = media(job)
    assert file.expires_at > timezone.now() + timedelta(hours=1)
    worker.kill()
    reaper.requeue_stalled(timezone.now() + timedelta(hours=1))
    start_worker().ready()
    assert states(job) == [S.CANCELLED]


def test_a_worker_asked_to_stop_gives_its_items_back(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    author = tiktok.account("sample.user")
    author.photo()
    author.video(min_bytes=2_000_000)
    tiktok.fault("video", "slow", bytes_per_s=100_000)
    worker = start_worker().ready()
    job = submit("sample.user")
    eventually(lambda: media(job))
    assert len(heartbeats.alive()) == 1
    assert worker.stop(within=6) == 0
    assert heartbeats.alive() == []
    item = job.items.get()
    assert (item.state, item.tries) == (S.QUEUED, 0)
    check_disk()

    tiktok.faults.clear()
    start_worker().ready()
    settled(job)
    assert states(job) == [S.DONE]
    assert len(media(job)) == 2
    check_disk()


def test_nothing_waits_behind_slow_transfers(start_worker: Start, tiktok: FakeTikTok) -> None:
    """A ZIP somebody waits for, files whose time has come, and lines of a worker that died."""
    tiktok.account("quick").carousel(2)
    slow = [f"slow{number}" for number in range(4)]  # as many as a worker here does at once
    for name in slow:
        tiktok.account(name).video(min_bytes=3_000_000)
    start_worker().ready()
    done = settled(submit("quick"))
    tiktok.fault("video", "slow", bytes_per_s=20_000)
    busy = submit(*slow, owner="bob")
    eventually(lambda: busy.items.filter(state=S.RUNNING).count() == len(slow))
    package = packing.request(done)
    late = done.artifacts.filter(role=Role.POSTER)
    late.update(expires_at=timezone.now())
    tasks.sweep.apply_async(expires=60)
    packed = Package.objects.filter(pk=package.pk, state=PackageState.DONE)
    eventually(lambda: packed.exists() and not late.filter(removed_at=None).exists())
    assert states(busy) == [S.RUNNING] * len(slow)
    actions.cancel(busy)
    check_disk()


def test_refusals_make_everyone_wait_and_pass(start_worker: Start, tiktok: FakeTikTok) -> None:
    for name in ("one", "two"):
        tiktok.account(name).photo()
    refusal = tiktok.fault("any", 403)
    start_worker().ready()
    job = submit("one", "two")
    eventually(lambda: job.items.filter(error_code="refused").count() == 2)
    breaker = open_state()
    assert breaker
    assert breaker.code == "refused"
    requests_before = tiktok.count()
    later = submit("one", owner="bob")
    eventually(lambda: later.items.filter(state=S.QUEUED, error_code="refused").exists())
    assert tiktok.count() == requests_before  # nobody asked again
    assert later.items.get().not_before == breaker.until

    # The pause is over, and TikTok answers.
    tiktok.faults.clear()
    assert refusal.hits
    with_time_passed()
    reaper.requeue_stalled(timezone.now())
    eventually(lambda: not Item.objects.open().exists())
    assert set(Item.objects.values_list("state", flat=True)) == {S.DONE}
    assert open_state() is None


def with_time_passed() -> None:
    """The pause is over; only the first item's wait is, the others go on by themselves."""
    connection.execute(lambda server: server.hset("storykeep:breaker", "until", "1"))
    first = Item.objects.order_by("created_at").values_list("pk", flat=True)[0]
    Item.objects.filter(pk=first).update(not_before=None)
