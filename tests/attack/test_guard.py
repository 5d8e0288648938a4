"""A hostile program behind the guard: whatever it asks for, nothing but TikTok is reached."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from stories.http import guard as guard_module
from stories.http import resolver
from tests.attack.hostile_addresses import hostile_addresses
from tests.attack.reach import Names, trap
from tests.unit.stories.http.guarded import running_guard

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300), pytest.mark.short]

HELPER = Path(__file__).with_name("hostile_helper.py")
NAMES = ("evil.example", "127.0.0.1", "tiktok.com", "www.tiktok.com.evil.example", "localhost")


async def let_loose(proxy: str, port: int) -> dict[str, list[str]]:
    """Run the program; what it was answered."""
    helper = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(HELPER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"HTTPS_PROXY": proxy},
    )
    task = {"addresses": hostile_addresses(port), "port": port, "names": NAMES}
    said, _ = await helper.communicate(json.dumps(task).encode())
    assert helper.returncode == 0
    answers: dict[str, list[str]] = json.loads(said)
    return answers


async def test_a_hostile_helper_reaches_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name resolves to this machine, where somebody listens on the port that is asked."""
    names = Names(["127.0.0.1", "::1"])
    async with trap() as found, running_guard(resolve=names.resolve) as guard:
        monkeypatch.setattr(guard_module, "_PORT", found.port)
        answers = await let_loose(guard.url, found.port)
        assert len(answers["connect"]) > 500
        assert not any(" 200 " in line for line in answers["connect"])
        assert set(answers["absolute"]) <= {f"HTTP/1.1 {text}" for text in REFUSED}
        assert set(answers["tls"]) == {"closed"}
        assert set(answers["inside"]) == {"HTTP/1.1 502 Bad Gateway"}
        assert found.reached == 0
        assert set(names.asked) <= LISTED


REFUSED = ("405 Method Not Allowed", "400 Bad Request")
LISTED = {"www.tiktok.com"}


async def test_inside_a_tunnel_only_tls_to_its_host_is_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This machine counts as public: a connection is made, and not a byte arrives."""
    monkeypatch.setattr(resolver, "is_public", lambda _: True)
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    names = Names(["127.0.0.1"])
    async with server, running_guard(resolve=names.resolve) as guard:
        monkeypatch.setattr(guard_module, "_PORT", port)
        answers = await let_loose(guard.url, port)
        assert set(answers["inside"]) == {"HTTP/1.1 200 Connection established"}
        assert set(answers["tls"]) == {"closed"}
        assert len(names.asked) > len(NAMES)
        assert heard == b""
        assert guard.sent_bytes == 0
