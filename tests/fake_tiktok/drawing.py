"""Landscapes, each label its own: a sky, a sun, hills that travel, and the words."""

from __future__ import annotations

import math
import random
import zlib
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter, ImageFont

# Sky from top to bottom, sun, then hills from far to near.
PALETTES: tuple[tuple[str, ...], ...] = (
    ("#2b1055", "#7597de", "#f7c9a9", "#fff1c9", "#6f6fb5", "#4a4a8f", "#262a5c"),  # dusk
    ("#ff9a8b", "#ff6a88", "#ffd3a5", "#fff6e0", "#c9507e", "#8f2f63", "#561b45"),  # rose
    ("#0f2027", "#2c7744", "#a8e063", "#fbffd6", "#3b8d57", "#1f6145", "#0f3a30"),  # forest
    ("#0b486b", "#3b8686", "#cff09e", "#fffde4", "#2f7f86", "#1b5a6b", "#0d3547"),  # lagoon
    ("#f12711", "#f5af19", "#ffe29a", "#fff7d6", "#d9622b", "#9c3b26", "#5a1f1f"),  # amber
    ("#41295a", "#a05fb0", "#f3b6c9", "#ffeef5", "#7d4a98", "#533078", "#2e1a4c"),  # orchid
    ("#83a4d4", "#b6fbff", "#fdfcfb", "#fff3b0", "#86b8c9", "#5b8fae", "#33607f"),  # morning
    ("#134e5e", "#71b280", "#fceabb", "#fff9e6", "#5c9a7c", "#357060", "#1b463f"),  # valley
    ("#1a2a6c", "#b21f1f", "#fdbb2d", "#fff0c2", "#8b2f3f", "#5a2148", "#2a1740"),  # ember
    ("#3a1c71", "#d76d77", "#ffaf7b", "#ffe9d1", "#a9537b", "#6d3573", "#381d57"),  # peach
)


def _rng(label: str, salt: str = "") -> random.Random:
    return random.Random(f"{label}/{salt}")


@lru_cache(maxsize=64)
def _palette(label: str) -> tuple[str, ...]:
    return PALETTES[zlib.crc32(label.encode()) % len(PALETTES)]


