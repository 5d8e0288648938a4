"""Pasted text, links and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from stories.errors import StoriesError
from stories.hosts import is_allowed_host, is_tiktok_page_host, on_page_host, plain_host_name
from stories.http.addresses import allowed_host, followed, redirect_target
from stories.links import canonical_url, parse_account, parse_redirect, parse_url
from stories.structures import Target as Asked
from stories.targets import find_lines, parse_line
from stories.wire.addresses import read_addresses
from tests.attack.fuzzers import Target

PAGE = "https://www.tiktok.com/@alice"
MOST_LINES = 10_000


def prose(data: bytes) -> None:
    """Whatever is pasted: lines are found, and each is understood or refused."""
    text = data.decode("utf-8", "replace")
    lines = find_lines(text)
    assert len(lines) <= MOST_LINES
    for line in [text, *lines[:50]]:
        with suppress(StoriesError):
            check(parse_line(line))


def link(data: bytes) -> None:
    """A link, a redirect's target or a name."""
    text = data.decode("utf-8", "replace")
    for parse in (parse_url, parse_redirect, parse_account):
        with suppress(StoriesError):
            asked = parse(text)
            if asked is not None:
                check(asked)


def check(asked: Asked) -> None:
    """What was understood leads to TikTok, and is understood as the same again."""
    if asked.short_url is not None:
        allowed_host(on_page_host(asked.short_url), page=True)
        return
    address = canonical_url(asked)
    assert allowed_host(address, page=True) == "www.tiktok.com"
    assert parse_url(address).key == asked.key, (address, asked)


def address(data: bytes) -> None:
    """An address of a page, a file or a redirect: on the list, or refused."""
    text = data.decode("utf-8", "replace")
    plain_host_name(text)
    for page, listed in ((True, is_tiktok_page_host), (False, is_allowed_host)):
        with suppress(StoriesError):
            host = allowed_host(text, page=page)
            assert listed(host)
            assert urlsplit(text).hostname == host
    with suppress(StoriesError):
        target = redirect_target(PAGE, 302, text)
        assert target is not None
        allowed_host(followed(PAGE, target), page=True)
    for url in read_addresses([text, text.strip()]).urls:
        allowed_host(url, page=False)


def _seeds() -> Sequence[bytes]:
    return [
        b"@alice, @bob.smith and https://vm.tiktok.com/ZMabc123/",
        b"https://www.tiktok.com/@alice/story/7626099422044159982?is_from_webapp=1&x=%2F",
        b"https://www.tiktok.com/@alice/video/7626099422044159982",
        "Schau mal: https://m.tiktok.com/v/7626099422044159982.html … und @zoë".encode(),
        b"https://v16-webapp-prime.tiktok.com/video/tos/x/?expire=1&signature=s",
        b"//p16-sign.tiktokcdn.com/x~tplv.webp?x-expires=1",
        b"https://www.tiktok.com:443@evil.example\\@tiktok.com/%00",
        b"snssdk1233://aweme/detail/7626099422044159982?refer=web",
        b"https://[::ffff:127.0.0.1]/@alice",
    ]


TARGETS = [
    Target("prose", prose, _seeds),
    Target("link", link, _seeds, most_bytes=1024),
    Target("address", address, _seeds, most_bytes=1024),
]
