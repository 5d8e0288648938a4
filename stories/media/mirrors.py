"""A file from the first of its mirrors that serves it whole; what one brought, the next goes on
with where it has the same file."""

from __future__ import annotations

import logging
from collections.abc import MutableSet, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from stories.config import ClientConfig
from stories.errors import MediaError, MediaUnavailable, StoriesError, TooLarge, UpstreamError
from stories.http.session import Session
from stories.media.arrived import Arrived
from stories.media.download import Progress, Reserve, TransferResult, transfer
from stories.media.mirror_pace import MirrorChoice, MirrorLeft, MirrorPace, MirrorPaces
from stories.transfer_slots import TransferSlots

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """What is wanted of each mirror, as media.download.transfer takes it. turn: taken for each."""

    config: ClientConfig
    turn: TransferSlots
    limit_bytes: int
    expected_bytes: int | None
    reserve: Reserve
    progress: Progress


async def fetch_from_mirrors(
    session: Session,
    urls: Sequence[str],
    sink: BinaryIO,
    request: FileRequest,
    *,
    tried: MutableSet[str],
    paces: MirrorPaces,
) -> TransferResult:
    """Fetch a file into `sink` from one mirror after the other.

    tried: addresses not to request; those requested are added. One that was left for a faster
    mirror is taken out again, should that one's file not open; so is the one that ended what
    another began, as the bytes of the two may not belong together. Raises TooLarge at once, else
    the error of the last mirror left to try: MediaUnavailable or an UpstreamError.
    """
    choice, arrived = MirrorChoice([url for url in urls if url not in tried], paces), Arrived()
    failure: StoriesError = MediaUnavailable("every address was tried before")
    try:
        while (url := choice.next()) is not None:
            tried.add(url)
            try:
                async with request.turn:
                    result = await transfer(
                        session,
                        url,
                        sink,
                        config=request.config,
                        slots=request.turn,
                        limit_bytes=request.limit_bytes,
                        expected_bytes=request.expected_bytes,
                        reserve=request.reserve,
                        progress=request.progress,
                        arrived=arrived,
                        pace=MirrorPace(url, choice),
                    )
            except TooLarge:
                raise
            except MirrorLeft as slow:
                logger.info("mirror left for another: %s", slow)
            except (MediaError, UpstreamError) as error:
                logger.info("mirror failed: %s %s", error.code, error.detail)
                failure = error
                choice.end_trial()
            else:
                tried -= {url} if arrived.elsewhere else set(choice.left)
                return result
    finally:
        choice.end_trial()
    raise failure
