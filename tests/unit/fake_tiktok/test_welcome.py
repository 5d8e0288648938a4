"""The demo's door signs in the first who comes with the link, and nobody after."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest

from tests.fake_tiktok import welcome
from tests.fake_tiktok.welcome import Door, Welcome

pytestmark = pytest.mark.anyio


def door_to(address: str) -> Door:
    door = Door()
    door.expect(Welcome(token="right", cookie=("sessionid", "s3cret"), to=address))
    return door


async def an_instance() -> tuple[asyncio.Server, str]:
    """Something that listens, and its address."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/?text=%40name"


async def test_it_opens_once() -> None:
    server, address = await an_instance()
    async with server:
        door = door_to(address)
        first, second = await door.answer("/welcome/right"), await door.answer("/welcome/right")
    assert first.status == 303
    assert first.header("Location") == address
    cookie = first.header("Set-Cookie") or ""
    assert re.fullmatch(r"sessionid=s3cret; Path=/; HttpOnly; SameSite=Lax", cookie)
    assert (second.status, second.header("Set-Cookie")) == (404, None)


async def test_two_at_once_are_one() -> None:
    server, address = await an_instance()
    async with server:
        door = door_to(address)
        answers = await asyncio.gather(*(door.answer("/welcome/right") for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [303, 404, 404, 404, 404]


@pytest.mark.parametrize("path", ["/welcome/wrong", "/welcome/", "/welcome/righté"])
async def test_another_link_is_no_link(path: str) -> None:
    server, address = await an_instance()
    async with server:
        door = door_to(address)
        assert (await door.answer(path)).status == 404
        assert (await door.answer("/welcome/right")).status == 303


async def test_nobody_is_expected_before() -> None:
    assert (await Door().answer("/welcome/")).status == 404


async def test_an_instance_that_does_not_start_costs_nobody_the_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(welcome, "PATIENCE_S", 0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        door = door_to(f"http://127.0.0.1:{unused.getsockname()[1]}/")
        for _ in range(2):
            answer = await door.answer("/welcome/right")
            assert (answer.status, answer.header("Set-Cookie")) == (503, None)
