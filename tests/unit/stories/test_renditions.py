"""Which rendition comes first. Rows are constructed; the recorded items are at the end."""

from __future__ import annotations

import pytest

from stories.renditions import Prefer, rank
from stories.structures import Media, MediaKind, MediaVariant


def video(name: str, **facts: object) -> MediaVariant:
    urls = (f"https://v16.tiktokcdn.com/{name}/",)
    return MediaVariant(**{"urls": urls, "codec": "h264", **facts})  # type: ignore[arg-type]


BIG = video("big", width=1080, height=1920, bitrate=900)
SMALL = video("small", width=576, height=1024, bitrate=400)
SMALL_BETTER = video("small-better", width=576, height=1024, bitrate=500)
SMALL_LARGER = video("small-larger", width=576, height=1024, bitrate=500, size_bytes=9)
NO_SIZE = video("no-size", bitrate=99999)
UNSAID = video("unsaid", codec=None, width=720, height=1280)
HEVC = video("hevc", codec="hevc", width=1080, height=1920, bitrate=950)
HEVC_SMALL = video("hevc-small", codec="hevc", width=720, height=1280)
H266 = video("h266", codec="h266", width=2160, height=3840)
STRANGE = video("strange", codec="av1", width=2160, height=3840)
MARKED = video("marked", codec=None, watermarked=True)
SILENT = video("a/media-video-hvc1", codec="hevc", width=2160, height=3840)

ROWS: dict[str, tuple[list[MediaVariant], Prefer, list[MediaVariant]]] = {
    "most pixels first": ([SMALL, BIG], "compatible", [BIG, SMALL]),
    "then bit rate": ([SMALL, SMALL_BETTER], "compatible", [SMALL_BETTER, SMALL]),
    "then size": ([SMALL_BETTER, SMALL_LARGER], "compatible", [SMALL_LARGER, SMALL_BETTER]),
    "unknown size after known": ([NO_SIZE, SMALL], "compatible", [SMALL, NO_SIZE]),
    "HEVC left out beside H.264": ([HEVC, SMALL], "compatible", [SMALL]),
    "unsaid codec after H.264": ([UNSAID, SMALL, HEVC], "compatible", [SMALL, UNSAID]),
    "HEVC when nothing else": ([HEVC_SMALL, HEVC], "compatible", [HEVC, HEVC_SMALL]),
    "watermarked last": ([MARKED, SMALL], "compatible", [SMALL, MARKED]),
    "watermarked after HEVC": ([MARKED, HEVC], "compatible", [HEVC, MARKED]),
    "only watermarked": ([MARKED], "compatible", [MARKED]),
    "H.266 never": ([H266, SMALL], "compatible", [SMALL]),
    "H.266 never, alone": ([H266], "compatible", []),
    "unknown codec never": ([STRANGE], "highest", []),
    "silent file never": ([SILENT, SMALL], "highest", [SMALL]),
    "highest takes HEVC": ([SMALL, HEVC], "highest", [HEVC, SMALL]),
    "highest prefers H.264 of equals": ([HEVC, BIG], "highest", [BIG, HEVC]),
    "highest, watermarked last": ([MARKED, HEVC, SMALL], "highest", [HEVC, SMALL, MARKED]),
    "highest without H.266": ([H266, SMALL], "highest", [SMALL]),
    "nothing listed": ([], "compatible", []),
}


@pytest.mark.parametrize(("listed", "prefer", "ranked"), ROWS.values(), ids=ROWS.keys())
def test_order(listed: list[MediaVariant], prefer: Prefer, ranked: list[MediaVariant]) -> None:
    media = Media(kind=MediaKind.VIDEO, position=1, variants=tuple(listed))
    assert [choice.variant for choice in rank(media, prefer)] == ranked


def test_labels() -> None:
    marked_hevc = video("both", codec="hevc", watermarked=True)
    media = Media(kind=MediaKind.VIDEO, position=1, variants=(HEVC, MARKED, marked_hevc))
    assert [choice.labels for choice in rank(media, "highest")] == [
        ("hevc",),
        ("watermarked",),
        ("hevc", "watermarked"),
    ]
    media = Media(kind=MediaKind.VIDEO, position=1, variants=(SMALL,))
    assert [choice.labels for choice in rank(media)] == [()]


def test_silent_mirrors_go_the_others_stay() -> None:
    good = "https://v16.tiktokcdn.com/x/?a=/media-video-hvc1/"
    urls = ("https://v16.tiktokcdn.com/x/media-video-hvc1/?a=1", good)
    media = Media(kind=MediaKind.VIDEO, position=1, variants=(video("x", urls=urls),))
    assert [choice.variant.urls for choice in rank(media)] == [(good,)]


def test_jpeg_mirror_first_whatever_the_preference() -> None:
    host = "https://p16-common-sign.tiktokcdn.com"
    urls = tuple(
        f"{host}/{path}?x-expires=1&f=.jpeg"
        for path in ("a.image", "b.heic", "c.webp", "d.png", "e.jpeg", "f.JPG")
    )
    picture = MediaVariant(urls=urls, width=1080, height=1920)
    media = Media(kind=MediaKind.PICTURE, position=1, variants=(picture,))
    (choice,) = rank(media, "highest")
    paths = [url.partition("?")[0].rpartition("/")[2] for url in choice.variant.urls]
    assert paths == ["e.jpeg", "f.JPG", "d.png", "c.webp", "b.heic", "a.image"]
    assert choice.labels == ()


def test_song_as_listed_and_empty_picture() -> None:
    song = Media(kind=MediaKind.SONG, position=0, variants=(video("song", codec=None),))
    assert [choice.variant for choice in rank(song)] == list(song.variants)
    assert rank(Media(kind=MediaKind.PICTURE, position=2, variants=())) == ()
