"""The author's picture comes beside the files, and nothing depends on it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from stories import avatars as fetching
from stories.client import StoryClient
from stories.errors import NoSuchAccount
from stories.events import AvatarReady, FileReady, StoryFinished
from stories.media import avatars
from tests.fake_tiktok import Account, FakeTikTok, media
from tests.unit.stories.harvests import TINY, Folder, Log, client_of, saved

pytestmark = pytest.mark.anyio


async def harvested(client: StoryClient, folder: Folder, line: str = "alice", **more: Any) -> Log:
    return await saved(client, folder, line, avatar=True, **more)


async def test_it_comes_once_with_the_stories(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.photo(**TINY), alice.photo(**TINY)
    log = await harvested(client, folder)
    assert [event.picture for event in log.of(AvatarReady)] == [
        avatars.make(media.portrait(alice.name))
    ]
    assert tiktok.count("avatar") == 1
    assert "720:720" in tiktok.seen("avatar")[0].path
    assert len(log.files()) == 2


async def test_nobody_who_does_not_want_it_gets_it(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.photo(**TINY)
    log = await saved(client, folder)
    assert log.of(AvatarReady) == []
    assert tiktok.count("avatar") == 0


async def test_it_is_asked_for_without_cookies_and_without_a_token(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    asked = 0

    async def rate_limit(*, at_once: bool = False) -> None:
        nonlocal asked
        asked += 1

    alice.photo(**TINY)
    transport = tiktok.transport()
    async with StoryClient(
        rate_limit=rate_limit, page_transport=transport, media_transport=transport
    ) as client:
        log = await harvested(client, folder)
    assert len(log.of(AvatarReady)) == 1
    assert asked == tiktok.count("profile") + tiktok.count("list")
    assert "cookie" not in tiktok.seen("avatar")[0].headers


async def test_an_account_without_stories_shows_its_face(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    log = await harvested(client, folder)
    assert len(log.of(AvatarReady)) == 1


async def test_a_single_link_brings_it_too(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    log = await harvested(client, folder, alice.photo(**TINY).url)
    assert len(log.of(AvatarReady)) == 1


async def test_the_embed_of_an_account_brings_it_too(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.photo(**TINY)
    tiktok.fault("profile", 503)
    log = await harvested(client, folder)
    assert len(log.of(AvatarReady)) == 1


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("403", {}),
        ("silent", {}),
        ("drop", {"after": 100}),
        ("empty", {}),
        ("html", {}),
        ("redirect", {"to": "https://www.tiktok.com/login"}),
        ("redirect", {"to": "https://attacker.example/picture.jpg"}),
        ("redirect", {"to": "https://127.0.0.1/picture.jpg"}),
    ],
)
async def test_whatever_fails_fails_nothing(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    folder: Folder,
    kind: str,
    options: dict[str, Any],
) -> None:
    alice.photo(**TINY)
    tiktok.fault("avatar", kind, **options)
    log = await harvested(client, folder)
    assert log.of(AvatarReady) == []
    assert [event.error for event in log.of(StoryFinished)] == [None]
    assert tiktok.count("avatar") == 3  # one for each size, and none twice
    assert tiktok.strays == []


async def test_another_size_stands_in_for_one_that_fails(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    tiktok.fault("avatar", "404", times=1)
    log = await harvested(client, folder)
    assert len(log.of(AvatarReady)) == 1


async def test_a_large_file_is_not_read_to_its_end(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.avatar_body = media.picture("jpeg", (144, 144), min_bytes=fetching.MAX_BYTES + 1)
    log = await harvested(client, folder)
    assert log.of(AvatarReady) == []


async def test_a_hostile_file_is_no_picture(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    alice.avatar_body = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    log = await harvested(client, folder)
    assert log.of(AvatarReady) == []


async def test_one_that_hangs_keeps_nobody(
    tiktok: FakeTikTok, alice: Account, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "GRACE_S", 0.01)
    ended: list[str] = []

    async def hang(url: str, session: object) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(url)
        raise AssertionError

    monkeypatch.setattr(fetching, "_download", hang)
    alice.photo(**TINY)
    async with client_of(tiktok) as client:
        log = await harvested(client, folder)
    assert len(log.of(FileReady)) == 2  # the photo and its poster
    assert log.of(AvatarReady) == []
    assert len(ended) == 1


async def test_all_addresses_together_have_a_time_limit(
    tiktok: FakeTikTok, alice: Account, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT_S", 0)
    async with client_of(tiktok) as client:
        log = await harvested(client, folder)
    assert log.of(AvatarReady) == []


async def test_it_ends_with_a_line_that_fails(
    client: StoryClient, tiktok: FakeTikTok, folder: Folder
) -> None:
    with pytest.raises(NoSuchAccount):
        await harvested(client, folder, "nobody")
    assert tiktok.count("avatar") == 0


async def test_a_bug_is_logged_and_fails_nothing(
    client: StoryClient,
    alice: Account,
    folder: Folder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def crash(data: bytes) -> bytes:
        raise RuntimeError("a bug")

    monkeypatch.setattr(avatars, "make", crash)
    alice.photo(**TINY)
    with caplog.at_level(logging.ERROR):
        log = await harvested(client, folder)
    assert len(log.files()) == 1
    assert "avatar crashed" in caplog.text
    assert "http" not in caplog.text.replace("httpx", "")
