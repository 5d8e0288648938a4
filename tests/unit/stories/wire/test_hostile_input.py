"""Whatever bytes come, only a StoriesError comes out of any reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stories import wire
from stories.errors import StoriesError
from stories.hosts import is_media_host
from stories.renditions import rank
from stories.structures import MediaVariant, Story
from tests.unit.stories.wire.payloads import (
    ASKED,
    HOST,
    NOW,
    PHOTO_ID,
    STORY_ID,
    embed,
    embed_page,
    page,
    photo_item,
    read,
    sample,
    story_item,
)

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from([STORY_ID, "sample.user", f"{HOST}/x/", "0", "1e9", "\ud800", 10**30]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of a JSON document sits."""
    if path:
        yield path
    if isinstance(node, dict | list):
        keys = node if isinstance(node, dict) else range(len(node))
        for key in keys:
            yield from places(node[key], (*path, key))


@contextmanager
def changed(document: Any, path: tuple[Any, ...], value: Any) -> Iterator[Any]:
    """The document with one value in place of another, which comes back afterwards."""
    node = document
    for key in path[:-1]:
        node = node[key]
    before, node[path[-1]] = node[path[-1]], value
    try:
        yield document
    finally:
        node[path[-1]] = before


def is_ours(variant: MediaVariant) -> bool:
    """Whether every address of a rendition and of its sound is https, on a media host."""
    sound = variant.sound is None or is_ours(variant.sound)
    return sound and all(is_media_host(url.split("/")[2]) for url in variant.urls)


def read_all(document: Any) -> None:
    """Every reader over one document; only our own errors may come out."""
    text = json.dumps(document)
    shown, framed = page(text), embed(text)
    readers: list[Callable[[], object]] = [
        lambda: read(text.encode()),
        lambda: wire.profile_author(shown, ASKED),
        lambda: wire.page_item(shown, STORY_ID, now=NOW),
        lambda: wire.page_item(shown, PHOTO_ID, now=NOW),
        lambda: wire.page_clue(shown, STORY_ID),
        lambda: wire.embed_author(framed, "sample.user"),
        lambda: wire.embed_item(framed, STORY_ID, now=NOW),
        lambda: wire.embed_clue(framed, STORY_ID),
        lambda: wire.oembed_author_name(text.encode()),
    ]
    for reader in readers:
        with suppress(StoriesError):
            result = reader()
            stories = [result] if isinstance(result, Story) else getattr(result, "stories", ())
            for story in stories:
                for media in story.media:
                    rank(media)
                    assert all(is_ours(variant) for variant in media.variants)
                f"{story.caption}{story.author.nickname}{story.source_url}".encode()


TRACK = {
    "Format": "dash",
    "CodecType": "h264",
    "VideoExtra": '{"audio_file_id": "a1"}',
    "PlayAddr": {"UrlList": [f"{HOST}/v/media-video-avc1/"], "UrlKey": "k", "Width": 1},
}
SOUNDS = [
    {"FileId": "a1", "Bitrate": 1, "UrlList": {"MainUrl": f"{HOST}/s/media-audio-und-mp4a/"}},
    {"audio_meta": {"file_id": "a2", "url_list": {"main_url": f"{HOST}/s/media-audio-eng-mp4a/"}}},
]
SLIDE = {
    "display_image": {"url_list": [f"{HOST}/1.jpeg"], "width": 1, "height": 2},
    "user_watermark_image": {"url_list": [f"{HOST}/2.jpeg"]},
}
OWNER = {"id": "6812345678901234567", "uniqueId": "sample.user"}


def mixed() -> list[dict[str, Any]]:
    """Small items of the rarer shapes: in two files, in the app's words, emptied."""
    base = {"id": STORY_ID, "createTime": "1775589637", "author": OWNER, "story": {}}
    return [
        {**base, "video": {"bitrateInfo": [TRACK], "bitrateAudioInfo": SOUNDS}},
        {**base, "id": "7626099422044159983", "image_post_info": {"images": [SLIDE, SLIDE]}},
        {"id": "7626099422044159984", "video": {}, "author": {"id": ""}, "isContentClassified": 1},
    ]


