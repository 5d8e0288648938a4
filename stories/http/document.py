"""A document that whoever runs this instance has published: fetched plainly, whole, and bounded.

For addresses from the settings alone, never for one that TikTok names.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from stories.config import ClientConfig
from stories.http.body import BodyTooLarge, read_bounded
from stories.http.resolver import NoPublicAddress, Resolve, system_resolve
from stories.http.transports import PooledTransport

TIMEOUT_S: Final = 20.0
"""Seconds that all of it may take."""
USER_AGENT: Final = "Storykeep"
"""The same of every instance and version."""


class DocumentUnavailable(Exception):
    """There is no document. str(): why, in a few words without addresses."""


async def get_document(
    url: str,
    config: ClientConfig,
    *,
    max_bytes: int,
    timeout_s: float = TIMEOUT_S,
    resolve: Resolve = system_resolve,
) -> bytes:
    """The bytes at an https address: one GET over the configured route, without cookies.

    Redirects are not followed, and only public addresses are connected to; where there is a proxy,
    it is what resolves. max_bytes: also of what is decompressed. Raises DocumentUnavailable.
    """
    try:
        request = httpx.Request(
            "GET",
            url,
            headers=[
                ("User-Agent", USER_AGENT),
                ("Accept", "application/json"),
                ("Accept-Encoding", "gzip"),
            ],
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)},
        )
    except (httpx.InvalidURL, ValueError) as error:
        raise DocumentUnavailable("that is no address") from error
    if request.url.scheme != "https":
        raise DocumentUnavailable("only https addresses are asked")
    try:
        async with asyncio.timeout(timeout_s):
            return await _get(request, config, max_bytes, resolve)
    except TimeoutError as error:
        raise DocumentUnavailable("it did not come in time") from error
    except BodyTooLarge as error:
        raise DocumentUnavailable(f"it is larger than {max_bytes // 1024} KiB") from error
    except (httpx.HTTPError, OSError) as error:
        raise DocumentUnavailable(f"no answer ({_kind(error)})") from error


async def _get(
    request: httpx.Request, config: ClientConfig, max_bytes: int, resolve: Resolve
) -> bytes:
    transport = PooledTransport(proxy=config.proxy, ca_bundle=config.ca_bundle, resolve=resolve)
    async with transport:
        response = await transport.handle_async_request(request)
        response.request = request
        try:
            if response.status_code != httpx.codes.OK:
                raise DocumentUnavailable(f"status {response.status_code}")
            return await read_bounded(response, max_bytes, decompressed=False)
        finally:
            await response.aclose()


def _kind(error: BaseException) -> str:
    """The kind of a failure; of one that another one led to, that one's."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, NoPublicAddress):
            return "no public address"
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__
