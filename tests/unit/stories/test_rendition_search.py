"""Which file is taken when the best by its listing turns out to lack sound, or players."""

from typing import Any

import pytest

from stories import rendition_search
from stories.client import StoryClient
from stories.errors import MediaUnavailable, SoundMissing, Unplayable
from stories.events import MediaFailed, StoryFinished
from tests.fake_tiktok import Account, FakeStory, FakeTikTok, media
from tests.fake_tiktok.accounts import Gear
from tests.fake_tiktok.odd_media import odd_video
from tests.unit.stories.harvests import SMALL_H264, Folder, client_of, saved

pytestmark = pytest.mark.anyio

LARGE: Gear = ("h264", (288, 512))
MIDDLE: Gear = ("h264", (216, 384))
PREFERENCES = pytest.mark.parametrize("prefer", ["compatible", "highest"])


def clip_of(alice: Account, *gears: tuple[Gear, bool], watermark: bool = False) -> FakeStory:
    """A video in these gears, each with sound or without."""
    clip = alice.video(1, gears=[gear for gear, _ in gears], low=False, watermark=watermark)
    for rendition, (gear, audio) in zip(clip.renditions, gears, strict=True):
        if not audio:
            alice.replace_body(rendition, media.video(1, gear[1], gear[0], audio=False))
    return clip


ADDRESSES = 3
"""Of each file in one listing: two mirrors, and one that leads to them."""


# --- sound ----------------------------------------------------------------------------------------


@PREFERENCES
async def test_the_next_rendition_when_the_largest_has_no_sound(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder, prefer: Any
) -> None:
    clip = clip_of(alice, (LARGE, False), (SMALL_H264, True))
    (ready,) = (await saved(client, folder, prefer=prefer)).files()
    assert (ready.labels, ready.verified.has_audio) == ((), True)
    assert folder.content(ready) == clip.renditions[1].thing.body
    assert len(folder.discarded) == 1, "the spare"
    assert (tiktok.count("video"), tiktok.count("list")) == (2, 1)


@PREFERENCES
async def test_all_renditions_silent_bring_the_best_one_and_a_label(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder, prefer: Any
) -> None:
    clip = clip_of(alice, (LARGE, False), (SMALL_H264, False))
    (ready,) = (await saved(client, folder, prefer=prefer)).files()
    assert ready.labels == ("no_sound",)
    assert folder.content(ready) == clip.renditions[0].thing.body
    assert (tiktok.count("video"), tiktok.count("list")) == (2, 1)


async def test_a_silent_rendition_is_the_spare_when_the_one_with_sound_does_not_come(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, False), (SMALL_H264, True))
    tiktok.fault(clip.renditions[1], 403)
    log = await saved(client, folder)
    (ready,) = log.files()
    assert ready.labels == ("no_sound", "sound_missing")
    assert folder.content(ready) == clip.renditions[0].thing.body
    assert tiktok.count("list") == 2
    asked = [seen.url for seen in tiktok.seen("video") if clip.renditions[0].thing.key in seen.url]
    assert len(asked) == 1, "known to be silent, so not fetched again with a fresh link"
    (finished,) = log.of(StoryFinished)
    assert (finished.saved, finished.expected, finished.error) == (1, 1, None)
    assert type(finished.lacks) is SoundMissing


async def test_a_rendition_with_sound_that_comes_with_a_fresh_link(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, False), (SMALL_H264, True))
    tiktok.fault(clip.renditions[1], 403, times=ADDRESSES)
    log = await saved(client, folder)
    (ready,) = log.files()
    assert ready.labels == ()
    assert folder.content(ready) == clip.renditions[1].thing.body
    assert tiktok.count("list") == 2
    assert [finished.lacks for finished in log.of(StoryFinished)] == [None]


async def test_a_muted_video_is_not_missing_its_sound_when_a_rendition_is_refused(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, False), (SMALL_H264, False))
    clip.item = {"itemMute": True}
    tiktok.fault(clip.renditions[1], 403)
    log = await saved(client, folder)
    assert [ready.labels for ready in log.files()] == [("no_sound",)]
    assert [finished.lacks for finished in log.of(StoryFinished)] == [None]


async def test_a_rendition_too_large_to_fetch_is_no_sound_that_may_still_come(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (SMALL_H264, False), (("hevc", (288, 512)), True))
    small, large = (rendition.thing.size for rendition in clip.renditions)
    async with client_of(tiktok, max_video_bytes=large - 1) as client:
        log = await saved(client, folder)
    assert small < large
    assert [ready.labels for ready in log.files()] == [("no_sound",)]
    assert [finished.lacks for finished in log.of(StoryFinished)] == [None]
    assert tiktok.count("list") == 1


async def test_an_author_who_muted_the_item_is_believed(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, False), (SMALL_H264, True))
    clip.item = {"itemMute": True}
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("no_sound",)
    assert tiktok.count("video") == 1


