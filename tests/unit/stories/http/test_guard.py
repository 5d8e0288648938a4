"""Through the guard other programs reach TikTok's hosts by TLS, and nothing else by anything."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from stories.config import ClientConfig
from stories.http import guard as guard_module
from stories.http import resolver
from stories.http.guard import MAX_CONNECTIONS, REFUSED_KEPT, Guard
from stories.http.tls import client_context
from tests.attack.hostile_addresses import ANSWERS
from tests.attack.reach import trap
from tests.unit.stories.http.client_hellos import message, name_extension, real_hello, records
from tests.unit.stories.http.guarded import (
    CONNECT,
    HELLO,
    HOST,
    OPEN,
    Client,
    client_of,
    guarded,
    resolve_nowhere,
    running_guard,
    running_site,
    said_to,
    until,
)
from tests.unit.stories.http.loopback import loopback
from tests.unit.stories.http.proxied_session import PAGE, say_ok

pytestmark = pytest.mark.anyio


def status(answer: bytes) -> str:
    return answer.partition(b" ")[2][:3].decode()


# --- what goes through ------------------------------------------------------------------------


async def test_a_real_client_reaches_tiktok_through_it(tmp_path: Path) -> None:
    async with loopback(tmp_path, say_ok) as server:
        config = ClientConfig(proxy=server.proxy)
        async with (
            running_guard(config, resolve_nowhere) as guard,
            httpx.AsyncClient(
                proxy=guard.url, verify=client_context(server.ca_path), trust_env=False
            ) as http,
        ):
            assert (await http.get(PAGE)).text == "ok"
            with pytest.raises(httpx.ProxyError, match="403"):
                await http.get("https://evil.example/")
            with pytest.raises(httpx.ProxyError, match="403"):
                await http.get(PAGE.replace(".com", ".com:8443"))
            assert (await http.get("http://www.tiktok.com/")).status_code == 405
            assert server.connects == ["www.tiktok.com:443"]
            assert list(guard.refused) == ["evil.example", "www.tiktok.com"]
            assert guard.sent_bytes > 500
            assert guard.received_bytes > 500


async def test_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name exists nowhere and is looked up once a connection."""
    monkeypatch.setattr(resolver, "is_public", lambda address: address == "127.0.0.1")
    asked: list[tuple[str, int]] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return ("10.0.0.1", "127.0.0.1") if len(asked) == 1 else ("127.0.0.2",)

    async with running_site() as site, running_guard(resolve=rebinding) as guard:
        monkeypatch.setattr(guard_module, "_PORT", site.port)
        async with client_of(guard) as client:
            await client.tunnel()
        assert asked == [(HOST, site.port)]
        assert status(await said_to(guard, CONNECT + HELLO)) == "502"
        assert site.connections == 1


async def test_a_real_hello_goes_through_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(monkeypatch) as (guard, site):
        hello = real_hello(HOST)
        async with client_of(guard) as client:
            await client.tunnel(hello)
            await client.say(b"anything from now on")
            assert await client.hear(20) == b"anything from now on"
        assert site.received == hello + b"anything from now on"


async def test_bytes_that_come_with_the_connect_are_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with guarded(monkeypatch) as (guard, _), client_of(guard) as client:
        await client.say(CONNECT + HELLO + b"more")
        assert await client.hear(len(OPEN + HELLO) + 4) == OPEN + HELLO + b"more"


