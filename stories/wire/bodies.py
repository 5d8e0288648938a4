"""Whole bodies: the JSON inside a page or an answer."""

from __future__ import annotations

import json
import re
from typing import Any

from stories.challenge import is_challenge, is_check
from stories.errors import Challenged, Refused, StoriesError, UpstreamChanged
from stories.protocol.current import current
from stories.wire.values import Raw, as_object

# Bound on what one answer may make us hold. The largest real page seen has about 20,000 values.
MAX_VALUES = 400_000

PAGE_SCRIPT = b"__UNIVERSAL_DATA_FOR_REHYDRATION__"
EMBED_SCRIPT = b"__FRONTITY_CONNECT_STATE__"


def json_answer(body: bytes) -> Raw:
    """The JSON object in an API's answer. Raises Refused, Challenged or UpstreamChanged."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        raise Refused("an empty answer")
    if text.startswith(b"<"):
        raise _unexpected_html(body, "HTML instead of JSON")
    payload = load_json(text)
    if not isinstance(payload, dict):
        raise UpstreamChanged("the answer is not an object")
    if "verify_event" in payload:
        raise Refused("verify_event")
    return payload


def default_scope(html: bytes) -> Raw:
    """The `__DEFAULT_SCOPE__` of a page of the site.

    Raises Refused, Challenged or UpstreamChanged when the page has none.
    """
    root = _script_json(html, PAGE_SCRIPT)
    scope = as_object(root.get("__DEFAULT_SCOPE__"))
    if not scope:
        raise UpstreamChanged("__DEFAULT_SCOPE__ is missing")
    return scope


def embed_entry(html: bytes, route: str) -> Raw:
    """The state that an embed page keeps under its own route, which may end in a slash.

    Raises Refused, Challenged or UpstreamChanged when the page has none.
    """
    root = _script_json(html, EMBED_SCRIPT)
    entries = as_object(as_object(root.get("source")).get("data"))
    for key, entry in entries.items():
        if key.rstrip("/").lower() == route.lower() and isinstance(entry, dict):
            return entry
    raise UpstreamChanged("source.data holds nothing for the embed's route")


def _script_json(html: bytes, script_id: bytes) -> Raw:
    """The JSON object inside the page's `<script id=…>`.

    Raises Refused, Challenged or UpstreamChanged when the page has none.
    """
    if not html.strip():
        raise Refused("an empty page")
    text = script_text(html, script_id)
    if text is None:
        raise _unexpected_html(html, f"{script_id.decode()} is missing")
    payload = load_json(text)
    if not isinstance(payload, dict):
        raise UpstreamChanged(f"{script_id.decode()} is not an object")
    return payload


def script_text(html: bytes, script_id: bytes) -> bytes | None:
    """What stands inside the page's `<script id=…>`; None in a page without it.

    Found by searching, not by parsing: a page is 400 KB and holds one script we want.
    """
    place = html.find(script_id)
    while place != -1:
        opening = html.rfind(b"<", max(0, place - 500), place)
        start = html.find(b">", place, place + 500)
        tag = html[opening:place] if opening != -1 else b""
        if start != -1 and _SCRIPT_TAG.fullmatch(tag):
            end = html.find(b"</script", start)
            return html[start + 1 : end if end != -1 else len(html)]
        place = html.find(script_id, place + len(script_id))
    return None


_SCRIPT_TAG = re.compile(rb"<script\s(?:[^>]*\s)?id\s*=\s*[\"']?", re.IGNORECASE)


def _unexpected_html(html: bytes, what: str) -> StoriesError:
    if is_challenge(html):
        return Challenged("the challenge page")
    if is_check(html):
        return Challenged("a page that asks for a check")
    # A page of the usual make with its data left out is a soft refusal, not a new layout.
    if any(mark in html for mark in current().marks.shell):
        return Refused("a page without its data")
    return UpstreamChanged(what)


def load_json(text: bytes) -> Any:
    """Parsed JSON of at most MAX_VALUES values; NaN and infinities read as null.

    Raises UpstreamChanged.
    """
    if text.count(b",") + text.count(b"[") + text.count(b"{") > MAX_VALUES:
        raise UpstreamChanged("the JSON holds too many values")
    try:
        return json.loads(text.decode("utf-8", "replace"), parse_constant=lambda _name: None)
    except RecursionError as error:
        raise UpstreamChanged("the JSON is nested too deeply") from error
    except ValueError as error:
        raise UpstreamChanged("the JSON is malformed") from error
