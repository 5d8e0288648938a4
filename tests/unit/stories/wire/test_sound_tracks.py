"""Gears that come without their sound, and where it is listed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stories import wire
from stories.structures import Media
from tests.unit.stories.wire.payloads import (
    HOST,
    NOW,
    STORY_ID,
    embed_page,
    listing,
    photo_item,
    read,
    scope,
    story_item,
)

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
    """One sound in two qualities serves; of two languages none is taken for the other."""
    better = {**SOUND, "FileId": "a2", "Bitrate": "96000"}
    (variant,) = video(bitrateInfo=[gear(extra)], bitrateAudioInfo=[SOUND, better]).variants
    assert variant.silent
    assert variant.sound is not None
    assert variant.sound.bitrate == 96000
    dubbed = {**better, "UrlList": [f"{HOST}/s/media-audio-eng-mp4a/"]}
    (variant,) = video(bitrateInfo=[gear(extra)], bitrateAudioInfo=[SOUND, dubbed]).variants
    assert (variant.silent, variant.sound) == (True, None)


@pytest.mark.parametrize("sounds", [None, 7, "x", {}, [None], [{"FileId": "a1"}], [[SOUND]]])
def test_sounds_that_cannot_be_read(sounds: Any) -> None:
    (variant,) = video(bitrateInfo=[gear(NAMED)], bitrateAudioInfo=sounds).variants
    assert (variant.silent, variant.sound) == (True, None)


NAMES: dict[str, dict[str, Any]] = {
    "as text": {"VideoExtra": '{"audio_file_id": "a1"}'},
    "as an object": {"VideoExtra": {"audio_file_id": "a1"}},
    "with a map of packets": {"VideoExtra": json.dumps({"m": "x" * 40_000, "audio_file_id": "a1"})},
    "camel case": {"VideoExtra": '{"audioFileId": "a1"}'},
    "capital": {"VideoExtra": '{"AudioFileId": "a1"}'},
    "two words": {"VideoExtra": '{"audio_fileid": "a1"}'},
    "with spaces": {"VideoExtra": '{"audio_file_id": " a1 "}'},
    "extra in the app's words": {"VideoExtra": None, "video_extra": '{"audio_file_id": "a1"}'},
    "beside the extra": {"VideoExtra": "{}", "audio_file_id": "a1"},
}


@pytest.mark.parametrize("named", NAMES.values(), ids=NAMES.keys())
def test_the_name_of_a_sound_in_any_spelling(named: dict[str, Any]) -> None:
    louder = {"Bitrate": 96000, "FileId": "a2", "UrlList": [f"{HOST}/other/"]}
    listed = gear(None, **named)
    (variant,) = video(bitrateInfo=[listed], bitrateAudioInfo=[louder, SOUND]).variants
    assert variant.sound is not None
    assert variant.sound.bitrate == 64000


HERE = f"{HOST}/s/"
SOUNDS: dict[str, dict[str, Any]] = {
    "three addresses": {"FileId": "a1", "UrlList": {"MainUrl": HERE, "FallbackUrl": HERE}},
    "an array": {"FileId": "a1", "UrlList": [HERE]},
    "an array of objects": {"FileId": "a1", "UrlList": [{"MainUrl": HERE}]},
    "an address of its own": {"FileId": "a1", "PlayAddr": {"UrlList": [HERE]}},
    "no scheme": {"FileId": "a1", "UrlList": {"MainUrl": HERE.removeprefix("https:")}},
    "no list": {"FileId": "a1", "MainUrl": HERE},
    "lower case": {"fileId": "a1", "urlList": {"mainUrl": HERE}},
    "the app's words": {"file_id": "a1", "url_list": {"main_url": HERE}},
    "the app's shape": {"audio_meta": {"file_id": "a1", "url_list": {"main_url": HERE}}},
    "its checksum": {"FileId": "", "FileHash": "a1", "UrlList": [HERE]},
}


@pytest.mark.parametrize("listed", SOUNDS.values(), ids=SOUNDS.keys())
@pytest.mark.parametrize("where", ["bitrateAudioInfo", "BitrateAudioInfo", "bitrate_audio_info"])
def test_a_sound_in_any_spelling(listed: dict[str, Any], where: str) -> None:
    louder = {"Bitrate": 96000, "FileId": "a2", "UrlList": [f"{HOST}/other/"]}
    found = video(bitrateInfo=[gear(NAMED)], **{where: [louder, listed]})
    (variant,) = found.variants
    assert variant.sound is not None
    assert variant.sound.urls == (HERE,)


@pytest.mark.parametrize("size", [{"AudioDataSize": "12"}, {"DataSize": 12}, {"Size": 12}])
def test_the_size_of_a_sound(size: dict[str, Any]) -> None:
    (variant,) = video(bitrateInfo=[gear(NAMED)], bitrateAudioInfo=[{**SOUND, **size}]).variants
    assert variant.sound is not None
    assert variant.sound.size_bytes == 12


@pytest.mark.parametrize("told", ["dash", "DASH", " Dash ", None, "", "mp4"])
@pytest.mark.parametrize("track", ["media-video-avc1", "media-video-hvc1"])
def test_a_track_is_known_by_its_format_or_its_path(told: Any, track: str) -> None:
    address = {"UrlList": [f"{HOST}/v/{track}/?a=1"]}
    found = video(bitrateInfo=[gear(NAMED, Format=told, PlayAddr=address)], bitrateAudioInfo=SOUND)
    (variant,) = found.variants
    assert variant.silent
    assert variant.sound is not None


def test_a_default_address_that_is_a_track_has_its_sound_too() -> None:
    found = video(playAddr=f"{HOST}/v/media-video-avc1/", bitrateAudioInfo=[SOUND])
    (variant,) = found.variants
    assert variant.silent
    assert variant.sound is not None


def test_a_sound_is_no_rendition_of_the_video() -> None:
    address = {"UrlList": [f"{HOST}/s/media-audio-und-mp4a/?a=1"]}
    listed = [gear("", Format="mp4", PlayAddr=address), gear("", Format="mp4")]
    (variant,) = video(bitrateInfo=listed, playAddr=address["UrlList"][0]).variants
    assert variant.urls == (f"{HOST}/v/media-video-avc1/",)


def test_an_only_sound_needs_no_id() -> None:
    nameless = {**SOUND, "FileId": {}}
    (variant,) = video(bitrateInfo=[gear(NAMED)], bitrateAudioInfo=[nameless]).variants
    assert variant.sound is not None


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


@pytest.mark.parametrize("play", [f"//{HOST[8:]}/x.mp3", [f"//{HOST[8:]}/x.mp3"]])
def test_a_song_and_an_embedded_video_without_a_scheme(play: Any) -> None:
    (story,) = read(listing(photo_item(music={"playUrl": play}))).stories
    assert story.song is not None
    assert story.song.variants[0].urls == (f"{HOST}/x.mp3",)
    inner = {"id": STORY_ID, "createTime": "1775589637", "video": {"urls": play}}
    (media,) = wire.embed_item(embed_page(itemInfos=inner), STORY_ID, now=NOW).media
    assert media.variants[0].urls == (f"{HOST}/x.mp3",)


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


MARKED = {
    "user_watermark_image": {"url_list": [f"{HOST}/marked.jpeg"]},
    "owner_watermark_image": {"url_list": [f"{HOST}/marked.jpeg"]},
}
CLEAN = [f"{HOST}/clean.jpeg"]
SLIDES: dict[str, Any] = {
    "the site's": {"imageURL": {"urlList": CLEAN}},
    "an address alone": {"imageURL": CLEAN[0]},
    "a list": {"imageURL": CLEAN},
    "no scheme": {"imageURL": {"urlList": [CLEAN[0].removeprefix("https:")]}},
    "the app's": {**MARKED, "display_image": {"url_list": CLEAN}},
    "the app's after an empty one": {
        "imageURL": {},
        **MARKED,
        "display_image": {"url_list": CLEAN},
    },
    "the app's, camel case": {**MARKED, "displayImage": {"urlList": CLEAN}},
    "the embed's": {**MARKED, "urlList": CLEAN},
}
POSTS: dict[str, Any] = {
    "the site's": lambda slides: {"imagePost": {"images": slides}},
    "the embed's": lambda slides: {"imagePostInfo": {"displayImages": slides}},
    "the app's": lambda slides: {"image_post_info": {"images": slides}},
    "the app's after empty ones": lambda slides: {
        "imagePost": {},
        "imagePostInfo": {"images": []},
        "image_post_info": {"image_list": slides},
    },
}


@pytest.mark.parametrize("slide", SLIDES.values(), ids=SLIDES.keys())
@pytest.mark.parametrize("post", POSTS.values(), ids=POSTS.keys())
def test_pictures_in_every_shape_wherever_they_stand(slide: Any, post: Any) -> None:
    fields = post([slide, slide])
    item = story_item(video={"playAddr": f"{HOST}/slideshow/"}, **fields)
    detail = {"statusCode": 0, "itemInfo": {"itemStruct": item}}
    shown = scope("webapp.video-detail", detail)
    stories = [
        *read(listing(item)).stories,
        wire.page_item(shown, STORY_ID, now=NOW),
        wire.embed_item(embed_page(**fields), STORY_ID, now=NOW),
    ]
    for story in stories:
        assert story.kind == "carousel"
        assert [media.variants[0].urls for media in story.media] == [tuple(CLEAN)] * 2


def test_pictures_within_the_item_of_an_embed() -> None:
    inner = {"id": STORY_ID, "createTime": "1775589637", "imagePost": {"images": [{"src": CLEAN}]}}
    html = embed_page(itemInfos=inner)
    (media,) = wire.embed_item(html, STORY_ID, now=NOW).media
    assert media.variants[0].urls == tuple(CLEAN)


def test_a_picture_that_comes_with_a_watermark_alone_is_counted_and_not_taken() -> None:
    slides = [MARKED, {"display_image": {"url_list": CLEAN}}]
    (story,) = read(listing(story_item(image_post_info={"images": slides}))).stories
    assert [len(media.variants) for media in story.media] == [0, 1]


def test_a_photo_in_the_words_of_the_app_without_slides_is_no_video() -> None:
    item = story_item(image_post_info={"images": []}, video={"playAddr": f"{HOST}/slideshow/"})
    page = read(listing(item))
    assert (page.stories, dict(page.dropped)) == ((), {"not_ready": 1})