async def test_one_side_may_end_before_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def last_words(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = b""
        while data := await reader.read(65536):
            said += data
        writer.write(b"you said %d bytes" % len(said) + b"." * 1_000_000)

    async with guarded(monkeypatch, last_words) as (guard, _), client_of(guard) as client:
        own: socket.socket = client.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        await client.say(CONNECT)
        await client.hear(len(OPEN))
        await client.say(HELLO + b"bye")
        client.writer.write_eof()
        heard = await client.to_the_end()
        assert heard.startswith(b"you said %d bytes..." % len(HELLO + b"bye"))
        assert len(heard) > 1_000_000


async def test_a_slow_reader_gets_everything_to_the_last_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accept = Guard._accept

    def with_little_room(
        guard: Guard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        accept(guard, reader, writer)

    monkeypatch.setattr(Guard, "_accept", with_little_room)

    async def last_words(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.write(b"x" * 1_000_000)
        await writer.drain()

    async with guarded(monkeypatch, last_words) as (guard, _), client_of(guard) as client:
        own: socket.socket = client.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        await client.say(CONNECT + HELLO)
        client.writer.write_eof()
        await client.hear(len(OPEN))
        heard = 0
        while data := await client.reader.read(8192):
            heard += len(data)
            await asyncio.sleep(0.002)
        assert heard == 1_000_000


async def test_a_client_may_go_on_after_the_site_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write_eof()
        while await reader.read(65536):
            pass

    async with guarded(monkeypatch, half) as (guard, site), client_of(guard) as client:
        await client.say(CONNECT + HELLO)
        assert await client.to_the_end() == OPEN
        await client.say(b"still here")
        client.writer.write_eof()
        await until(lambda: site.received.endswith(b"still here"))
        await until(lambda: guard.connections == 0)


async def test_a_slow_reader_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    async with guarded(monkeypatch, endless) as (guard, _), client_of(guard) as client:
        await client.say(CONNECT + HELLO)
        await client.hear(len(OPEN))
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 40_000_000, "what the system holds for four sockets, and little here"
        held = guard.received_bytes
        await client.hear(16_000_000)
        await until(lambda: guard.received_bytes > held)


async def test_bytes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(monkeypatch) as (guard, _), client_of(guard) as client:
        await client.tunnel()
        await client.say(b"x" * 1000)
        await client.hear(1000)
        assert guard.sent_bytes == guard.received_bytes == len(HELLO) + 1000


# --- what does not ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "405"),
        (b"GET http://www.tiktok.com/ HTTP/1.1\r\n\r\n", "405"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405"),
        (b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n" + HELLO, "403"),
        (b"CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT 0x7f.1:443 HTTP/1.1\r\n\r\n", "403"),
        (b"CONNECT www.tiktok.com:80 HTTP/1.1\r\n\r\n", "403"),
        (b"nonsense\r\n\r\n", "400"),
        (HELLO, "400"),
        (b"\r\n\r\n", "400"),
        (b"CONNECT " + b"a" * 20_000 + b":443 HTTP/1.1\r\n\r\n", "431"),
        (b"CONNECT www.tiktok.com:443 HTTP/1.1\r\n" + b"X: y\r\n" * 5000, "431"),
    ],
)
async def test_anything_but_a_connect_to_a_listed_host_is_refused(
    said: bytes, answered: str
) -> None:
    async with running_guard(resolve=resolve_nowhere) as guard:
        answer = await said_to(guard, said)
        assert status(answer) == answered
        assert answer.endswith(b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        assert b"evil" not in answer
        await until(lambda: guard.connections == 0)


@pytest.mark.parametrize("address", ANSWERS)
async def test_a_listed_name_that_leads_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return (address,)

    async with trap() as found, running_guard(resolve=resolve) as guard:
        monkeypatch.setattr(guard_module, "_PORT", found.port)
        assert status(await said_to(guard, CONNECT + HELLO)) == "502"
        assert found.reached == 0


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: www.tiktok.com\r\n\r\n", id="plain HTTP"),
        pytest.param(b"SSH-2.0-x\r\n", id="SSH"),
        pytest.param(records(message(name_extension(b"evil.example"))), id="another name"),
        pytest.param(records(message(name_extension(b"tiktok.com"))), id="a name above"),
        pytest.param(records(message(name_extension(b"www.tiktok.com."))), id="a dot behind"),
        pytest.param(records(message(name_extension(b"www.tiktok.com\0"))), id="a zero behind"),
        pytest.param(real_hello(None), id="no name"),
        pytest.param(HELLO[:-1] + b"\xff" * 200, id="more in the record"),
    ],
)
async def test_only_tls_to_that_very_host_goes_through(
    monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    async with guarded(monkeypatch) as (guard, site):
        for said in ((CONNECT, first), (CONNECT + first,)):
            async with client_of(guard) as client:
                for part in said:
                    await client.say(part)
                    await asyncio.sleep(0.01)
                client.writer.write_eof()
                assert await client.to_the_end() == OPEN
        await until(lambda: guard.connections == 0)
        assert site.connections == 2
        assert site.received == b""
        assert guard.sent_bytes == 0


async def test_a_name_in_tls_that_is_refused_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(monkeypatch) as (guard, _):
        await said_to(guard, CONNECT + records(message(name_extension(b"front.example"))))
        assert list(guard.refused) == ["front.example"]


async def test_refused_names_are_plain_few_and_each_once() -> None:
    async with running_guard(resolve=resolve_nowhere) as guard:
        for name in ("127.0.0.1", "router.lan", "one", "x" * 200 + ".example", "[::1]", "a_b.c"):
            await said_to(guard, f"CONNECT {name}:443 HTTP/1.1\r\n\r\n".encode())
        assert list(guard.refused) == []
        for number in (*range(REFUSED_KEPT + 5), 20):
            await said_to(guard, f"CONNECT h{number}.example:443 HTTP/1.1\r\n\r\n".encode())
        assert len(guard.refused) == REFUSED_KEPT
        assert guard.refused[-1] == "h20.example"
        assert guard.refused.count("h20.example") == 1


async def test_a_site_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(monkeypatch) as (guard, _):
        monkeypatch.setattr(guard_module, "_PORT", 1)
        assert status(await said_to(guard, CONNECT)) == "502"


async def test_a_site_that_does_not_answer_is_given_up() -> None:
    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        raise AssertionError

    async with running_guard(ClientConfig(connect_timeout_s=0.05), silent) as guard:
        assert status(await said_to(guard, CONNECT)) == "502"


# --- time and number --------------------------------------------------------------------------


async def test_a_slow_head_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "HEAD_S", 0.1)
    async with running_guard(resolve=resolve_nowhere) as guard:
        for part in (b"", b"CONNECT www.tik"):
            assert status(await said_to(guard, part)) == "408"
        async with client_of(guard) as client:
            answered = asyncio.create_task(client.to_the_end())
            while not answered.done():  # a byte now and then is not enough
                with suppress(ConnectionError):
                    await client.say(b"C")
                await asyncio.sleep(0.02)
            assert status(await answered) == "408"


async def test_a_silent_tunnel_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "HEAD_S", 0.1)
    async with guarded(monkeypatch) as (guard, site), client_of(guard) as client:
        await client.say(CONNECT + HELLO[:20])
        assert await client.to_the_end() == OPEN
        assert site.received == b""


async def test_an_idle_tunnel_is_closed_and_a_busy_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard_module, "IDLE_S", 1.5)
    monkeypatch.setattr(guard_module, "_TOUCH_S", 0.01)
    async with guarded(monkeypatch) as (guard, _):
        async with client_of(guard) as idle, client_of(guard) as busy:
            await idle.tunnel()
            await busy.tunnel()
            for _ in range(20):
                await busy.say(b"x")
                assert await busy.hear(1) == b"x"
                await asyncio.sleep(0.1)
            assert await idle.to_the_end() == b""
            await busy.say(b"y")
            assert await busy.hear(1) == b"y"
        await until(lambda: guard.connections == 0)


