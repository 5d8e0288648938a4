"""Which requests an account's list takes, and by what it is known."""

from datetime import UTC, datetime

import pytest

from stories.client import StoryClient
from stories.errors import (
    NoSuchAccount,
    PrivateAccount,
    Refused,
)
from stories.structures import Author
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import Names, failure, find, ids

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


async def test_every_story_with_two_requests(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    made = [alice.photo(), alice.carousel(3), alice.photo()]
    told: list[Author] = []
    found = await find(client, "@Alice", on_author=told.append)
    assert ids(found) == [story.id for story in made]
    assert found.author.id == alice.id
    assert [author.name for author in told] == ["alice"]
    assert [seen.endpoint for seen in tiktok.requests] == ["profile", "list"]


async def test_a_name_is_looked_up_once_a_day(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, names: Names
) -> None:
    alice.photo()
    await find(client, "alice")
    tiktok.forget_requests()
    told: list[Author] = []
    assert len((await find(client, "alice", on_author=told.append)).stories) == 1
    assert [seen.endpoint for seen in tiktok.requests] == ["list"]
    assert len(told) == 1
    await find(client, "alice", fresh=True)
    assert tiktok.count("profile") == 1


async def test_a_name_that_changed_hands(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, names: Names
) -> None:
    former = tiktok.account("former.owner")
    former.photo()
    mine = alice.photo()
    names.known["alice"] = Author(id=former.id, name="alice")
    told: list[Author] = []
    found = await find(client, "alice", on_author=told.append)
    assert ids(found) == [mine.id]
    assert [author.id for author in told] == [alice.id]
    assert names.forgotten == ["alice"]
    assert names.known["alice"].id == alice.id


async def test_a_remembered_id_that_is_gone(
    client: StoryClient, alice: Account, names: Names
) -> None:
    mine = alice.photo()
    names.known["alice"] = Author(id="6700000000000000000", name="alice")
    assert ids(await find(client, "alice")) == [mine.id]


async def test_a_remembered_id_that_shows_nothing_is_looked_up_again(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, names: Names
) -> None:
    names.known["alice"] = Author(id=alice.id, name="alice")
    assert (await find(client, "alice")).stories == ()
    assert [seen.endpoint for seen in tiktok.requests] == ["list", "profile"]
    # The name is someone else's by now, and its former owner has no story either.
    former = tiktok.account("former.owner")
    names.known["alice"] = Author(id=former.id, name="alice")
    mine = alice.photo()
    found = await find(client, "alice")
    assert (ids(found), found.author.id) == ([mine.id], alice.id)
    assert names.known["alice"].id == alice.id


async def test_silence_of_a_site_that_shows_us_no_page_is_no_answer(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, names: Names
) -> None:
    alice.photo()
    names.known["alice"] = Author(id=alice.id, name="alice")
    tiktok.fault("pages", 403)
    hollow = tiktok.fault("list", "hollow")
    assert await failure(client, "alice") is Refused
    assert hollow.hits
    # A list that says how many there are is one.
    tiktok.account("bob")
    names.known["bob"] = Author(id=tiktok.accounts["bob"].id, name="bob")
    tiktok.faults.clear()
    tiktok.fault("pages", 403)
    assert ids(await find(client, "bob")) == []


async def test_an_account_that_went_private_is_left_alone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, names: Names
) -> None:
    alice.photo()
    alice.photo(item={"author": {"privateAccount": True}})
    for known in (False, True):
        if known:
            names.known["alice"] = Author(id=alice.id, name="alice")
        assert await failure(client, "alice") is PrivateAccount
        assert names.known == {}
    story = alice.photo()
    assert await failure(client, story.url) is PrivateAccount
    assert (tiktok.count("page"), tiktok.count("embed_item")) == (1, 0), (
        "its page knows nothing yet"
    )


async def test_no_story_is_an_answer(client: StoryClient, alice: Account) -> None:
    alice.post()
    found = await find(client, "alice")
    assert found.stories == ()
    assert found.author.name == "alice"


async def test_a_story_that_is_over_is_not_one_that_was_left_out(
    client: StoryClient, alice: Account
) -> None:
    alice.expired()
    kept = alice.photo()
    found = await find(client, "alice")
    assert ids(found) == [kept.id]
    assert (found.left_out, found.left_out_ids) == ({}, {})


async def test_digits_are_a_name_first_and_an_id_then(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    tiktok.account("12345678").photo()
    assert (await find(client, "12345678")).author.name == "12345678"
    assert ids(await find(client, alice.id)) == [story.id]
    # An id whose profile page says nothing: its list may.
    tiktok.fault({"endpoint": "profile", "account": "alice"}, "code", code=10221)
    found = await find(client, alice.id)
    assert ids(found) == [story.id]
    assert found.author.name == "alice"
    assert await failure(client, "87654321") is NoSuchAccount


async def test_a_profile_by_its_opaque_id(client: StoryClient, alice: Account) -> None:
    story = alice.photo()
    found = await find(client, f"https://www.tiktok.com/@{alice.sec_uid}")
    assert ids(found) == [story.id]


async def test_the_list_of_an_account_that_is_known_is_one_request(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    known = Author(id=alice.id, name="alice", sec_uid=alice.sec_uid)
    empty = await find(client, "alice", known=known)
    assert ids(empty) == []
    assert empty.explicit
    made = alice.photo()
    told: list[Author] = []
    assert ids(await find(client, "alice", known=known, on_author=told.append)) == [made.id]
    assert [seen.endpoint for seen in tiktok.requests] == ["list", "list"]
    assert [author.id for author in told] == [alice.id]


async def test_an_account_that_is_known_is_told_by_its_new_name(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    known = Author(id=alice.id, name="before", sec_uid="s", nickname="Before")
    found = await find(client, "before", known=known)
    assert (found.author.id, found.author.name) == (alice.id, "alice")
    assert found.author.sec_uid == "s"
    assert found.author.nickname != "Before"
    assert tiktok.count("profile") == 0
