"""What the head of a media response says of the part it holds."""

import gzip

import httpx
import pytest

from stories.errors import MediaUnavailable
from stories.http.media_head import MediaHead
from stories.http.media_transport import WriteBody
from tests.unit.stories.http.mock_session import FILE, answering, read, session_on

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410, 416, 429, 500, 503])
async def test_media_that_is_refused(status: int) -> None:
    with pytest.raises(MediaUnavailable, match=str(status)):
        await read(session_on(answering(status, b"")))


@pytest.mark.parametrize(
    "told",
    ["", "bytes 0-1", "bytes 5-1/10", "bytes 0-10/10", "bytes */10", "items 0-1/2", "bytes 0-1/x"],
)
async def test_a_part_that_makes_no_sense(told: str) -> None:
    with pytest.raises(MediaUnavailable):
        await read(session_on(answering(206, b"ab", content_range=told)), end=2)


@pytest.mark.parametrize("length", ["", "-5", "5, 6", "9" * 23, "0x5", "5.0"])
async def test_a_length_that_cannot_be(length: str) -> None:
    """It would be taken for one that is not told, and a cut file for a whole one."""

    def answer(_: httpx.Request) -> httpx.Response:
        response = httpx.Response(200, content=b"xxxxx")
        response.headers["Content-Length"] = length
        return response

    with pytest.raises(MediaUnavailable, match="length"):
        await read(session_on(answer))


async def test_what_a_media_answer_tells() -> None:
    handler = answering(
        206,
        b"abc",
        content_range="bytes 4-6/100",
        content_type="Video/MP4; charset=x",
        etag='W/"weak"',
        last_modified="Fri, 20 Nov 2026 08:00:00 GMT",
    )
    heads: list[MediaHead] = []

    def receive(head: MediaHead) -> WriteBody:
        heads.append(head)
        return lambda _: None

    await session_on(handler).fetch_media(FILE, receive, start=4, end=7)
    (head,) = heads
    assert (head.partial, head.start, head.total, head.length_bytes) == (True, 4, 100, 3)
    assert head.content_type == "video/mp4"
    assert head.validator == "Fri, 20 Nov 2026 08:00:00 GMT", "a weak tag proves nothing"


async def test_compressed_media_is_refused() -> None:
    handler = answering(200, gzip.compress(b"x"), content_encoding="gzip")
    with pytest.raises(MediaUnavailable, match="encoding"):
        await read(session_on(handler))


async def test_a_receivers_own_error_is_not_taken_for_the_networks() -> None:
    def full(_: bytes) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await session_on(answering(200, b"x")).fetch_media(FILE, lambda _: full)
