"""The media hosts: signatures that hold only as they are, addresses that run out, ranges."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.fake_tiktok.browsing import listed, play_addr


def test_a_changed_parameter_is_a_403(web: httpx.Client, alice: Account) -> None:
    alice.video(song="mp3")
    alice.photo()
    items = listed(web, alice)["itemList"]
    urls = [
        items[0]["video"]["playAddr"],
        items[0]["music"]["playUrl"],
        items[1]["imagePost"]["images"][0]["imageURL"]["urlList"][0],
    ]
    for url in urls:
        assert web.get(url).status_code == 200
        bare, _, query = url.partition("?")
        pairs = query.split("&")
        for number, pair in enumerate(pairs):
            others = pairs[:number] + pairs[number + 1 :]
            if not pair.startswith("tk="):
                assert web.get(f"{bare}?{'&'.join(others)}").status_code == 403, pair
        assert web.get(f"{url}&more=1").status_code == 403
        moved = re.sub(r"(expire=|x-expires=)\d", r"\g<1>9", url)
        assert moved == url or web.get(moved).status_code == 403


def test_addresses_run_out(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    alice.video(song="mp3")
    item = listed(web, alice)["itemList"][0]
    tiktok.advance(7 * 3600)
    assert web.get(item["music"]["playUrl"]).status_code == 403
    assert web.get(item["video"]["playAddr"]).status_code == 200
    tiktok.advance(48 * 3600)
    assert web.get(item["video"]["playAddr"]).status_code == 403


@pytest.mark.parametrize(
    ("header", "status", "where"),
    [
        ("bytes=0-", 206, slice(0, None)),
        ("bytes=5-9", 206, slice(5, 10)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=100-99999999", 206, slice(100, None)),
        ("bytes=99999999-", 416, slice(0, 0)),
        ("bytes=9-5", 416, slice(0, 0)),
        ("items=1-2", 200, slice(0, None)),
    ],
)
def test_ranges(web: httpx.Client, alice: Account, header: str, status: int, where: slice) -> None:
    body = alice.video().files[0].body
    answer = web.get(play_addr(web, alice), headers={"Range": header})
    assert (answer.status_code, answer.content) == (status, body[where])
    if status == 206:
        start = len(body) - len(body[where]) if where.start < 0 else where.start
        end = start + len(answer.content) - 1
        assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(body)}"


def test_if_range(web: httpx.Client, alice: Account) -> None:
    alice.video()
    url = play_addr(web, alice)
    tag = web.head(url).headers["etag"]
    ranged = {"Range": "bytes=5-9"}
    assert web.get(url, headers={**ranged, "If-Range": tag}).status_code == 206
    assert web.get(url, headers={**ranged, "If-Range": '"other"'}).status_code == 200
