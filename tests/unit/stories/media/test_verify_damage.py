"""Damage to a story's video, at many places: whatever a check can see is refused."""

from __future__ import annotations

import io
import random
from itertools import pairwise

import pytest

from stories.errors import MediaCorrupt
from stories.media import verify as verifying
from stories.media.verify import verify
from stories.structures import MediaKind
from tests.unit.stories.media.clips import overwritten, packets_of, story_clip

CLIP = story_clip()
PICTURES, SOUNDS = packets_of(CLIP, "video"), packets_of(CLIP, "audio")
LAST_KEY = max(number for number, (_, _, key) in enumerate(PICTURES) if key)
TEXT = b"<html><head><title>404 Not Found</title></head>We could not find that page.</html>\n" * 400
SHARES = [number / 25 for number in range(1, 25)]


@pytest.fixture(autouse=True)
def only_the_last_key_frame_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As little as there ever is: in a small clip the limit would leave nothing out."""
    monkeypatch.setattr(verifying, "TAIL_PIXELS", 1)


def refusal(clip: bytes) -> str:
    with pytest.raises(MediaCorrupt) as caught:
        verify(io.BytesIO(clip), MediaKind.VIDEO)
    return caught.value.detail


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_the_whole_clip_passes() -> None:
    verified = verify(io.BytesIO(CLIP), MediaKind.VIDEO)
    assert (verified.codec, verified.has_audio, verified.width) == ("h264", True, 288)
    assert len(PICTURES) // 2 == LAST_KEY


@pytest.mark.parametrize("share", SHARES)
def test_a_cut_is_refused_wherever_it_is(share: float) -> None:
    assert refusal(CLIP[: int(len(CLIP) * share)])


@pytest.mark.parametrize("size", [16, 512, 4096])
def test_a_hole_is_refused_in_whatever_picture_it_is(size: int) -> None:
    for at, length, _ in PICTURES:
        hole = bytes(min(size, length // 2 - 10))
        if len(hole) >= 16:
            assert refusal(overwritten(CLIP, at + length // 2, hole))


@pytest.mark.parametrize("share", SHARES)
def test_a_hole_of_a_page_is_refused_wherever_it_is(share: float) -> None:
    at = int(len(CLIP) * share)
    assert refusal(overwritten(CLIP, at, bytes(4096)))


def test_text_is_refused_in_whatever_picture_it_is() -> None:
    """An error page in place of a part: nothing but the bytes themselves gives it away."""
    inside = [(at, length) for at, length, _ in PICTURES if length > 1100]
    assert len(inside) > 5
    for at, length in inside:
        assert refusal(overwritten(CLIP, at + length - 1040, TEXT[:1024]))


def test_foreign_bytes_are_refused_where_they_reach_from_one_picture_into_the_next() -> None:
    for (at, length, _), (after, _, _) in pairwise(PICTURES):
        if after == at + length:
            assert refusal(overwritten(CLIP, after - 6, noise(40)))


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("number", [0, LAST_KEY], ids=["first", "last"])
def test_foreign_bytes_are_refused_in_the_first_and_the_last_key_frame(
    number: int, place: float
) -> None:
    at, length, key = PICTURES[number]
    assert key
    assert "does not decode" in refusal(overwritten(CLIP, at + int(length * place), noise(1000)))


@pytest.mark.parametrize("missing", [1, 2, 5, 10, 23])
def test_missing_last_pictures_are_refused(missing: int) -> None:
    at = PICTURES[-missing][0]
    assert refusal(CLIP[:at])
    assert refusal(CLIP[:at] + bytes(len(CLIP) - at))


def test_a_hole_is_refused_in_whatever_piece_of_sound_it_is() -> None:
    for at, length, _ in SOUNDS[:: len(SOUNDS) // 10]:
        assert refusal(overwritten(CLIP, at, bytes(length)))


def test_sound_that_is_cut_is_refused() -> None:
    for missing in (1, 5, 20):
        assert refusal(CLIP[: SOUNDS[-missing][0]])


def test_what_follows_the_last_key_frame_decodes_within_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Damage that changes no length is seen as far as the limit reaches, and no further."""
    monkeypatch.undo()
    at, length, _ = PICTURES[LAST_KEY + 1]
    broken = overwritten(CLIP, at + length // 3, noise(length // 2))
    assert refusal(broken) == "the last frame does not decode"
    monkeypatch.setattr(verifying, "TAIL_PIXELS", 1)
    assert verify(io.BytesIO(broken), MediaKind.VIDEO)
