"""Facts about a saved file in words: its dimensions, length, sound, codec and size."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _

from jobs.queries.job_view import FileView
from jobs.wording import size

_PICTURES: Final = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/avif": "AVIF",
    "image/heic": "HEIC",
}


def facts_of(file: FileView) -> tuple[str, ...]:
    """`1080 × 1920`, `0:16`, `sound`, `H.264`, `12.4 MB`, in the reader's language.

    What is not known of the file is left out.
    """
    facts = (_dimensions(file), _length(file), _sound(file), _format(file), size(file.size_bytes))
    return tuple(filter(None, facts))


def length(seconds: float) -> str:
    """`0:16`: minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _dimensions(file: FileView) -> str:
    if not (file.width and file.height):
        return ""
    # No-break spaces, so that no line ends within it.
    return f"{file.width}\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}{file.height}"


def _length(file: FileView) -> str:
    return "" if file.duration_s is None else length(file.duration_s)


def _sound(file: FileView) -> str:
    if not file.is_video:
        return ""
    return _("sound") if file.has_audio else _("no sound")


def _format(file: FileView) -> str:
    """The codec of a video, the format of anything else; "" where the row does not tell.

    A video is saved as H.264 or HEVC or not at all (`stories.media.verify`), and HEVC is labelled
    by the bytes, not by what TikTok announced.
    """
    if file.is_video:
        return "HEVC" if "hevc" in file.labels else "H.264"
    return _PICTURES.get(file.content_type, "")
