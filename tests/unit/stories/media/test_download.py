"""The bytes of one address: ranges, slots, limits and progress."""

import asyncio
import hashlib
import io
from pathlib import Path
from typing import Any

import httpx
import pytest

from stories.errors import MediaUnavailable, StoriesError, TooLarge, UpstreamChanged
from stories.media import download
from stories.media.arrived import LARGEST_RANGE_IN_SEGMENTS
from stories.media.download import digest
from stories.transfer_slots import TransferSlots
from tests.unit.stories.media.cdn import BODY, SEGMENT, Cdn, fetched, start

pytestmark = pytest.mark.anyio


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
    assert len(cdn.asked) == 1 + -(-199_000 // (SEGMENT * LARGEST_RANGE_IN_SEGMENTS))


# --- slots ------------------------------------------------------------------------------------


async def test_without_a_free_slot_one_connection_does_it_all() -> None:
    cdn, slots = Cdn(), TransferSlots(1)
    async with slots:
        assert await fetched(cdn, slots=slots) == BODY
    assert cdn.most_at_once == 1


async def test_more_files_than_slots_end_and_the_limit_holds() -> None:
    cdn, slots = Cdn(), TransferSlots(3)

    async def one() -> bytes:
        async with slots:
            return await fetched(cdn, slots=slots)

    async with asyncio.timeout(20):
        found = await asyncio.gather(*(one() for _ in range(12)))
    assert found == [BODY] * 12
    assert cdn.most_at_once <= 3
    # Every borrowed slot came back.
    for _ in range(3):
        assert await slots.try_acquire()
    assert not await slots.try_acquire()


async def test_a_large_file_lets_another_line_go_first_between_its_ranges() -> None:
    cdn, slots = Cdn(), TransferSlots(1)
    large, other = slots.for_file(large=True), slots.for_line()
    asked: list[int] = []

    async def fetch_large() -> bytes:
        async with large:
            return await fetched(cdn, slots=large)

    async def fetch_small() -> None:
        while not cdn.ranges_asked:  # noqa: ASYNC110 - it is the server that counts
            await asyncio.sleep(0)
        async with other:
            asked.append(len(cdn.ranges_asked))

    body, _ = await asyncio.gather(fetch_large(), fetch_small())
    assert body == BODY
    assert asked == [1]
    assert len(cdn.ranges_asked) > 3


async def test_a_slot_that_falls_free_in_mid_range_is_used_at_once() -> None:
    cdn, slots = Cdn(body=BODY[: 2 * SEGMENT]), TransferSlots(2)
    async with slots:
        assert await slots.try_acquire()  # another file's, which ends soon

        def progress(done: int, _: int | None) -> None:
            if done == 5 * cdn.pieces:
                slots.release()

        assert await fetched(cdn, slots=slots, progress=progress) == cdn.body
    assert cdn.most_at_once == 2


async def test_slots_come_back_when_a_transfer_fails_or_is_cancelled() -> None:
    slots = TransferSlots(4)

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
        assert await slots.try_acquire()


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
    reported: list[tuple[int, int | None]] = []
    await fetched(Cdn(), progress=lambda *now: reported.append(now))
    assert [done for done, _ in reported] == sorted(done for done, _ in reported)
    assert reported[-1] == (len(BODY), len(BODY))


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
