"""The bytes of one address: ranges, drops, changes, lies and limits."""

import asyncio
import hashlib
import io
import random
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from stories.config import ClientConfig
from stories.errors import (
    MediaUnavailable,
    StoriesError,
    TooLarge,
    UpstreamChanged,
    UpstreamDown,
)
from stories.http.session import Session
from stories.media import download
from stories.media.download import Slots, digest, transfer

pytestmark = pytest.mark.anyio

URL = "https://v16-webapp-prime.tiktok.com/video/tos/x/?expire=1&signature=s"
SEGMENT = 1000
BODY = b"\0\0\0\x20ftypisom" + random.Random(1).randbytes(9_988)


@dataclass
class Cdn:
    """One file on a server that can be told to misbehave.

    drop: how many body bytes of the n-th answer are sent before the line breaks; None: all.
    """

    body: bytes = BODY
    ranges: bool = True
    conditional: bool = True
    etag: str | None = '"one"'
    modified: str | None = None
    content_type: str = "video/mp4"
    drops: list[int | None] = field(default_factory=list)
    change: Callable[["Cdn", int], None] = lambda *_: None
    status: int | None = None
    announce: int | None = None
    length: bool = True
    pieces: int = 64
    asked: list[httpx.Headers] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        number = len(self.asked)
        self.asked.append(request.headers)
        self.change(self, number)
        drop = self.drops.pop(0) if self.drops else None
        if self.status is not None:
            return httpx.Response(self.status, content=b"no")
        headers = {"Content-Type": self.content_type}
        if self.etag:
            headers["ETag"] = self.etag
        if self.modified:
            headers["Last-Modified"] = self.modified
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        condition = request.headers.get("if-range")
        same = not self.conditional or condition in {None, self.etag, self.modified}
        if not self.ranges or asked is None or not same:
            if self.length:
                headers["Content-Length"] = str(self.announce or len(self.body))
            return httpx.Response(200, headers=headers, content=self.send(self.body, drop))
        start = int(asked[1])
        end = min(int(asked[2] or 10**9) + 1, len(self.body))
        if start >= len(self.body):
            return httpx.Response(416, content=b"")
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{self.announce or len(self.body)}"
        headers["Content-Length"] = str(end - start)
        return httpx.Response(206, headers=headers, content=self.send(self.body[start:end], drop))

    async def send(self, body: bytes, drop: int | None) -> AsyncIterator[bytes]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            sent = body if drop is None else body[:drop]
            for start in range(0, len(sent), self.pieces):
                await asyncio.sleep(0)
                yield sent[start : start + self.pieces]
            if drop is not None:
                raise httpx.RemoteProtocolError("peer closed connection")
        finally:
            self.at_once -= 1

    @property
    def ranges_asked(self) -> list[str]:
        return [headers.get("range", "all").removeprefix("bytes=") for headers in self.asked]


async def fetched(cdn: Callable[[httpx.Request], httpx.Response], **more: Any) -> bytes:
    """What one transfer brings, checked against what it says it brought."""
    sink = io.BytesIO(more.pop("holding", b""))
    arrived = await start(cdn, sink, **more)
    assert arrived.size_bytes == len(sink.getvalue())
    return sink.getvalue()


async def start(
    cdn: Callable[[httpx.Request], httpx.Response],
    sink: Any,
    *,
    slots: Slots | None = None,
    limit: int = 1_000_000,
    **settings: Any,
) -> download.Arrived:
    given = ("reserve", "progress", "expected_bytes")
    watching = {key: settings.pop(key) for key in given if key in settings}
    config = ClientConfig(**{"segment_bytes": SEGMENT, "segments": 4, **settings})
    transport = httpx.MockTransport(cdn)
    session = Session(config=config, page_transport=transport, media_transport=transport)
    return await transfer(
        session,
        URL,
        sink,
        config=config,
        slots=slots or Slots(16),
        limit_bytes=limit,
        **watching,
    )


# --- the good days ----------------------------------------------------------------------------