def _sky(size: tuple[int, int], label: str) -> Image.Image:
    strip = Image.new("RGB", (2, 3))
    tones = _palette(label)[:3]
    for row, tone in enumerate(tones):
        strip.paste(tone, (0, row, 2, row + 1))
    width, height = size
    # Resized with a margin and cropped: the outermost half pixels would be flat bands.
    tall = strip.resize((width, height * 3 // 2), Image.Resampling.BICUBIC)
    return tall.crop((0, height // 4, width, height // 4 + height))


def _hill(
    size: tuple[int, int], label: str, layer: int, travel: float
) -> tuple[Image.Image, Image.Image]:
    """One row of hills with its mask, wider than the picture by how far it will travel."""
    width, height = size
    span = int(width * (1 + travel)) + 2
    rng = _rng(label, f"hill{layer}")
    base = height * (0.58 + 0.13 * layer)
    waves = [
        (rng.randint(1, 3) * (k + 1), rng.random() * math.tau, rng.uniform(0.5, 1))
        for k in range(3)
    ]
    mask = Image.new("L", (span, height), 0)
    step = max(2, width // 90)
    points: list[tuple[float, float]] = []
    for x in [*range(0, span, step), span]:
        turn = math.tau * x / width / 2
        lift = sum(math.sin(turn * f + p) * a / (k + 1) for k, (f, p, a) in enumerate(waves))
        points.append((x, base - lift * height * 0.055))
    ImageDraw.Draw(mask).polygon([*points, (span, height), (0, height)], fill=255)
    tone = _palette(label)[4 + layer]
    return Image.new("RGB", (span, height), tone), mask.filter(ImageFilter.GaussianBlur(0.8))


@lru_cache(maxsize=8)
def _font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(points)


class Scene:
    """The layers of one label's picture, put together for any moment between 0 and 1."""

    def __init__(self, size: tuple[int, int], label: str, *, moving: bool = True) -> None:
        self.size, self.label = size, label
        self.sky = _sky(size, label)
        rng = _rng(label, "sun")
        self.sun_at = rng.uniform(0.28, 0.72), rng.uniform(0.2, 0.34)
        self.hills = [_hill(size, label, n, (0.06 + 0.12 * n) * moving) for n in range(3)]
        self.sun, self.sun_mask = self._disc()

    def _disc(self) -> tuple[Image.Image, Image.Image]:
        width = self.size[0]
        side = int(width * 0.9)
        mask = Image.new("L", (side, side), 0)
        draw = ImageDraw.Draw(mask)
        middle = side / 2
        for share, alpha in ((0.4, 30), (0.34, 48), (0.28, 72)):
            reach = side * share
            draw.ellipse(
                (middle - reach, middle - reach, middle + reach, middle + reach), fill=alpha
            )
        mask = mask.filter(ImageFilter.GaussianBlur(side / 24))
        low, high = middle - side * 0.2, middle + side * 0.2
        ImageDraw.Draw(mask).ellipse((low, low, high, high), fill=255)
        return Image.new("RGB", (side, side), _palette(self.label)[3]), mask

    def at(self, moment: float) -> Image.Image:
        width, height = self.size
        frame = self.sky.copy()
        rise = 0.03 * math.sin(moment * math.tau / 2)
        x = int(width * self.sun_at[0] - self.sun.width / 2)
        y = int(height * (self.sun_at[1] - rise) - self.sun.height / 2)
        frame.paste(self.sun, (x, y), self.sun_mask)
        for layer, (hill, mask) in enumerate(self.hills):
            shift = -int(width * moment * (0.06 + 0.12 * layer))
            frame.paste(hill, (shift, 0), mask)
        self._write(frame)
        return frame

    def _write(self, frame: Image.Image) -> None:
        width, height = self.size
        words, points = self.label, max(14, width // 9)
        font = _font(points)
        draw = ImageDraw.Draw(frame)
        while points > 14 and draw.textlength(words, font=font) > width * 0.84:
            points = points * 9 // 10
            font = _font(points)
        middle = (width / 2, height * 0.9)
        shade = (middle[0] + points / 18, middle[1] + points / 18)
        draw.text(shade, words, font=font, fill=_palette(self.label)[6], anchor="mm")
        draw.text(middle, words, font=font, fill="#ffffff", anchor="mm")


def draw(size: tuple[int, int], label: str) -> Image.Image:
    """The picture that stands for `label`: a sky, a sun, hills and the words."""
    return Scene(size, label, moving=False).at(0.0)


_SKIN = ("#f6d3b3", "#e8b48c", "#c98d63", "#9a6543", "#6f4630")
_HAIR = ("#2a1d17", "#5b3a24", "#8d5a2b", "#c9a15d", "#b5472f", "#3c3f58")


def draw_portrait(side: int, label: str) -> Image.Image:
    """Somebody before the sky of a label: shoulders, a neck, a head and hair, drawn flat."""
    large = side * 2  # and made smaller, for smooth edges
    palette, rng = _palette(label), _rng(label, "portrait")
    skin, hair = rng.choice(_SKIN), rng.choice(_HAIR)
    image = _sky((large, large), label)
    pen = ImageDraw.Draw(image)

    def disc(x: float, y: float, width: float, height: float, tone: str) -> None:
        """An ellipse; place of its middle and its half axes in shares of the side."""
        box = ((x - width) * large, (y - height) * large, (x + width) * large, (y + height) * large)
        pen.ellipse(box, fill=tone)

    disc(0.5, 0.47, 0.4, 0.4, palette[3])
    if rng.random() < 0.5:  # long hair lies behind the shoulders
        disc(0.5, 0.55, 0.25, 0.32, hair)
    disc(0.5, 1.12, 0.42, 0.38, palette[5])
    disc(0.5, 0.72, 0.09, 0.12, skin)
    disc(0.5, 0.36, 0.195, 0.2, hair)
    disc(0.5, 0.45, 0.16, 0.2, skin)
    disc(0.5 + rng.uniform(-0.05, 0.05), 0.27, 0.15, 0.085, hair)
    return image.resize((side, side), Image.Resampling.LANCZOS)
