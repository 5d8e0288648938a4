"""Of a list only some stories may be wanted."""

from __future__ import annotations

import pytest

from stories.errors import Gone
from stories.events import FileReady, Listed
from stories.structures import Author
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.harvests import TINY, Folder, client_of, saved

pytestmark = pytest.mark.anyio


async def test_wanted_stories_that_are_listed_no_more_are_gone(
    tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo(**TINY)
    known = Author(id=alice.id, name="alice")
    async with client_of(tiktok) as client:
        with pytest.raises(Gone):
            await saved(client, Folder(), only=frozenset({"1"}), known=known)


async def test_of_a_list_only_the_wanted_stories_are_saved(
    tiktok: FakeTikTok, alice: Account
) -> None:
    old, new = alice.photo(**TINY), alice.photo(**TINY)
    alice.photo(**TINY)
    known = Author(id=alice.id, name="alice")
    only = frozenset({new.id, "gone"})
    folder = Folder()
    async with client_of(tiktok) as client:
        log = await saved(client, folder, only=only, known=known)
    (listed,) = log.of(Listed)
    assert [story.id for story in listed.stories] == [new.id]
    assert listed.left_out == {}
    assert {ready.story_id for ready in log.of(FileReady)} == {new.id}
    assert tiktok.count("profile") == 0
    assert old.id not in {ready.story_id for ready in log.of(FileReady)}
