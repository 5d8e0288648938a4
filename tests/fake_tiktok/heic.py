"""HEIC pictures, put together by hand: no library here writes one."""

from __future__ import annotations

import io

import av
from PIL import Image

from tests.fake_tiktok.iso_boxes import box, boxes, full_box


def frame_of(image: Image.Image) -> av.VideoFrame:
    """A picture as a frame to be encoded."""
    frame: av.VideoFrame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
    return frame


def heic(image: Image.Image) -> bytes:
    """A HEIC file with a single picture."""
    width, height = image.width // 2 * 2, image.height // 2 * 2
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx265", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.codec_tag = "hvc1"
        stream.codec_context.options = {
            "preset": "ultrafast",
            "crf": "24",
            "x265-params": "log-level=none:keyint=1:repeat-headers=0",
        }
        frame = frame_of(image).reformat(width, height, format="yuv420p")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    movie = out.getvalue()
    at = movie.index(b"hvcC") - 4
    config = movie[at : at + int.from_bytes(movie[at : at + 4])]
    packets = next(movie[start + 8 : end] for kind, start, end in boxes(movie) if kind == b"mdat")

    def meta(offset: int) -> bytes:
        return full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(12), b"\0"),
            full_box(b"pitm", (1).to_bytes(2)),
            full_box(
                b"iinf",
                (1).to_bytes(2),
                full_box(b"infe", (1).to_bytes(2), bytes(2), b"hvc1", b"\0", version=2),
            ),
            full_box(
                b"iloc",
                b"\x44\x00",
                (1).to_bytes(2),
                (1).to_bytes(2) + bytes(2) + (1).to_bytes(2),
                offset.to_bytes(4) + len(packets).to_bytes(4),
            ),
            box(
                b"iprp",
                box(b"ipco", config, full_box(b"ispe", width.to_bytes(4), height.to_bytes(4))),
                full_box(b"ipma", (1).to_bytes(4), (1).to_bytes(2), b"\x02", b"\x81\x02"),
            ),
        )

    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    offset = len(head) + len(meta(0)) + 8
    return head + meta(offset) + box(b"mdat", packets)
