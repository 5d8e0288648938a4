"""PyAV and Pillow: format sniffing, and files opened within bounds and with errors translated.

Only the worker decodes, so nothing here imports a decoder before it is needed: the web and
scheduler processes stay 22 MiB smaller.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from stories.errors import MediaCorrupt, StoriesError, TooLarge

if TYPE_CHECKING:
    import av.container
    from PIL import Image

MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384
MAX_VIDEO_SIDE = 8_192
MAX_INDEX_BYTES = 32 * 1024 * 1024
MAX_SAMPLES = 4_000_000
MAX_BOXES = 20_000

# Pillow's names; the order is the order in which it tries them.
PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A file format. family: "picture", "mp4", "mp3", "unplayable", "text" or "unknown".

    suffix: of a file name, with its dot. description: with its article, "a JPEG picture".
    """

    family: str
    content_type: str
    suffix: str
    description: str


JPEG = FileFormat("picture", "image/jpeg", ".jpg", "a JPEG picture")
PNG = FileFormat("picture", "image/png", ".png", "a PNG picture")
WEBP = FileFormat("picture", "image/webp", ".webp", "a WebP picture")
AVIF = FileFormat("picture", "image/avif", ".avif", "an AVIF picture")
HEIC = FileFormat("picture", "image/heic", ".heic", "a HEIC picture")
MP4 = FileFormat("mp4", "video/mp4", ".mp4", "an MP4 file")
M4A = FileFormat("mp4", "audio/mp4", ".m4a", "an M4A file")
WEBM = FileFormat("unplayable", "video/webm", ".webm", "a WebM video")
MP3 = FileFormat("mp3", "audio/mpeg", ".mp3", "an MP3 file")
TEXT = FileFormat("text", "text/plain", ".txt", "a web page or text")
EMPTY = FileFormat("text", "text/plain", ".txt", "an empty file")
UNKNOWN = FileFormat("unknown", "application/octet-stream", ".bin", "something unknown")

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"}
_AVIF_BRANDS = {b"avif", b"avis"}


def sniff_format(head: bytes) -> FileFormat:
    """The format of a file by its first 64 bytes, whatever its name or content type."""
    if not head:
        return EMPTY
    if head[4:8] == b"ftyp":
        return _sniff_iso(head)
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return WEBM
    # An MPEG sync word with a layer that is not the reserved 0, which is how raw AAC starts.
    if head.startswith(b"ID3") or (
        len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06
    ):
        return MP3
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"<", b"{", b"["}:
        return TEXT
    return UNKNOWN


def _sniff_iso(head: bytes) -> FileFormat:
    size = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))]
    # The major brand decides; "mif1" only says "some HEIF", so then the compatible ones do.
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return AVIF
        if brand in _HEIC_BRANDS - {b"mif1", b"msf1"}:
            return HEIC
        if brand not in _HEIC_BRANDS:
            break
    if brands[0] in _HEIC_BRANDS:
        return AVIF if _AVIF_BRANDS & set(brands) else HEIC
    return M4A if brands[0] in {b"M4A ", b"M4B "} else MP4


def sniff_file(file: BinaryIO) -> FileFormat:
    """The format of an open file by its first bytes; the file is left rewound."""
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    return sniff_format(head)


@contextmanager
def translate_decoder_errors(description: str) -> Iterator[None]:
    """Raise MediaCorrupt or TooLarge in place of a decoder's error; a StoriesError passes through.

    description: of the file, for the error. Fed hostile bytes, PyAV and Pillow raise almost
    anything: OSError, SyntaxError, ValueError, struct.error, EOFError, KeyError and more. Out of
    memory means too large.
    """
    try:
        yield
    except StoriesError:
        raise
    except MemoryError as error:
        raise TooLarge(f"{description}: does not fit in memory") from error
    except Exception as error:
        if type(error).__name__.startswith("DecompressionBomb"):
            raise TooLarge(f"{description}: more than {MAX_PIXELS:,} pixels") from error
        raise MediaCorrupt(f"{description}: {type(error).__name__}: {str(error)[:200]}") from error


