"""Which rendition comes first. Rows are constructed; the recorded items are at the end."""

from __future__ import annotations

import pytest

from stories.renditions import Prefer, quality, rank
from stories.structures import Media, MediaKind, MediaVariant, Playability


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
SILENT = video("silent", codec="hevc", width=2160, height=3840, silent=True)
SOUND = video("sound", codec=None)
JOINABLE = video("joinable", width=1080, height=1920, bitrate=800, silent=True, sound=SOUND)

ROWS: dict[str, tuple[list[MediaVariant], Prefer, list[MediaVariant]]] = {
    "most pixels first": ([SMALL, BIG], "compatible", [BIG, SMALL]),
    "then bit rate": ([SMALL, SMALL_BETTER], "compatible", [SMALL_BETTER, SMALL]),
    "then size": ([SMALL_BETTER, SMALL_LARGER], "compatible", [SMALL_LARGER, SMALL_BETTER]),
    "unknown size after known": ([NO_SIZE, SMALL], "compatible", [SMALL, NO_SIZE]),
    "HEVC behind H.264": ([HEVC, SMALL], "compatible", [SMALL, HEVC]),
    "unsaid codec after H.264": ([UNSAID, SMALL, HEVC], "compatible", [SMALL, UNSAID, HEVC]),
    "HEVC when nothing else": ([HEVC_SMALL, HEVC], "compatible", [HEVC, HEVC_SMALL]),
    "watermarked last": ([MARKED, SMALL], "compatible", [SMALL, MARKED]),
    "watermarked after HEVC": ([MARKED, HEVC], "compatible", [HEVC, MARKED]),
    "only watermarked": ([MARKED], "compatible", [MARKED]),
    "H.266 never": ([H266, SMALL], "compatible", [SMALL]),
    "H.266 never, alone": ([H266], "compatible", []),
    "unknown codec last": ([STRANGE, SMALL, HEVC], "highest", [HEVC, SMALL, STRANGE]),
    "unknown codec alone": ([STRANGE], "compatible", [STRANGE]),
    "silent file last": ([SILENT, SMALL, MARKED], "highest", [SMALL, MARKED, SILENT]),
    "silent file with its sound": ([SMALL, JOINABLE], "compatible", [JOINABLE, SMALL]),
    "no joining for as many pixels": ([JOINABLE, BIG], "compatible", [BIG, JOINABLE]),
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


def test_what_is_only_worth_its_bytes_when_nothing_else_is() -> None:
    listed = (BIG, HEVC, STRANGE, MARKED, SILENT)
    media = Media(kind=MediaKind.VIDEO, position=1, variants=listed)
    resorts = {choice.variant: choice.last_resort for choice in rank(media)}
    assert resorts == {BIG: False, HEVC: True, STRANGE: True, MARKED: False, SILENT: True}


ALL, MOST, FEW = Playability.ALL, Playability.MOST, Playability.FEW
Made = tuple[bool, bool, Playability, int]
"""Has sound, watermarked, who plays it, pixels."""
# For each preference, the better file first.
BETTER: dict[str, tuple[Prefer, Made, Made]] = {
    "any sound before any player": ("compatible", (True, False, FEW, 1), (False, False, ALL, 9)),
    "HEVC with sound before silent H.264": (
        "compatible",
        (True, False, MOST, 1),
        (False, False, ALL, 9),
    ),
    "a watermark before silence": ("compatible", (True, True, ALL, 1), (False, False, ALL, 9)),
    "HEVC before a watermark": ("compatible", (True, False, MOST, 1), (True, True, ALL, 9)),
    "everywhere before large": ("compatible", (True, False, ALL, 1), (True, False, MOST, 9)),
    "HEVC before what few play": ("compatible", (True, False, MOST, 1), (True, False, FEW, 9)),
    "large": ("compatible", (True, False, ALL, 9), (True, False, ALL, 1)),
    "highest: sound": ("highest", (True, False, ALL, 1), (False, False, ALL, 9)),
    "highest: large": ("highest", (True, False, MOST, 9), (True, False, ALL, 1)),
    "highest: everywhere of equals": ("highest", (True, False, ALL, 9), (True, False, MOST, 9)),
    "highest: not what few play": ("highest", (True, False, ALL, 1), (True, False, FEW, 9)),
}


@pytest.mark.parametrize(("prefer", "better", "worse"), BETTER.values(), ids=BETTER.keys())
def test_which_of_two_files_is_better(prefer: Prefer, better: Made, worse: Made) -> None:
    first, second = (
        quality(
            has_sound=has_sound,
            watermarked=watermarked,
            playability=playability,
            pixels=pixels,
            prefer=prefer,
        )
        for has_sound, watermarked, playability, pixels in (better, worse)
    )
    assert first > second


def test_a_track_whose_sound_was_tried_is_expected_to_stay_silent() -> None:
    media = Media(kind=MediaKind.VIDEO, position=1, variants=(JOINABLE,))
    (choice,) = rank(media)
    assert choice.expected("compatible").has_sound
    assert not choice.expected("compatible", SOUND.urls).has_sound


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
