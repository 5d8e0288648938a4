"""What a media response says of the part it holds."""

import gzip

import pytest

from stories.errors import MediaUnavailable
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


async def test_what_a_media_answer_tells() -> None:
    handler = answering(
        206,
        b"abc",
        content_range="bytes 4-6/100",
        content_type="Video/MP4; charset=x",
        etag='W/"weak"',
        last_modified="Fri, 20 Nov 2026 08:00:00 GMT",
    )
    async with session_on(handler).stream_media(FILE, start=4, end=7) as answer:
        assert (answer.partial, answer.start, answer.total, answer.length_bytes) == (
            True,
            4,
            100,
            3,
        )
        assert answer.content_type == "video/mp4"
        assert answer.validator == "Fri, 20 Nov 2026 08:00:00 GMT", "a weak tag proves nothing"


async def test_compressed_media_is_refused() -> None:
    handler = answering(200, gzip.compress(b"x"), content_encoding="gzip")
    with pytest.raises(MediaUnavailable, match="encoding"):
        await read(session_on(handler))


async def test_a_consumers_own_error_is_not_taken_for_the_networks() -> None:
    async with session_on(answering(200, b"x")).stream_media(FILE) as answer:
        with pytest.raises(OSError, match="disk full"):  # noqa: PT012
            async for _ in answer.chunks:
                raise OSError("disk full")
