"""Gears that come without their sound, and where it is listed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stories.structures import Media
from tests.unit.stories.wire.payloads import HOST, listing, photo_item, read, story_item

SOUND = {
    "Bitrate": 64000,
    "FileId": "a1",
    "UrlList": {"MainUrl": f"{HOST}/s/media-audio-und-mp4a/", "BackupUrl": f"//{HOST[8:]}/s2/"},
}


def video(**fields: Any) -> Media:
    (story,) = read(listing(story_item(video={"duration": 3, **fields}))).stories
    (media,) = story.media
    return media


def gear(extra: Any, **fields: Any) -> dict[str, Any]:
    address = {"UrlList": [f"{HOST}/v/media-video-avc1/"], "Width": 1080, "Height": 1920}
    return {
        "Bitrate": 9,
        "CodecType": "h264",
        "Format": "dash",
        "VideoExtra": extra,
        "PlayAddr": address,
        **fields,
    }


NAMED = json.dumps({"audio_file_id": "a1"})


def test_a_dash_gear_and_its_sound() -> None:
    (variant,) = video(bitrateInfo=[gear(NAMED)], bitrateAudioInfo=[SOUND]).variants
    assert variant.silent
    assert variant.sound is not None
    assert variant.sound.urls == (f"{HOST}/s/media-audio-und-mp4a/", f"{HOST}/s2/")
    assert (variant.sound.bitrate, variant.sound.codec) == (64000, None)


@pytest.mark.parametrize("named", ["a1", "a2"])
def test_the_sound_that_is_named_among_several(named: str) -> None:
    others = [{**SOUND, "FileId": "a2", "UrlList": [f"{HOST}/other/"]}, SOUND, "nonsense", None]
    extra = json.dumps({"audio_file_id": named})
    (variant,) = video(bitrateInfo=[gear(extra)], bitrateAudioInfo=others).variants
    assert variant.sound is not None
    assert (variant.sound.urls == (f"{HOST}/other/",)) == (named == "a2")


@pytest.mark.parametrize(
    "extra",
    [None, 7, "", "{", "[]", "null", "[" * 5000, '{"audio_file_id": "x"}', "{}", "x" * 10**6],
    ids=lambda value: str(value)[:12],
)
def test_an_extra_that_does_not_say(extra: Any) -> None:
    two = [SOUND, {**SOUND, "FileId": "a2"}]
    (variant,) = video(bitrateInfo=[gear(extra)], bitrateAudioInfo=two).variants
    assert (variant.silent, variant.sound) == (True, None)


@pytest.mark.parametrize(
    "sounds", [None, 7, "x", {}, [None], [{"FileId": "a1"}], [{**SOUND, "FileId": {}}], [[SOUND]]]
)
def test_sounds_that_cannot_be_read(sounds: Any) -> None:
    (variant,) = video(bitrateInfo=[gear(NAMED)], bitrateAudioInfo=sounds).variants
    assert (variant.silent, variant.sound) == (True, None)


def test_an_only_sound_as_a_single_object_needs_no_name() -> None:
    (variant,) = video(bitrateInfo=[gear("{}")], bitrateAudioInfo=SOUND).variants
    assert variant.sound is not None


@pytest.mark.parametrize("told", [None, "mp4", "", 3])
def test_a_gear_with_sound(told: Any) -> None:
    address = {"UrlList": [f"{HOST}/v/"], "Width": 1080, "Height": 1920}
    listed = gear(NAMED, Format=told, PlayAddr=address)
    (variant,) = video(bitrateInfo=[listed], bitrateAudioInfo=[SOUND]).variants
    assert (variant.silent, variant.sound) == (False, None)


@pytest.mark.parametrize("track", ["media-video-hvc1", "media-video-avc1"])
def test_a_path_that_tells_a_video_track(track: str) -> None:
    alone = gear("", Format="mp4", PlayAddr={"UrlList": [f"{HOST}/v/{track}/?a=1"]})
    (variant,) = video(bitrateInfo=[alone]).variants
    assert variant.silent
    whole = f"{HOST}/x/?a=/{track}/"
    mixed = gear("", Format="mp4", PlayAddr={"UrlList": [f"{HOST}/v/{track}/?a=1", whole]})
    (variant,) = video(bitrateInfo=[mixed]).variants
    assert (variant.silent, variant.urls) == (False, (whole,))


@pytest.mark.parametrize(
    ("told", "muted"), [(True, True), (1, True), (False, False), (None, False)]
)
def test_muted_by_its_author(told: Any, muted: bool) -> None:
    item = story_item(video={"playAddr": f"{HOST}/x/"}, itemMute=told)
    (story,) = read(listing(item)).stories
    assert story.media[0].muted is muted


# --- hosts that are on no list, pictures in other words -------------------------------------------


def test_a_video_on_an_unknown_host_stays_listed_and_names_it() -> None:
    address = {"UrlList": ["https://v16.tiktokcdn-row.com/video/?expire=4102444800"]}
    media = video(bitrateInfo=[gear("", PlayAddr=address)])
    assert (media.variants, media.unknown_hosts) == ((), ("v16.tiktokcdn-row.com",))


def test_a_mirror_on_an_unknown_host_is_named_and_left_out() -> None:
    address = {"UrlList": ["https://v16.tiktokcdn-row.com/v/", f"{HOST}/v/"]}
    media = video(bitrateInfo=[gear("", PlayAddr=address)])
    assert [variant.urls for variant in media.variants] == [(f"{HOST}/v/",)]
    assert media.unknown_hosts == ("v16.tiktokcdn-row.com",)


def test_slides_on_unknown_hosts_stay_counted_and_name_them() -> None:
    item = photo_item()
    for slide in item["imagePost"]["images"]:
        slide["imageURL"]["urlList"] = ["https://p16.byteicdn.com/x.jpeg"]
    (story,) = read(listing(item)).stories
    assert [media.unknown_hosts for media in story.media] == [("p16.byteicdn.com",)] * 2


def test_a_song_on_an_unknown_host_names_it() -> None:
    item = photo_item(music={"playUrl": "https://sf16.byteicdn.com/x.mp3"})
    (story,) = read(listing(item)).stories
    assert story.song is not None
    assert (story.song.variants, story.song.unknown_hosts) == ((), ("sf16.byteicdn.com",))


def test_pictures_in_the_words_of_the_app() -> None:
    slides = [
        {"display_image": {"url_list": [f"{HOST}/{n}.jpeg"], "width": 1080, "height": 1440}}
        for n in (1, 2)
    ]
    item = story_item(image_post_info={"images": slides}, video={"playAddr": f"{HOST}/slideshow/"})
    (story,) = read(listing(item)).stories
    assert [media.variants[0].urls for media in story.media] == [
        (f"{HOST}/1.jpeg",),
        (f"{HOST}/2.jpeg",),
    ]
    assert (story.media[0].variants[0].width, story.kind) == (1080, "carousel")


def test_a_photo_in_the_words_of_the_app_without_slides_is_no_video() -> None:
    item = story_item(image_post_info={"images": []}, video={"playAddr": f"{HOST}/slideshow/"})
    page = read(listing(item))
    assert (page.stories, dict(page.dropped)) == ((), {"not_ready": 1})
