"""Network failures and HTTP statuses mapped to the StoriesError they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from curl_cffi import CurlError

from stories.errors import (
    ClockWrong,
    RateLimited,
    Refused,
    RegionLocked,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.http.body import BodyTooLarge

# Bounds on how long a server can make us wait.
RATE_LIMIT_FLOOR_S = 60.0
RETRY_AFTER_CEILING_S = 3600.0

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
NOT_FOUND_STATUSES = frozenset({404, 410})
_REFUSAL_STATUSES = frozenset({401, 403, 405, 412, 444})
_VALIDITY = re.compile(r"certificate (is not yet valid|has expired)")
_MAX_CAUSES = 8
_OK = 200
_RATE_LIMITED = 429
_LEGAL = 451
_SERVER_ERRORS = range(500, 600)

# Everything a request or its body may raise, from either transport. CurlError covers
# curl_cffi.requests.exceptions; OSError is what slips past httpx's own mapping, and ValueError what
# it raises where an odd answer (an address, a header) cannot be put into the next request.
NETWORK_ERRORS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    CurlError,
    TimeoutError,
    OSError,
    EOFError,
    ValueError,
)


def to_stories_error(error: BaseException, where: str) -> StoriesError:
    """The StoriesError that a network failure means. where: host and path, never a query."""
    name = type(error).__name__
    if isinstance(error, StoriesError):
        return error
    if isinstance(error, BodyTooLarge):
        return UpstreamChanged(f"{where}: larger than any page should be")
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects)):
        return UpstreamChanged(f"{where}: {name}")
    trouble = _validity_trouble(error)
    if trouble is not None:
        return ClockWrong(f"{where}: its {trouble}")
    return UpstreamDown(f"{where}: {name}")


def _validity_trouble(error: BaseException) -> str | None:
    """The words of a certificate whose time has not come, or is over; None for any other error.

    Both transports hide them in the cause, and differ in all but the words of OpenSSL.
    """
    cause: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if cause is None:
            return None
        match = _VALIDITY.search(str(cause))
        if match:
            return match[0]
        cause = cause.__cause__ or cause.__context__
    return None


@contextmanager
def translate_network_errors(where: str) -> Iterator[None]:
    """Raise a StoriesError in place of any of NETWORK_ERRORS. where: host and path, no query."""
    try:
        yield
    except NETWORK_ERRORS as error:
        raise to_stories_error(error, where) from error


def check_status(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    where: str,
    *,
    sent_at: datetime | None = None,
) -> None:
    """Raise the StoriesError that an answer means, unless it is a page, a redirect or "not found".

    sent_at: by the server's own clock; None for ours. Raises RateLimited, Refused, RegionLocked,
    UpstreamDown, UpstreamChanged.
    """
    wait_s = retry_after(headers.get("retry-after"), now=sent_at)
    if status == _RATE_LIMITED:
        raise RateLimited(f"{where}: 429", retry_after_s=max(wait_s or 0.0, RATE_LIMIT_FLOOR_S))
    if status in _REFUSAL_STATUSES:
        raise Refused(f"{where}: status {status}", retry_after_s=wait_s)
    if headers.get("x-tt-system-error", "0").strip() not in {"", "0"}:
        raise Refused(f"{where}: x-tt-system-error")
    if "bdturing-verify" in headers and body:
        raise Refused(f"{where}: a captcha is asked for (bdturing-verify)")
    if status in _SERVER_ERRORS:
        raise UpstreamDown(f"{where}: status {status}", retry_after_s=wait_s, answered=True)
    if status == _LEGAL:
        raise RegionLocked(f"{where}: status {status}")
    if status in NOT_FOUND_STATUSES or status in REDIRECT_STATUSES:
        return
    if status != _OK:
        raise UpstreamChanged(f"{where}: status {status}", status=status)


def retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, at most an hour; None when it says nothing."""
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return min(float(text), RETRY_AFTER_CEILING_S)
    if re.fullmatch(r"[0-9]+", text, re.ASCII):
        return RETRY_AFTER_CEILING_S
    if not text or len(text) > 64:
        return None
    try:
        when = parsedate_to_datetime(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_CEILING_S)
