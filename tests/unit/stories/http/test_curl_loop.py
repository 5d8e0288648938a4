"""curl's multi handle on the event loop: signals that get lost, and rest when there is nothing."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from curl_cffi import Curl, CurlError, CurlOpt

from stories.http import curl_loop
from stories.http.curl_loop import Activity, CurlLoop, Stalled
from tests.unit.stories.http.loopback import Asked, Loopback, loopback
from tests.unit.stories.http.proxied_session import FILE, say_ok

pytestmark = pytest.mark.anyio


def set_up(server: Loopback, body: bytearray) -> Curl:
    """A transfer of FILE through the loopback server into `body`."""
    curl = Curl(cacert=server.ca_path)
    curl.setopt(CurlOpt.URL, FILE)
    curl.setopt(CurlOpt.PROXY, server.proxy)
    curl.setopt(CurlOpt.NOPROXY, "")

    def write(chunk: bytes) -> int:
        body.extend(chunk)
        return len(chunk)

    curl.setopt(CurlOpt.WRITEFUNCTION, write)
    return curl


def patient(loop: CurlLoop, silence_s: float = 20) -> Activity:
    return Activity(loop.loop, first_s=silence_s, idle_s=silence_s)


async def test_a_signal_that_gets_lost_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl_loop, "SAFEGUARD_S", 0.05)
    lost: list[float] = []
    async with loopback(tmp_path, say_ok) as server:
        body = bytearray()
        loop = CurlLoop(ca_path=server.ca_path, kept=1)
        running = asyncio.get_running_loop()
        call_later = running.call_later

        def losing(delay: float, callback: Callable[..., Any], *arguments: Any) -> Any:
            if callback == loop.process_data and not lost:
                lost.append(delay)  # curl's first: to begin at all
                return None
            return call_later(delay, callback, *arguments)

        monkeypatch.setattr(running, "call_later", losing, raising=False)
        async with asyncio.timeout(5):
            await loop.transfer(set_up(server, body), patient(loop))
        assert lost
        assert bytes(body) == b"ok"
        await loop.close()


async def test_nothing_runs_while_no_transfer_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curl_loop, "SAFEGUARD_S", 0.001)
    async with loopback(tmp_path, say_ok) as server:
        loop = CurlLoop(ca_path=server.ca_path, kept=1)
        await loop.transfer(set_up(server, bytearray()), patient(loop))
        looks: list[int] = []
        await asyncio.sleep(0.01)  # the last look
        monkeypatch.setattr(loop, "process_data", lambda *_: looks.append(1))
        monkeypatch.setattr(loop, "socket_action", lambda *_: looks.append(2))
        await asyncio.sleep(0.3)
        assert looks == []
        monkeypatch.undo()
        await loop.close()


async def test_silence_is_a_stall_and_each_byte_puts_it_off(tmp_path: Path) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with loopback(tmp_path, answer) as server:
        loop = CurlLoop(ca_path=server.ca_path, kept=1)
        activity = patient(loop, 0.2)
        began = loop.loop.time()
        loop.loop.call_later(0.15, activity.note)
        with pytest.raises(Stalled) as caught:
            await loop.transfer(set_up(server, bytearray()), activity)
        assert caught.value.code == 28
        assert loop.loop.time() - began >= 0.35
        await loop.close()


async def test_closing_fails_what_runs_with_an_error_of_curls(tmp_path: Path) -> None:
    there = asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        there.set()
        await asyncio.sleep(30)

    async with loopback(tmp_path, answer) as server:
        loop = CurlLoop(ca_path=server.ca_path, kept=1)
        task = asyncio.create_task(loop.transfer(set_up(server, bytearray()), patient(loop)))
        await there.wait()
        await loop.close()
        with pytest.raises(CurlError, match="closed"):
            await task
