"""Cookies from a file that a program left."""

from __future__ import annotations

import pytest

from stories.helper.cookies_file import MAX_COOKIES, read_cookies

HEAD = "# Netscape HTTP Cookie File\n\n"


def line(domain: str = ".tiktok.com", path: str = "/", name: str = "n", value: str = "v") -> str:
    return f"{domain}\tTRUE\t{path}\tTRUE\t1811567904\t{name}\t{value}\n"


def names(text: str) -> list[str]:
    return [cookie.name for cookie in read_cookies(text.encode("utf-8", "surrogateescape"))]


def test_the_sites_cookies_are_read_as_they_are() -> None:
    text = HEAD + line(name="tt_chain_token", value="iK2Z+/w51y==") + line("www.tiktok.com")
    chain, other = read_cookies(text.encode())
    assert (chain.name, chain.value, chain.domain) == (
        "tt_chain_token",
        "iK2Z+/w51y==",
        ".tiktok.com",
    )
    assert chain.secure
    assert other.domain == "www.tiktok.com"


def test_a_cookie_for_scripts_alone_is_read_too() -> None:
    assert names("#HttpOnly_" + line()) == ["n"]


@pytest.mark.parametrize(
    "bad",
    [
        line(".example.com"),
        line(".tiktok.com.example.com"),
        line("eviltiktok.com"),
        line(".com"),
        line(value="a;b"),
        line(value="a\rb"),
        line(value="ä"),
        line(value="x" * 5000),
        line(name="a b"),
        line(name=""),
        line(path="nowhere"),
        line(path="/a\x00b"),
        "# a comment\n",
        "prose\n",
        "\t" * 6 + "\n",
        "\t" * 60 + "\n",
        "\x00\x01\x02",
    ],
)
def test_what_no_header_can_carry_or_is_anothers_is_left_out(bad: str) -> None:
    assert names(HEAD + bad + line(name="good")) in (["good"], [])
    assert "good" in names(line(name="good") + bad)
    assert len(names(bad)) == 0


def test_a_flood_of_cookies_is_cut() -> None:
    assert len(names(line() * 10_000)) == MAX_COOKIES