async def test_who_leaves_takes_the_tunnel_along(monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(monkeypatch) as (guard, _):
        async with client_of(guard) as client:
            await client.tunnel()
            assert guard.connections == 1
        await until(lambda: guard.connections == 0)


@pytest.mark.parametrize("said", [b"", b"CONNECT www", CONNECT, CONNECT + HELLO[:9]])
async def test_who_leaves_early_is_forgotten(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    async with guarded(monkeypatch) as (guard, site):
        for abrupt in (True, False):
            async with client_of(guard) as client:
                await client.say(said)
                if not abrupt:
                    client.writer.write_eof()
                    await client.to_the_end()
        await until(lambda: guard.connections == 0)
        assert site.received == b""


async def test_a_thousand_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most are turned away; those there were before go on, and others come in afterwards."""
    async with guarded(monkeypatch) as (guard, _):
        address = urlsplit(guard.url)
        async with client_of(guard) as first:
            await first.tunnel()
            crowd = [
                Client(*await asyncio.open_connection(address.hostname, address.port))
                for _ in range(1000)
            ]
            assert guard.connections <= 2 * MAX_CONNECTIONS
            await first.say(b"still here")
            assert await first.hear(10) == b"still here"
            assert (await crowd[MAX_CONNECTIONS].to_the_end()).startswith(b"HTTP/1.1 503 ")
            for client in crowd:
                client.close()
            await until(lambda: guard.connections == 1)
        async with client_of(guard) as later:
            await later.tunnel()


# --- starting and ending ----------------------------------------------------------------------


async def test_it_listens_on_this_machine_alone_and_once() -> None:
    guard = Guard(ClientConfig(), resolve_nowhere)
    with pytest.raises(RuntimeError, match="not started"):
        _ = guard.url
    await guard.aclose()
    await asyncio.gather(guard.start(), guard.start())
    url = guard.url
    await guard.start()
    assert guard.url == url
    assert urlsplit(url).hostname == "127.0.0.1"
    await guard.aclose()
    with pytest.raises(RuntimeError, match="not started"):
        _ = guard.url


async def test_closing_it_ends_every_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded(monkeypatch) as (guard, _):
        address = urlsplit(guard.url)
        async with client_of(guard) as first, client_of(guard) as second, client_of(guard):
            await first.tunnel()
            await second.say(CONNECT)
            await second.hear(len(OPEN))
            await guard.aclose()
            assert guard.connections == 0
            assert await first.to_the_end() == b""
            assert await second.to_the_end() == b""
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(address.hostname, address.port)
