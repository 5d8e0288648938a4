"""The search for the best file among the renditions of a video, and what it may cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from stories.renditions import Prefer, Quality, RankedRendition, actual_quality
from stories.structures import Verified

F = TypeVar("F")

MAX_FILES = 5
"""Whole files that are fetched, at most, before the best of them is taken."""
LAST_TRIES = 2
"""The last of them go to what is least like the files so far, where these have no sound."""
MAX_SEARCH_BYTES = 32 * 1024 * 1024
"""Bytes that further files may cost, on top of those of the first one once more."""


@dataclass(slots=True, kw_only=True)
class RenditionSearch(Generic[F]):
    """The best file of one listing so far, and whether a further one is worth its bytes.

    muted: the listing says that the sound was taken out. tried: addresses that were requested.
    best: None before a file arrived whole.
    """

    prefer: Prefer
    muted: bool
    tried: Collection[str]
    best: F | None = None
    _quality: Quality | None = None
    _files: int = 0
    _first_bytes: int = 0
    _further_bytes: int = 0

    def take_next(self, candidates: list[RankedRendition]) -> RankedRendition:
        """The candidate to try next, which is taken out. candidates: best first, not empty.

        That is the first of them. Once all files but the last few turned out to be without sound:
        one whose sound is listed, else the last clean one, and with the very last try the last.
        """
        left = MAX_FILES - self._files
        if self._quality is None or self._quality.has_sound or left > LAST_TRIES:
            return candidates.pop(0)
        worth = [at for at, other in enumerate(candidates) if self.is_worth_trying(other)] or [0]
        listed = [at for at in worth if candidates[at].variant.sound is not None]
        clean = [at for at in worth if not candidates[at].variant.watermarked]
        if listed:
            return candidates.pop(listed[0])
        return candidates.pop((clean if clean and left > 1 else worth)[-1])

    def is_worth_trying(self, rendition: RankedRendition) -> bool:
        """Whether a rendition may be better than the best file, at a price that can be paid.

        More pixels alone are no reason: renditions come in their order.
        """
        if self._quality is None:
            return True
        listed_bytes = rendition.variant.size_bytes or 0
        if (
            self._files >= MAX_FILES
            or self._further_bytes + listed_bytes > self._first_bytes + MAX_SEARCH_BYTES
        ):
            return False
        expected = rendition.expected(self.prefer, self.tried)
        if self.muted:
            expected = expected._replace(has_sound=self._quality.has_sound)
        return expected[:3] > self._quality[:3]

    def add(self, file: F, rendition: RankedRendition, verified: Verified, size_bytes: int) -> None:
        """Take note of a file that is whole; keep it when it is the best."""
        self._files += 1
        if self._files == 1:
            self._first_bytes = size_bytes
        else:
            self._further_bytes += size_bytes
        quality = actual_quality(rendition, verified, self.prefer)
        if self._quality is None or quality > self._quality:
            self.best, self._quality = file, quality
