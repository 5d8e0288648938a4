"""One target into checked files, against the fake TikTok with real pictures and videos."""

import asyncio
import hashlib
import threading
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import pytest

from stories import obtain as obtaining
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import (
    MediaCorrupt,
    MediaUnavailable,
    NoSuchAccount,
    SoundMissing,
    StoriesError,
    TimedOut,
    TooLarge,
)
from stories.events import (
    Checking,
    FileReady,
    Listed,
    MediaFailed,
    Resolved,
    StoryFinished,
    Transferring,
    Warned,
)
from stories.harvest import HarvestOptions, harvest
from stories.structures import MediaKind
from stories.targets import parse_line
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.harvests import SMALL_H264, TINY, Folder, Kept, client_of, saved
from tests.unit.stories.media.counting import count_work

pytestmark = pytest.mark.anyio


# --- the good days ----------------------------------------------------------------------------


async def test_everything_an_author_shows(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip, photo, several = alice.video(1), alice.photo(**TINY), alice.carousel(3, **TINY)
    log = await saved(client, folder)
    assert isinstance(log[0], Resolved)
    assert isinstance(log[1], Listed)
    assert [story.id for story in log[1].stories] == [clip.id, photo.id, several.id]
    files = log.files()
    assert len(files) == 5
    for ready in files:
        story = tiktok.stories[ready.story_id]
        thing = story.files[ready.position - 1]
        assert folder.content(ready) == thing.body
        assert ready.size_bytes == thing.size
        assert ready.sha256 == hashlib.sha256(thing.body).hexdigest()
        assert ready.labels == ()
    finished = {event.story_id: event for event in log.of(StoryFinished)}
    assert {key: (one.saved, one.expected, one.error) for key, one in finished.items()} == {
        clip.id: (1, 1, None),
        photo.id: (1, 1, None),
        several.id: (3, 3, None),
    }
    assert log.of(MediaFailed) == []
    assert log.of(Warned) == []
    assert folder.discarded == []
    assert [seen.endpoint for seen in tiktok.seen("pages")] == ["profile"]
    assert tiktok.count("list") == 1
    assert tiktok.strays == []


async def test_each_file_arrives_then_is_checked_then_is_ready(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = alice.video(1)
    log = await saved(client, folder)
    mine = [type(event) for event in log if getattr(event, "story_id", "") == clip.id]
    kinds = [kind for at, kind in enumerate(mine) if at == 0 or mine[at - 1] is not kind]
    assert kinds == [Transferring, Checking, FileReady, StoryFinished]
    last = log.of(Transferring)[-1]
    assert last.bytes_done == last.bytes_total == clip.files[0].size


async def test_one_small_poster_per_story(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    stories = [alice.video(1), alice.carousel(3, **TINY)]
    posters = (await saved(client, folder)).files("poster")
    assert [ready.story_id for ready in posters] == sorted(story.id for story in stories)
    for ready in posters:
        assert ready.labels == ("poster",)
        assert (ready.verified.width or 999) <= 360
        assert folder.content(ready).startswith(b"\xff\xd8")
        assert hashlib.sha256(folder.content(ready)).hexdigest() == ready.sha256
        assert len(folder.content(ready)) == ready.size_bytes


async def test_no_story_is_a_normal_end(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    log = await saved(client, folder)
    assert [type(event) for event in log] == [Resolved, Listed]


async def test_what_an_earlier_attempt_saved_is_not_fetched_again(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    several, clip = alice.carousel(3, **TINY), alice.video(1)
    have = {(several.id, 1), (several.id, 3), (clip.id, 1)}
    log = await saved(client, folder, have=have)
    assert [(ready.story_id, ready.position) for ready in log.files()] == [(several.id, 2)]
    finished = {event.story_id: (event.saved, event.expected) for event in log.of(StoryFinished)}
    assert finished == {several.id: (3, 3), clip.id: (1, 1)}
    assert tiktok.count("media") == 1


async def test_a_post_with_the_option(client: StoryClient, alice: Account, folder: Folder) -> None:
    post = alice.post("photo", **TINY)
    log = await saved(client, folder, post.url, posts=True)
    assert [ready.story_id for ready in log.files()] == [post.id]


async def test_webp_comes_with_a_jpeg(client: StoryClient, alice: Account, folder: Folder) -> None:
    alice.carousel(2, formats=["webp", "jpeg"], **TINY)
    log = await saved(client, folder)
    assert [ready.verified.content_type for ready in log.files()] == ["image/webp", "image/jpeg"]
    (converted,) = log.files("converted")
    assert converted.position == 1
    assert converted.labels == ("converted",)
    assert converted.verified.content_type == "image/jpeg"


@pytest.mark.parametrize(("form", "content_type"), [("m4a", "audio/mp4"), ("mp3", "audio/mpeg")])
async def test_the_sound_alone(
    client: StoryClient, alice: Account, folder: Folder, form: str, content_type: str
) -> None:
    clip, silent = alice.video(1, song="mp3"), alice.video(1, audio=False)
    photo, quiet = alice.photo(song="mp3", **TINY), alice.photo(**TINY)
    log = await saved(client, folder, audio=form)
    (track,) = log.files("audio_track")
    assert track.story_id == clip.id
    assert track.verified.content_type == content_type
    assert track.labels == ("audio_track",)
    (song,) = log.files("attached_song")
    assert (song.story_id, song.position) == (photo.id, 0)
    assert song.labels == ("attached_song",)
    assert song.verified.content_type == "audio/mpeg"
    assert {event.story_id for event in log.of(StoryFinished)} == {
        clip.id,
        silent.id,
        photo.id,
        quiet.id,
    }
    again = await saved(client, Folder(), audio=form, have={(photo.id, 0)})
    assert again.files("attached_song") == []


# --- when files fail --------------------------------------------------------------------------


async def test_one_failure_leaves_the_others_alone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    several, photo = alice.carousel(3, **TINY), alice.photo(**TINY)
    tiktok.fault({"item": several.id, "position": 2, "endpoint": "picture"}, 403)
    log = await saved(client, folder)
    (failed,) = log.of(MediaFailed)
    assert (failed.story_id, failed.position) == (several.id, 2)
    assert type(failed.error) is MediaUnavailable
    finished = {event.story_id: event for event in log.of(StoryFinished)}
    assert (finished[several.id].saved, finished[several.id].expected) == (2, 3)
    assert finished[several.id].error is failed.error
    assert finished[photo.id].error is None
    assert len(folder.discarded) == 1
    assert len(folder.files) == 5


async def test_a_preview_is_made_of_what_the_check_has_decoded(
    client: StoryClient, alice: Account, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.video(1, gears=[SMALL_H264], low=False, watermark=False)
    work = count_work(monkeypatch)
    log = await saved(client, folder)
    assert len(log.files("poster")) == 1
    assert (work.opened, work.decoded) == (2, 24)


async def test_a_preview_and_a_jpeg_that_cannot_be_made_are_only_a_warning(
    client: StoryClient,
    alice: Account,
    folder: Folder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise MediaCorrupt("no")

    monkeypatch.setattr("stories.media.derive.poster", broken)
    monkeypatch.setattr("stories.media.derive.as_jpeg", broken)
    photo = alice.carousel(2, formats=["webp", "jpeg"], **TINY)
    log = await saved(client, folder, audio="mp3")
    assert len(log.files()) == 2
    assert [*log.files("poster"), *log.files("converted")] == []
    assert len(log.of(Warned)) == 2
    assert all(warned.story_id == photo.id for warned in log.of(Warned))
    assert [(end.error, end.lacks) for end in log.of(StoryFinished)] == [(None, None)]
    assert len(folder.files) == 2


@pytest.mark.parametrize("fault", [403, 404, 503])
async def test_a_song_that_was_asked_for_and_does_not_come_is_said(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder, fault: int
) -> None:
    photo, quiet = alice.photo(song="mp3", **TINY), alice.photo(**TINY)
    tiktok.fault("song", fault)
    log = await saved(client, folder, audio="mp3")
    assert len(log.files()) == 2
    ends = {end.story_id: end for end in log.of(StoryFinished)}
    assert (ends[photo.id].saved, ends[photo.id].error) == (1, None)
    assert type(ends[photo.id].lacks) is SoundMissing
    assert ends[quiet.id].lacks is None, "TikTok hands out none for it"
    assert not any(end.lacks for end in (await saved(client, Folder())).of(StoryFinished))


async def test_a_song_larger_than_we_take_is_said_and_final(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.photo(song="mp3", **TINY)
    async with client_of(tiktok, max_song_bytes=100) as client:
        (end,) = (await saved(client, folder, audio="mp3")).of(StoryFinished)
    assert type(end.lacks) is TooLarge


async def test_a_sound_track_that_cannot_be_made_is_said(
    client: StoryClient, alice: Account, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise MediaCorrupt("no")

    monkeypatch.setattr("stories.media.derive.audio_track", broken)
    alice.video(1)
    log = await saved(client, folder, audio="m4a")
    assert len(log.files()) == 1
    (end,) = log.of(StoryFinished)
    assert (end.error, type(end.lacks)) == (None, SoundMissing)


async def test_no_room(client: StoryClient, alice: Account) -> None:
    class Full(StoriesError):
        code = "disk_full"
        message = "full"

    class FullFolder(Folder):
        def reserve(self, size_bytes: int, key: str) -> None:
            raise Full

    alice.photo(**TINY)
    folder = FullFolder()
    log = await saved(client, folder)
    assert type(log.of(MediaFailed)[0].error) is Full
    assert folder.files == {}


async def test_a_disk_that_is_really_full_ends_it(client: StoryClient, alice: Account) -> None:
    class NoSpace(Kept):
        def write(self, chunk: Any) -> int:
            raise OSError(28, "No space left on device")

    class FullFolder(Folder):
        def create(self) -> tuple[str, BinaryIO]:
            key, _ = super().create()
            self.files[key] = NoSpace()
            return key, self.files[key]

    alice.carousel(3, **TINY)
    folder = FullFolder()
    with pytest.raises(OSError, match="No space left"):
        await saved(client, folder)
    assert folder.files == {}


# --- the whole target -------------------------------------------------------------------------


async def test_a_failure_of_the_whole_is_raised(client: StoryClient, folder: Folder) -> None:
    with pytest.raises(NoSuchAccount):
        await saved(client, folder, "nobody")


async def test_time_runs_out(tiktok: FakeTikTok, alice: Account, folder: Folder) -> None:
    alice.photo(**TINY)

    async def stuck(*, at_once: bool = False) -> None:
        await asyncio.Event().wait()

    transport = tiktok.transport()
    client = StoryClient(
        ClientConfig(item_timeout_s=0.05),
        rate_limit=stuck,
        page_transport=transport,
        media_transport=transport,
    )
    async with client:
        with pytest.raises(TimedOut):
            await saved(client, folder)


async def test_closing_stops_everything_and_leaves_nothing(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    for _ in range(3):
        alice.video(1)
    before = asyncio.all_tasks()
    events = harvest(client, parse_line("alice"), options=HarvestOptions(), workspace=folder)
    handed_out: list[str] = []
    async for event in events:
        if isinstance(event, FileReady):
            handed_out.append(event.key)
            break
    await asyncio.sleep(0)
    await events.aclose()
    assert set(folder.files) == set(handed_out), "only what was handed out is kept"
    assert asyncio.all_tasks() == before
    await until_idle(client)
    assert all(file.closed for file in folder.files.values())


async def test_cancelling_the_consumer_stops_everything(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    for _ in range(3):
        alice.carousel(4, **TINY)
    started = asyncio.Event()
    before = asyncio.all_tasks()

    async def consume() -> None:
        events = harvest(client, parse_line("alice"), options=HarvestOptions(), workspace=folder)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Transferring):
                    started.set()
                    await asyncio.Event().wait()

    task = asyncio.create_task(consume())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert folder.files == {}
    assert asyncio.all_tasks() == before


async def test_a_file_is_not_closed_under_a_decoder(
    client: StoryClient, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.photo(**TINY)
    opened, release = threading.Event(), threading.Event()
    given: list[BinaryIO] = []

    def slow(file: BinaryIO, kind: MediaKind, **_: Any) -> Any:
        given.append(file)
        opened.set()
        release.wait(10)
        raise MediaCorrupt("late")

    monkeypatch.setattr(obtaining, "examine", slow)
    folder = Folder()
    events = harvest(client, parse_line("alice"), options=HarvestOptions(), workspace=folder)
    async for event in events:
        if isinstance(event, Checking):
            break
    await asyncio.to_thread(opened.wait, 10)
    await events.aclose()
    assert folder.files == {}, "gone from the workspace at once"
    assert not given[0].closed
    release.set()
    await until_idle(client)
    assert given[0].closed


async def until_idle(client: StoryClient) -> None:
    """The decoder threads have nothing left to do, callbacks included."""
    for _ in range(2):
        both = threading.Barrier(2)
        await asyncio.gather(*(client.run_in_thread(both.wait) for _ in range(2)))


async def test_many_files_do_not_open_at_once(tiktok: FakeTikTok, alice: Account) -> None:
    for _ in range(3):
        alice.carousel(10, size=(64, 64))
    folder = Folder()
    async with client_of(tiktok, transfers=2) as client:
        log = await saved(client, folder)
    assert len(log.files()) == 30
    # Each file being worked on, and the poster being made of it.
    assert folder.most_open <= 2 * 2 * 2


async def test_two_harvests_share_a_client(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.carousel(3, **TINY)
    tiktok.account("bob").video(1)
    one, other = Folder(), Folder()
    logs = await asyncio.gather(saved(client, one), saved(client, other, "bob"))
    assert [len(log.files()) for log in logs] == [3, 1]


async def test_a_given_moment_decides_what_is_active(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    link = alice.photo(**TINY).url
    tiktok.advance(60 * 3600)
    with pytest.raises(StoriesError) as caught:
        await saved(client, folder, link, now=datetime.now(UTC) + timedelta(hours=60))
    assert caught.value.code == "gone"
    assert tiktok.count() == 1, "TikTok's clock was asked, and nothing else"
    with pytest.raises(StoriesError) as caught:
        await saved(client, folder, link, now=datetime.now(UTC) + timedelta(hours=60))
    assert caught.value.code == "gone"
    assert tiktok.count() == 1, "and is known by now"
