"""Random answers to the list: nothing is left out without being counted."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from stories import endpoints
from stories.errors import StoriesError
from stories.hosts import SITE
from stories.http.headers import Purpose
from stories.structures import Author
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import Said, find, ids, reading

pytestmark = pytest.mark.anyio

ODD: list[Said | str | None] = [
    None,
    "junk",
    {},
    {"id": None},
    {"privateItem": True},
    {"imagePost": {"images": []}},
    {"imagePost": None, "video": {}},
    {"author": {"id": "1", "uniqueId": "somebody"}},
    {"author": None},
]


@pytest.fixture
def tiktok() -> FakeTikTok:
    return FakeTikTok(page_bytes=20_000)


def random_answer(dice: random.Random, whole: Sequence[Said]) -> Said:
    """Some of the stories, some of them spoilt, and a count and a promise that may not fit."""
    items: list[Any] = []
    for item in whole:
        spoilt = dice.choice(ODD) if dice.random() < 0.3 else {"desc": "as it is"}
        if dice.random() < 0.8:
            items.append({**item, **spoilt} if isinstance(spoilt, dict) else spoilt)
    total = dice.choice([None, len(items), len(items) + 1, len(whole), "many", 0])
    # A cursor that stands still: a promise of more is one that is not kept.
    more = dice.random() < 0.2
    return {"itemList": items, "TotalCount": total, "HasMoreAfter": more, "MaxCursor": 0}


def named(answer: Said) -> set[str]:
    """The ids of an answer's entries."""
    return {item["id"] for item in answer["itemList"] if isinstance(item, dict) and item.get("id")}


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_is_answered_an_entry_is_kept_or_counted(
    tiktok: FakeTikTok, alice: Account, seed: int
) -> None:
    dice = random.Random(seed)
    for _ in range(4):
        alice.photo(size=(64, 64))
    async with reading(tiktok, {}) as client:
        address = endpoints.story_list(Author(id=alice.id, name="alice"), "0")
        usual = await client.session().get_page(address, Purpose.LIST, referer=SITE)
    whole = json.loads(usual.body)["itemList"]
    answers = [random_answer(dice, whole) for _ in range(2)]
    async with reading(tiktok, *answers) as client:
        try:
            found = await find(client, "alice")
        except StoriesError:
            return
    if found.left_out:
        assert min(found.left_out.values()) > 0
        return
    # Nothing is left out: one of the answers was whole, and all of it is handed on.
    kept = set(ids(found))
    assert any(
        named(answer) == kept
        and len(answer["itemList"]) == len(kept)
        and not (isinstance(answer["TotalCount"], int) and answer["TotalCount"] > len(kept))
        for answer in answers
    )


async def test_a_story_that_only_the_first_of_two_readings_lists_is_not_forgotten(
    tiktok: FakeTikTok, alice: Account
) -> None:
    first, second = alice.photo(), alice.photo()
    nothing: Said = {"itemList": [], "TotalCount": "0"}
    async with reading(tiktok, {"TotalCount": "3"}, nothing) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out) == ([first.id, second.id], {"held_back": 1})
    tiktok.most_per_page = 1
    later: Said = {"itemList": [], "TotalCount": "3"}
    async with reading(tiktok, {"TotalCount": "3", "HasMoreAfter": False}, later) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out) == ([first.id], {"held_back": 2})
