"""A file from several mirrors: slow ones, broken ones, and what arrived of it."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from stories.config import ClientConfig
from stories.errors import MediaUnavailable, StoriesError, TooLarge, UpstreamDown
from stories.http.page_transports import GivenTransport
from stories.http.session import Session
from stories.media.download import no_progress, no_reservation
from stories.media.mirror_pace import (
    FAST_ENOUGH_BYTES_PER_S,
    LATELY_S,
    SLOW_BYTES_PER_S,
    MirrorPaces,
)
from stories.media.mirrors import FileRequest, fetch_from_mirrors
from stories.transfer_slots import TransferSlots
from tests.mock_transport import MockTransport
from tests.unit.stories.media.cdn import Cdn

pytestmark = pytest.mark.anyio

KIB = 1024
BODY = b"\0\0\0\x20ftypisom" + random.Random(3).randbytes(4 * 1024 * KIB)
HOSTS = ("v16-webapp-prime.tiktok.com", "v19-webapp-prime.tiktok.com", "v20-x.tiktokcdn.com")
URLS = tuple(f"https://{host}/video/x/?signature=s" for host in HOSTS)


class Clock:
    """The loop's clock, which the mirrors turn forward by what their bytes take.

    Real time counts but for what is longer than a step of the loop: a machine that stands still for
    a while would make a mirror look slow.
    """

    STEP_S = 0.02

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._usual, self.ahead_s = loop.time, 0.0
        self._told = self._last = self._usual()
        monkeypatch.setattr(loop, "time", self._time, raising=False)

    def _time(self) -> float:
        now = self._usual()
        self._told += min(now - self._last, self.STEP_S)
        self._last = now
        return self._told + self.ahead_s


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@dataclass
class Mirror(Cdn):
    """A mirror that sends so many bytes per second."""

    body: bytes = BODY
    pieces: int = 4 * KIB
    rate: float = 10 * 1024 * KIB
    clock: Clock | None = None
    sent: int = 0

    async def send(self, body: bytes, drop: int | None) -> AsyncIterator[bytes]:
        assert self.clock is not None
        async for chunk in super().send(body, drop):
            self.clock.ahead_s += len(chunk) / self.rate
            self.sent += len(chunk)
            yield chunk


@dataclass
class Site:
    """Mirrors by host, and a session that asks them. tried, paces: as fetch_from_mirrors' own."""

    mirrors: dict[str, Mirror]
    config: ClientConfig = field(
        default_factory=lambda: ClientConfig(segment_bytes=8 * 1024 * KIB, segments=1)
    )
    paces: MirrorPaces = field(default_factory=MirrorPaces)
    tried: set[str] = field(default_factory=set)
    sink: io.BytesIO = field(default_factory=io.BytesIO)

    async def fetch(self, **more: Any) -> bytes:
        transport = MockTransport(lambda request: self.mirrors[request.url.host](request))
        session = Session(
            config=self.config,
            page_transports=GivenTransport(transport),
            media_transport=transport,
        )
        request = FileRequest(
            config=self.config,
            turn=TransferSlots(8),
            limit_bytes=more.get("limit_bytes", 100 * 1024 * KIB),
            expected_bytes=None,
            reserve=more.get("reserve", no_reservation),
            progress=more.get("progress", no_progress),
        )
        urls = [url for url, host in zip(URLS, HOSTS, strict=True) if host in self.mirrors]
        await fetch_from_mirrors(
            session, urls, self.sink, request, tried=self.tried, paces=self.paces
        )
        return self.sink.getvalue()


def site(clock: Clock, *rates: float, **more: Any) -> Site:
    """A site whose mirrors send at these rates, in KiB per second."""
    return Site(
        {
            host: Mirror(rate=rate * KIB, clock=clock, **more)
            for host, rate in zip(HOSTS, rates, strict=False)
        }
    )


def asked(here: Site) -> list[list[str]]:
    return [mirror.ranges_asked for mirror in here.mirrors.values()]


def sent(here: Site) -> int:
    return sum(mirror.sent for mirror in here.mirrors.values())


# --- one is slow --------------------------------------------------------------------------------


async def test_a_mirror_at_a_kibibyte_per_second_is_left_and_what_came_is_kept(
    clock: Clock,
) -> None:
    here = site(clock, 1, 5000)
    assert await here.fetch() == BODY
    first, second = asked(here)
    assert len(first) == len(second) == 1
    assert second[0].startswith("4096-"), "four seconds' worth is here"
    assert sent(here) == len(BODY), "no byte twice"
    assert clock.ahead_s < 10


async def test_a_mirror_far_slower_than_another_was_lately_is_left(clock: Clock) -> None:
    """Well above what is slow by itself, and an eighth of what the other one gave."""
    here = site(clock, 100, 4000)
    here.paces.note(HOSTS[1], 4000 * KIB, asyncio.get_running_loop().time())
    assert await here.fetch() == BODY
    assert [len(ranges) for ranges in asked(here)] == [1, 1]
    assert sent(here) == len(BODY)


