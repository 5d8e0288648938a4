"""Transfers from a server that drops, changes, refuses and lies."""

import random
from collections.abc import Callable

import httpx
import pytest

from stories.errors import MediaUnavailable, StoriesError, UpstreamDown
from stories.media import download, transfer_pace
from tests.unit.stories.media.cdn import BODY, Cdn, fetched

pytestmark = pytest.mark.anyio


# --- drops ------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 12, 500, 999])
async def test_a_drop_in_the_first_part(at: int) -> None:
    cdn = Cdn(drops=[at])
    assert await fetched(cdn) == BODY
    assert f"{at}-999" in cdn.ranges_asked


async def test_drops_in_several_parts() -> None:
    cdn = Cdn(drops=[300, 100, 5, None, 700, 1])
    assert await fetched(cdn) == BODY


async def test_a_whole_body_that_drops_is_taken_up_by_range() -> None:
    def ranges_after_all(cdn: Cdn, number: int) -> None:
        cdn.ranges = number > 0

    cdn = Cdn(drops=[4321], change=ranges_after_all)
    assert await fetched(cdn) == BODY
    assert cdn.ranges_asked == ["0-999", "4321-9999"]
    assert cdn.asked[1]["if-range"] == '"one"'


async def test_an_unannounced_body_that_drops_is_taken_up_too() -> None:
    def ranges_after_all(cdn: Cdn, number: int) -> None:
        cdn.ranges = number > 0

    cdn = Cdn(drops=[4321], change=ranges_after_all, length=False)
    assert await fetched(cdn) == BODY
    assert cdn.ranges_asked == ["0-999", "4321-"]


async def test_without_ranges_a_drop_means_starting_over() -> None:
    cdn = Cdn(ranges=False, drops=[4321])
    assert await fetched(cdn) == BODY


async def test_a_server_that_always_drops_is_given_up() -> None:
    cdn = Cdn(drops=[0] * 100)
    with pytest.raises(UpstreamDown):
        await fetched(cdn)
    assert len(cdn.asked) <= 3
    cdn = Cdn(drops=[1] * 1000)
    with pytest.raises(UpstreamDown):
        await fetched(cdn)
    assert len(cdn.asked) <= download.MAX_DROPS + 5


async def test_a_connection_that_stalls_is_a_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_pace, "SLOWEST_BYTES_PER_S", 1e9)
    with pytest.raises(UpstreamDown, match="slower"):
        await fetched(Cdn(pieces=1), read_timeout_s=0)


# --- changes ----------------------------------------------------------------------------------


async def test_a_file_that_changed_is_started_over() -> None:
    other = BODY[:12] + random.Random(2).randbytes(7_000)

    def change(cdn: Cdn, number: int) -> None:
        if number == 2:
            cdn.body, cdn.etag = other, '"two"'

    cdn = Cdn(change=change)
    assert await fetched(cdn) == other


async def test_a_file_that_changes_with_every_answer_comes_in_one_piece() -> None:
    def change(cdn: Cdn, number: int) -> None:
        cdn.etag = f'"{number}"'

    cdn = Cdn(change=change)
    assert await fetched(cdn) == BODY
    assert cdn.ranges_asked[-1] == "all"


@pytest.mark.parametrize("etag", [None, 'W/"one"'])
async def test_a_date_that_changed_means_another_file(etag: str | None) -> None:
    """Also where the server does not look at If-Range and goes on with the new file."""
    other = BODY[:12] + random.Random(2).randbytes(len(BODY) - 12)

    def change(cdn: Cdn, number: int) -> None:
        if number == 2:
            cdn.body, cdn.modified = other, "Fri, 20 Nov 2026 09:00:00 GMT"

    cdn = Cdn(etag=etag, modified="Fri, 20 Nov 2026 08:00:00 GMT", conditional=False, change=change)
    assert await fetched(cdn) == other


@pytest.mark.parametrize("etag", [None, 'W/"one"'])
async def test_a_part_need_not_tell_the_date_again(etag: str | None) -> None:
    """RFC 9110, 15.3.7: asked with If-Range, a server had better leave it out."""

    class Brief(Cdn):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            answer = super().__call__(request)
            if answer.status_code == 206 and "if-range" in request.headers:
                answer.headers.pop("last-modified", None)
            return answer

    cdn = Brief(etag=etag, modified="Fri, 20 Nov 2026 08:00:00 GMT")
    assert await fetched(cdn) == BODY
    assert "all" not in cdn.ranges_asked


async def test_a_strong_tag_says_more_than_a_date() -> None:
    """Two servers may have the same file since two different moments."""

    def change(cdn: Cdn, number: int) -> None:
        cdn.modified = f"Fri, 20 Nov 2026 08:00:{number:02} GMT"

    cdn = Cdn(change=change)
    assert await fetched(cdn) == BODY
    assert "all" not in cdn.ranges_asked


