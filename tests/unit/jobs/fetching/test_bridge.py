"""The bridge between a Celery thread and the event loop: events across, and no work left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator

import pytest

from jobs.fetching import bridge
from jobs.fetching.bridge import TransferThread
from jobs.upstream import way_switches
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import Refused


@pytest.fixture(scope="module")
def running() -> Iterator[TransferThread]:
    made = TransferThread(lambda: StoryClient(ClientConfig(page_transport="httpx")))
    yield made
    made.stop()
    assert not made.alive


async def count(to: int) -> AsyncGenerator[int, None]:
    for number in range(to):
        await asyncio.sleep(0)
        yield number


def test_events_come_across_in_order(running: TransferThread) -> None:
    with running.stream(lambda client: count(1000)) as events:
        assert [event for event in events if event is not None] == list(range(1000))


def test_the_client_is_handed_over_on_its_own_loop(running: TransferThread) -> None:
    async def ask(client: StoryClient) -> AsyncGenerator[object, None]:
        yield type(client)
        yield threading.current_thread().name

    with running.stream(ask) as events:
        assert list(events) == [StoryClient, "transfers"]


def test_errors_come_across(running: TransferThread) -> None:
    async def refused() -> AsyncGenerator[int, None]:
        yield 1
        raise Refused("HTTP 403")

    with running.stream(lambda client: refused()) as events:
        assert next(events) == 1
        with pytest.raises(Refused, match="HTTP 403"):
            next(events)
    assert running.alive


def test_a_reader_that_waits_hears_the_clock(running: TransferThread) -> None:
    async def silence() -> AsyncGenerator[int, None]:
        await asyncio.sleep(60)
        yield 1

    with running.stream(lambda client: silence(), tick_s=0.01) as events:
        assert [next(events) for _ in range(3)] == [None, None, None]


def test_leaving_stops_the_work_and_waits_for_its_cleaning_up(running: TransferThread) -> None:
    cleaned = threading.Event()

    async def endless() -> AsyncGenerator[int, None]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0.01)
        finally:
            await asyncio.sleep(0.05)
            cleaned.set()

    with running.stream(lambda client: endless()) as events:
        next(events)
    assert cleaned.is_set()


def test_leaving_before_anything_began(running: TransferThread) -> None:
    with running.stream(lambda client: count(5)):
        pass
    with pytest.raises(KeyError), running.stream(lambda client: count(5)):
        raise KeyError
    assert running.alive


def test_work_that_will_not_stop_is_not_waited_for(
    running: TransferThread, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bridge, "CLEAN_UP_S", 0.05)
    done = threading.Event()

    async def stubborn() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)
            done.set()

    with running.stream(lambda client: stubborn()) as events:
        next(events)
    assert "did not stop" in caplog.text
    assert done.wait(5)


def test_streams_run_side_by_side(running: TransferThread) -> None:
    meet = asyncio.Barrier(2)

    async def wait() -> AsyncGenerator[int, None]:
        await meet.wait()
        yield 1

    with (
        running.stream(lambda client: wait()) as one,
        running.stream(lambda client: wait()) as other,
    ):
        assert (next(one), next(other)) == (1, 1)


def test_a_thread_that_cannot_start_says_why() -> None:
    def broken() -> StoryClient:
        raise OSError("no such authority")

    with pytest.raises(OSError, match="no such authority"):
        TransferThread(broken)


def test_one_thread_per_process_which_knows_what_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []
    monkeypatch.setattr(way_switches, "mirror", lambda: told.append(1))
    try:
        first = bridge.current()
        assert bridge.current() is first
        first.stop()
        assert bridge.current() is not first  # one that ended is replaced
        assert told == [1, 1]
    finally:
        bridge.stop()
        bridge.stop()


def test_a_loop_that_is_blocked_does_not_respond() -> None:
    """As by code that computes or waits on the loop itself; no transfer moves, no limit ends it."""
    thread = TransferThread(lambda: StoryClient(ClientConfig(page_transport="httpx")))
    release = threading.Event()

    async def block(_client: StoryClient) -> AsyncGenerator[int, None]:
        release.wait()
        yield 1

    try:
        assert thread.responds()
        with thread.stream(block) as events:
            while thread.responds():
                pass
            assert not thread.responds()
            release.set()
            assert next(event for event in events if event) == 1
        while not thread.responds():
            pass
    finally:
        release.set()
        thread.stop()