async def test_a_large_file_comes_in_parallel_parts() -> None:
    cdn = Cdn()
    assert await fetched(cdn) == BODY
    assert cdn.most_at_once == 4
    assert cdn.ranges_asked[0] == "0-999"
    # No byte twice, none left out.
    covered = sorted(tuple(map(int, span.split("-"))) for span in cdn.ranges_asked)
    assert [first for first, _ in covered] == [0, *(last + 1 for _, last in covered[:-1])]
    assert covered[-1][1] == len(BODY) - 1


async def test_later_parts_are_tied_to_the_first() -> None:
    cdn = Cdn()
    await fetched(cdn)
    assert "if-range" not in cdn.asked[0]
    assert {headers["if-range"] for headers in cdn.asked[1:]} == {'"one"'}


async def test_a_date_ties_parts_together_when_the_tag_is_weak() -> None:
    cdn = Cdn(etag='W/"one"', modified="Fri, 20 Nov 2026 08:00:00 GMT")
    assert await fetched(cdn) == BODY
    assert {headers["if-range"] for headers in cdn.asked[1:]} == {cdn.modified}


async def test_without_any_tag_parts_are_still_fetched() -> None:
    cdn = Cdn(etag=None)
    assert await fetched(cdn) == BODY
    assert cdn.most_at_once > 1


@pytest.mark.parametrize(
    ("size", "requests"),
    [
        *((12, 1), (999, 1), (1000, 1), (1001, 2), (1999, 2), (2000, 2)),
        # A few bytes more are not worth a request of their own; half a segment is.
        *((2001, 2), (2400, 2), (2600, 3), (4000, 4), (4001, 4)),
    ],
)
async def test_sizes_around_a_segment(size: int, requests: int) -> None:
    cdn = Cdn(body=BODY[:size])
    assert await fetched(cdn) == BODY[:size]
    assert len(cdn.asked) == requests


@pytest.mark.parametrize(
    ("expected", "asked_first"),
    [
        (1, "0-999"),
        (1000, "0-999"),
        (1001, "0-1000"),
        (1500, "0-1499"),
        (1501, "0-999"),
        (10**12, "0-999"),
    ],
)
@pytest.mark.parametrize("size", [700, 1001, 1500, 4000])
async def test_an_announced_size_decides_what_is_asked_first_and_no_more(
    size: int, expected: int, asked_first: str
) -> None:
    cdn = Cdn(body=BODY[:size])
    assert await fetched(cdn, expected_bytes=expected) == BODY[:size]
    assert cdn.ranges_asked[0] == asked_first


async def test_a_server_without_ranges_is_simply_read() -> None:
    cdn = Cdn(ranges=False)
    assert await fetched(cdn) == BODY
    assert len(cdn.asked) == 1


async def test_a_body_of_unannounced_length() -> None:
    cdn = Cdn(ranges=False, length=False)
    assert await fetched(cdn) == BODY


async def test_what_the_sink_held_before_is_gone() -> None:
    assert await fetched(Cdn(body=BODY[:20]), holding=b"x" * 5000) == BODY[:20]


async def test_a_real_file(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as sink:
        await start(Cdn(), sink)
        assert digest(sink) == hashlib.sha256(BODY).hexdigest()


async def test_very_large_files_take_larger_parts() -> None:
    body = BODY[:12] + bytes(200_000)
    cdn = Cdn(body=body, pieces=10_000)
    assert await fetched(cdn) == body
    assert len(cdn.asked) == 1 + -(-199_000 // (SEGMENT * download.LARGEST_RANGE_IN_SEGMENTS))


# --- slots ------------------------------------------------------------------------------------


async def test_without_a_free_slot_one_connection_does_it_all() -> None:
    cdn, slots = Cdn(), Slots(1)
    async with slots:
        assert await fetched(cdn, slots=slots) == BODY
    assert cdn.most_at_once == 1


async def test_more_files_than_slots_end_and_the_limit_holds() -> None:
    cdn, slots = Cdn(), Slots(3)

    async def one() -> bytes:
        async with slots:
            return await fetched(cdn, slots=slots)

    async with asyncio.timeout(20):
        found = await asyncio.gather(*(one() for _ in range(12)))
    assert found == [BODY] * 12
    assert cdn.most_at_once <= 3
    # Every borrowed slot came back.
    for _ in range(3):
        assert await slots.try_take()
    assert not await slots.try_take()


async def test_slots_come_back_when_a_transfer_fails_or_is_cancelled() -> None:
    slots = Slots(4)

    def refuse_the_rest(cdn: Cdn, number: int) -> None:
        if number >= 2:
            cdn.status = 403

    async with slots:
        with pytest.raises(MediaUnavailable):
            await fetched(Cdn(change=refuse_the_rest), slots=slots)
    cdn = Cdn(pieces=1)
    async with slots:
        task = asyncio.create_task(fetched(cdn, slots=slots))
        while cdn.at_once < 4:  # noqa: ASYNC110 - it is the server that counts
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert cdn.at_once == 0
    for _ in range(4):
        assert await slots.try_take()


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
    monkeypatch.setattr(download, "SLOWEST_BYTES_PER_S", 1e9)
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
     "application/xml", "application/xhtml+xml"],
)  # fmt: skip
async def test_pages_served_as_media_are_refused_by_type(content_type: str) -> None:
    with pytest.raises(MediaUnavailable):
        await fetched(Cdn(content_type=content_type))


