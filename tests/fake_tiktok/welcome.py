"""The demo's door: a link that signs one browser in, once, on this machine.

The app knows no such thing. Cookies do not tell the ports of a host apart, so whoever has the right
to make a session of the demo's instance can hand its cookie over from another port.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.fake_tiktok.exchange import Response

PATIENCE_S = 60


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """What one visitor gets. token: of the link. cookie: name and value. to: where to go on."""

    token: str
    cookie: tuple[str, str]
    to: str


class Door:
    """Hands a session's cookie to the first who comes with the link, when the instance is up."""

    def __init__(self) -> None:
        self._welcome: Welcome | None = None

    def expect(self, welcome: Welcome) -> None:
        """Expect one visitor."""
        self._welcome = welcome

    async def answer(self, path: str) -> Response:
        """The answer to a GET of `/welcome/TOKEN`: 404 for all but the link, and for it later."""
        welcome, token = self._welcome, path.removeprefix("/welcome/")
        if welcome is None or not secrets.compare_digest(token.encode(), welcome.token.encode()):
            return _page(404, "This link was used already. Sign in with the name and the password.")
        self._welcome = None
        if not await _answers(welcome.to):
            self._welcome = welcome
            return _page(503, "Storykeep is still starting. Reload this page in a moment.")
        name, value = welcome.cookie
        headers = [
            ("Location", welcome.to),
            ("Set-Cookie", f"{name}={value}; Path=/; HttpOnly; SameSite=Lax"),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
        ]
        return Response(303, headers)


def _page(status: int, words: str) -> Response:
    return Response(status, [("Content-Type", "text/plain")], [memoryview(words.encode())])


async def _answers(url: str) -> bool:
    """Whether something listens at an address; waits for it up to PATIENCE_S."""
    address = urlsplit(url)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection(address.hostname, address.port)
                except OSError:
                    await asyncio.sleep(0.2)
                    continue
                writer.close()
                return True
    return False
