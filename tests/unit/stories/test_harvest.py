"""One target into checked files, against the fake TikTok with real pictures and videos."""

import asyncio
import hashlib
import io
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, TypeVar

import pytest

from stories import harvest as harvesting
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import (
    MediaCorrupt,
    MediaUnavailable,
    NoSuchAccount,
    StoriesError,
    TimedOut,
    TooLarge,
)
from stories.events import (
    Checking,
    Event,
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
from tests.fake_tiktok import HEVC_1080, Account, FakeStory, FakeTikTok
from tests.fake_tiktok.accounts import Gear

pytestmark = pytest.mark.anyio

T = TypeVar("T")

TINY = {"size": (270, 480)}
SMALL_H264: Gear = ("h264", (144, 256))


class Kept(io.BytesIO):
    """A file whose content outlives its closing."""

    content = b""

    def close(self) -> None:
        if not self.closed:
            self.content = self.getvalue()
        super().close()


@dataclass
class Folder:
    """A workspace in memory that counts what is made and what is thrown away."""

    files: dict[str, Kept] = field(default_factory=dict)
    discarded: list[str] = field(default_factory=list)
    reserved: list[int] = field(default_factory=list)
    most_open: int = 0

    def create(self) -> tuple[str, BinaryIO]:
        key = f"file-{len(self.files) + len(self.discarded)}"
        self.files[key] = Kept()
        self.most_open = max(self.most_open, sum(not f.closed for f in self.files.values()))
        return key, self.files[key]

    def discard(self, key: str) -> None:
        assert key not in self.discarded
        self.discarded.append(key)
        del self.files[key]

    def reserve(self, size_bytes: int) -> None:
        self.reserved.append(size_bytes)

    def content(self, ready: FileReady) -> bytes:
        return self.files[ready.key].content


@pytest.fixture
def folder() -> Folder:
    return Folder()


def client_of(tiktok: FakeTikTok, **settings: Any) -> StoryClient:
    transport = tiktok.transport()
    return StoryClient(
        ClientConfig(**settings), page_transport=transport, media_transport=transport
    )


@pytest.fixture
async def client(tiktok: FakeTikTok) -> AsyncIterator[StoryClient]:
    async with client_of(tiktok) as made:
        yield made


class Log(list[Event]):
    """Events, by kind."""

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self if isinstance(event, kind)]

    def files(self, role: str = "media") -> list[FileReady]:
        found = [ready for ready in self.of(FileReady) if ready.role == role]
        return sorted(found, key=lambda ready: (ready.story_id, ready.position))


async def saved(client: StoryClient, folder: Folder, line: str = "alice", **more: Any) -> Log:
    """Every event of one harvest."""
    have = more.pop("have", ())
    now = more.pop("now", None)
    events = harvest(
        client,
        parse_line(line),
        options=HarvestOptions(**more),
        workspace=folder,
        have=have,
        now=now,
    )
    return Log([event async for event in events])


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


