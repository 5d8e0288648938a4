"""The head of a response to a media request: which part of which file its bytes are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import httpx

from stories.errors import MediaUnavailable

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_OK = 200
_PARTIAL_CONTENT = 206


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaHead:
    """What the head of a media response says of the bytes that follow.

    content_type: lower case, without parameters. partial: status 206. start, total: offset of the
    first byte and size of the whole file, in bytes; total None where the server does not say.
    length_bytes: announced size of this body. etag: as sent. validator: for If-Range, proves that
    two parts belong to one file; None when the server gives none.
    """

    status: int
    host: str
    content_type: str
    partial: bool
    start: int
    total: int | None
    length_bytes: int | None
    etag: str | None
    validator: str | None


def read_media_head(response: httpx.Response, host: str) -> MediaHead:
    """Parse the status and headers of a media response.

    Raises MediaUnavailable for a refusal, for a coding that was not asked for, for a length that
    cannot be and for a part whose Content-Range makes no sense.
    """
    status, headers = response.status_code, response.headers
    if status not in {_OK, _PARTIAL_CONTENT}:
        raise MediaUnavailable(f"{host}: status {status}")
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise MediaUnavailable(f"{host}: an encoding we did not ask for")
    start, total, length = 0, None, _byte_count(headers.get("content-length"))
    if length is None and "content-length" in headers:
        raise MediaUnavailable(f"{host}: a length that cannot be")
    if status == _PARTIAL_CONTENT:
        content_range = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
        if content_range is None:
            raise MediaUnavailable(f"{host}: a part that does not say which")
        start, last = int(content_range[1]), int(content_range[2])
        total = None if content_range[3] == "*" else int(content_range[3])
        if last < start or (total is not None and last >= total):
            raise MediaUnavailable(f"{host}: a part that cannot be")
        length = last + 1 - start
    else:
        total = length
    etag = headers.get("etag")
    strong_etag = etag if etag and etag.startswith('"') else None
    return MediaHead(
        status=status,
        host=host,
        content_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
        partial=status == _PARTIAL_CONTENT,
        start=start,
        total=total,
        length_bytes=length,
        etag=etag,
        # A weak ETag may not stand in If-Range; a date may.
        validator=strong_etag or headers.get("last-modified"),
    )


def _byte_count(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None
