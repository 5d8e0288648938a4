"""Accounts and files, asked of the fake TikTok."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import (
    MediaUnavailable,
    UpstreamDown,
)
from stories.structures import MediaVariant
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.http.loopback import Asked, loopback, reply
from tests.unit.stories.lookups import find

pytestmark = pytest.mark.anyio


async def test_the_challenge_is_answered_on_the_way(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    tiktok.fault("profile", "challenge", times=1, second="again")
    tiktok.fault("list", "challenge", times=1)
    assert len((await find(client, "alice")).stories) == 1
    assert [seen.endpoint for seen in tiktok.requests] == ["profile"] * 2 + ["list"] * 2


# --- the client itself ------------------------------------------------------------------------


async def test_a_closed_client_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        StoryClient().session()


@pytest.mark.parametrize("kind", ["curl", "httpx"])
async def test_a_client_of_its_own_opens_and_closes(kind: Any) -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        return ("127.0.0.1",)

    config = ClientConfig(page_transport=kind)
    async with StoryClient(config, resolve=nowhere) as client:
        with pytest.raises(UpstreamDown):
            await find(client, "alice")


async def test_fetch_tries_one_mirror_after_the_other(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    found = await find(client, "alice")
    variant = found.stories[0].media[0].variants[0]
    refused = tiktok.fault({"host": "p16-"}, 403)
    sink, tried = io.BytesIO(), set[str]()
    fetched = await client.fetch(variant, sink, found.session, tried=tried)
    assert sink.getvalue() == story.pictures[0][0].body
    assert fetched.size_bytes == len(sink.getvalue())
    assert refused.hits == 1
    assert tried == set(variant.urls)
    with pytest.raises(MediaUnavailable):
        await client.fetch(variant, sink, found.session, tried=tried)


# --- connections ------------------------------------------------------------------------------


async def test_files_of_one_line_and_of_the_next_come_over_the_same_connection(
    tmp_path: Path,
) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"\0\0\0\x20ftypisom", "200 OK", "Content-Type: video/mp4"))

    async with loopback(tmp_path, answer) as server:
        config = ClientConfig(proxy=server.proxy, ca_bundle=server.ca_path)
        async with StoryClient(config) as client:
            for line in range(3):
                session = client.session()
                for number in range(2):
                    url = f"https://v16-webapp-prime.tiktok.com/video/{line}{number}"
                    variant = MediaVariant(urls=(url,))
                    fetched = await client.fetch(variant, io.BytesIO(), session)
                    assert fetched.size_bytes == 12
        assert len(server.asked) == 6
        assert len(server.connects) == 1