async def test_hevc_with_sound_is_better_than_silent_h264(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, False), (("hevc", (288, 512)), True))
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("hevc",)
    assert folder.content(ready) == clip.renditions[1].thing.body


async def test_a_watermark_with_sound_is_better_than_none(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip_of(alice, (LARGE, False), watermark=True)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("watermarked",)


@pytest.mark.parametrize("silent", [4, 5, 8])
async def test_the_last_tries_go_to_what_is_least_like_the_silent_ones(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder, silent: int
) -> None:
    sizes = [(288 - 16 * n, 512 - 16 * n) for n in range(silent)]
    clip = clip_of(alice, *((("h264", size), False) for size in sizes), (("h264", (96, 96)), True))
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ()
    assert folder.content(ready) == clip.renditions[-1].thing.body
    assert tiktok.count("video") == 4


async def test_the_very_last_try_goes_to_a_watermarked_one(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    sizes = [(288 - 16 * n, 512 - 16 * n) for n in range(7)]
    clip_of(alice, *((("h264", size), False) for size in sizes), watermark=True)
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("watermarked",)
    assert tiktok.count("video") == rendition_search.MAX_FILES


async def test_the_search_for_sound_ends_after_a_few_files(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    sizes = [(288 - 16 * n, 512 - 16 * n) for n in range(9)]
    clip_of(alice, *((("h264", size), False) for size in sizes))
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("no_sound",)
    assert (ready.verified.width, tiktok.count("video")) == (288, rendition_search.MAX_FILES)


async def test_the_search_for_sound_costs_bytes_within_bounds(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    folder: Folder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rendition_search, "MAX_SEARCH_BYTES", 10)
    clip = clip_of(alice, (LARGE, False), (MIDDLE, False), (SMALL_H264, False))
    first, second, third = (rendition.thing.size for rendition in clip.renditions)
    assert second < first < second + third - 10
    await saved(client, folder)
    assert tiktok.count("video") == 2


# --- players --------------------------------------------------------------------------------------


async def test_only_a_codec_that_no_player_knows_is_said_at_once(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, True))
    clip.renditions[0].codec = "bytevc2"
    clip.item = {"video": {"playAddr": "", "PlayAddrStruct": None, "codecType": "bytevc2"}}
    log = await saved(client, folder)
    (failed,) = log.of(MediaFailed)
    assert type(failed.error) is Unplayable
    assert (failed.error.retryable, failed.error.code) == (False, "unplayable")
    assert (tiktok.count("video"), tiktok.count("list")) == (0, 1)
    assert [finished.saved for finished in log.of(StoryFinished)] == [0]


@pytest.mark.parametrize("encoder", ["libvpx-vp9", "libsvtav1", "mpeg4"])
async def test_an_mp4_that_holds_another_codec_is_final_after_one_request(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder, encoder: str
) -> None:
    clip = clip_of(alice, (LARGE, True))
    alice.replace_body(clip.renditions[0], odd_video(encoder))
    (failed,) = (await saved(client, folder)).of(MediaFailed)
    assert type(failed.error) is Unplayable
    assert (tiktok.count("video"), tiktok.count("list")) == (1, 1)
    assert folder.files == {}


async def test_the_next_rendition_when_the_first_is_of_a_codec_nobody_plays(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, True), (("hevc", (144, 256)), True))
    alice.replace_body(clip.renditions[0], odd_video("libvpx-vp9"))
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("hevc",)
    assert tiktok.count("list") == 1


async def test_a_playable_rendition_that_was_refused_makes_it_worth_another_attempt(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, True), (SMALL_H264, True))
    alice.replace_body(clip.renditions[0], odd_video("libvpx-vp9"))
    tiktok.fault(clip.renditions[1], 403)
    (failed,) = (await saved(client, folder)).of(MediaFailed)
    assert type(failed.error) is MediaUnavailable


async def test_a_codec_of_an_unknown_name_is_judged_by_its_bytes(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (SMALL_H264, True))
    clip.item = {
        "video": {
            "codecType": "bytevc9",
            "bitrateInfo": None,
            "PlayAddrStruct": {"UrlKey": "v_bytevc9_540p_1"},
        }
    }
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ()


async def test_a_depth_that_phones_do_not_play_makes_way_for_a_smaller_file(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, True), (SMALL_H264, True))
    alice.replace_body(clip.renditions[0], odd_video(pixel_format="yuv420p10le", size=(288, 512)))
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ()
    assert folder.content(ready) == clip.renditions[1].thing.body


async def test_a_depth_that_phones_do_not_play_is_labelled_when_it_is_all_there_is(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = clip_of(alice, (LARGE, True))
    alice.replace_body(clip.renditions[0], odd_video(pixel_format="yuv444p", size=(288, 512)))
    (ready,) = (await saved(client, folder)).files()
    assert ready.labels == ("odd_format",)
