"""Two people ask for the same author at once: one look-up, one transfer, and neither can tell."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from jobs.api import job_json
from jobs.files import store
from jobs.housekeeping import reaper, sweep
from jobs.models import Artifact, Audio, Item, Job, Prefer, Role
from jobs.queries import snapshot
from jobs.queue import actions, erasure, quotas
from jobs.states import ItemState
from tests.factories import make_user
from tests.fake_tiktok import Account, FakeTikTok
from tests.integration.conftest import Start, eventually
from tests.integration.test_queue import check_disk, media, settled, states, submit

S = ItemState
SLOW_BYTES_PER_S = 30_000
"""How fast an answer comes when a page takes seconds."""


def item_of(job: Job) -> Item:
    return job.items.get()


def leading(job: Job) -> bool:
    return Item.objects.filter(job=job, state=S.RUNNING, fetch_key__isnull=False).exists()


def following(job: Job) -> bool:
    return Item.objects.filter(job=job, state=S.RUNNING, fetch_key=None).exists()


def both(first: Account, *, audio: Audio = Audio.NONE) -> tuple[Job, Job]:
    """Alice leads, and Bob follows her."""
    alice = submit(first.name, audio=audio)
    Job.objects.filter(pk=alice.pk).update(note="for my eyes only")
    eventually(lambda: leading(alice))
    bob = submit(first.name, owner="bob", audio=audio)
    eventually(lambda: following(bob))
    assert leading(alice)
    return alice, bob


def requests_made(tiktok: FakeTikTok, account: Account) -> dict[str, int]:
    """How many requests of each kind this author cost."""
    kinds = ("profile", "list", "page", "embed", "video", "picture")
    return {kind: tiktok.count(kind, account=account) for kind in kinds}


@pytest.fixture
def author(tiktok: FakeTikTok) -> Account:
    """A small photo, a carousel, and a video that takes three seconds or so."""
    account = tiktok.account("sample.user", nickname="Sample")
    account.photo(formats=("webp",))
    account.carousel(2)
    account.video(min_bytes=300_000)
    return account


@pytest.fixture
def slow_video(tiktok: FakeTikTok) -> None:
    tiktok.fault("video", "slow", bytes_per_s=100_000)


@pytest.mark.usefixtures("slow_video")
def test_one_look_up_and_one_transfer_for_two(
    start_worker: Start, tiktok: FakeTikTok, author: Account
) -> None:
    start_worker().ready()
    alone = settled(submit(author.name, owner="carol", audio=Audio.M4A))
    assert states(alone) == [S.DONE]
    cost = requests_made(tiktok, author)
    assert cost["list"]
    assert cost["video"]
    assert cost["picture"] == 3
    tiktok.forget_requests()

    alice, bob = both(author, audio=Audio.M4A)
    settled(alice), settled(bob)

    assert states(alice) == states(bob) == [S.DONE]
    spent = requests_made(tiktok, author)
    assert {kind: spent[kind] for kind in ("list", "video", "picture")} == {
        kind: cost[kind] for kind in ("list", "video", "picture")
    }
    assert sum(spent.values()) <= sum(cost.values())
    results = [
        sorted(job.artifacts.exclude(role=Role.ZIP).values_list("role", "position", "sha256"))
        for job in (alone, alice, bob)
    ]
    assert results[0] == results[1] == results[2]
    assert [job.artifacts.filter(role=Role.ZIP).count() for job in (alice, bob)] == [1, 1]
    check_disk()


@pytest.mark.usefixtures("slow_video")
def test_neither_can_tell(start_worker: Start, author: Account) -> None:
    start_worker().ready()
    alice, bob = both(author)
    of_alice = {str(alice.pk), str(item_of(alice).pk), "alice", "for my eyes only"}
    settled(alice), settled(bob)
    of_alice |= {str(row.pk) for row in alice.artifacts.all()}
    of_alice |= {str(row.pk) for row in item_of(alice).stories.all()}

    seen = snapshot.load_snapshot(bob.pk, make_user("bob"))
    assert seen
    answer = job_json.encoded_job(seen).decode()
    browser = Client()
    browser.force_login(make_user("bob"))
    pages = [browser.get(path).content.decode() for path in ("/", f"/jobs/{bob.pk}/", "/history/")]
    assert not [
        identifier for identifier in of_alice for text in (answer, *pages) if identifier in text
    ]
    assert browser.get(f"/jobs/{alice.pk}/").status_code == 404
    for file in alice.artifacts.all():
        assert browser.get(f"/files/{file.pk}/{file.name}").status_code == 404
    # Bob's times are Bob's: nothing he has is older than his question.
    for row in bob.artifacts.all():
        assert row.created_at >= bob.created_at
        assert row.expires_at >= bob.created_at + settings.STORYKEEP.artifact_ttl
    for story in item_of(bob).stories.all():
        assert story.captured_at
        assert story.captured_at >= bob.created_at
    # What Alice wrote stays in her files.
    for zipped in bob.artifacts.filter(role=Role.ZIP):
        with store.open_artifact(zipped.pk) as opened:
            assert b"eyes only" not in opened.read()

    # Both pay for what they have, and neither loses it to the other.
    used = [quotas.usage(make_user(name)) for name in ("alice", "bob")]
    assert used[0].stored_bytes.used == pytest.approx(used[1].stored_bytes.used, abs=2000)
    assert used[1].items_per_day.used == 1
    (file, *_) = media(bob)
    with store.open_artifact(file.pk) as opened:
        assert os.fstat(opened.fileno()).st_nlink == 2  # on the disk, once
    erasure.erase(alice)
    sweep.sweep(timezone.now() + timedelta(minutes=30))
    for row in media(bob):
        with store.open_artifact(row.pk) as opened:
            assert len(opened.read()) == row.size_bytes
    assert json.loads(answer)["state"] == "done"
    check_disk()


@pytest.mark.usefixtures("slow_video")
def test_whoever_came_first_cancels(
    start_worker: Start, tiktok: FakeTikTok, author: Account
) -> None:
    start_worker().ready()
    alice, bob = both(author)
    eventually(lambda: len(media(bob)) == 3)  # the pictures; the video is under way
    assert actions.cancel(alice) == 1
    tiktok.faults.clear()
    settled(bob)
    assert (states(alice), states(bob)) == ([S.CANCELLED], [S.DONE])
    assert len(media(bob)) == 4
    assert len(media(alice)) == 3
    assert tiktok.count("picture", method="GET") == 3  # what was there was not fetched again
    check_disk()


@pytest.mark.usefixtures("slow_video")
def test_whoever_came_second_cancels(
    start_worker: Start, tiktok: FakeTikTok, author: Account
) -> None:
    worker = start_worker().ready()
    alice, bob = both(author)
    assert actions.cancel(bob) == 1
    eventually(lambda: "no longer ours" in worker.output, within=5)
    settled(alice)
    assert (states(alice), states(bob)) == ([S.DONE], [S.CANCELLED])
    assert tiktok.count("list") == 1
    check_disk()


def test_the_first_ones_worker_is_killed(
    start_worker: Start, tiktok: FakeTikTok, author: Account
) -> None:
    tiktok.fault("video", "slow", bytes_per_s=20_000)
    busy = [tiktok.account(f"busy{number}") for number in range(3)]
    for account in busy:
        account.video(min_bytes=300_000)
    first = start_worker().ready()
    others = submit(*(account.name for account in busy), owner="carol")
    eventually(lambda: others.items.filter(state=S.RUNNING).count() == 3)
    alice = submit(author.name)
    eventually(lambda: leading(alice))  # on the only worker, whose threads are all taken now
    start_worker().ready()
    bob = submit(author.name, owner="bob")
    eventually(lambda: len(media(bob)) == 3)
    assert following(bob)

    first.kill()
    tiktok.faults.clear()
    # The silence after which nobody waits any longer, without the waiting.
    long_ago = timezone.now() - timedelta(hours=1)
    Item.objects.filter(job__in=(alice, others)).update(heartbeat_at=long_ago)
    settled(bob)
    assert states(bob) == [S.DONE]
    assert len(media(bob)) == 4
    reaper.requeue_stalled(timezone.now())
    settled(alice), settled(others)
    assert states(alice) == [S.DONE]
    assert set(states(others)) == {S.DONE}
    check_disk()


def test_the_first_one_fails(start_worker: Start, tiktok: FakeTikTok) -> None:
    author = tiktok.account("sample.user")
    author.photo(min_bytes=200_000)
    clip = author.video()
    tiktok.fault("picture", "slow", bytes_per_s=100_000)
    broken = tiktok.fault(clip, 404)
    start_worker().ready()
    alice, bob = both(author)
    eventually(lambda: broken.hits)
    eventually(lambda: Artifact.objects.filter(job=bob, role=Role.MEDIA).exists())
    tiktok.faults.clear()
    settled(bob)
    assert states(bob) == [S.DONE]
    assert len(media(bob)) == 2
    assert tiktok.count("picture", method="GET") == 1
    Item.objects.filter(job=alice).update(not_before=None)  # a little later
    reaper.requeue_stalled(timezone.now())
    settled(alice)
    assert states(alice) == [S.DONE]
    check_disk()


@pytest.mark.parametrize(
    ("name", "state", "code"),
    [
        ("quiet.owl", S.EMPTY, ""),
        ("locked.diary", S.FAILED, "private_account"),
        ("nobody.here", S.FAILED, "no_such_account"),
    ],
)
def test_no_stories_is_told_to_both_and_asked_once(
    start_worker: Start, tiktok: FakeTikTok, name: str, state: str, code: str
) -> None:
    tiktok.account("quiet.owl")
    tiktok.account("locked.diary", private=True)
    start_worker().ready()
    settled(submit(name, owner="carol"))
    cost = tiktok.count()
    tiktok.forget_requests()
    tiktok.fault("any", "slow", bytes_per_s=SLOW_BYTES_PER_S)
    alice = submit(name)
    eventually(lambda: leading(alice))
    bob = submit(name, owner="bob")
    eventually(lambda: following(bob))
    settled(alice), settled(bob)
    for job in (alice, bob):
        assert (item_of(job).state, item_of(job).error_code) == (state, code)
    assert tiktok.count() <= cost


@pytest.mark.usefixtures("slow_video")
def test_another_rendition_is_fetched_apart(
    start_worker: Start, tiktok: FakeTikTok, author: Account
) -> None:
    start_worker().ready()
    alice = submit(author.name, prefer=Prefer.HIGHEST)
    eventually(lambda: leading(alice))
    bob = submit(author.name, owner="bob")
    eventually(lambda: leading(bob))
    settled(alice), settled(bob)
    assert states(alice) == states(bob) == [S.DONE]
    assert tiktok.count("list") == 2
    check_disk()


@pytest.mark.usefixtures("slow_video")
@pytest.mark.parametrize(
    ("alices_audio", "bobs_audio", "lists"),
    [
        (Audio.M4A, Audio.NONE, 1),
        (Audio.M4A, Audio.MP3, 1),
        (Audio.NONE, Audio.MP3, 2),  # to ask for the songs behind the photos
    ],
)
def test_sound_makes_no_second_transfer(
    start_worker: Start,
    tiktok: FakeTikTok,
    author: Account,
    alices_audio: Audio,
    bobs_audio: Audio,
    lists: int,
) -> None:
    start_worker().ready()
    alice = submit(author.name, audio=alices_audio)
    eventually(lambda: leading(alice))
    bob = submit(author.name, owner="bob", audio=bobs_audio)
    eventually(lambda: following(bob))
    settled(alice), settled(bob)
    assert states(alice) == states(bob) == [S.DONE]
    assert tiktok.count("list") == lists
    assert tiktok.count("picture", method="GET") == 3
    assert len(media(bob)) == len(media(alice)) == 4
    for job, wish in ((alice, alices_audio), (bob, bobs_audio)):
        tracks = job.artifacts.filter(role=Role.AUDIO_TRACK).values_list("content_type", flat=True)
        assert (
            list(tracks)
            == {
                Audio.NONE: [],
                Audio.M4A: ["audio/mp4"],
                Audio.MP3: ["audio/mpeg"],
            }[wish]
        )
    check_disk()


@pytest.mark.usefixtures("slow_video")
def test_a_third_one_follows_the_second(
    start_worker: Start, tiktok: FakeTikTok, author: Account
) -> None:
    start_worker().ready()
    alice, bob = both(author)
    carol = submit(author.name, owner="carol")
    eventually(lambda: following(carol))
    eventually(lambda: len(media(carol)) == len(media(bob)) == 3)
    actions.cancel(alice)
    settled(bob), settled(carol)
    assert states(bob) == states(carol) == [S.DONE]
    assert len(media(bob)) == len(media(carol)) == 4
    assert tiktok.count("list") == 2  # Alice's, and one for the two who were left
    assert tiktok.count("picture", method="GET") == 3
    check_disk()
