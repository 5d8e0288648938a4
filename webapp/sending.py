"""The network of messages to people: to push services and webhooks, at addresses that were checked.

Not through STORYKEEP_PROXY: that is the way to TikTok, and a proxy resolves names by itself, so no
address behind one could be checked (docs/decisions/0064).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import httpx

from notices.kinds import Reason
from notices.wire import Answer, NotSent, Request
from stories.http.error_mapping import retry_after
from stories.http.resolver import NoPublicAddress, Resolve, system_resolve
from stories.http.tls import client_context
from stories.http.transports import PooledTransport

TIMEOUT_S: Final = 20.0
"""Seconds that one request may take in all."""
USER_AGENT: Final = "Storykeep"
"""The same of every instance and version."""


class Sender:
    """Sends requests, one at a time, over connections that are kept while it is open. For one
    thread; a context manager.

    ca_bundle: path of a PEM file with an extra authority. resolve: how host names become addresses.
    """

    def __init__(self, ca_bundle: str | None, resolve: Resolve = system_resolve) -> None:
        self._ca_bundle, self._resolve = ca_bundle, resolve
        self._runner = asyncio.Runner()
        self._transports: dict[bool, httpx.AsyncBaseTransport] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for transport in self._transports.values():
            self._runner.run(transport.aclose())
        self._runner.close()

    def post(self, request: Request) -> Answer:
        """What is answered, of which nothing but the head is read; a redirect is an answer, too.

        Raises NotSent: NOT_ALLOWED for a name without a public address, TOO_SLOW, NO_ANSWER.
        """
        return self._runner.run(self._post(request))

    async def _post(self, asked: Request) -> Answer:
        try:
            request = httpx.Request(
                "POST",
                asked.url,
                headers={"User-Agent": USER_AGENT, **asked.headers},
                content=asked.body,
                extensions={
                    "timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)
                },
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise NotSent(Reason.NOT_ALLOWED) from error
        if request.url.scheme != "https" and not asked.anywhere:
            raise NotSent(Reason.NOT_ALLOWED)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._transport(anywhere=asked.anywhere).handle_async_request(
                    request
                )
                await response.aclose()
        except (TimeoutError, httpx.TimeoutException) as error:
            raise NotSent(Reason.TOO_SLOW) from error
        except (httpx.HTTPError, OSError) as error:
            is_private = _is_caused_by_no_public_address(error)
            raise NotSent(Reason.NOT_ALLOWED if is_private else Reason.NO_ANSWER) from error
        wait = retry_after(response.headers.get("retry-after"), now=datetime.now(UTC))
        return Answer(status=response.status_code, retry_after_s=wait)

    def _transport(self, *, anywhere: bool) -> httpx.AsyncBaseTransport:
        if anywhere not in self._transports:
            bundle = self._ca_bundle
            self._transports[anywhere] = (
                httpx.AsyncHTTPTransport(verify=client_context(bundle), trust_env=False)
                if anywhere
                else PooledTransport(proxy=None, ca_bundle=bundle, resolve=self._resolve)
            )
        return self._transports[anywhere]


def _is_caused_by_no_public_address(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, NoPublicAddress):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
