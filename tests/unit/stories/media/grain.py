"""Noise that is the same each time: whether one look at a JPEG is enough hangs on its last bits."""

from __future__ import annotations

import random

from PIL import Image


def grain(size: tuple[int, int], seed: int = 1) -> Image.Image:
    """A grey picture of nothing but noise, from black to white."""
    width, height = size
    return Image.frombytes("L", size, random.Random(seed).randbytes(width * height))


def coloured_grain(size: tuple[int, int], seed: int = 1) -> Image.Image:
    """The same in colours."""
    return Image.merge("RGB", [grain(size, 3 * seed + band) for band in range(3)])
