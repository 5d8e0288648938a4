"""Picture data that is left over in a WebP."""

from __future__ import annotations

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stories.media.webp_ends import MAX_PADDING, find_surplus

GRAIN = Image.effect_noise((160, 240), 90).convert("RGB")


def webp(image: Image.Image = GRAIN, **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", **{"quality": 80, "method": 0, **how})
    return out.getvalue()


def with_payload(data: bytes, more: bytes) -> bytes:
    """The same picture with more bytes at the end of its data."""
    payload = data[20 : 20 + int.from_bytes(data[16:20], "little")] + more
    chunk = b"VP8 " + len(payload).to_bytes(4, "little") + payload + bytes(len(payload) % 2)
    return b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk


@pytest.mark.parametrize("method", [0, 2, 4, 6])
@pytest.mark.parametrize("quality", [1, 60, 100])
def test_an_honest_picture_has_none(method: int, quality: int) -> None:
    assert find_surplus(webp(method=method, quality=quality)) is False


def test_padding_is_none_and_a_hole_at_the_end_is() -> None:
    data = webp()
    assert find_surplus(with_payload(data, bytes(MAX_PADDING - 4))) is False
    assert find_surplus(with_payload(data, bytes(3500))) is True
    assert find_surplus(with_payload(data, random.Random(1).randbytes(400))) is True


def test_transparency_animations_and_lossless_pictures() -> None:
    alpha = Image.merge("RGBA", (*GRAIN.split(), Image.linear_gradient("L").resize(GRAIN.size)))
    assert find_surplus(webp(alpha)) is False
    frames = [GRAIN.rotate(turn) for turn in (10, 20, 30)]
    assert find_surplus(webp(save_all=True, append_images=frames)) is False
    many = [GRAIN.rotate(turn) for turn in range(1, 20)]
    assert find_surplus(webp(save_all=True, append_images=many)) is None
    assert find_surplus(webp(lossless=True)) is None


@pytest.mark.parametrize("seed", range(20))
def test_of_an_animation_of_a_single_block_it_cannot_be_told(seed: int) -> None:
    chance = random.Random(seed)
    first, *more = (Image.frombytes("RGB", (16, 16), chance.randbytes(768)) for _ in range(3))
    assert find_surplus(webp(first, save_all=True, append_images=more)) is None


def test_damage_that_claims_a_giant_picture_is_looked_at_like_other_damage() -> None:
    data = bytearray(webp())
    data[26:30] = (0x3FFF3FFF).to_bytes(4, "little")
    assert find_surplus(bytes(data)) in {True, False}


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_damage_is_only_ever_looked_at(seed: int, changes: int) -> None:
    chance = random.Random(seed)
    data = bytearray(webp(GRAIN.resize((40, 40))))
    for _ in range(changes):
        data[chance.randrange(len(data))] = chance.randrange(256)
    assert find_surplus(bytes(data)) in {True, False, None}