async def test_nothing_is_far_slower_while_nothing_else_was_measured(clock: Clock) -> None:
    here = site(clock, 100, 4000)
    assert await here.fetch() == BODY
    assert [len(ranges) for ranges in asked(here)] == [1, 0]


async def test_what_was_measured_long_ago_says_nothing(clock: Clock) -> None:
    here = site(clock, 100, 4000)
    here.paces.note(HOSTS[1], 4000 * KIB, asyncio.get_running_loop().time() - LATELY_S - 1)
    assert await here.fetch() == BODY
    assert [len(ranges) for ranges in asked(here)] == [1, 0]


async def test_a_mirror_that_is_fast_enough_is_kept(clock: Clock) -> None:
    here = site(clock, FAST_ENOUGH_BYTES_PER_S / KIB + 1, 1)
    here.paces.note(HOSTS[1], 100_000 * KIB, asyncio.get_running_loop().time())
    assert await here.fetch() == BODY
    assert [len(ranges) for ranges in asked(here)] == [1, 0]


async def test_a_file_that_is_nearly_here_is_waited_for(clock: Clock) -> None:
    here = site(clock, 10, 5000, body=BODY[: 150 * KIB])
    assert await here.fetch() == BODY[: 150 * KIB]
    assert [len(ranges) for ranges in asked(here)] == [1, 0]


async def test_parts_that_come_at_once_are_measured_together(clock: Clock) -> None:
    here = site(clock, 2, 9000)
    here.config = ClientConfig(segment_bytes=256 * KIB, segments=4)
    assert await here.fetch() == BODY
    assert sent(here) == len(BODY)
    assert asked(here)[1], "the second one brought the rest"
    assert max(mirror.most_at_once for mirror in here.mirrors.values()) > 1


# --- all are slow -------------------------------------------------------------------------------


async def test_where_all_are_slow_the_best_is_kept_to_the_end(clock: Clock) -> None:
    here = site(clock, 1, 8, 1.5)
    assert await here.fetch() == BODY
    first, second, third = asked(here)
    # The second is eight times better; of the third nothing is known, but the second is slow too.
    assert (len(first), len(third)) == (1, 1)
    assert len(second) == 2, "gone back to, once"
    assert sent(here) == len(BODY), "no byte twice"
    assert clock.ahead_s > 400, "and never given up"


async def test_our_own_line_is_thin_and_the_next_file_stays_where_it_is(clock: Clock) -> None:
    """The first change gains nothing, and says so for a minute."""
    here = site(clock, 4, 4, 4, body=BODY[: 200 * KIB])
    assert await here.fetch() == BODY[: 200 * KIB]
    assert [len(ranges) for ranges in asked(here)] == [1, 1, 0]
    again = site(clock, 4, 4, 4, body=BODY[: 100 * KIB])
    again.paces = here.paces
    assert await again.fetch() == BODY[: 100 * KIB]
    assert [len(ranges) for ranges in asked(again)] == [1, 0, 0]


@pytest.mark.parametrize("fast_before", [False, True])
async def test_many_files_on_one_thin_line_do_not_change_round_and_round(
    clock: Clock, fast_before: bool
) -> None:
    """Whatever they take turns the one clock: each has a share of the line alone."""
    sites = [site(clock, 120, 120, 120, body=BODY[: 400 * KIB]) for _ in range(12)]
    for here in sites:
        here.paces = sites[0].paces
    if fast_before:  # as measured while the line was still wide
        for host in HOSTS:
            here.paces.note(host, 4000 * KIB, asyncio.get_running_loop().time())
    found = await asyncio.gather(*(here.fetch() for here in sites))
    assert found == [BODY[: 400 * KIB]] * 12
    requests = sum(len(ranges) for here in sites for ranges in asked(here))
    assert requests <= 12 * 2 if fast_before else requests <= 12 + 2
    assert sum(sent(here) for here in sites) == 12 * 400 * KIB


async def test_the_mirror_gone_back_to_may_fail(clock: Clock) -> None:
    here = site(clock, 1, 8, 0.4)

    def refuse_again(cdn: Cdn, number: int) -> None:
        cdn.status = 403 if number else None

    here.mirrors[HOSTS[1]].change = refuse_again
    assert await here.fetch() == BODY
    assert [len(ranges) for ranges in asked(here)] == [2, 2, 1], "the next best brings the rest"
    assert sent(here) == len(BODY)