def embedded() -> dict[str, Any]:
    """An embed whose pictures are in the app's words."""
    item = {"id": STORY_ID, "createTime": "1775589637", "video": {"urls": [f"{HOST}/x/"]}}
    return {"itemInfos": item, "authorInfos": OWNER, "image_post_info": {"images": [SLIDE]}}


def documents() -> list[Any]:
    found = [
        {"statusCode": 0, "itemList": [story_item(), photo_item()], "HasMoreAfter": True},
        sample("page_profile_ok"),
        sample("page_photo_2_images"),
        sample("embed_profile"),
        {"__DEFAULT_SCOPE__": {"webapp.video-detail": {"itemInfo": {"itemStruct": story_item()}}}},
        {"statusCode": 0, "itemList": mixed(), "TotalCount": "3", "HasMoreAfter": False},
        *(
            {"__DEFAULT_SCOPE__": {"webapp.video-detail": {"itemInfo": {"itemStruct": item}}}}
            for item in mixed()
        ),
        {"source": {"data": {f"/embed/v2/{STORY_ID}": {"videoData": embedded()}}}},
    ]
    state = json.loads(embed_page().split(b'application/json">')[1].split(b"</script>")[0])
    return [*found, state]


DOCUMENTS = documents()
PLACES = [(index, path) for index, found in enumerate(DOCUMENTS) for path in places(found)]


@pytest.mark.parametrize(
    "value",
    [None, True, -1, 1e400, 10**400, "", "x", "\ud800", [], {}, [[[]]], [None], {"": None}],
    ids=lambda value: repr(value)[:12],
)
def test_every_value_replaced(value: Any) -> None:
    """One value at a time, anywhere a reader looks, turned into something else."""
    for index, path in PLACES:
        if len(path) <= 9:
            with changed(DOCUMENTS[index], path, value) as document:
                read_all(document)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_anything_anywhere(place: tuple[int, tuple[Any, ...]], value: Any) -> None:
    index, path = place
    with changed(DOCUMENTS[index], path, value) as document:
        read_all(document)


WORDS = st.sampled_from(
    [
        *("video", "imagePost", "imagePostInfo", "image_post_info", "images", "displayImages"),
        *("display_image", "imageURL", "url_list", "urlList", "UrlList", "MainUrl", "src"),
        *("bitrateInfo", "bitrateAudioInfo", "PlayAddr", "VideoExtra", "audio_file_id", "FileId"),
        *("Format", "audio_meta", "Bitrate", "author", "isContentClassified", "playAddr"),
        *("music", "playUrl", "downloadAddr", "embedUrls", "AudioDataSize"),
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 10**19),
    st.sampled_from(
        [
            *("dash", "", "a1", '{"audio_file_id": "a1"}', "//v16.tiktokcdn.com/x/", f"{HOST}/x/"),
            *(f"{HOST}/s/media-audio-und-mp4a/", f"{HOST}/v/media-video-hvc1/"),
            *("https://evil.example/x", "javascript:x", "\ud800"),
        ]
    ),
)
MIXED = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=30,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(WORDS, MIXED, max_size=8))
def test_every_shape_within_every_other(fields: dict[str, Any]) -> None:
    item = {"id": STORY_ID, "createTime": "1775589637", "author": OWNER, "story": {}, **fields}
    read_all({"statusCode": 0, "itemList": [item, item]})
    detail = {"itemInfo": {"itemStruct": item}}
    read_all({"__DEFAULT_SCOPE__": {"webapp.video-detail": detail}})
    data = {"itemInfos": item, "authorInfos": OWNER, **fields}
    read_all({"source": {"data": {f"/embed/v2/{STORY_ID}": {"videoData": data}}}})


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    script = b'<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__">'
    for answer in (raw, b"{" + raw, script + raw, script + b"{" + raw + b"}</script>"):
        with suppress(StoriesError):
            read(answer)
        with suppress(StoriesError):
            wire.profile_author(answer, ASKED)
        with suppress(StoriesError):
            wire.embed_author(answer, "sample.user")
