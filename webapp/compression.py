"""Compression of pages and API answers: which of them, and how."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Callable
from io import BytesIO
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers

MIN_BYTES: Final = 1024
"""Shorter answers fit into one or two packets as they are."""

LEVEL: Final = 3
"""Of gzip. Level 6 makes a page a sixth smaller and takes twice as long, level 1 saves no time."""

MAX_PADDING_BYTES: Final = 100
"""The length of an answer is blurred by up to so many random bytes in its gzip header."""

TYPES: Final = frozenset({"text/html", "application/json"})

PAGES: Final = frozenset(
    {"home", "history", "help", "job", "job_fragment", "job_media", "job_viewer"}
)
"""Names of views whose answers hold no secret beside the CSRF token, masked anew each time.

A list of what is allowed: pages that show a set-up link, an invitation, an API token, recovery
codes or the key of a second factor are not on it, and neither is a page that comes later.
"""

API: Final = "api"
"""The namespace of the API, whose answers hold no secret either: tokens are never among them."""


def compress(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Compress HTML and JSON of the views in PAGES and of the API for readers that accept gzip.

    Files and other streams pass through. Entity tags become weak, because they stand for the
    content in every coding, so that a tag of a compressed answer is met with 304, too.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not isinstance(response, HttpResponse) or not _may_be_compressed(request, response):
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        tag = response.headers.get("ETag", "")
        if tag.startswith('"'):
            response.headers["ETag"] = f"W/{tag}"
        if len(response.content) >= MIN_BYTES and accepts_gzip(request):
            _compress(response)
        return response

    return respond


def accepts_gzip(request: HttpRequest) -> bool:
    """Whether the reader names gzip in `Accept-Encoding`, or anything, and not with `q=0`."""
    weights: dict[str, float] = {}
    for entry in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, *parameters = (part.strip() for part in entry.split(";"))
        weights[coding] = min((_weight(parameter) for parameter in parameters), default=1.0)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0


def _may_be_compressed(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether an answer of this view may be compressed for a reader that accepts it.

    True for a 304, too, which has the headers of the answer it stands for.
    """
    match = request.resolver_match
    if match is None or response.has_header("Content-Encoding"):
        return False
    # What the address says again in the page would be a probe for the words beside it.
    allowed = match.view_name in PAGES or API in match.namespaces
    if not allowed or request.GET.keys() & {"q", "text", "title", "url"}:
        return False
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind in TYPES or response.status_code == 304


def _compress(response: HttpResponse) -> None:
    body = BytesIO()
    name = "x" * secrets.randbelow(MAX_PADDING_BYTES)
    with gzip.GzipFile(name, "wb", LEVEL, body, mtime=0) as file:
        file.write(response.content)
    response.content = body.getvalue()
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.content))