def load_decoders() -> None:
    """Import the decoders, a fifth of a second, so that the first file need not wait for it."""
    import av  # noqa: F401

    load_pillow().preinit()


def load_pillow() -> Any:
    """The module PIL.Image, its limit on pixels set to MAX_PIXELS."""
    from PIL import Image

    if Image.MAX_IMAGE_PIXELS != MAX_PIXELS:
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS
        # Between one and two times the limit Pillow only warns. `catch_warnings` is not safe in
        # threads, so the filter is set once; `open_picture` counts the pixels itself as well.
        warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
    return Image


@contextmanager
def open_picture(file: BinaryIO, file_format: FileFormat) -> Iterator[Image.Image]:
    """A picture, opened but not yet decoded; HEIC is decoded at once, by PyAV.

    Raises MediaCorrupt or TooLarge, also for what the body of the `with` statement decodes.
    """
    file.seek(0)
    with translate_decoder_errors(file_format.description):
        if file_format is HEIC:
            yield _decode_heic(file)
            return
        # `with` leaves the caller's file open; `close` would not.
        with load_pillow().open(file, formats=PICTURE_FORMATS) as image:
            check_dimensions(image.width, image.height, MAX_SIDE)
            yield image


def exif_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; a broken EXIF block is no reason to refuse a picture."""
    value: Any = None
    with suppress(Exception):
        value = image.getexif().get(0x0112)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(Width, height) as the image is meant to be seen."""
    return image.size[::-1] if exif_orientation(image) >= 5 else image.size


def check_dimensions(width: int, height: int, max_side: int) -> None:
    """Raise MediaCorrupt or TooLarge for dimensions, in pixels, that would fill the memory."""
    if width < 1 or height < 1:
        raise MediaCorrupt(f"it says it is {width} by {height} pixels")
    if width > max_side or height > max_side or width * height > MAX_PIXELS:
        raise TooLarge(f"{width} by {height} pixels")


def _decode_heic(file: BinaryIO) -> Image.Image:
    """The still of a HEIC file, which FFmpeg opens as one stream of one frame.

    A tiled picture is a stream per tile there, and is refused.
    """
    with open_container(file, HEIC) as container:
        stills = [stream for stream in container.streams.video if stream.codec_context is not None]
        if not stills:
            raise MediaCorrupt("a HEIC picture without a picture we can decode")
        file.seek(0)
        if b"grid" in file.read(64 * 1024):
            raise MediaCorrupt("a tiled HEIC picture, which we cannot put together")
        still = max(stills, key=lambda stream: stream.width * stream.height)
        configure_decoder(still.codec_context)
        check_dimensions(still.width, still.height, MAX_SIDE)
        for frame in container.decode(still):
            if frame.is_corrupt:
                break
            return apply_rotation(frame, to_image(frame))
    raise MediaCorrupt("a HEIC picture that does not decode")


def to_image(frame: av.VideoFrame) -> Image.Image:
    """The frame as a Pillow image, not yet turned."""
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]  # PyAV leaves it open
    return image


def apply_rotation(frame: av.VideoFrame, image: Image.Image) -> Image.Image:
    """The image of a frame, rotated as it is meant to be seen.

    FFmpeg and Pillow both count counterclockwise.
    """
    return image.rotate(frame.rotation, expand=True) if frame.rotation % 360 else image


def configure_decoder(context: av.codec.CodecContext, *, for_display: bool = True) -> None:
    """Configure a decoder to start no threads and refuse giant frames.

    for_display: False leaves out the loop filter that smooths between blocks, a third of the work.
    """
    context.thread_type = "NONE"
    context.thread_count = 1
    skipping = {} if for_display else {"skip_loop_filter": "all"}
    context.options = {**context.options, "max_pixels": str(MAX_PIXELS), **skipping}


# While opening, FFmpeg decodes some frames of its own to describe a stream, which costs as much as
# the check of a small video. What most ask for is in the index and the decoder's configuration. Of
# sound it may be wrong: what HE-AAC says there is half the rate, and mono for stereo.
_UNPROBED = {"skip_frame": "all", "analyzeduration": "1"}


