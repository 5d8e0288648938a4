"""Addresses of media in every spelling, and the names of hosts that are on no list."""

from __future__ import annotations

from typing import Any

import pytest

from stories.wire.addresses import MAX_UNKNOWN_HOSTS, Addresses, read_addresses

URL = "https://v16.tiktokcdn.com/x/?a=1&b=2"

SPELLINGS: dict[str, Any] = {
    "as it should be": URL,
    "without its scheme": "//v16.tiktokcdn.com/x/?a=1&b=2",
    "without slashes": "v16.tiktokcdn.com/x/?a=1&b=2",
    "http": "http://v16.tiktokcdn.com/x/?a=1&b=2",
    "http and its port": "http://v16.tiktokcdn.com:80/x/?a=1&b=2",
    "https and its port": "https://v16.tiktokcdn.com:443/x/?a=1&b=2",
    "blanks around": "  https://v16.tiktokcdn.com/x/?a=1&b=2\n",
    "upper-case host": "HTTPS://V16.TikTokCDN.com/x/?a=1&b=2",
    "escaped slashes": "https:\\u002F\\u002Fv16.tiktokcdn.com\\u002Fx\\u002F?a=1\\u0026b=2",
    "slashes as JSON may have them": "https:\\/\\/v16.tiktokcdn.com\\/x\\/?a=1&b=2",
    "as in HTML": "https://v16.tiktokcdn.com/x/?a=1&amp;b=2",
    "list": [URL],
    "list of objects": [{"src": URL}],
    "object of three": {"MainUrl": URL, "BackupUrl": URL, "FallbackUrl": URL},
    "object of a list": {"UrlList": [URL]},
    "object of an object": {"UrlList": {"MainUrl": URL}},
    "small letters": {"url_list": [URL]},
    "three in small letters": {"main_url": URL, "backup_url": URL, "fallback_url": URL},
    "a list of three": {"url_list": [{"main_url": URL, "backup_url": URL}]},
}


@pytest.mark.parametrize("value", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_every_spelling_is_the_same_address(value: Any) -> None:
    assert read_addresses(value) == Addresses((URL,))


def test_the_order_of_mirrors_stays() -> None:
    mirrors = {"FallbackUrl": f"{URL}3", "MainUrl": f"{URL}1", "BackupUrl": f"{URL}2"}
    assert read_addresses(mirrors).urls == (f"{URL}1", f"{URL}2", f"{URL}3")


UNKNOWN: dict[str, tuple[Any, tuple[str, ...]]] = {
    "a host of theirs, perhaps": ("https://v16.tiktokcdn-row.com/x", ("v16.tiktokcdn-row.com",)),
    "without its scheme": ("//V16.ByteICDN.com/x", ("v16.byteicdn.com",)),
    "with a port": ("https://cdn.example:8443/x", ("cdn.example",)),
    "each once": (["https://cdn.example/1", "https://cdn.example/2"], ("cdn.example",)),
    "look-alike": ("https://tiktokcdn.com.evil.example/x", ("tiktokcdn.com.evil.example",)),
    "nothing of the address": ("https://cdn.example/secret?signature=abc", ("cdn.example",)),
    "user part": ("https://v16.tiktokcdn.com@evil.example/x", ()),
    "user and password": ("https://user:secret@evil.example/x", ()),
    "private address": ("https://192.168.1.1/x", ()),
    "loopback": ("https://127.0.0.1/x", ()),
    "IPv6": ("https://[::1]/x", ()),
    "number": ("https://2130706433/x", ()),
    "hexadecimal": ("https://0x7f.0.0.1/x", ()),
    "one label": ("https://redis/x", ()),
    "of a private network": ("https://nas.local/x", ()),
    "inside": ("https://storage.internal/x", ()),
    "other script": ("https://cdn.exаmple/x", ()),  # a Cyrillic letter
    "right-to-left mark": ("https://cdn\u202e.example/x", ()),
    "control character": ("https://cdn\x1b[31m.example/x", ()),
    "line end": ("https://cdn.example\nX: y/x", ()),
    "markup": ("https://<b>cdn</b>.example/x", ()),
    "long": (f"https://{'a' * 60}.{'b' * 60}.example/x", ()),
    "long label": (f"https://{'a' * 64}.example/x", ()),
    "trailing dot": ("https://cdn.example./x", ()),
    "file": ("file:///etc/passwd", ()),
    "script": ("javascript:alert(1)", ()),
    "number in its place": (7, ()),
    "one of ours, spelt wrongly": ("https://v16.tiktokcdn.com/é", ()),
}


@pytest.mark.parametrize(("value", "hosts"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_unknown_hosts_are_named_when_their_name_is_plain(
    value: Any, hosts: tuple[str, ...]
) -> None:
    found = read_addresses(value)
    assert (found.urls, found.unknown_hosts) == ((), hosts)


def test_some_unknown_hosts_among_known_ones() -> None:
    found = read_addresses([URL, "https://cdn.example/x"])
    assert found == Addresses((URL,), ("cdn.example",))


def test_a_list_without_end_is_bounded() -> None:
    many = {name: [f"https://h{n}.example/x" for n in range(5000)] for name in ("UrlList", "src")}
    assert len(read_addresses(many).unknown_hosts) <= MAX_UNKNOWN_HOSTS
    nested: Any = URL
    for _ in range(500):
        nested = {"UrlList": [nested]}
    assert read_addresses(nested) == Addresses()