async def test_hevc_only_is_offered_and_labelled(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    alice.video(1, gears=[HEVC_1080], low=False, watermark=False)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("hevc",)
    assert ready.verified.codec == "hevc"


def hevc_said_to_be_h264(alice: Account, *others: Gear, watermark: bool = False) -> FakeStory:
    """A video whose largest rendition is not what the listing says."""
    gears = [("hevc", (288, 512)), *others]
    clip = alice.video(1, gears=gears, low=False, watermark=watermark)
    clip.renditions[0].codec = "h264"
    return clip


async def test_hevc_is_labelled_by_what_the_decoder_found(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = hevc_said_to_be_h264(alice)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("hevc",)
    assert folder.content(ready) == clip.renditions[0].thing.body
    assert (tiktok.count("video"), tiktok.count("list")) == (1, 1)


async def test_h264_said_to_be_hevc_is_not_labelled(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = alice.video(1, gears=[SMALL_H264], low=False, watermark=False)
    clip.renditions[0].codec = "hevc"
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ()


async def test_what_plays_everywhere_is_looked_for_beyond_a_wrong_label(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = hevc_said_to_be_h264(alice, SMALL_H264)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ()
    assert ready.verified.codec == "h264"
    assert folder.content(ready) == clip.renditions[1].thing.body
    assert len(folder.discarded) == 1
    assert (tiktok.count("video"), tiktok.count("list")) == (2, 1)


async def test_what_is_there_is_kept_when_nothing_else_is_to_be_had(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = hevc_said_to_be_h264(alice, SMALL_H264)
    tiktok.fault(clip.renditions[1], 403)
    log = await saved(client, folder)
    (ready,) = log.files()
    assert ready.labels == ("hevc",)
    assert folder.content(ready) == clip.renditions[0].thing.body
    assert len(log.files("poster")) == 1
    assert len(folder.discarded) == 1, "the draft of the other one"
    assert tiktok.count("list") == 1


async def test_two_wrong_labels_bring_the_larger_file(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = hevc_said_to_be_h264(alice, ("hevc", (144, 256)))
    clip.renditions[1].codec = "h264"
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("hevc",)
    assert folder.content(ready) == clip.renditions[0].thing.body


async def test_no_room_for_a_better_one_loses_nothing(
    client: StoryClient, alice: Account, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = hevc_said_to_be_h264(alice, SMALL_H264)
    room = clip.renditions[0].thing.size
    asked: list[int] = []

    def reserve(size_bytes: int) -> None:
        asked.append(size_bytes)
        if sum(asked) > room:
            raise StoriesError("no room, as the queue says it")

    monkeypatch.setattr(folder, "reserve", reserve)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("hevc",)


async def test_a_watermark_is_no_better_than_hevc(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    hevc_said_to_be_h264(alice, watermark=True)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("hevc",)
    assert tiktok.count("video") == 1


async def test_who_wants_the_most_pixels_takes_hevc_whatever_it_was_called(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    hevc_said_to_be_h264(alice, SMALL_H264)
    (ready,) = (await saved(client, folder, prefer="highest")).files()
    assert ready.labels == ("hevc",)
    assert tiktok.count("video") == 1


async def test_a_large_video_comes_in_parts(tiktok: FakeTikTok, alice: Account) -> None:
    clip, folder = alice.video(1, min_bytes=600_000), Folder()
    async with client_of(tiktok, segment_bytes=100_000) as client:
        (ready,) = (await saved(client, folder)).files()
    assert folder.content(ready) == clip.files[0].body
    assert tiktok.count("video") == 5
    assert all("range" in seen.headers for seen in tiktok.seen("video"))


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


async def test_the_other_mirror(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.video(1)
    tiktok.fault({"host": "v16-"}, 403)
    assert len((await saved(client, folder)).files()) == 1
    assert tiktok.count("list") == 1


async def test_the_next_rendition(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = alice.video(1)
    tiktok.fault(clip.renditions[0], 403)
    (ready,) = (await saved(client, folder)).files()
    assert folder.content(ready) == clip.renditions[1].thing.body
    assert tiktok.count("list") == 1


async def test_a_fresh_link_once_for_all_files(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    stories = [alice.video(1) for _ in range(4)]
    tiktok.fault("media", 403)

    async def rate_limit() -> None:
        if tiktok.count("media"):  # what the first session was given has failed by now
            tiktok.faults.clear()

    transport = tiktok.transport()
    async with StoryClient(
        rate_limit=rate_limit, page_transport=transport, media_transport=transport
    ) as client:
        log = await saved(client, folder)
    assert len(log.files()) == len(stories)
    assert log.of(MediaFailed) == []
    assert tiktok.count("list") == 2
    assert tiktok.count("profile") == 2, "the second session starts like a visitor's"
    first, second = (seen.headers.get("cookie") for seen in tiktok.seen("list"))
    assert first != second


async def test_an_address_is_never_asked_twice_after_a_refusal(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.video(1)
    tiktok.fault("media", 403)
    tiktok.fault("play", 403)
    log = await saved(client, folder)
    assert type(log.of(MediaFailed)[0].error) is MediaUnavailable
    asked = [seen.url for seen in tiktok.requests if seen.endpoint in {"video", "play"}]
    assert len(asked) == len(set(asked))
    assert tiktok.count("list") == 2
    assert folder.files == {}


async def test_a_dropped_line_is_taken_up(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = alice.video(1)
    tiktok.fault("video", "drop", after=5000, times=2)
    (ready,) = (await saved(client, folder)).files()
    assert folder.content(ready) == clip.files[0].body
    assert "bytes=5000-" in tiktok.seen("video")[1].headers["range"]
    assert tiktok.count("list") == 1


@pytest.mark.parametrize("fault", ["html", "empty", "truncated", "wrong_range"])
async def test_what_is_no_file_leads_to_the_next_mirror(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder, fault: str
) -> None:
    clip = alice.video(1)
    options = {"after": 9000} if fault == "truncated" else {}
    tiktok.fault({"host": "v16-"}, fault, **options)
    (ready,) = (await saved(client, folder)).files()
    assert folder.content(ready) == clip.files[0].body


async def test_a_file_that_opens_nowhere_is_corrupt(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    thing = alice.photo(**TINY).files[0]
    tiktok.objects[thing.key] = replace(thing, parts=(thing.body[:-3000],))
    log = await saved(client, folder)
    (failed,) = log.of(MediaFailed)
    assert type(failed.error) is MediaCorrupt
    assert tiktok.count("picture") == 2, "each mirror once"
    assert tiktok.count("list") == 2
    assert folder.files == {}


async def test_too_large_is_final(tiktok: FakeTikTok, alice: Account, folder: Folder) -> None:
    alice.photo(**TINY)
    async with client_of(tiktok, max_picture_bytes=1000) as client:
        log = await saved(client, folder)
    assert type(log.of(MediaFailed)[0].error) is TooLarge
    assert tiktok.count("picture") == 1
    assert folder.files == {}


@pytest.mark.parametrize("listed", [True, False])
async def test_the_next_rendition_when_the_first_is_too_large(
    tiktok: FakeTikTok, alice: Account, folder: Folder, listed: bool
) -> None:
    clip = alice.video(1, gears=[("h264", (288, 512)), SMALL_H264], low=False, watermark=False)
    large, small = (one.thing for one in clip.renditions)
    if not listed:
        small_too = replace(large, parts=small.parts)
        clip.renditions[0].thing, tiktok.objects[large.key] = small_too, large
    async with client_of(tiktok, max_video_bytes=small.size) as client:
        (ready,) = (await saved(client, folder)).files()
    assert folder.content(ready) == small.body
    asked = [seen.url for seen in tiktok.seen("video")]
    assert len(asked) == (1 if listed else 2), "neither the one that is too large nor its mirrors"
    assert tiktok.count("list") == 1


@pytest.mark.parametrize("listed", [True, False])
async def test_nothing_small_enough_is_too_large(
    tiktok: FakeTikTok, alice: Account, folder: Folder, listed: bool
) -> None:
    clip = alice.video(1, gears=[("h264", (288, 512)), SMALL_H264], low=False, watermark=False)
    if not listed:
        for one in clip.renditions:
            one.thing = replace(one.thing, parts=(bytes(900),))
    async with client_of(tiktok, max_video_bytes=1000) as client:
        log = await saved(client, folder)
    assert type(log.of(MediaFailed)[0].error) is TooLarge
    assert tiktok.count("video") == (0 if listed else 2)
    assert tiktok.count("list") == 1


async def test_what_would_fit_and_did_not_come_is_not_called_too_large(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = alice.video(1, gears=[("h264", (288, 512)), SMALL_H264], low=False, watermark=False)
    tiktok.fault(clip.renditions[1], 503)
    async with client_of(tiktok, max_video_bytes=clip.renditions[1].thing.size) as client:
        log = await saved(client, folder)
    assert type(log.of(MediaFailed)[0].error) is MediaUnavailable
    assert tiktok.count("list") == 2


async def test_addresses_near_their_end_are_replaced_before_use(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.video(1)
    tiktok.media_life_s = 120
    log = await saved(client, folder)
    assert len(log.files()) == 1, "with two minutes left they still work"
    assert tiktok.count("list") == 2


async def test_when_no_fresh_link_is_to_be_had_the_old_ones_are_tried(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.video(1)
    tiktok.media_life_s = 120

    def refuse_later(*_: Any, **__: Any) -> None:
        tiktok.fault("list", 403)

    usual = harvesting.look_up

    async def look_up(*given: Any, **named: Any) -> Any:
        found = await usual(*given, **named)
        refuse_later()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harvesting, "look_up", look_up)
        log = await saved(client, folder)
    assert len(log.files()) == 1


async def test_extras_that_cannot_be_made_are_only_a_warning(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    folder: Folder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> Any:
        raise MediaCorrupt("no")

    monkeypatch.setattr("stories.media.derive.poster", broken)
    photo = alice.photo(song="mp3", **TINY)
    tiktok.fault("song", 403)
    log = await saved(client, folder, audio="mp3")
    assert len(log.files()) == 1
    assert log.files("poster") == []
    assert log.files("attached_song") == []
    assert len(log.of(Warned)) == 2
    assert all(warned.story_id == photo.id for warned in log.of(Warned))
    assert log.of(StoryFinished)[0].error is None
    assert len(folder.files) == 1


async def test_no_room(client: StoryClient, alice: Account) -> None:
    class Full(StoriesError):
        code = "disk_full"
        message = "full"

    class FullFolder(Folder):
        def reserve(self, size_bytes: int) -> None:
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

    async def stuck() -> None:
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

    monkeypatch.setattr(harvesting, "verify", slow)
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
    story = alice.photo(**TINY)
    link = story.url
    later = datetime.now(UTC) + timedelta(hours=60)
    with pytest.raises(StoriesError) as caught:
        await saved(client, folder, link, now=later)
    assert caught.value.code == "gone"
    assert tiktok.requests == []
