"""A fake TikTok with one account, a client of it, and a workspace."""

from collections.abc import AsyncIterator

import pytest

from stories.client import StoryClient
from stories.config import ClientConfig
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.harvests import Folder
from tests.unit.stories.lookups import Names


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
