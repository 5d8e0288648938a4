"""The sound that is listed beside a video track, and the name by which players know a video."""

import hashlib
import io
from typing import Any

import av
import pytest

from stories.client import StoryClient
from stories.errors import StoriesError, TooLarge
from stories.events import Listed, MediaFailed, StoryFinished
from stories.harvest import HarvestOptions, harvest
from stories.structures import Playability
from stories.targets import parse_line
from tests.fake_tiktok import Account, FakeStory, FakeTikTok
from tests.fake_tiktok.cdn import MediaObject
from tests.fake_tiktok.odd_media import odd_video, renamed_entry
from tests.unit.stories.harvests import SMALL_H264, Folder, Log, client_of, saved

pytestmark = pytest.mark.anyio

LARGE = (288, 512)


def packets(data: bytes, kind: str) -> list[tuple[float, bytes]]:
    """(time, bytes) of each packet of the first stream of a kind."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = getattr(container.streams, kind)[0]
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]


def dash_clip(alice: Account, seconds: float = 2, **dash: Any) -> FakeStory:
    """A small video with its sound in it, and a large one that comes in two files."""
    clip = alice.video(seconds, gears=[SMALL_H264], low=False, watermark=False)
    alice.add_dash(clip, LARGE, **dash)
    return clip


ADDRESSES = 3
"""Of each file in one listing: two mirrors, and one that leads to them."""


def dash_alone(alice: Account) -> MediaObject:
    """The sound of a video that comes in two files and in no other gear."""
    clip = dash_clip(alice)
    del clip.renditions[0]
    sound = clip.renditions[0].sound
    assert sound is not None
    return sound


async def test_a_silent_dash_gear_is_joined_with_its_sound_without_recoding(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = dash_clip(alice)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("joined",)
    assert (ready.verified.width, ready.verified.height) == LARGE
    assert (ready.verified.has_audio, ready.verified.playability) == (True, Playability.ALL)
    content, dash = folder.content(ready), clip.renditions[1]
    assert dash.sound is not None
    assert packets(content, "video") == packets(dash.thing.body, "video")
    assert packets(content, "audio") == packets(dash.sound.body, "audio")
    assert content.index(b"moov") < content.index(b"mdat"), "players start before the end is there"
    assert ready.size_bytes == len(content)
    assert (tiktok.count("video"), tiktok.count("list")) == (2, 1)


async def test_a_dash_gear_no_larger_than_one_with_sound_is_left_alone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = alice.video(1, gears=[("h264", LARGE)], low=False, watermark=False)
    alice.add_dash(clip, LARGE)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ()
    assert folder.content(ready) == clip.renditions[0].thing.body
    assert tiktok.count("video") == 1


async def test_a_dash_gear_alone_is_joined(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = alice.video(1, gears=[SMALL_H264], low=False, watermark=False)
    alice.add_dash(clip, LARGE, "hevc")
    del clip.renditions[0]
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("hevc", "joined")


@pytest.mark.parametrize("fault", [403, "html", "empty", "truncated"])
async def test_a_sound_that_cannot_be_had_leads_to_the_next_rendition(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder, fault: Any
) -> None:
    clip = dash_clip(alice)
    alice.add_dash(clip, (216, 384), sound=clip.renditions[1].sound)
    sound = clip.renditions[1].sound
    assert sound is not None
    tiktok.fault(sound, fault, **({"after": 100} if fault == "truncated" else {}))
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ()
    assert folder.content(ready) == clip.renditions[0].thing.body
    assert tiktok.count("list") == 1
    asked = [seen.url for seen in tiktok.seen("video") if clip.renditions[2].thing.key in seen.url]
    assert asked == [], "a gear whose sound was not to be had before"


async def test_a_sound_that_fails_in_one_listing_is_fetched_with_a_fresh_link(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    sound = dash_alone(alice)
    tiktok.fault(sound, 503, times=ADDRESSES)
    log = await saved(client, folder)
    assert [ready.labels for ready in log.files()] == [("joined",)]
    assert tiktok.count("list") == 2
    assert [finished.lacks for finished in log.of(StoryFinished)] == [None]


async def test_a_sound_that_is_broken_on_one_mirror_comes_from_the_next(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    sound = dash_alone(alice)
    tiktok.fault(sound, "hole", times=1, after=0, length=2_000)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("joined",)
    assert tiktok.count("list") == 1


@pytest.mark.parametrize("fault", [403, 404, 503, "html", "hole"])
async def test_a_sound_that_never_comes_leaves_the_picture_and_says_so(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder, fault: Any
) -> None:
    options = {"after": 0, "length": 2_000} if fault == "hole" else {}
    tiktok.fault(dash_alone(alice), fault, **options)
    log = await saved(client, folder)
    (ready,) = log.files()
    assert ready.labels == ("no_sound", "sound_missing")
    assert (ready.verified.width, ready.verified.height) == LARGE
    (finished,) = log.of(StoryFinished)
    assert (finished.saved, finished.error) == (1, None)
    assert finished.lacks is not None
    assert (finished.lacks.code, finished.lacks.retryable) == ("sound_missing", True)
    assert tiktok.count("list") == 2
    assert len(folder.files) == 2, "the video and its poster"


async def test_the_picture_is_kept_when_the_list_is_not_to_be_had_again(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    tiktok.fault(dash_alone(alice), 403)
    log = Log()
    events = harvest(
        client, parse_line("alice"), options=HarvestOptions(posters=False), workspace=folder
    )
    async for event in events:
        log.append(event)
        if isinstance(event, Listed):
            tiktok.fault("list", 503)
    assert [ready.labels for ready in log.files()] == [("no_sound", "sound_missing")]


async def test_a_sound_too_large_for_us_is_not_asked_for_again(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    sound = dash_alone(alice)
    size = alice.stories[0].renditions[0].thing.size
    async with client_of(tiktok, max_video_bytes=size + sound.size - 1) as client:
        log = await saved(client, folder)
    assert tiktok.count("list") == 1
    assert [ready.labels for ready in log.files()] == [("no_sound", "sound_missing")]
    assert [type(finished.lacks) for finished in log.of(StoryFinished)] == [TooLarge]


async def test_a_sound_much_shorter_than_its_picture_leads_to_the_next_rendition(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = dash_clip(alice, 4, sound_seconds=1)
    (ready,) = (await saved(client, folder)).files()
    assert folder.content(ready) == clip.renditions[0].thing.body


@pytest.mark.parametrize(
    "extra",
    ["", "no JSON", "[]", '{"audio_file_id": "another"}', '{"audio_file_id": {}}', "[" * 9999],
)
async def test_a_gear_whose_extra_names_no_sound_that_is_listed(
    client: StoryClient, alice: Account, folder: Folder, extra: str
) -> None:
    clip = dash_clip(alice)
    alice.add_dash(clip, (216, 384))
    dash = [
        {
            "Bitrate": 1,
            "CodecType": "h264",
            "Format": "dash",
            "VideoExtra": extra,
            "PlayAddr": {"UrlList": ["https://v16.tiktokcdn.com/x/"], "Width": 999, "Height": 999},
        }
    ]
    clip.item = {"video": {"bitrateInfo": dash}}
    (ready,) = (await saved(client, folder)).files()
    assert ready.verified.has_audio


async def test_picture_and_sound_count_together_against_the_limit(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = dash_clip(alice)
    dash = clip.renditions[1]
    assert dash.sound is not None
    async with client_of(tiktok, max_video_bytes=dash.thing.size + dash.sound.size - 1) as client:
        (ready,) = (await saved(client, folder)).files()
    assert folder.content(ready) == clip.renditions[0].thing.body


async def test_room_is_reserved_for_both_parts_and_for_the_whole(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = dash_clip(alice)
    await saved(client, folder, posters=False)
    dash = clip.renditions[1]
    assert dash.sound is not None
    parts = [dash.thing.size, dash.sound.size]
    assert folder.reserved == [*parts, sum(parts)]
    assert len(folder.files) == 1, "the parts are thrown away"


async def test_no_room_for_joining_is_not_hidden(
    client: StoryClient, alice: Account, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = dash_clip(alice)
    dash = clip.renditions[1]
    assert dash.sound is not None
    whole = dash.thing.size + dash.sound.size

    def reserve(size_bytes: int, key: str) -> None:
        if size_bytes == whole:
            raise StoriesError("no room, as the queue says it")

    monkeypatch.setattr(folder, "reserve", reserve)
    monkeypatch.setattr(StoriesError, "code", "disk_full", raising=False)
    monkeypatch.setattr(StoriesError, "message", "full", raising=False)
    log = await saved(client, folder)
    assert [failed.error.detail for failed in log.of(MediaFailed)] == [
        "no room, as the queue says it"
    ]


# --- the sample entry -----------------------------------------------------------------------------

HVC1 = odd_video("libx265", sample_entry="hvc1", size=(144, 256))
LARGE_HEV1 = renamed_entry(odd_video("libx265", sample_entry="hvc1", size=LARGE), "hvc1", "hev1")


def hevc_clip(alice: Account, *bodies: tuple[tuple[int, int], bytes]) -> FakeStory:
    clip = alice.video(1, gears=[("hevc", size) for size, _ in bodies], low=False, watermark=False)
    for rendition, (_, body) in zip(clip.renditions, bodies, strict=True):
        alice.replace_body(rendition, body)
    return clip


async def test_hev1_alone_gets_the_name_that_phones_look_for(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    hevc_clip(alice, (LARGE, LARGE_HEV1))
    (ready,) = (await saved(client, folder)).files()
    content = folder.content(ready)
    assert ready.labels == ("hevc", "retagged")
    assert (ready.verified.sample_entry, ready.verified.playability) == ("hvc1", Playability.MOST)
    assert len(content) == ready.size_bytes == len(LARGE_HEV1)
    assert packets(content, "video") == packets(LARGE_HEV1, "video")
    changed = [
        at for at, (old, new) in enumerate(zip(LARGE_HEV1, content, strict=True)) if old != new
    ]
    assert len(changed) <= 8, "the name, and that the parameter sets are complete"
    assert ready.sha256 == hashlib.sha256(content).hexdigest()


async def test_a_smaller_hvc1_is_better_than_a_large_hev1(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    hevc_clip(alice, (LARGE, LARGE_HEV1), ((144, 256), HVC1))
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("hevc",)
    assert folder.content(ready) == HVC1


async def test_who_wants_the_most_pixels_gets_the_large_one_renamed(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    hevc_clip(alice, (LARGE, LARGE_HEV1), ((144, 256), HVC1))
    (ready,) = (await saved(client, folder, prefer="highest")).files()
    assert ready.labels == ("hevc", "retagged")
    assert (ready.verified.width, tiktok.count("video")) == (288, 1)


async def test_an_entry_that_cannot_be_renamed_keeps_its_name_and_says_so(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    odd = renamed_entry(odd_video("libx265", sample_entry="hvc1"), "hvc1", "dvh1")
    hevc_clip(alice, ((144, 256), odd))
    (ready,) = (await saved(client, folder)).files()
    assert "odd_format" in ready.labels
    assert folder.content(ready) == odd
