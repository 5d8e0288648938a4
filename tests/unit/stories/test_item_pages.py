"""The pages of one item: each asked for once, and what it tells also where it does not show it."""

from __future__ import annotations

import pytest

from stories.client import StoryClient
from stories.errors import Gone, Unavailable
from stories.item_pages import get_author_name, get_embedded_item, get_item
from stories.wire import ItemClue
from tests.fake_tiktok import Account, FakeTikTok

pytestmark = pytest.mark.anyio


async def test_an_items_page_and_its_embed_hold_the_item(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story, session, clues = alice.photo(), client.session(), list[ItemClue]()
    found = await get_item(story.id, session, clock=client.clock, on_clue=clues.append)
    assert (found.id, found.is_story, found.author.name) == (story.id, True, "alice")
    embedded = await get_embedded_item(
        story.id, session, clock=client.clock, is_story=True, on_clue=clues.append
    )
    assert embedded.id == story.id
    assert [clue.author and clue.author.name for clue in clues] == ["alice", "alice"]
    assert [seen.endpoint for seen in tiktok.requests] == ["page", "embed_item"]


async def test_what_is_not_there_is_no_bug_of_ours(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story, session = alice.photo(), client.session()
    tiktok.fault("page", 404)
    tiktok.fault("embed_item", 404)
    with pytest.raises(Unavailable):
        await get_item(story.id, session, clock=client.clock)
    with pytest.raises(Unavailable):
        await get_embedded_item(story.id, session, clock=client.clock, is_story=True)


async def test_a_page_tells_who_posted_what_it_does_not_show(
    client: StoryClient, alice: Account
) -> None:
    over, clues = alice.expired(), list[ItemClue]()
    with pytest.raises((Gone, Unavailable)):
        await get_item(over.id, client.session(), clock=client.clock, on_clue=clues.append)
    assert len(clues) == 1


async def test_oembed_names_the_author_and_knows_no_item_that_is_not_there(
    client: StoryClient, alice: Account
) -> None:
    story, session = alice.photo(), client.session()
    assert await get_author_name(story.id, session, owner="alice") == "alice"
    assert await get_author_name("7531111111111111111", session) is None
