"""Of several addresses the first that answers is used, and no connection is left behind."""

import asyncio
from dataclasses import dataclass

import pytest

from stories.http.happy_eyeballs import CONNECTION_ATTEMPT_DELAY_S, first_connected

pytestmark = pytest.mark.anyio


@dataclass(eq=False)
class Stream:
    """A connection that remembers whether it was closed."""

    name: str
    closed: bool = False

    async def close(self) -> None:
        self.closed = True


async def refusing() -> Stream:
    raise ConnectionRefusedError("refused")


async def test_a_silent_address_does_not_hold_up_the_next() -> None:
    cancelled: list[str] = []

    async def silent() -> Stream:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("silent")
            raise
        raise AssertionError

    async def answering() -> Stream:
        return Stream("third")

    attempts = [silent(), refusing(), answering()]
    found = await first_connected(attempts, Stream.close, delay_s=0.01)
    assert found.name == "third"
    assert cancelled == ["silent"]


async def test_when_all_fail_the_last_failure_is_raised() -> None:
    with pytest.raises(ConnectionRefusedError, match="refused"):
        await first_connected([refusing(), refusing()], Stream.close)
    with pytest.raises(OSError, match="no address"):
        await first_connected([], Stream.close)


async def test_of_two_that_answer_together_one_is_closed() -> None:
    streams = [Stream("first"), Stream("second")]
    both = asyncio.Event()

    async def answering(stream: Stream) -> Stream:
        await both.wait()
        return stream

    asyncio.get_running_loop().call_later(CONNECTION_ATTEMPT_DELAY_S * 2, both.set)
    found = await first_connected([answering(stream) for stream in streams], Stream.close)
    assert [stream.closed for stream in streams].count(True) == 1
    assert not found.closed


async def test_one_that_is_given_up_leaves_no_connection() -> None:
    late = Stream("late")
    begun = asyncio.Event()

    async def stubborn() -> Stream:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return late  # it had connected in the same moment
        raise AssertionError

    task = asyncio.create_task(first_connected([stubborn()], Stream.close))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert late.closed
