"""Commands, events and the end of a connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stories.browser.cdp import BrowserGone, CommandFailed, Connection
from tests.unit.stories.browser.scripted import GETS_NO_ANSWER, ScriptedChannel

pytestmark = pytest.mark.anyio


async def test_a_command_has_the_result_of_its_number() -> None:
    channel = ScriptedChannel(A_one=GETS_NO_ANSWER, A_two=GETS_NO_ANSWER)
    connection = Connection(channel)
    first = asyncio.create_task(connection.send("A.one", {"x": 1}))
    second = asyncio.create_task(connection.send("A.two", session="s"))
    await asyncio.sleep(0)
    assert channel.sent == [
        {"id": 1, "method": "A.one", "params": {"x": 1}},
        {"id": 2, "method": "A.two", "params": {}, "sessionId": "s"},
    ]
    channel.say(id=2, result={"b": 2})
    channel.say(id=99, result={"nobody": "asked"})
    channel.say(id=1, result={"a": 1})
    assert (await first, await second) == ({"a": 1}, {"b": 2})
    await connection.aclose()


async def test_what_the_browser_refuses_is_an_error_with_its_words() -> None:
    connection = Connection(ScriptedChannel(Page_navigate={"error": "Cannot navigate"}))
    with pytest.raises(CommandFailed, match=r"Page\.navigate: Cannot navigate"):
        await connection.send("Page.navigate")
    await connection.aclose()


async def test_events_come_in_order_with_their_session() -> None:
    seen: list[Any] = []
    channel = ScriptedChannel()
    connection = Connection(channel, on_event=lambda *event: seen.append(event))
    channel.event("A.first", number=1)
    channel.event("A.second", "s1", number=2)
    channel.say(method="A.third", params="odd", sessionId=5)
    await connection.send("A.done")
    assert seen == [
        ("A.first", {"number": 1}, None),
        ("A.second", {"number": 2}, "s1"),
        ("A.third", {}, None),
    ]
    await connection.aclose()


async def test_pending_commands_fail_when_the_browser_ends() -> None:
    told: list[str] = []
    channel = ScriptedChannel(A_waits=GETS_NO_ANSWER)
    connection = Connection(channel, on_gone=lambda: told.append("gone"))
    waiting = asyncio.create_task(connection.send("A.waits"))
    await asyncio.sleep(0)
    channel.die()
    with pytest.raises(BrowserGone, match="ended"):
        await waiting
    assert told == ["gone"]
    assert not connection.is_open
    with pytest.raises(BrowserGone):
        await connection.send("A.more")
    connection.post("A.more")
    await connection.aclose()


@pytest.mark.parametrize("raw", [b"<html>", b"[1]", b'"text"', b"\xff\xfe", b"[" * 100_000])
async def test_what_is_no_message_ends_it(raw: bytes) -> None:
    channel = ScriptedChannel(A_waits=GETS_NO_ANSWER)
    connection = Connection(channel)
    channel.incoming.put_nowait(raw)
    with pytest.raises(BrowserGone, match="no message"):
        await connection.send("A.waits")
    await connection.aclose()


async def test_a_broken_connection_is_a_browser_that_is_gone() -> None:
    channel = ScriptedChannel(A_waits=GETS_NO_ANSWER)
    connection = Connection(channel)
    channel.die(ConnectionResetError("peer"))
    with pytest.raises(BrowserGone, match="broke"):
        await connection.send("A.waits")
    await connection.aclose()


async def test_closing_it_fails_what_is_pending() -> None:
    channel = ScriptedChannel(A_waits=GETS_NO_ANSWER)
    connection = Connection(channel)
    waiting = asyncio.create_task(connection.send("A.waits"))
    await asyncio.sleep(0)
    await connection.aclose()
    with pytest.raises(BrowserGone):
        await waiting
    assert channel.closed
    await connection.aclose()


async def test_posted_commands_are_sent_in_order_and_nobody_waits() -> None:
    channel = ScriptedChannel(A_one={"error": "no"}, A_two=GETS_NO_ANSWER)
    connection = Connection(channel)
    connection.post("A.one", session="s")
    connection.post("A.two")
    await connection.send("A.three")
    await asyncio.sleep(0)
    assert {command["method"] for command in channel.sent} == {"A.one", "A.two", "A.three"}
    posted = [command for command in channel.sent if command["method"] != "A.three"]
    assert [command["method"] for command in posted] == ["A.one", "A.two"]
    await connection.aclose()


async def test_a_cancelled_command_leaves_nothing_behind() -> None:
    channel = ScriptedChannel(A_waits=GETS_NO_ANSWER)
    connection = Connection(channel)
    waiting = asyncio.create_task(connection.send("A.waits"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert connection._pending == {}
    channel.say(id=1, result={})
    assert await connection.send("A.more") == {}
    await connection.aclose()
