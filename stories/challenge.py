"""TikTok's "Please wait..." page: recognising it, and solving the proof of work for its cookie.

The page hides a small proof of work in the class attributes of four empty elements; see
docs/protocol.md, "The challenge page".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import json
import re
from typing import Any

from stories.errors import Challenged
from stories.protocol.current import current

MAX_CHALLENGE_BYTES = 20_000
HIGHEST_ANSWER = 1_000_000

_ELEMENT_IDS = frozenset({"wci", "cs", "rci", "rs"})
_MAX_PREFIX_BYTES = 1024
_COOKIE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{1,4096}")


def is_challenge(body: bytes) -> bool:
    """True when `body` is the challenge page instead of the page or list requested.

    A normal page may hold one of its marks; two never did.
    """
    if len(body) >= MAX_CHALLENGE_BYTES:
        return False
    known = current().marks
    return sum(mark in body for mark in known.challenge) >= known.needed


def marks(body: bytes) -> tuple[str, ...]:
    """The marks of a challenge or a captcha in a page, as text."""
    known = current().marks
    return tuple(mark.decode() for mark in (*known.challenge, *known.captcha) if mark in body)


def is_check(body: bytes) -> bool:
    """True when a page that has no data asks for a check instead, be it one that we can solve or a
    captcha.

    Only for bodies in which no data was found: a page with its data may hold one of these marks.
    """
    return len(body) < MAX_CHALLENGE_BYTES and bool(marks(body))


def solve(body: bytes) -> tuple[tuple[str, str], ...]:
    """The cookies, as (name, value), that let the same request through when sent again at once.

    body: the challenge page. Set them for `.tiktok.com`, ask once more with the same session and
    headers, then drop them. Takes up to about a second of CPU: run it off the event loop. Raises
    Challenged when the page is not the puzzle we know, or has no answer up to a million.
    """
    if len(body) >= MAX_CHALLENGE_BYTES:
        raise Challenged("the challenge page is too large to be one")
    found = elements(body)
    name = found.get("wci", "")
    if not _COOKIE_NAME.fullmatch(name):
        raise Challenged("the challenge page names no cookie (wci)")
    puzzle = read_puzzle(found.get("cs", ""))
    answer = _search(*_prefix_and_digest(puzzle))
    puzzle["d"] = base64.b64encode(str(answer).encode()).decode()
    # Same object, same order, no spaces, padded: anything else is answered by another challenge.
    value = base64.b64encode(json.dumps(puzzle, separators=(",", ":")).encode()).decode()
    cookies = [(name, value)]
    second = found.get("rs", "")
    if second:
        second_name = found.get("rci", "")
        if not _COOKIE_NAME.fullmatch(second_name) or not _COOKIE_VALUE.fullmatch(second):
            raise Challenged("the challenge page's second cookie (rci, rs) is malformed")
        cookies.append((second_name, second))
    return tuple(cookies)


# Each alternative takes what it has looked at, closed or not, so that no stretch is read again for
# every "<" in it: Python's own HTML parser takes seconds for some 20 KB.
_MARKUP = re.compile(
    r"""<!--(?:.*?-->|.*)|<([a-z][^\s/>]*+)((?:[^>"']++|"[^"]*"|'[^']*')*+)""",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"""([^\s/>="']++)(?:\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s>"']++)))?""", re.DOTALL
)
_RAW_TEXT_ENDS = {
    "script": re.compile("</script", re.IGNORECASE),
    "style": re.compile("</style", re.IGNORECASE),
}


def elements(body: bytes) -> dict[str, str]:
    """The class attributes of the elements that carry the puzzle, by id; of equal ids the first.

    Raises Challenged when the page cannot be read.
    """
    text = body.decode("utf-8", "replace")
    found: dict[str, str] = {}
    match: re.Match[str] | None
    at = 0
    while match := _MARKUP.search(text, at):
        at = match.end()
        tag, inside = (match[1] or "").lower(), match[2] or ""
        attributes = {name.lower(): "".join(value) for name, *value in _ATTRIBUTE.findall(inside)}
        element_id = _unescaped(attributes.get("id", ""))
        if element_id in _ELEMENT_IDS:
            found.setdefault(element_id, _unescaped(attributes.get("class", "")).strip())
        if tag in _RAW_TEXT_ENDS:
            end = _RAW_TEXT_ENDS[tag].search(text, at)
            at = end.end() if end else len(text)
    return found


def _unescaped(value: str) -> str:
    try:
        return html.unescape(value)
    except ValueError as error:  # a number of more digits than Python reads
        raise Challenged("the challenge page is not readable HTML") from error


def _decoded(text: str) -> bytes:
    """The bytes of Base64 text, with or without padding. Raises Challenged."""
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Challenged("the challenge is not base64") from error


def read_puzzle(text: str) -> dict[str, Any]:
    """The puzzle in the class of the element `cs`. Raises Challenged when it is none."""
    try:
        puzzle = json.loads(_decoded(text))
    except (ValueError, RecursionError) as error:
        raise Challenged("the challenge (cs) is not JSON") from error
    if not isinstance(puzzle, dict):
        raise Challenged("the challenge (cs) is not an object")
    return puzzle


def _prefix_and_digest(puzzle: dict[str, Any]) -> tuple[bytes, bytes]:
    """The prefix, and the SHA-256 digest that prefix + answer must have. Raises Challenged."""
    value = puzzle.get("v")
    if not isinstance(value, dict):
        raise Challenged("the challenge has no v")
    prefix, digest = value.get("a"), value.get("c")
    if not isinstance(prefix, str) or not isinstance(digest, str):
        raise Challenged("the challenge has no v.a or v.c")
    prefix_bytes, digest_bytes = _decoded(prefix), _decoded(digest)
    if len(prefix_bytes) > _MAX_PREFIX_BYTES or len(digest_bytes) != hashlib.sha256().digest_size:
        raise Challenged("the challenge's v.a or v.c has an unexpected size")
    return prefix_bytes, digest_bytes


def _search(prefix: bytes, digest: bytes) -> int:
    start = hashlib.sha256(prefix)
    for answer in range(HIGHEST_ANSWER + 1):
        attempt = start.copy()
        attempt.update(b"%d" % answer)
        if attempt.digest() == digest:
            return answer
    raise Challenged("the challenge has no answer up to a million")
