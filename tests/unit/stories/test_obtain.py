"""Which rendition is taken from which mirror, and what happens when files fail."""

from dataclasses import replace
from typing import Any

import pytest

from stories import harvest as harvesting
from stories import lookup
from stories.client import StoryClient
from stories.errors import MediaCorrupt, MediaUnavailable, StoriesError, TooLarge
from stories.events import MediaFailed
from tests.fake_tiktok import HEVC_1080, Account, FakeStory, FakeTikTok
from tests.fake_tiktok.accounts import Gear
from tests.unit.stories.harvests import SMALL_H264, TINY, Folder, client_of, saved

pytestmark = pytest.mark.anyio


# --- the good days ----------------------------------------------------------------------------


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

    def reserve(size_bytes: int, key: str) -> None:
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

    async def rate_limit(*, at_once: bool = False) -> None:
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


async def test_bytes_that_were_exchanged_between_two_mirrors_are_not_saved(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    """The second goes on under the same tag and length, with a hole: it is asked for all of it."""
    clip = alice.video(1)
    size = clip.files[0].size
    tiktok.fault({"host": "v16-"}, "drop", after=size // 2, times=1)
    tiktok.fault({"host": "v16-"}, 403)
    tiktok.fault({"host": "v19-"}, "hole", after=100, length=size // 4, times=1)
    (ready,) = (await saved(client, folder)).files()
    assert folder.content(ready) == clip.files[0].body
    asked = [(seen.host[:3], seen.headers["range"]) for seen in tiktok.seen("video")]
    assert [host for host, _ in asked] == ["v16", "v16", "v19", "v19"]
    assert asked[2][1].startswith(f"bytes={size // 2}-")
    assert asked[3][1].startswith("bytes=0-")
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

    usual = lookup.look_up

    async def look_up(*given: Any, **named: Any) -> Any:
        found = await usual(*given, **named)
        refuse_later()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harvesting, "look_up", look_up)
        log = await saved(client, folder)
    assert len(log.files()) == 1
