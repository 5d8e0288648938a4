"""A second decoder's verdict on JPEG and AVIF, and where it has none."""

from __future__ import annotations

import io
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stories.media.decoders import AVIF, JPEG
from stories.media.strict_decoding import find_damage

GRAIN = Image.effect_noise((160, 240), 90).convert("RGB")


def encoded(fmt: str, **how: object) -> bytes:
    out = io.BytesIO()
    GRAIN.save(out, fmt, **how)
    return out.getvalue()


def test_whole_pictures() -> None:
    assert find_damage(encoded("JPEG"), JPEG) is False
    assert find_damage(encoded("JPEG", progressive=True), JPEG) is False
    assert find_damage(encoded("AVIF", speed=10), AVIF) is False


def test_kinds_it_does_not_know_are_left_to_others() -> None:
    arithmetic = encoded("JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1)
    assert find_damage(arithmetic, JPEG) is None
    deep = bytearray(encoded("JPEG"))
    deep[deep.index(b"\xff\xc0") + 4] = 12
    assert find_damage(bytes(deep), JPEG) is None
    assert find_damage(b"\xff\xd8\xff", JPEG) is None
    assert find_damage(b"\0\0\0\x18ftypavif", AVIF) is None


def test_an_odd_note_is_no_damage() -> None:
    data = encoded("JPEG")
    odd = b"\xff\xe1\x00\x0cExif\0\0\xff\xff\xff\xff" + b"\xff\xe2\x00\x0eICC_PROFILE\0"
    assert find_damage(data[:2] + odd + data[2:], JPEG) is False


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32), st.integers(1, 40), st.booleans())
def test_damage_is_only_ever_looked_at(seed: int, changes: int, progressive: bool) -> None:
    chance = random.Random(seed)
    for fmt, file_format in (("JPEG", JPEG), ("AVIF", AVIF)):
        how = {"progressive": progressive} if fmt == "JPEG" else {"speed": 10}
        data = bytearray(encoded(fmt, **how))
        for _ in range(changes):
            data[chance.randrange(len(data))] = chance.randrange(256)
        assert find_damage(bytes(data), file_format) in {True, False, None}
