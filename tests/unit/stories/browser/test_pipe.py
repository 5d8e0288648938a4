"""Messages over two pipes, a NUL after each."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO

import pytest

from stories.browser import pipe
from stories.browser.cdp import BrowserGone
from stories.browser.pipe import PipeChannel, pipe_pair

pytestmark = pytest.mark.anyio


@dataclass
class Ends:
    """A channel, and the browser's ends of its pipes."""

    channel: PipeChannel
    reads: BinaryIO
    writes: BinaryIO


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    their_reads, our_writes = pipe_pair()
    our_reads, their_writes = pipe_pair()
    channel = await PipeChannel.open(our_reads, our_writes)
    yield Ends(channel, their_reads, their_writes)
    await channel.aclose()
    await asyncio.sleep(0)
    their_reads.close()
    their_writes.close()


async def test_messages_come_whole_however_they_are_cut(ends: Ends) -> None:
    for part in (b'{"a":', b"1}\0{}\0{", b'"b":2}', b"\0"):
        os.write(ends.writes.fileno(), part)
        await asyncio.sleep(0.01)
    assert [await ends.channel.receive() for _ in range(3)] == [b'{"a":1}', b"{}", b'{"b":2}']


async def test_what_is_sent_ends_with_a_nul(ends: Ends) -> None:
    await ends.channel.send(b'{"id":1}')
    assert os.read(ends.reads.fileno(), 100) == b'{"id":1}\0'


async def test_the_end_of_the_browser_is_told(ends: Ends) -> None:
    os.write(ends.writes.fileno(), b"{}\0half")
    ends.writes.close()
    assert await ends.channel.receive() == b"{}"
    with pytest.raises(BrowserGone, match="ended"):
        await ends.channel.receive()


async def test_nothing_can_be_sent_to_a_browser_that_is_gone(ends: Ends) -> None:
    ends.reads.close()

    async def send_on() -> None:
        for _ in range(10):
            await ends.channel.send(bytes(100_000))
            await asyncio.sleep(0.01)

    with pytest.raises(BrowserGone):
        await send_on()


async def test_a_browser_that_does_not_read_holds_senders_back(ends: Ends) -> None:
    sending = asyncio.create_task(ends.channel.send(bytes(1_000_000)))
    await asyncio.sleep(0.05)
    assert not sending.done()
    read = 0
    while read < 1_000_001:
        read += len(await asyncio.to_thread(os.read, ends.reads.fileno(), 65536))
    await sending


async def test_a_message_without_an_end_is_not_kept(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe, "MAX_MESSAGE_BYTES", 200_000)
    receiving = asyncio.create_task(ends.channel.receive())
    for _ in range(6):
        await asyncio.to_thread(os.write, ends.writes.fileno(), b"x" * 50_000)
    with pytest.raises(BrowserGone, match="too large"):
        await receiving


async def test_closing_twice_is_fine(ends: Ends) -> None:
    await ends.channel.aclose()
    await asyncio.sleep(0.01)
    await ends.channel.aclose()
    with pytest.raises(BrowserGone):
        await ends.channel.send(b"{}")
