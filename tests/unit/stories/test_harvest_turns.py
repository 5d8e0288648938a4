"""Several lines, small and large files: in which order they are fetched."""

from __future__ import annotations

import asyncio

import pytest

from stories.client import StoryClient
from stories.events import FileReady
from stories.harvest import HarvestOptions, harvest
from stories.targets import parse_line
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.harvests import SMALL_H264, TINY, Folder, client_of, saved

pytestmark = pytest.mark.anyio


async def note_files(client: StoryClient, line: str, arrived: list[str]) -> None:
    options = HarvestOptions(posters=False)
    async for event in harvest(client, parse_line(line), options=options, workspace=Folder()):
        arrived += [line] * isinstance(event, FileReady)


async def test_a_line_of_many_files_does_not_keep_one_with_a_single_photo_waiting(
    tiktok: FakeTikTok, alice: Account
) -> None:
    alice.carousel(20, **TINY)
    tiktok.account("bob").photo(**TINY)
    arrived: list[str] = []
    async with client_of(tiktok, transfers=1) as client, asyncio.TaskGroup() as group:
        group.create_task(note_files(client, "alice", arrived))
        while not arrived:  # noqa: ASYNC110 - until the first of the many is here
            await asyncio.sleep(0)
        group.create_task(note_files(client, "bob", arrived))
    assert len(arrived) == 21
    assert arrived.index("bob") < 10


async def test_photos_go_before_large_videos_of_the_same_line(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    for _ in range(5):
        alice.video(1, gears=[SMALL_H264], low=False, watermark=False)
    photo = alice.carousel(6, **TINY)
    async with client_of(tiktok, transfers=1, segment_bytes=9_000) as client:
        log = await saved(client, folder, posters=False)
    order = [ready.story_id == photo.id for ready in log.of(FileReady)]
    assert order.count(True) == 6
    assert order.index(False) <= 1
    # A video or two began before a photo had asked for its turn.
    assert sum(order[:8]) == 6
