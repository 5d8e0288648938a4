"""Requests for files: redirects within the allow-list, cookies, and errors as ours."""

from __future__ import annotations

from collections.abc import Callable
from http.cookiejar import CookieJar

import httpx

from stories.errors import MediaUnavailable, UpstreamChanged
from stories.http.addresses import MAX_REDIRECTS, allowed_host, is_login_page, redirect_target
from stories.http.error_mapping import to_stories_error, translate_network_errors
from stories.http.media_head import MediaHead, read_media_head
from stories.http.media_transport import MediaTransport, WriteBody

ReceiveMedia = Callable[[MediaHead], WriteBody]
"""Judges a file by the head of its response, and names who takes its bytes; may raise."""


async def fetch_media(
    url: str,
    receive: ReceiveMedia,
    *,
    transport: MediaTransport,
    jar: CookieJar,
    make_request: Callable[[str], httpx.Request],
) -> None:
    """Request a file, following redirects within the allow-list; as Session.fetch_media says.

    jar: takes the cookies of each answer. make_request: from an address to its request.
    """
    for _ in range(MAX_REDIRECTS + 1):
        host = allowed_host(url, page=False)
        with translate_network_errors(host):
            request = make_request(url)
        if request.url.host != host:
            raise UpstreamChanged("an address that can be read in two ways")
        target = await _receive(request, url, receive, transport=transport, jar=jar)
        if target is None:
            return
        if is_login_page(target):
            raise MediaUnavailable(f"{host} leads to the sign-in page")
        url = target
    raise MediaUnavailable(f"more than {MAX_REDIRECTS} redirects, last {host}")


async def _receive(
    request: httpx.Request,
    url: str,
    receive: ReceiveMedia,
    *,
    transport: MediaTransport,
    jar: CookieJar,
) -> str | None:
    """Carry out one request; where it redirects to, None when it does not."""
    host, target = request.url.host, None

    def on_head(response: httpx.Response) -> WriteBody | None:
        nonlocal target
        if "set-cookie" in response.headers:
            httpx.Cookies(jar).extract_cookies(response)
        target = redirect_target(url, response.status_code, response.headers.get("location", ""))
        return None if target else receive(read_media_head(response, host))

    try:
        await transport.receive(request, on_head)
    except httpx.HTTPError as error:
        # No other: what the receiver raises, a full disk's OSError say, is not the network's.
        raise to_stories_error(error, host) from error
    return target
