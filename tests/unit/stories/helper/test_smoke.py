"""The trial: what a program must do here before it is used. The real one is in integration."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stories.helper.smoke import SmokeFailed, fake_site, try_out
from tests.unit.stories.helper.scripted import write_script

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "do not come through"),
        ("print('prose')", "is not an object|JSON"),
        ("sys.exit(1)", "do not come through"),
        ("while True: print('x' * 1000)", "prints too much"),
        (
            "print('warning|tiktok|x: could not extract any stories', file=sys.stderr)",
            "do not come through",
        ),
    ],
)
async def test_a_program_that_does_not_do_it_is_not_used(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(SmokeFailed, match=words):
        await try_out(write_script(tmp_path, text), tmp_path / "runs")


async def test_a_program_that_cannot_be_started_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(SmokeFailed):
        await try_out(lambda: [str(tmp_path / "nothing")], tmp_path / "runs")
    with pytest.raises(SmokeFailed, match="not installed"):
        await try_out(lambda: None, tmp_path / "runs")


async def test_the_site_answers_for_tiktok_alone_and_notes_who_else_is_asked_for() -> None:
    async with fake_site() as site:
        await site.start()
        assert await _get(site.url, site.ca_file, "www.tiktok.com", "/@sample.open") is not None
        assert await _get(site.url, site.ca_file, "example.com", "/") is None
        assert site.strays == ["example.com:443"]


async def test_the_open_accounts_list_is_read_like_any(tmp_path: Path) -> None:
    async with fake_site() as site:
        await site.start()
        path = "/api/story/item_list/?authorId=6800000000000000001"
        body = await _get(site.url, site.ca_file, "www.tiktok.com", path)
        assert [item["id"] for item in json.loads(body or "")["itemList"]] == site.item_ids


async def _get(proxy: str, ca_file: str, host: str, path: str) -> str | None:
    """The body of an answer; None when the proxy refuses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(proxy).port)
    try:
        writer.write(f"CONNECT {host}:443 HTTP/1.1\r\n\r\n".encode())
        if b" 200 " not in await reader.readuntil(b"\r\n\r\n"):
            return None
        context = ssl.create_default_context(cafile=ca_file)
        await writer.start_tls(context, server_hostname=host)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        return (await reader.readexactly(length)).decode()
    finally:
        writer.close()