# --- is it the same file? -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"etag": '"two"'}, id="another tag"),
        pytest.param({"etag": None}, id="no tag"),
        pytest.param({"etag": 'W/"one"'}, id="a weak tag"),
        pytest.param({"body": BODY[:-9]}, id="another length"),
        pytest.param({"ranges": False}, id="no ranges"),
    ],
)
@pytest.mark.parametrize("conditional", [True, False])
async def test_another_file_is_started_over(
    clock: Clock, other: dict[str, Any], conditional: bool
) -> None:
    here = site(clock, 1, 5000)
    second = Mirror(rate=5000 * KIB, clock=clock, conditional=conditional, **other)
    here.mirrors[HOSTS[1]] = second
    assert await here.fetch() == second.body
    assert second.ranges_asked[-1] in {"0-8388607", "all"}
    assert len(here.mirrors[HOSTS[0]].asked) == 1


async def test_without_any_tag_the_next_mirror_starts_over(clock: Clock) -> None:
    here = site(clock, 1, 5000, etag=None)
    assert await here.fetch() == BODY
    assert asked(here)[1] == ["0-8388607"]


async def test_a_date_proves_it_too(clock: Clock) -> None:
    here = site(clock, 1, 5000, etag=None, modified="Fri, 20 Nov 2026 08:00:00 GMT")
    assert await here.fetch() == BODY
    assert asked(here)[1][0].startswith("4096-")


async def test_what_is_mostly_here_is_not_thrown_away_for_another_file(clock: Clock) -> None:
    here = site(clock, 300, 5000)

    def slow_down(cdn: Cdn, number: int) -> None:
        assert isinstance(cdn, Mirror)
        cdn.drops, cdn.rate = ([3 * 1024 * KIB], 300 * KIB) if not number else ([], KIB)

    here.mirrors[HOSTS[0]].change = slow_down
    here.mirrors[HOSTS[1]].etag = '"two"'
    assert await here.fetch() == BODY
    assert len(here.mirrors[HOSTS[1]].asked) == 1, "asked, and it has another"
    assert here.mirrors[HOSTS[0]].sent == len(BODY)


# --- broken mirrors -----------------------------------------------------------------------------


async def test_what_a_broken_mirror_brought_is_gone_on_with(clock: Clock) -> None:
    here = site(clock, 5000, 5000)

    def break_for_good(cdn: Cdn, number: int) -> None:
        cdn.drops, cdn.status = [1_000_000], 403 if number else None

    here.mirrors[HOSTS[0]].change = break_for_good
    assert await here.fetch() == BODY
    assert asked(here)[1][0].startswith("1000000-")
    assert sent(here) == len(BODY)


async def test_the_mirror_that_ended_what_another_began_may_be_asked_again(clock: Clock) -> None:
    """Their bytes may not belong together after all: then that one is asked for all of it."""
    here = site(clock, 1, 5000)
    await here.fetch()
    assert here.tried == {URLS[0]}
    here.sink = io.BytesIO()
    assert await here.fetch() == BODY
    assert here.tried == {URLS[0], URLS[1]}
    with pytest.raises(MediaUnavailable):
        await here.fetch()


async def test_a_mirror_left_for_another_file_may_be_asked_again(clock: Clock) -> None:
    here = site(clock, 1, 5000)
    here.mirrors[HOSTS[1]].etag = '"two"'
    await here.fetch()
    assert here.tried == {URLS[1]}


async def test_the_last_error_is_the_one_that_is_told(clock: Clock) -> None:
    here = site(clock, 5000, 5000)
    here.mirrors[HOSTS[0]].status = 403
    here.mirrors[HOSTS[1]].drops = [0] * 9
    with pytest.raises(UpstreamDown):
        await here.fetch()
    assert here.tried == {URLS[0], URLS[1]}


@pytest.mark.parametrize("error", [TooLarge, None])
async def test_no_other_mirror_is_asked_for_what_is_too_large(
    clock: Clock, error: type[StoriesError] | None
) -> None:
    here = site(clock, 5000, 5000)
    if error is None:
        assert await here.fetch() == BODY
    else:
        with pytest.raises(error):
            await here.fetch(limit_bytes=1000)
    assert asked(here)[1] == []


async def test_a_trial_that_is_cancelled_leaves_room_for_another(clock: Clock) -> None:
    here = site(clock, 1, SLOW_BYTES_PER_S / KIB)
    task = asyncio.create_task(here.fetch())
    while not here.mirrors[HOSTS[1]].asked:  # noqa: ASYNC110 - it is the server that counts
        await asyncio.sleep(0)
    assert here.paces.trials == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert here.paces.trials == 0


async def test_progress_never_exceeds_the_whole(clock: Clock) -> None:
    told: list[tuple[int, int | None]] = []
    here = site(clock, 1, 8, 1.5)
    await here.fetch(progress=lambda *now: told.append(now))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (len(BODY), len(BODY))


def test_the_mock_answers_like_a_mirror() -> None:
    answer = Mirror()(httpx.Request("GET", URLS[0], headers={"Range": "bytes=5-9"}))
    assert (answer.status_code, answer.headers["content-range"]) == (206, f"bytes 5-9/{len(BODY)}")
