"""A large file is changed in small places while its bytes pass by."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from stories.media.edits import Edit, apply_edits, growth

DATA = bytes(range(100))


def by_hand(data: bytes, edits: Sequence[Edit]) -> bytes:
    for edit in sorted(edits, key=lambda edit: edit.at, reverse=True):
        data = data[: edit.at] + edit.insert + data[edit.at + edit.drop :]
    return data


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 99, 100, 1000])
@pytest.mark.parametrize(
    "edits",
    [
        pytest.param([], id="none"),
        pytest.param([Edit(0, 0, b"front")], id="before the first byte"),
        pytest.param([Edit(100, 0, b"end")], id="after the last byte"),
        pytest.param([Edit(50, 10, b"")], id="something left out"),
        pytest.param([Edit(90, 10, b"tail"), Edit(3, 4, b"abcd")], id="two, the later one first"),
        pytest.param([Edit(10, 5, b"x"), Edit(15, 5, b"y"), Edit(20, 0, b"z")], id="side by side"),
    ],
)
def test_edits_do_the_same_however_the_file_is_cut(size: int, edits: list[Edit]) -> None:
    assert b"".join(apply_edits(cut(DATA, size), edits)) == by_hand(DATA, edits)
    assert len(by_hand(DATA, edits)) == len(DATA) + growth(edits)


def test_edits_drawn_at_random_do_the_same() -> None:
    draw = random.Random(13)
    for _ in range(300):
        places = sorted(draw.sample(range(101), 6))
        edits = [
            Edit(at, draw.randrange(0, stop - at + 1), draw.randbytes(draw.randrange(0, 9)))
            for at, stop in zip(places[::2], places[1::2], strict=True)
        ]
        chunks = cut(DATA, draw.randrange(1, 40))
        assert b"".join(apply_edits(chunks, edits)) == by_hand(DATA, edits)


def test_an_edit_past_the_end_is_left_out() -> None:
    assert b"".join(apply_edits([DATA], [Edit(101, 0, b"never")])) == DATA
