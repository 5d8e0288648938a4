"""Answers of TikTok's as gallery-dl writes them to files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.helper.answers import read_answer

NAME = "02_https_www.tiktok.com_api_story_item_list_aid_1988_app_language_en.txt"


def content(body: bytes = b"{}", *, status: str = "200 OK", headers: str = "") -> bytes:
    head = (
        f"GET https://www.tiktok.com/api/story/item_list/?aid=1988\nStatus: {status}\n\n"
        "Request Headers\n---------------\nUser-Agent: x\nCookie: tt_chain_token=sent\n\n"
        f"Response Headers\n----------------\nContent-Type: application/json\n{headers}\n"
    )
    return head.encode() + b"\nContent\n-------\n" + body


def test_an_answer_has_a_place_a_status_and_a_body() -> None:
    answer = read_answer(NAME, content(b'{"a": 1}\nContent\n-------\n'))
    assert answer is not None
    assert answer.is_list
    assert answer.status == 200
    assert answer.body == b'{"a": 1}\nContent\n-------\n'
    page = read_answer("01_https_www.tiktok.com_@some.name.txt", content(status="403 Forbidden"))
    assert page is not None
    assert not page.is_list
    assert page.status == 403


def test_its_cookies_are_those_it_set() -> None:
    headers = (
        "Set-Cookie: ttwid=1%7Cabc; Domain=.tiktok.com; Path=/; Expires=Wed, 21 Oct 2027 07:28:00"
        " GMT; Secure; HttpOnly, tt_chain_token=iK2Z==; Domain=tiktok.com; Path=/; Secure,"
        " evil=1; Domain=example.com, gone=; Max-Age=0, bare=2\n"
    )
    answer = read_answer(NAME, content(headers=headers))
    assert answer is not None
    assert [(c.name, c.value, c.domain, c.secure) for c in answer.cookies] == [
        ("ttwid", "1%7Cabc", ".tiktok.com", True),
        ("tt_chain_token", "iK2Z==", ".tiktok.com", True),
        ("bare", "2", ".tiktok.com", False),
    ]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("options.json", content()),
        ("02_https_example.com_api_story_item_list.txt", content()),
        (NAME, b""),
        (NAME, b"prose"),
        (NAME, content().replace(b"Status", b"Stratus")),
        (NAME, b"Status: 200 OK\n" * 10_000 + b"\nContent\n-------\n{}"),
    ],
)
def test_what_is_no_answer_is_none(name: str, body: bytes) -> None:
    assert read_answer(name, body) is None


@given(st.binary(max_size=400))
def test_any_file_is_read(noise: bytes) -> None:
    read_answer(NAME, noise)
    read_answer(NAME, content(headers="Set-Cookie: " + noise.decode("latin-1") + "\n"))
