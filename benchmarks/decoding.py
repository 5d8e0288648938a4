"""What the decoders cost for one file, in one thread: the check of a video, and its poster."""

from __future__ import annotations

import io
import statistics
import time
from typing import Any, Final

REPEAT: Final = 9


def measure() -> dict[str, Any]:
    """Kind of video → CPU milliseconds of check and poster, the median of several."""
    from tests.fake_tiktok import real_media, scenarios
    from webapp.processes import memory

    memory.keep_meanwhile()  # as a worker does
    measured: dict[str, Any] = {}
    for clip in scenarios.CLIPS:
        body = real_media.clip(clip)
        size = f"{clip.size[0]}x{clip.size[1]}, {clip.seconds:.0f} s"
        measured[size] = _check_and_poster(body, "video")
    for shot in (scenarios.SHOTS[0], scenarios.SHOTS[-1]):
        body = real_media.shot(shot)
        measured[f"photo, {len(body) / 1e6:.1f} MB"] = _check_and_poster(body, "picture")
    return measured


def _check_and_poster(body: bytes, kind: str) -> float:
    """CPU milliseconds. kind: of stories.structures.MediaKind, by its value."""
    from stories.media.derive import poster
    from stories.media.verify import examine
    from stories.structures import MediaKind

    def check_and_show() -> None:
        examined = examine(io.BytesIO(body), MediaKind(kind), with_poster=True)
        content_type = examined.verified.content_type
        poster(io.BytesIO(body), content_type, io.BytesIO(), made=examined.poster)

    return _median_ms(check_and_show)


def _median_ms(act: Any) -> float:
    act()  # what is loaded once is not counted
    spent = []
    for _ in range(REPEAT):
        began = time.process_time()
        act()
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent)
