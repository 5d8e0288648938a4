"""A fake TikTok with one account, a client of it, and a workspace."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from stories.client import StoryClient
from stories.config import ClientConfig
from stories.targets import parse_line
from stories.ways import LookupResult
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.harvests import Folder
from tests.unit.stories.lookups import Names
from tests.unit.stories.scripted_ways import ALICE, Memory


@pytest.fixture
def tiktok() -> FakeTikTok:
    return FakeTikTok(page_bytes=20_000)


@pytest.fixture
def alice(tiktok: FakeTikTok) -> Account:
    return tiktok.account("alice")


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
async def client(tiktok: FakeTikTok, names: Names) -> AsyncIterator[StoryClient]:
    transport = tiktok.transport()
    made = StoryClient(
        ClientConfig(), identities=names, page_transport=transport, media_transport=transport
    )
    async with made:
        yield made


@pytest.fixture
def folder() -> Folder:
    return Folder()


@pytest.fixture
def listed(client: StoryClient, alice: Account) -> Callable[..., LookupResult]:
    def make(
        *stories: Any, hint: bool | None = None, explicit: bool = True, **facts: Any
    ) -> LookupResult:
        return LookupResult(
            target=parse_line("alice"),
            author=replace(ALICE, story_hint=hint),
            stories=stories,
            session=client.session(),
            explicit=explicit,
            **facts,
        )

    return make


@pytest.fixture
def memory(client: StoryClient) -> Memory:
    made = Memory()
    client.way_memory = made
    return made
