"""Renditions, pictures and songs, as recorded and as constructed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stories import wire
from stories.renditions import rank
from stories.structures import MediaKind, StoryKind
from tests.unit.stories.wire.payloads import (
    HOST,
    STORY_ID,
    body,
    listing,
    photo_item,
    read,
    sample,
    story_item,
)

# --- the list ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sizes", "best_hevc"),
    [
        (
            "web_item_video_1080hevc_540h264",
            [("hevc", 1080), ("hevc", 720), ("h264", 576), ("hevc", 576), ("h264", 576)],
            1080,
        ),
        (
            "web_item_video_720hevc_540h264",
            [("h264", 576), ("hevc", 720), ("hevc", 576), ("h264", 576)],
            720,
        ),
    ],
)
def test_recorded_list_items(name: str, sizes: list[tuple[str, int]], best_hevc: int) -> None:
    data = sample(name)
    answer, item = body(data), data["itemList"][0]
    posted = datetime.fromtimestamp(item["createTime"], UTC)
    # The recording is of posts: read an hour after posting, it stands in for a story.
    recorded = datetime.fromtimestamp(data["extra"].pop("now") / 1000, UTC)
    found = read(body(data), now=posted + timedelta(hours=1))
    (media,) = found.stories[0].media
    clean = [variant for variant in media.variants if not variant.watermarked]
    assert [(variant.codec, variant.width) for variant in clean] == sizes
    assert all(len(variant.urls) == 3 for variant in clean)
    assert [variant.watermarked for variant in media.variants].count(True) == 1
    assert media.variants[-1].watermarked
    assert all(variant.expires_at for variant in media.variants)
    best = rank(media)
    assert (best[0].variant.codec, best[0].variant.width, best[0].labels) == ("h264", 576, ())
    assert best[-1].labels == ("watermarked",)
    highest = rank(media, "highest")[0]
    assert (highest.variant.width, highest.labels) == (best_hevc, ("hevc",))
    # By its own clock, four months later, nothing of it is left.
    later = read(answer, now=recorded - timedelta(hours=1))
    assert later.dropped == {"expired": 1}
    assert later.server_now == recorded


def test_default_rendition_is_merged_not_repeated() -> None:
    """`playAddr`, `PlayAddrStruct` and one gear are the same file."""
    (story,) = read(listing(story_item())).stories
    (media,) = story.media
    urls = [url for variant in media.variants for url in variant.urls]
    assert len(urls) == len(set(urls))
    best = rank(media)[0].variant
    assert (best.size_bytes, best.bitrate, best.height) == (926762, 404677, 1024)
    assert best.expires_at == datetime.fromtimestamp(1761112959, UTC)


def test_photo_stories() -> None:
    (one,) = read(listing(photo_item(1))).stories
    (two,) = read(listing(photo_item(2))).stories
    assert (one.kind, two.kind) == (StoryKind.PHOTO, StoryKind.CAROUSEL)
    assert [media.position for media in two.media] == [1, 2]
    assert {media.kind for media in two.media} == {MediaKind.PICTURE}
    (variant,) = two.media[0].variants
    assert (variant.width, variant.height, len(variant.urls)) == (1080, 1436, 2)
    assert variant.expires_at == datetime.fromtimestamp(1790262000, UTC)
    assert two.source_url.endswith(f"/@sample.user/story/{STORY_ID}")


def test_song_comes_with_pictures_only() -> None:
    song = sample("web_item_video_1080hevc_540h264")["itemList"][0]["music"]
    (photo,) = read(listing(photo_item(music=song))).stories
    assert photo.song is not None
    assert (photo.song.kind, photo.song.position, photo.song.duration_s) == ("song", 0, 17.0)
    (variant,) = photo.song.variants
    # From the path: 0x68f624de.
    assert variant.expires_at == datetime.fromtimestamp(0x68F624DE, UTC)
    (video,) = read(listing(story_item(music=song))).stories
    assert video.song is None


def test_a_slide_we_may_not_fetch_is_counted_not_hidden() -> None:
    item = photo_item()
    item["imagePost"]["images"][0]["imageURL"]["urlList"] = ["https://cdn.example/x.jpeg"]
    (story,) = read(listing(item)).stories
    assert story.kind is StoryKind.CAROUSEL
    assert [len(media.variants) for media in story.media] == [0, 1]


# --- media ------------------------------------------------------------------------------------


def renditions(**video: Any) -> list[Any]:
    """What is read from a constructed `video`."""
    found = read(listing(story_item(video=video)))
    return list(found.stories[0].media[0].variants) if found.stories else []


def gear(codec: Any, key: Any = "", path: str = "a", **facts: Any) -> dict[str, Any]:
    address = {"UrlList": [f"{HOST}/{path}/"], "UrlKey": key, **facts}
    return {"CodecType": codec, "PlayAddr": address, "Bitrate": 1}


@pytest.mark.parametrize(
    ("codec", "key", "read_as"),
    [
        ("h264", "", "h264"),
        ("H264", "", "h264"),
        ("", "v0_h264_540p_1", "h264"),
        (None, "v0_h264_540p_1", "h264"),
        ("h265_hvc1", "v0_h264_540p_1", "h264"),
        ("h265_hvc1", "v0_bytevc1_540p_1", "hevc"),
        ("h265", "", "hevc"),
        ("", "v0_bytevc1_540p_1", "hevc"),
        ("bytevc1", "", "hevc"),
        ("bytevc2", "", "h266"),
        ("h266", "", "h266"),
        ("", "v0_bytevc2_540p_1", "h266"),
        ("av1", "", "av1"),
        (None, None, None),
        (7, [1], None),
    ],
)
def test_codec(codec: Any, key: Any, read_as: str | None) -> None:
    (variant,) = renditions(bitrateInfo=[gear(codec, key)])
    assert variant.codec == read_as


def test_gears_may_be_a_single_object() -> None:
    (variant,) = renditions(bitrateInfo=gear("h264", Width="576", Height=0, DataSize="12"))
    assert (variant.width, variant.height, variant.size_bytes) == (576, None, 12)


def test_play_address_may_be_a_list_of_sources() -> None:
    (variant,) = renditions(playAddr=[{"src": f"{HOST}/x/"}, {"src": 3}, None], width=576)
    assert (variant.urls, variant.codec, variant.width) == ((f"{HOST}/x/",), "h264", 576)


def test_default_rendition_says_when_it_is_not_h264() -> None:
    (variant,) = renditions(playAddr=f"{HOST}/x/", codecType="h265_hvc1")
    assert variant.codec == "hevc"


def test_save_video_file_is_watermarked_unless_it_is_the_clean_one() -> None:
    clean, marked = renditions(playAddr=f"{HOST}/x/?a=1", downloadAddr=f"{HOST}/y/?a=1")
    assert (clean.watermarked, marked.watermarked) == (False, True)
    (only,) = renditions(playAddr=f"{HOST}/x/?a=1", downloadAddr=f"{HOST}/x/?a=2")
    assert not only.watermarked


def test_same_object_on_signed_paths_is_one_file() -> None:
    one = f"https://v16m.tiktokcdn.com/{'0' * 32}/68f624df/video/x/?a=1"
    two = f"https://v19.tiktokcdn-us.com/{'1' * 32}/68f624de/video/x/?a=1"
    (variant,) = renditions(
        bitrateInfo=[gear("h264") | {"PlayAddr": {"UrlList": [one]}}], playAddr=two
    )
    assert variant.urls == (one, two)
    assert variant.expires_at == datetime.fromtimestamp(0x68F624DE, UTC)


def test_play_endpoint_does_not_make_two_files_one() -> None:
    play = "https://www.tiktok.com/aweme/v1/play/?file_id="
    gears = [gear("h264", UrlList=[play + "1"]), gear("h265", UrlList=[play + "2"])]
    assert [variant.codec for variant in renditions(bitrateInfo=gears)] == ["h264", "hevc"]


ADDRESSES = {
    "https": (f"{HOST}/x/?a=1&b=%2F", True),
    "standard port": ("https://v16.tiktokcdn.com:443/x", True),
    "upper-case host": ("https://V16.TikTokCDN.com/x", True),
    "second-level hosts": ("https://p16.ibyteimg.com/x", True),
    "http": ("http://v16.tiktokcdn.com/x", True),
    "no scheme": ("//v16.tiktokcdn.com/x", True),
    "another site": ("https://cdn.example/x", False),
    "akamai": ("https://v16m-default.akamaized.net/x", False),
    "look-alike": ("https://tiktokcdn.com.evil.example/x", False),
    "look-alike prefix": ("https://eviltiktokcdn.com/x", False),
    "bare domain": ("https://tiktokcdn.com/x", False),
    "user part": ("https://v16.tiktokcdn.com@evil.example/x", False),
    "user part before ours": ("https://a@v16.tiktokcdn.com/x", False),
    "odd port": ("https://v16.tiktokcdn.com:8443/x", False),
    "trailing dot": ("https://v16.tiktokcdn.com./x", False),
    "loopback": ("https://127.0.0.1/x", False),
    "IPv6": ("https://[::1]/x", False),
    "backslash": ("https://evil.example\\.tiktokcdn.com/x", False),
    "backslash in path": ("https://v16.tiktokcdn.com\\@evil.example/x", False),
    "blank": ("https://v16.tiktokcdn.com/x y", False),
    "line end": ("https://v16.tiktokcdn.com/x\r\nX: y", False),
    "final line end": ("https://v16.tiktokcdn.com/x\n", True),
    "fragment": ("https://v16.tiktokcdn.com/x#y", False),
    "not ASCII": ("https://v16.tiktokcdn.com/é", False),
    "no path": ("https://v16.tiktokcdn.com", False),
    "file": ("file:///etc/passwd", False),
    "endless": ("https://v16.tiktokcdn.com/" + "x" * 5000, False),
    "number": (3, False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("address", "kept"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_addresses_we_may_use(address: Any, *, kept: bool) -> None:
    assert bool(renditions(playAddr=address)) is kept
    assert bool(renditions(bitrateInfo=[gear("h264", UrlList=[address])])) is kept


@pytest.mark.parametrize(
    ("address", "unix"),
    [
        (f"{HOST}/x/?a=1&expire=1788747946&l=2", 1788747946),
        (f"{HOST}/x/?x-expires=1790262000&x-signature=A", 1790262000),
        (f"https://v45.tiktokcdn-eu.com/{'0' * 32}/6ab53c54/video/x/?a=1", 0x6AB53C54),
        (f"https://v45.tiktokcdn-eu.com/{'0' * 31}/6ab53c54/video/x/", None),
        (f"https://v45.tiktokcdn-eu.com/{'0' * 32}/00000001/video/x/", None),
        (f"{HOST}/x/?notexpire=1788747946", None),
        (f"{HOST}/x/?expire=soon", None),
        (f"{HOST}/x/?expire=99999999999", None),
        (f"{HOST}/x/", None),
    ],
    ids=[
        "expire",
        "x-expires",
        "hex",
        "not hex",
        "hex of 1970",
        "other name",
        "words",
        "far",
        "none",
    ],
)
def test_expiry(address: str, unix: int | None) -> None:
    (variant,) = renditions(playAddr=address)
    assert variant.expires_at == (None if unix is None else datetime.fromtimestamp(unix, UTC))


def test_earliest_mirror_sets_the_expiry() -> None:
    urls = [f"{HOST}/x/?expire=1788747946", f"{HOST}/x/", f"{HOST}/x/?expire=1788747000"]
    (variant,) = renditions(bitrateInfo=[gear("h264", UrlList=urls)])
    assert variant.expires_at == datetime.fromtimestamp(1788747000, UTC)


def test_lists_of_renditions_and_mirrors_are_bounded() -> None:
    many = [gear("h264", path=str(number)) for number in range(5000)]
    assert len(renditions(bitrateInfo=many)) <= wire.MAX_RENDITIONS + 1
    (variant,) = renditions(
        bitrateInfo=[gear("h264", UrlList=[f"{HOST}/x/?a={n}" for n in range(5000)])]
    )
    assert len(variant.urls) <= wire.MAX_MIRRORS


@pytest.mark.parametrize(
    ("told", "seconds"),
    [(18, 18.0), ("92", 92.0), (1.5, 1.5), (0, None), (-1, None), (1e9, None), (None, None)],
)
def test_duration(told: Any, seconds: float | None) -> None:
    (story,) = read(listing(story_item(video={"playAddr": f"{HOST}/x/", "duration": told}))).stories
    assert story.media[0].duration_s == seconds