async def test_a_size_that_changed_means_another_file() -> None:
    def change(cdn: Cdn, number: int) -> None:
        if number == 1:
            cdn.body = BODY[:8000]

    assert await fetched(Cdn(etag=None, change=change)) == BODY[:8000]


async def test_a_file_that_never_settles_is_given_up() -> None:
    def change(cdn: Cdn, number: int) -> None:
        cdn.etag, cdn.drops = f'"{number}"', [500]

    cdn = Cdn(change=change)
    with pytest.raises(StoriesError):
        await fetched(cdn)
    assert len(cdn.asked) < 20


# --- refusals and lies ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 410, 416, 429, 500, 503])
async def test_a_refused_address_is_asked_once(status: int) -> None:
    cdn = Cdn(status=status)
    with pytest.raises(MediaUnavailable, match=str(status)):
        await fetched(cdn)
    assert len(cdn.asked) == 1


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "text/html; charset=utf-8", "TEXT/HTML", "application/json", "text/plain",
     "application/xml", "application/xhtml+xml", "image/svg+xml", "application/javascript",
     "multipart/byteranges; boundary=x"],
)  # fmt: skip
async def test_pages_served_as_media_are_refused_by_type(content_type: str) -> None:
    with pytest.raises(MediaUnavailable):
        await fetched(Cdn(content_type=content_type))


@pytest.mark.parametrize(
    "body",
    [b"<!doctype html><html>", b"\n\n  <html>", b'{"code":10000}', b"[1]", b"\xef\xbb\xbf<html>",
     b"<?xml version='1.0'?>", b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'>"],
)  # fmt: skip
async def test_pages_served_as_media_are_refused_by_their_bytes(body: bytes) -> None:
    with pytest.raises(MediaUnavailable):
        await fetched(Cdn(body=body.ljust(3000), ranges=False))
    with pytest.raises(MediaUnavailable):
        await fetched(Cdn(body=body.ljust(3000)))


@pytest.mark.parametrize("length", [True, False])
async def test_zero_bytes_are_no_file(length: bool) -> None:
    with pytest.raises(MediaUnavailable):
        await fetched(Cdn(body=b"", ranges=False, length=length))


async def test_a_type_that_says_nothing_is_judged_later() -> None:
    assert await fetched(Cdn(content_type="application/octet-stream")) == BODY


def part(content_range: str, body: bytes) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(206, headers={"Content-Range": content_range}, content=body)


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(part("bytes 5-14/15", BODY[:10]), id="another part"),
        pytest.param(part("bytes 0-9/10", BODY[:20]), id="more than told"),
        pytest.param(part("bytes 0-9/5000", BODY[:10]), id="the same part for ever"),
        pytest.param(part("bytes 0-9/20", b""), id="nothing in the part"),
        pytest.param(part("bytes 5-4/10", BODY[:10]), id="turned round"),
        pytest.param(part("bytes 0-9/5", BODY[:10]), id="past the end"),
        pytest.param(part("bytes */10", BODY[:10]), id="no part"),
        pytest.param(part("items 0-9/10", BODY[:10]), id="another unit"),
        pytest.param(part("bytes 0-9/99999999999999999999", BODY[:10]), id="too many digits"),
        pytest.param(part("", BODY[:10]), id="not said"),
    ],
)
async def test_parts_that_lie(handler: Callable[[httpx.Request], httpx.Response]) -> None:
    with pytest.raises(MediaUnavailable):
        await fetched(handler)


async def test_a_part_of_an_unknown_whole_is_taken_in_one_piece() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "range" in request.headers:
            return part("bytes 0-999/*", BODY[:1000])(request)
        return httpx.Response(200, content=BODY)

    assert await fetched(answer) == BODY


async def test_parts_that_are_cut_short_but_honest_go_on() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        first, last = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
        last = min(last, first + 299)
        return part(f"bytes {first}-{last}/10000", BODY[first : last + 1])(request)

    assert await fetched(answer) == BODY


async def test_a_server_that_hands_out_crumbs_is_given_up() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["range"])
        first, last = map(int, asked[-1].removeprefix("bytes=").split("-"))
        last = min(last, first + 9)
        return part(f"bytes {first}-{last}/10000", BODY[first : last + 1])(request)

    with pytest.raises(UpstreamDown):
        await fetched(answer)
    assert len(asked) <= download.MAX_DROPS + 5


async def test_a_body_shorter_than_announced_is_not_a_file() -> None:
    cdn = Cdn(ranges=False, announce=20_000, length=False)

    def answer(request: httpx.Request) -> httpx.Response:
        response = cdn(request)
        response.headers["Content-Length"] = "20000"
        return response

    with pytest.raises(StoriesError):
        await fetched(answer)