@pytest.mark.parametrize(
    "body",
    [b"<!doctype html><html>", b"\n\n  <html>", b'{"code":10000}', b"[1]", b"\xef\xbb\xbf<html>",
     b"<?xml version='1.0'?>"],
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


def part(told: str, body: bytes, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(206, headers={"Content-Range": told, **headers}, content=body)


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(part("bytes 5-14/15", BODY[:10]), id="another part"),
        pytest.param(part("bytes 0-9/10", BODY[:20]), id="more than told"),
        pytest.param(part("bytes 0-9/5000", BODY[:10]), id="the same part for ever"),
        pytest.param(part("bytes 0-9/20", b""), id="nothing in the part"),
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


# --- limits -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cdn",
    [
        pytest.param(Cdn(), id="told by the range"),
        pytest.param(Cdn(ranges=False), id="told by the length"),
    ],
)
async def test_an_announced_size_over_the_limit(cdn: Cdn) -> None:
    sink = io.BytesIO()
    with pytest.raises(TooLarge):
        await start(cdn, sink, limit=5000)
    assert sink.getvalue() == b"", "nothing was written"
    assert len(cdn.asked) == 1


async def test_an_unannounced_size_over_the_limit() -> None:
    sink = io.BytesIO()
    with pytest.raises(TooLarge):
        await start(Cdn(ranges=False, length=False), sink, limit=5000)
    assert len(sink.getvalue()) <= 5000


async def test_room_is_asked_for_before_anything_is_written() -> None:
    class Full(StoriesError):
        code = "full"
        message = "full"

    sink, asked = io.BytesIO(), []

    def reserve(size: int) -> None:
        asked.append(size)
        raise Full

    for cdn in (Cdn(), Cdn(ranges=False), Cdn(ranges=False, length=False)):
        with pytest.raises(Full):
            await start(cdn, sink, reserve=reserve)
        assert sink.getvalue() == b""
    assert asked[:2] == [10_000, 10_000]
    assert asked[2] >= 64


async def test_room_for_an_unannounced_body_is_asked_step_by_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "UNANNOUNCED_STEP_BYTES", 1000)
    asked: list[int] = []
    await fetched(Cdn(ranges=False, length=False), reserve=asked.append)
    assert len(asked) > 5
    assert asked == sorted(set(asked))
    assert asked[-1] >= len(BODY)


async def test_a_full_disk_is_not_taken_for_a_network_error() -> None:
    class FullDisk(io.BytesIO):
        def write(self, chunk: Any) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await start(Cdn(), FullDisk())


async def test_progress_grows_to_the_whole() -> None:
    told: list[tuple[int, int | None]] = []
    await fetched(Cdn(), progress=lambda *now: told.append(now))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (len(BODY), len(BODY))


async def test_a_redirect_off_the_list_is_refused() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "https://evil.example/"})

    with pytest.raises(UpstreamChanged):
        await fetched(answer)


async def test_each_part_follows_the_play_addresss_redirect() -> None:
    cdn = Cdn()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "v16-webapp-prime.tiktok.com":
            return httpx.Response(302, headers={"Location": "https://v19.tiktokcdn-us.com/x"})
        assert request.url.host == "v19.tiktokcdn-us.com"
        return cdn(request)

    assert await fetched(answer) == BODY
