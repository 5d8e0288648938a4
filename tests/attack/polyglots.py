"""Files that are two things at once, and files that only say they are media."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Final

from stories.structures import MediaKind
from tests.attack.samples import moving_samples, picture_samples, song_samples
from tests.fake_tiktok.iso_boxes import box

PAGE: Final = b"<!DOCTYPE html><html><body><script>alert(document.domain)</script></body></html>"
SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><circle r="9"/></svg>'
SCRIPT: Final = b"alert(document.domain)//"
GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x00\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


@cache
def _archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: X\n")
        archive.writestr("X.class", b"\xca\xfe\xba\xbe")
    return out.getvalue()


def _jpeg_with_comment(text: bytes) -> bytes:
    jpeg = picture_samples()["jpeg"]
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2) + text + jpeg[2:]


def _jpeg_that_is_a_script() -> bytes:
    """Its first segment is as long as "/*" says, so that its head is a comment to a script."""
    jpeg = picture_samples()["jpeg"]
    length = int.from_bytes(b"/*")
    filling = b"*/=1;" + SCRIPT
    return jpeg[:2] + b"\xff\xe0/*" + filling + bytes(length - 2 - len(filling)) + jpeg[2:]


def _png_with_text(text: bytes) -> bytes:
    png = picture_samples()["png"]
    body = b"tEXt" + b"Comment\0" + text
    chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    return png[:33] + chunk + png[33:]


def _mp4_with_box(text: bytes) -> bytes:
    return moving_samples()["h264 index last"] + box(b"free", text)


def _mp3_with_tag(text: bytes) -> bytes:
    body = b"COMM" + (len(text) + 5).to_bytes(4) + b"\0\0\0eng\0" + text
    size = len(body)
    packed = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + packed + body + song_samples()["mp3"]


HYBRIDS: Final = (
    *("jpeg, page behind", "jpeg, page in a comment", "jpeg, archive behind", "jpeg, a script"),
    *("png, page behind", "png, page in a note", "webp, archive behind", "avif, page behind"),
    *("heic, archive behind", "mp4, page behind", "mp4, page in a box", "mp4, archive behind"),
    *("mp3, page in a tag", "mp3, archive behind", "m4a, page behind"),
)


@cache
def hybrids() -> Mapping[str, tuple[MediaKind, str, bytes]]:
    """Name -> (kind it is fetched as, content type by its first bytes, bytes)."""
    pictures, songs = picture_samples(), song_samples()
    clip = moving_samples()["h264 index last"]
    picture, video, song = MediaKind.PICTURE, MediaKind.VIDEO, MediaKind.SONG
    made = (
        (picture, "image/jpeg", pictures["jpeg"] + PAGE),
        (picture, "image/jpeg", _jpeg_with_comment(PAGE)),
        (picture, "image/jpeg", pictures["jpeg"] + _archive()),
        (picture, "image/jpeg", _jpeg_that_is_a_script()),
        (picture, "image/png", pictures["png"] + PAGE),
        (picture, "image/png", _png_with_text(PAGE)),
        (picture, "image/webp", pictures["webp"] + _archive()),
        (picture, "image/avif", pictures["avif"] + PAGE),
        (picture, "image/heic", pictures["heic"] + _archive()),
        (video, "video/mp4", clip + PAGE),
        (video, "video/mp4", _mp4_with_box(PAGE)),
        (video, "video/mp4", clip + _archive()),
        (song, "audio/mpeg", _mp3_with_tag(PAGE)),
        (song, "audio/mpeg", songs["mp3"] + _archive()),
        (song, "audio/mp4", songs["m4a"] + PAGE),
    )
    return dict(zip(HYBRIDS, made, strict=True))


DISGUISED: Final[Mapping[str, bytes]] = {
    "a page": PAGE,
    "a page after white space": b" \r\n\t" + PAGE,
    "a page in UTF-16": b"\xff\xfe" + PAGE.decode().encode("utf-16-le"),
    "a page after a mark": b"\xef\xbb\xbf" + PAGE,
    "SVG": SVG,
    "SVG, declared": b'<?xml version="1.0"?>' + SVG,
    "SVG, compressed": gzip.compress(SVG, mtime=0),
    "a script": SCRIPT,
    "a GIF": GIF,
    "a GIF and an archive": GIF + _archive(),
    "a GIF and a script": b"GIF89a/*" + GIF[8:] + b"*/=1;" + SCRIPT,
    "a BMP and a script": b"BM" + SCRIPT,
    "a PDF": b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (r) file\n",
    "an archive": _archive(),
    "a playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "a list of files": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "a TIFF": b"II*\0\x08\0\0\0\0\0\0\0",
    "an icon": b"\0\0\x01\0\x01\0\x01\x01\0\0\x01\0\x18\0",
    "Flash": b"FWS\x06" + bytes(60),
    "a program": b"\x7fELF" + bytes(60),
}