def _refuse_other_files(url: str, flags: int, options: Any) -> BinaryIO:
    raise MediaCorrupt("it refers to another file")


@contextmanager
def open_container(
    file: BinaryIO, file_format: FileFormat, *, untrimmed: bool = False, probed: bool = False
) -> Iterator[av.container.InputContainer]:
    """An MP4, M4A, MP3 or HEIC container, opened after its index was checked.

    untrimmed: ignore the edit list, which leaves out packets that are there. probed: decode a few
    frames on opening, for a description of the streams that can be copied. Raises MediaCorrupt or
    TooLarge, also for what the body of the `with` statement decodes.
    """
    options = {"max_pixels": str(MAX_PIXELS), "max_streams": "64"}
    if not probed and file_format is not MP3:
        options |= _UNPROBED
    if untrimmed and file_format.family == "mp4":
        options["ignore_editlist"] = "1"
    if file_format.family == "mp4" or file_format is HEIC:
        _check_boxes(file)
    file.seek(0)
    with translate_decoder_errors(file_format.description):
        import av

        with av.open(
            file,
            "r",
            format="mp3" if file_format is MP3 else "mp4",
            options=options,
            metadata_errors="replace",
            buffer_size=256 * 1024,
            io_open=_refuse_other_files,
        ) as container:
            yield container


# --- the box structure --------------------------------------------------------------------------

# Tables whose entry count decides how much memory FFmpeg sets aside, and where that count stands
# behind the four letters.
_TABLES = re.compile(rb"stsz|stz2|stts|ctts|trun|sbgp|cmov")
_COUNT_AT = {b"stsz": 8, b"stz2": 8, b"trun": 4}


def _check_boxes(file: BinaryIO) -> None:
    """Walk the outermost MP4 boxes, to know a truncated file and a lying index before decoding.

    Raises MediaCorrupt or TooLarge.
    """
    end = file.seek(0, 2)
    at = samples = index_bytes = 0
    for _ in range(MAX_BOXES):
        if end - at < 8:
            return  # less than a header left: some writers leave a few stray bytes
        file.seek(at)
        head = file.read(16)
        size, kind = int.from_bytes(head[:4]), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16])
        elif size == 0:
            size = end - at
        if size < 8:
            raise MediaCorrupt(f"a broken box structure at byte {at}")
        if at + size > end:
            raise MediaCorrupt(f"cut short: {at + size - end} bytes are missing")
        if kind not in {b"mdat", b"free", b"skip", b"wide"}:
            index_bytes += size
            if index_bytes > MAX_INDEX_BYTES:
                raise TooLarge(f"an index of more than {MAX_INDEX_BYTES // 2**20} MiB")
            file.seek(at)
            samples += _claimed_samples(file.read(size))
            if samples > MAX_SAMPLES:
                raise TooLarge("an index with too many entries")
        at += size
    raise MediaCorrupt("too many boxes")


def _claimed_samples(index: bytes) -> int:
    """The number of samples that the largest tables claim; searched flat, as nesting can lie."""
    total = 0
    for table in _TABLES.finditer(index):
        kind, at = table.group(), table.end()
        if _is_text(index[at - 8 : at - 4]):
            continue  # a word in a caption ("truncated"), not a box with its size in front
        if kind == b"cmov":
            raise MediaCorrupt("a compressed index, which we do not open")
        if kind in _COUNT_AT:
            place = at + _COUNT_AT[kind]
            total += int.from_bytes(index[place : place + 4])
        else:
            total = max(total, _sum_run_lengths(index, at, kind))
    return total


def _is_text(four: bytes) -> bool:
    return all(byte >= 0x20 for byte in four)


def _sum_run_lengths(index: bytes, at: int, kind: bytes) -> int:
    """The sum of the run lengths in a run-length table."""
    if kind == b"sbgp":
        at += 4
    entries = min(int.from_bytes(index[at + 4 : at + 8]), (len(index) - at - 8) // 8)
    table = memoryview(index)[at + 8 : at + 8 + max(entries, 0) * 8]
    return sum(int.from_bytes(table[n : n + 4]) for n in range(0, len(table), 8))
