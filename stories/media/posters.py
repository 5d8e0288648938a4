"""Posters: the small picture of a story that pages show, made of what a check has decoded anyway.

A poster is a small upright JPEG without metadata. Where it is wanted, verification makes it of the
picture, or of the first frame, that it has in its hands: decoding once more costs as much as the
check itself. A first frame that is black gives none; of_file looks further into the video then.
Synchronous, and safe in several threads at once.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from stories.errors import MediaCorrupt, StoriesError
from stories.media.decoders import (
    JPEG,
    apply_rotation,
    check_dimensions,
    configure_decoder,
    load_pillow,
    open_container,
    open_picture,
    sniff_file,
    translate_decoder_errors,
    upright_size,
)
from stories.media.jpeg_writing import save_jpeg, upright, without_alpha
from stories.structures import Verified

if TYPE_CHECKING:
    import av
    import av.container
    from PIL import Image

    from stories.media.strict_decoding import Plane, Planes

WIDTH = 360
MAX_HEIGHT = 1_280
QUALITY = 80

# Many clips fade in from black: every fifth of the first frames is examined for a bright one.
DARK_LUMA = 24  # mean, 0-255
FRAMES_EXAMINED = 60
EXAMINED_EVERY = 5


@dataclass(frozen=True, slots=True)
class Poster:
    """A poster: the bytes of a JPEG of some 40 KB, at most WIDTH pixels wide, and what it is."""

    data: bytes
    verified: Verified

    def write(self, out: BinaryIO) -> Verified:
        """Write the JPEG into a file; its description."""
        out.write(self.data)
        return self.verified


def of_file(file: BinaryIO, content_type: str) -> Poster:
    """A poster of a picture or video.

    content_type: as verified. A video gives its first frame that is not black. Raises MediaCorrupt
    or TooLarge.
    """
    file_format = sniff_file(file)
    if content_type.startswith("video/"):
        with open_container(file, file_format) as container:
            return _of_bright_frame(container)
    with open_picture(file, file_format) as image:
        if file_format is JPEG:
            draft(image)
        image.load()
        return of_picture(image)


def draft(image: Image.Image) -> None:
    """Have a JPEG decoded at a half, a quarter or an eighth, whatever is enough for a poster.

    Square, because a turned picture has its width where the height was.
    """
    image.draft("RGB", (WIDTH, WIDTH))


def if_possible(make: Callable[[], Poster | None]) -> Poster | None:
    """The poster that make() gives; None where it raises.

    A file that passes its check is not refused for its poster: whoever needs one learns the reason
    from of_file.
    """
    with suppress(StoriesError), translate_decoder_errors("a poster"):
        return make()
    return None


def of_picture(image: Image.Image) -> Poster:
    """A poster of a decoded picture, which is left as it was."""
    whole = without_alpha(upright(image))
    return _encoded(_resized(whole, _fitting(*whole.size)))


def of_planes(planes: Planes, header: Image.Image) -> Poster:
    """A poster of a JPEG's planes. header: the file as opened, which need not be decoded."""
    width, height = upright_size(header)
    size = _fitting(width, height)
    if (width, height) != header.size:
        size = size[::-1]  # the planes are not turned yet
    # The poster stores colours at half its size: made so, the rest of the way costs nothing.
    half = -(-size[0] // 2), -(-size[1] // 2)
    colours = (
        _resized(_resized(_as_image(plane), half), size) for plane in (planes.blue, planes.red)
    )
    small: Image.Image = load_pillow().merge(
        "YCbCr", [_resized(_as_image(planes.luminance), size), *colours]
    )
    small.info = dict(header.info)  # which way is up, and the colour profile
    return _encoded(upright(small))


def _fitting(width: int, height: int) -> tuple[int, int]:
    """(Width, height) of the poster of an upright picture of this size."""
    share = min(1.0, WIDTH / width, MAX_HEIGHT / height)
    return max(1, round(width * share)), max(1, round(height * share))


def _as_image(plane: Plane) -> Image.Image:
    """A plane as a grey picture; its memory, not a copy."""
    size = plane.width, plane.height
    image: Image.Image = load_pillow().frombuffer(
        "L", size, plane.samples, "raw", "L", plane.stride, 1
    )
    return image


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at another size, width and height."""
    filters = load_pillow().Resampling
    # The mean of the pixels that become one: a third cheaper than filters that look at more of
    # them, and no worse to look at on a phone. Of fewer pixels it is the nearest, which costs less.
    return image.resize(size, filters.NEAREST if image.width <= size[0] else filters.BOX)


def of_first_frame(frame: av.VideoFrame) -> Poster | None:
    """A poster of a video's first frame; None where it is black, and a later one may be better."""
    small = _scaled(frame)
    return None if _is_dark(small) else _encoded(small)


def _of_bright_frame(container: av.container.InputContainer) -> Poster:
    """A poster of the first frame that is not black; of the very first when all are black."""
    if not container.streams.video:
        raise MediaCorrupt("no video track in it")
    stream = container.streams.video[0]
    configure_decoder(stream.codec_context)
    check_dimensions(stream.width, stream.height, 16_384)
    first: Image.Image | None = None
    for number, frame in enumerate(container.decode(stream)):
        if number % EXAMINED_EVERY == 0:
            small = _scaled(frame)
            if not _is_dark(small):
                return _encoded(small)
            first = first or small
        if number >= FRAMES_EXAMINED:
            break
    if first is None:
        raise MediaCorrupt("no frame decodes")
    return _encoded(first)


def _scaled(frame: av.VideoFrame) -> Image.Image:
    """A frame at the size of a poster, upright."""
    side = frame.height if frame.rotation % 180 else frame.width
    share = min(1.0, WIDTH / side)
    width, height = (max(2, round(length * share)) for length in (frame.width, frame.height))
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    plane = small.planes[0]
    pixels = load_pillow().frombuffer(
        "RGB", (small.width, small.height), plane, "raw", "RGB", plane.line_size, 1
    )
    image = apply_rotation(frame, pixels)
    image.thumbnail((WIDTH, MAX_HEIGHT))
    return image


def _is_dark(image: Image.Image) -> bool:
    tiny = image.resize((32, 32), load_pillow().Resampling.NEAREST).convert("L").tobytes()
    return sum(tiny) / len(tiny) < DARK_LUMA


def _encoded(image: Image.Image) -> Poster:
    out = io.BytesIO()
    # Tables made for each poster would save a fifteenth of its bytes for twice the time.
    verified = save_jpeg(image, out, QUALITY, optimize=False)
    return Poster(out.getvalue(), verified)
