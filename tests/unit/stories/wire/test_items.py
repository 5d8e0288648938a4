"""Single items, from a list, a page of their own or an embed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stories import errors, wire
from stories.errors import StoriesError
from stories.renditions import rank
from stories.structures import Author, MediaKind, StoryKind
from tests.unit.stories.wire.payloads import (
    HOST,
    LEAVES,
    NOW,
    PHOTO_ID,
    POSTED,
    STORY_ID,
    USER_ID,
    VIDEO_ID,
    embed,
    embed_page,
    listing,
    page,
    read,
    sample,
    scope,
    story_item,
)

# --- the list ---------------------------------------------------------------------------------


def test_story_as_constructed() -> None:
    (story,) = read(listing(story_item())).stories
    assert story.id == STORY_ID
    assert story.kind is StoryKind.VIDEO
    assert story.is_story
    assert (story.posted_at, story.leaves_at) == (POSTED, LEAVES)
    assert story.caption == "story test"
    assert story.author == Author(id=USER_ID, name="sample.user", nickname="Sample Name")
    assert story.source_url == f"https://www.tiktok.com/@sample.user/story/{STORY_ID}"
    assert story.song is None
    (media,) = story.media
    assert (media.kind, media.position, media.duration_s) == (MediaKind.VIDEO, 1, 18.0)


# --- media ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "caption"),
    [
        ("  Ünïcode 🔭\nsecond line ", "Ünïcode 🔭\nsecond line"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("nul\x00 bell\x07 \x9b esc\x1b", "nul bell  esc"),
        ("half \ud83d pair", "half  pair"),
        ("x" * 100_000, "x" * wire.MAX_CAPTION),
        (None, ""),
        (["x"], ""),
        ("../../etc/passwd", "../../etc/passwd"),
    ],
    ids=["unicode", "line ends", "controls", "surrogate", "endless", "none", "list", "path"],
)
def test_caption(told: Any, caption: str) -> None:
    (story,) = read(listing(story_item(desc=told))).stories
    assert story.caption == caption
    story.caption.encode()


# --- single items -----------------------------------------------------------------------------


def detail(item: Any, key: str = "webapp.video-detail", **changes: Any) -> bytes:
    return scope(key, {"statusCode": 0, "itemInfo": {"itemStruct": item}, **changes})


def test_recorded_photo_page() -> None:
    story = wire.page_item(page(sample("page_photo_2_images")), PHOTO_ID, now=NOW)
    assert (story.kind, story.is_story, story.leaves_at) == (StoryKind.CAROUSEL, False, None)
    assert story.posted_at == datetime.fromtimestamp(1788540697, UTC)
    assert story.caption == "Sample caption 🔭"
    assert story.song is None, "its address was cut from the recording"
    assert story.source_url == f"https://www.tiktok.com/@sample.user/photo/{PHOTO_ID}"
    assert [media.variants[0].height for media in story.media] == [1436, 1424]


def test_recorded_video_page() -> None:
    story = wire.page_item(page(sample("page_video_captions")), "7686905692303510270", now=NOW)
    (media,) = story.media
    clean, marked = media.variants
    assert (clean.codec, clean.width, clean.height) == ("h264", 720, 1280)
    assert (clean.size_bytes, clean.bitrate, media.duration_s) == (10727129, 926049, 92.0)
    assert (clean.watermarked, marked.watermarked) == (False, True)
    assert story.author.id == USER_ID
    assert story.source_url.endswith("/@sample.user/video/7686905692303510270")


def test_recorded_gears_page_without_author_id_or_time() -> None:
    html = page(sample("page_video_bitrateinfo_h264_only"))
    story = wire.page_item(html, "7047596189440589551", now=NOW)
    assert story.author == Author(id="", name="sample.user", nickname="Sample Name")
    assert story.posted_at == datetime.fromtimestamp(7047596189440589551 >> 32, UTC)
    ranked = rank(story.media[0])
    assert [choice.variant.size_bytes for choice in ranked] == [5076682, 2969386]
    assert [len(choice.variant.urls) for choice in ranked] == [2, 2]


def test_recorded_missing_item() -> None:
    with pytest.raises(errors.Gone, match="code 10204: item doesn't exist") as failure:
        wire.page_item(page(sample("page_video_10204")), VIDEO_ID, now=NOW)
    assert not failure.value.proven, "another page may have it"


def test_story_page_of_a_story() -> None:
    for key in ("webapp.video-detail", "webapp.reflow.video.detail"):
        story = wire.page_item(detail(story_item(), key), STORY_ID, now=NOW)
        assert (story.is_story, story.leaves_at) == (True, LEAVES)
        assert story.source_url.endswith(f"/@sample.user/story/{STORY_ID}")


AUTHOR = {"id": USER_ID, "uniqueId": "sample.user"}

ITEM_ERRORS: dict[str, tuple[bytes, type[StoriesError]]] = {
    "expired": (detail(story_item(story={"ExpiredAt": 1775589638000})), errors.Gone),
    "private post": (detail(story_item(privateItem=True)), errors.PrivatePost),
    "private author": (
        detail(story_item(author={**AUTHOR, "privateAccount": True})),
        errors.PrivateAccount,
    ),
    "age gate": (detail(story_item(video=None, isContentClassified=True)), errors.AgeRestricted),
    "slides not listed": (detail(story_item(imagePost={"images": []})), errors.MediaUnavailable),
    "no media": (detail(story_item(video={})), errors.UpstreamChanged),
    "another item": (detail(story_item(id=VIDEO_ID)), errors.UpstreamChanged),
    "no item": (detail(None), errors.UpstreamChanged),
    "no author": (detail(story_item(author={})), errors.UpstreamChanged),
    "no time at all": (detail(story_item(createTime=None, id="1")), errors.UpstreamChanged),
    "no detail": (scope("other", {}), errors.UpstreamChanged),
    "page not found": (scope("webapp.video-detail", {"statusCode": 10202}), errors.Unavailable),
    "unknown code": (scope("webapp.video-detail", {"statusCode": 77}), errors.UnknownAnswer),
    "under review": (scope("webapp.video-detail", {"statusCode": 10215}), errors.PrivatePost),
    "private code": (scope("webapp.video-detail", {"statusCode": 10216}), errors.PrivatePost),
    "region": (scope("webapp.video-detail", {"statusCode": 10231}), errors.RegionLocked),
    "region, other": (scope("webapp.video-detail", {"statusCode": 10219}), errors.RegionLocked),
    "login": (scope("webapp.video-detail", {"statusCode": 10102}), errors.LoginRequired),
    "captcha": (scope("webapp.video-detail", {"statusCode": 10101}), errors.Refused),
}
EMPTIED = {"id": STORY_ID, "desc": "", "createTime": "0", "video": {}}
"""What is left of an item that is kept from us: no author, no time, no media."""
ITEM_ERRORS |= {
    f"emptied, {name}": (detail({**EMPTIED, **flags}, key), kind)
    for key in ("webapp.video-detail", "webapp.reflow.video.detail")
    for name, flags, kind in (
        (f"classified in {key}", {"isContentClassified": True}, errors.AgeRestricted),
        (f"classified in text in {key}", {"isContentClassified": "1"}, errors.AgeRestricted),
        (f"private in {key}", {"privateItem": True}, errors.PrivatePost),
        (f"secret in {key}", {"secret": 1}, errors.PrivatePost),
        (f"taken down in {key}", {"takeDown": True}, errors.Gone),
        (f"under review in {key}", {"isReviewing": True}, errors.Unavailable),
        (
            f"private author without a name in {key}",
            {"author": {"privateAccount": True}},
            errors.PrivateAccount,
        ),
        (
            f"classified photo in {key}",
            {"isContentClassified": True, "imagePost": {}},
            errors.AgeRestricted,
        ),
        (f"no reason given in {key}", {}, errors.UpstreamChanged),
        (
            f"another's flags in {key}",
            {"id": VIDEO_ID, "isContentClassified": True},
            errors.UpstreamChanged,
        ),
    )
}
ITEM_ERRORS["emptied, without its id"] = (
    detail({"isContentClassified": True, "video": None}),
    errors.AgeRestricted,
)


@pytest.mark.parametrize(("html", "kind"), ITEM_ERRORS.values(), ids=ITEM_ERRORS.keys())
def test_item_errors(html: bytes, kind: type[StoriesError]) -> None:
    with pytest.raises(kind) as failure:
        wire.page_item(html, STORY_ID, now=NOW)
    assert type(failure.value) is kind


def test_embedded_video() -> None:
    post = wire.embed_item(embed_page(), STORY_ID, now=NOW)
    assert (post.is_story, post.leaves_at, post.caption) == (False, None, "story test")
    assert (post.author.id, post.author.name) == (USER_ID, "sample.user")
    (media,) = post.media
    (variant,) = media.variants
    assert (len(variant.urls), variant.width, variant.codec) == (2, 576, None)
    assert media.duration_s == 9.0
    story = wire.embed_item(embed_page(), STORY_ID, now=NOW, is_story=True)
    assert (story.is_story, story.leaves_at) == (True, LEAVES)
    with pytest.raises(errors.Gone):
        wire.embed_item(embed_page(), STORY_ID, now=LEAVES, is_story=True)


def test_embedded_pictures() -> None:
    images = [{"urlList": [f"{HOST}/p.jpeg"], "width": 1080, "height": 1436}, {"urlList": []}]
    html = embed_page(imagePostInfo={"displayImages": images})
    story = wire.embed_item(html, STORY_ID, now=NOW)
    assert story.kind is StoryKind.CAROUSEL
    assert story.media[0].variants[0].height == 1436
    assert story.media[1].variants == ()


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        (embed_page(itemInfos=None), errors.Unavailable),
        (embed_page(itemInfos={"id": VIDEO_ID}), errors.UpstreamChanged),
        (embed_page(itemInfos={"id": STORY_ID, "video": {}}), errors.UpstreamChanged),
        (embed_page(authorInfos=None), errors.UpstreamChanged),
        (embed_page(authorInfos={**AUTHOR, "secret": True}), errors.PrivateAccount),
        (embed_page(imagePostInfo={"displayImages": []}), errors.MediaUnavailable),
        (embed({"source": {"data": {"/embed/v2/1": {}}}}), errors.UpstreamChanged),
    ],
    ids=["nothing", "other item", "no media", "no author", "private", "no slides", "no entry"],
)
def test_embedded_item_errors(html: bytes, kind: type[StoriesError]) -> None:
    with pytest.raises(kind):
        wire.embed_item(html, STORY_ID, now=NOW)


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ({"isContentClassified": True}, errors.AgeRestricted),
        ({"secret": True}, errors.PrivatePost),
        ({"takeDown": "true"}, errors.Gone),
    ],
    ids=["classified", "secret", "taken down"],
)
def test_an_emptied_item_in_its_embed_says_why(
    flags: dict[str, Any], kind: type[StoriesError]
) -> None:
    html = embed_page(itemInfos={**EMPTIED, **flags}, authorInfos=None)
    with pytest.raises(kind):
        wire.embed_item(html, STORY_ID, now=NOW)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"isContentClassified": True}, "age_restricted"),
        ({"privateItem": True}, "private"),
        ({"takeDown": True}, "expired"),
        ({"isReviewing": True}, "not_ready"),
        ({}, "unreadable"),
    ],
    ids=["classified", "private", "taken down", "under review", "no reason given"],
)
@pytest.mark.parametrize("author", [None, {}], ids=["without author", "author emptied"])
def test_an_emptied_item_in_a_list_is_no_strangers(
    flags: dict[str, Any], reason: str, author: Any
) -> None:
    page = read(listing(story_item(), {**EMPTIED, "id": VIDEO_ID, "author": author, **flags}))
    assert [story.id for story in page.stories] == [STORY_ID]
    assert dict(page.left_out) == {VIDEO_ID: reason}


def test_a_classified_item_with_its_media_is_saved() -> None:
    (story,) = read(listing(story_item(isContentClassified=True))).stories
    assert story.media
    assert wire.page_item(detail(story_item(isReviewing=True)), STORY_ID, now=NOW).media


# --- clues ------------------------------------------------------------------------------------


def test_an_item_without_media_still_names_its_author() -> None:
    clue = wire.page_clue(detail(story_item(video={})), STORY_ID)
    assert clue.author is not None
    assert (clue.author.id, clue.author.name, clue.is_story) == (USER_ID, "sample.user", True)
    empty = embed_page(itemInfos={"id": STORY_ID, "video": {"urls": []}})
    for html in (empty, embed_page(itemInfos=None)):
        clue = wire.embed_clue(html, STORY_ID)
        assert clue.author is not None
        assert (clue.author.id, clue.author.name) == (USER_ID, "sample.user")


def test_what_is_said_of_another_item_is_no_clue() -> None:
    assert wire.page_clue(detail(story_item(id=VIDEO_ID)), STORY_ID) == wire.ItemClue()
    assert wire.embed_clue(embed_page(itemInfos={"id": VIDEO_ID}), STORY_ID) == wire.ItemClue()


def test_a_page_that_only_says_it_is_a_story() -> None:
    html = scope("webapp.video-detail", {"statusCode": 10235, "itemInfo": {}})
    with pytest.raises(errors.Unavailable):
        wire.page_item(html, STORY_ID, now=NOW)
    assert wire.page_clue(html, STORY_ID) == wire.ItemClue(is_story=True, exists=True)


@pytest.mark.parametrize(
    "html", [b"", b"<html></html>", page([1]), embed({}), detail([]), detail({"author": 7})]
)
def test_no_answer_is_no_clue(html: bytes) -> None:
    assert wire.page_clue(html, STORY_ID) == wire.ItemClue()
    assert wire.embed_clue(html, STORY_ID) == wire.ItemClue()
