"""Pages, lists and embeds, and the heads and bodies they come in."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from http.cookiejar import CookieJar

import httpx

from stories import challenge, wire
from stories.errors import Challenged, StoriesError
from stories.http.body import read_bounded
from stories.http.error_mapping import NETWORK_ERRORS, check_status, retry_after
from stories.http.media_head import read_media_head
from stories.http.session import _SendableCookiePolicy, _sent_at
from stories.renditions import rank
from stories.structures import Story
from tests.attack.fuzzers import Target
from tests.unit.stories.wire.payloads import (
    ASKED,
    NOW,
    PHOTO_ID,
    SAMPLE,
    STORY_ID,
    embed_page,
    listing,
    page,
    photo_item,
    sample,
    scope,
    story_item,
)

MOST_BODY_BYTES = 100_000
_CODINGS = ("", "gzip", "deflate", "x-gzip", "identity", "br", "gzip, gzip")


def answers(data: bytes) -> None:
    """Any body, read as every kind of answer."""
    readers: list[Callable[[], object]] = [
        lambda: wire.story_page(data, SAMPLE, now=NOW),
        lambda: wire.profile_author(data, ASKED),
        lambda: wire.page_item(data, STORY_ID, now=NOW),
        lambda: wire.page_clue(data, PHOTO_ID),
        lambda: wire.embed_author(data, "sample.user"),
        lambda: wire.embed_item(data, STORY_ID, now=NOW),
        lambda: wire.embed_clue(data, STORY_ID),
        lambda: wire.oembed_author_name(data),
    ]
    for reader in readers:
        with suppress(StoriesError):
            check(reader())


def check(found: object) -> None:
    """Stories can be ranked, and their text stored."""
    stories = [found] if isinstance(found, Story) else getattr(found, "stories", ())
    for story in stories:
        for media in story.media:
            list(rank(media))
        f"{story.caption}{story.author.nickname}{story.author.name}{story.source_url}".encode()


def puzzle(data: bytes) -> None:
    """The challenge page, as far as its arithmetic."""
    challenge.is_check(data)
    if not challenge.is_challenge(data):
        return
    with suppress(Challenged):
        elements = challenge.elements(data)
        challenge._prefix_and_digest(challenge.read_puzzle(elements.get("cs", "")))


def headers(data: bytes) -> None:
    """The head of a page's answer and of a file's."""
    lines = data.split(b"\n")
    pairs = [(n.strip(), v.strip()) for n, _, v in (line.partition(b":") for line in lines)]
    request = httpx.Request("GET", "https://www.tiktok.com/@alice")
    for status in (200, 206, 302, 404, 429, 503):
        with suppress(*NETWORK_ERRORS, StoriesError):
            response = httpx.Response(status, headers=pairs, request=request)
            with suppress(StoriesError):
                head = read_media_head(response, "a.tiktokcdn.com")
                assert head.start >= 0
                assert head.total is None or head.start <= head.total
            with suppress(StoriesError):
                check_status(status, response.headers, b"", "x")
            _sent_at(response.headers)
            wait_s = retry_after(response.headers.get("retry-after"))
            assert wait_s is None or 0 <= wait_s <= 3600
            httpx.Cookies(CookieJar(_SendableCookiePolicy())).extract_cookies(response)


def body(data: bytes) -> None:
    """A body under a coding, in pieces: never more than it may be."""
    coding, sent = _CODINGS[data[0] % len(_CODINGS)] if data else "", data[2:]
    step = data[1] + 1 if len(data) > 1 else 1

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), step):
            yield sent[start : start + step]

    async def read() -> None:
        response = httpx.Response(
            200,
            headers={"Content-Encoding": coding},
            content=pieces(),
            request=httpx.Request("GET", "https://www.tiktok.com/"),
        )
        with suppress(*NETWORK_ERRORS):
            found = await read_bounded(response, MOST_BODY_BYTES, decompressed=False)
            assert len(found) <= MOST_BODY_BYTES

    asyncio.run(read())


def _answer_seeds() -> Sequence[bytes]:
    return [
        listing(story_item()),
        listing(photo_item()),
        listing(statusCode=10204, statusMsg="item doesn't exist"),
        page(sample("page_profile_ok")),
        page(sample("page_profile_10221")),
        page(sample("page_photo_2_images")),
        page(sample("page_video_10204")),
        scope("webapp.video-detail", {"itemInfo": {"itemStruct": story_item()}}),
        page(sample("embed_profile"), "__FRONTITY_CONNECT_STATE__"),
        embed_page(),
        json.dumps({"author_unique_id": "alice", "author_url": "https://x"}).encode(),
    ]


def _puzzle_seeds() -> Sequence[bytes]:
    shown = json.dumps(sample("waf_challenge_shape")).encode()
    return [
        shown,
        (
            b'<html>Please wait...<p id="wci" class="_wafchallengeid"></p>'
            b'<p id="cs" class="eyJ2Ijp7ImEiOiJhIiwiYiI6ImIiLCJjIjoiYyJ9LCJzIjoicyJ9"></p>'
            b'<p id="rci" class="waforiginalreid"></p><p id="rs" class="x"></p>SlardarWAF</html>'
        ),
    ]


def _header_seeds() -> Sequence[bytes]:
    return [
        (
            b"Content-Type: video/mp4\nContent-Range: bytes 0-99/1000\nContent-Length: 100\n"
            b'ETag: "one"\nLast-Modified: Fri, 20 Nov 2026 08:00:00 GMT'
        ),
        b"Retry-After: 120\nX-TT-System-Error: 3",
        b"Retry-After: Fri, 20 Nov 2026 08:00:00 GMT\nDate: Fri, 20 Nov 2026 07:00:00 GMT\nAge: 7",
        (
            b"Set-Cookie: ttwid=1%7Cx; Domain=.tiktok.com; Path=/; "
            b"Expires=Fri, 20 Nov 2027 08:00:00 GMT\n"
            b"Set-Cookie: a=b; Max-Age=9999999999999999; SameSite=None; Secure"
        ),
        b"Content-Encoding: gzip\nTransfer-Encoding: chunked\nLocation: //evil.example/\\x",
    ]


def _body_seeds() -> Sequence[bytes]:
    packed = gzip.compress(b"hello " * 100, mtime=0)
    bomb = gzip.compress(bytes(200_000), mtime=0)
    return [b"\x00\x10plain", b"\x01\xff" + packed, b"\x01\x01" + bomb, b"\x02\x07" + packed[10:]]


_WORDS = re.compile(rb'"([A-Za-z_]{2,40})":')


def words() -> list[bytes]:
    """The keys of the samples, for a fuzzer's dictionary."""
    return sorted({found for seed in _answer_seeds() for found in _WORDS.findall(seed)})


TARGETS = [
    Target("answers", answers, _answer_seeds, most_bytes=32_768),
    Target("puzzle", puzzle, _puzzle_seeds),
    Target("headers", headers, _header_seeds),
    Target("body", body, _body_seeds),
]
