"""A recording: the answers of one look-up as they came, and the neutral sample made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from stories.hosts import is_tiktok_page_host
from stories.neutral.addresses import neutral_address
from stories.neutral.bodies import neutral_body
from stories.neutral.substitutes import REFERENCE, Substitutes

MAX_ANSWERS: Final = 40
MAX_BYTES: Final = 32 * 1024 * 1024
"""Bytes of all bodies that are kept; later answers count, and are left out."""

_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,40}(?:; ?charset=[a-z0-9-]{1,20})?")
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class _Answer:
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Recorder:
    """Keeps the answers to the requests of a client, which it is given as its `recorder`."""

    def __init__(self) -> None:
        self._began_at = datetime.now(UTC)
        self._answers: list[_Answer] = []
        self._bytes = self.left_out = 0

    def __call__(self, url: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Keep an answer."""
        self._bytes += len(body)
        if len(self._answers) >= MAX_ANSWERS or self._bytes > MAX_BYTES:
            self.left_out += 1
            return
        lower = {name.lower(): value for name, value in headers.items()}
        self._answers.append(_Answer(url, status, lower, body))

    def sample(self, *, made_by: str, name: str) -> dict[str, Any]:
        """The neutral sample, as JSON: safe to post in public. Takes up to some seconds.

        made_by: the program and its version. name: of the account that was asked for.
        """
        subs = Substitutes(self._began_at)
        account = subs.name(name)
        return {
            "made_by": made_by,
            "account": account,
            "at": REFERENCE.isoformat(),
            "left_out": self.left_out,
            "answers": [_neutral_answer(answer, subs) for answer in self._answers],
        }


def _neutral_answer(answer: _Answer, subs: Substitutes) -> dict[str, Any]:
    return {
        "endpoint": endpoint(answer.url),
        "status": answer.status,
        "headers": _neutral_headers(answer.headers, subs),
        "body": neutral_body(answer.body, subs),
    }


def endpoint(url: str) -> str:
    """What a request asked for: "profile", "list", "page" (of an item), "embed", "oembed", "link"
    (a short one) or "other"."""
    parts = urlsplit(url)
    path = parts.path
    if not is_tiktok_page_host(parts.hostname or ""):
        return "other"
    if re.match(r"/@[^/]*/(?:video|photo|story)/", path):
        return "page"
    for start, name in _ENDPOINTS.items():
        if path.startswith(start):
            return name
    return "link" if (parts.hostname or "").startswith(("vm.", "vt.")) else "other"


_ENDPOINTS: Final = {
    "/@": "profile",
    "/api/story/item_list": "list",
    "/embed/": "embed",
    "/oembed": "oembed",
    "/t/": "link",
}


def _neutral_headers(headers: Mapping[str, str], subs: Substitutes) -> dict[str, str]:
    """Those we read, without what only says who asked."""
    made: dict[str, str] = {}
    kind = headers.get("content-type", "").strip().lower()
    if kind:
        made["content-type"] = kind if _CONTENT_TYPE.fullmatch(kind) else "(another)"
    if "x-tt-system-error" in headers:
        fine = headers["x-tt-system-error"].strip() in {"", "0"}
        made["x-tt-system-error"] = "0" if fine else "1"
    if "bdturing-verify" in headers:
        made["bdturing-verify"] = "(left out)"
    date = _date(headers.get("date", ""))
    if date is not None:
        made["date"] = format_datetime(subs.moment(date), usegmt=True)
    if _SECONDS.fullmatch(headers.get("age", "").strip()):
        made["age"] = headers["age"].strip()
    wait = headers.get("retry-after", "").strip()
    until = _date(wait)
    if _SECONDS.fullmatch(wait):
        made["retry-after"] = wait
    elif until is not None:
        made["retry-after"] = format_datetime(subs.moment(until), usegmt=True)
    location = headers.get("location", "")
    if location:
        made["location"] = _location(location, subs)
    return made


def _location(location: str, subs: Substitutes) -> str:
    """Where a redirect leads: to one of TikTok's pages, or anywhere else."""
    absolute = location
    if location.startswith("/") and not location.startswith("//"):
        absolute = f"https://www.tiktok.com{location}"
    made = neutral_address(absolute.partition("#")[0], subs, any_host=False)
    return made or "https://elsewhere.example/"


def _date(text: str) -> datetime | None:
    """A time as headers write it; None for anything else, or one out of the ordinary."""
    if not text or len(text) > 64:
        return None
    try:
        at = parsedate_to_datetime(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at.astimezone(UTC) if 2016 <= at.year < 2200 else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
