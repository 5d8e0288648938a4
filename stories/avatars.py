"""Avatars: the public picture of a line's author, fetched once beside everything else.

Nobody asked for it. So it takes no turn of the files, waits for no rate limit, is asked for without
cookies, and whatever becomes of it, the line goes on and ends as it would have without.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from stories.client import StoryClient
from stories.errors import StoriesError, TooLarge
from stories.events import AvatarReady
from stories.http.media_head import MediaHead
from stories.http.session import Session
from stories.media import avatars
from stories.structures import Author

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 512 * 1024
TIMEOUT_S: Final = 5.0
"""Seconds for all addresses of a picture and its decoding together."""
GRACE_S: Final = 0.5
"""Seconds that a line whose work is done stays for the picture; most have come long before."""


class AvatarFetch:
    """The fetch of one author's avatar. emit: called with the picture, at most once."""

    def __init__(self, client: StoryClient, emit: Callable[[AvatarReady], None]) -> None:
        self._client, self._emit = client, emit
        self._task: asyncio.Task[None] | None = None

    def begin(self, author: Author) -> None:
        """Start fetching, for the first author whose addresses are known."""
        if self._task is None and author.avatar_urls:
            self._task = asyncio.create_task(self._fetch(author.avatar_urls))

    async def end(self) -> None:
        """Wait for the picture, no longer than GRACE_S."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=GRACE_S)

    async def cancel(self) -> None:
        """Stop, if it still runs. An error that is a bug is logged and fails nothing."""
        if self._task is None:
            return
        self._task.cancel()
        (result,) = await asyncio.gather(self._task, return_exceptions=True)
        if isinstance(result, Exception):
            logger.error("avatar crashed", exc_info=result)

    async def _fetch(self, urls: Sequence[str]) -> None:
        session = self._client.session()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                for url in urls:
                    try:
                        data = await _download(url, session)
                        picture = await self._client.run_in_thread(partial(avatars.make, data))
                    except StoriesError as error:
                        logger.info("no avatar: %s %s", error.code, error.detail)
                        continue
                    self._emit(AvatarReady(picture=picture))
                    return
        except TimeoutError:
            logger.info("no avatar within %g s", TIMEOUT_S)


async def _download(url: str, session: Session) -> bytes:
    """The file behind an address, whole. Raises TooLarge beyond MAX_BYTES, and what
    Session.fetch_media does."""
    body = bytearray()

    def receive(head: MediaHead) -> Callable[[bytes], None]:
        if (head.length_bytes or 0) > MAX_BYTES:
            raise TooLarge(f"{head.host}: {head.length_bytes} bytes are announced")
        return write

    def write(chunk: bytes) -> None:
        if len(body) + len(chunk) > MAX_BYTES:
            raise TooLarge(f"more than {MAX_BYTES} bytes")
        body.extend(chunk)

    await session.fetch_media(url, receive)
    return bytes(body)
