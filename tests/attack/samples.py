"""Small whole files of every kind that is checked, to be damaged; made once per process."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache

from PIL import Image

from stories.structures import MediaKind
from tests.fake_tiktok.drawing import Scene
from tests.fake_tiktok.heic import heic
from tests.fake_tiktok.media import song, video
from tests.fake_tiktok.odd_media import odd_video
from tests.unit.stories.media.clips import story_clip

SIDE = (96, 128)


def _encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


@cache
def picture_samples() -> Mapping[str, bytes]:
    """Pictures by name."""
    scene = Scene(SIDE, "attack").at(0.5)
    animation = [Scene(SIDE, "attack").at(at / 3) for at in range(3)]
    return {
        "jpeg": _encoded(scene, "JPEG", quality=80),
        "jpeg progressive": _encoded(scene, "JPEG", quality=80, progressive=True),
        "jpeg grey": _encoded(scene.convert("L"), "JPEG"),
        "png": _encoded(scene.quantize(32), "PNG"),
        "webp": _encoded(scene, "WEBP", quality=70),
        "webp lossless": _encoded(scene.quantize(16).convert("RGB"), "WEBP", lossless=True),
        "webp animated": _encoded(
            animation[0], "WEBP", save_all=True, append_images=animation[1:], duration=100
        ),
        "avif": _encoded(scene, "AVIF", quality=60),
        "heic": heic(scene),
    }


@cache
def moving_samples() -> Mapping[str, bytes]:
    """Videos by name."""
    return {
        "h264": story_clip(frames=12, size=(96, 128), keyframe_every=6),
        "h264 index last": video(0.5, (96, 128), "h264", moov="last"),
        "hevc": video(0.5, (96, 128), "hevc"),
        "hev1": odd_video("libx265", sample_entry="hev1", seconds=0.5, size=(96, 128)),
    }


@cache
def song_samples() -> Mapping[str, bytes]:
    """Songs by name."""
    return {"mp3": song("mp3", 1), "m4a": song("m4a", 1)}


@cache
def all_samples() -> Mapping[str, tuple[MediaKind, bytes]]:
    """Every sample with the kind it is."""
    return {
        **{name: (MediaKind.PICTURE, data) for name, data in picture_samples().items()},
        **{name: (MediaKind.VIDEO, data) for name, data in moving_samples().items()},
        **{name: (MediaKind.SONG, data) for name, data in song_samples().items()},
    }
