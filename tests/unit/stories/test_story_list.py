"""The story list: its pages, how it ends, and when it is read again."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from stories import wire
from stories.client import StoryClient
from stories.errors import (
    Challenged,
    HeldBack,
    LoginRequired,
    PrivateAccount,
    PrivatePost,
    RateLimited,
    Refusal,
    Refused,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.story_list import list_of_pages
from stories.structures import Author
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import Said, failure, find, ids, reading

pytestmark = pytest.mark.anyio


async def test_pages_are_followed_to_the_end(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    made = [alice.nothing() for _ in range(2)] + [alice.photo() for _ in range(5)]
    tiktok.most_per_page = 2
    for kind in (int, str):
        tiktok.cursor_as = kind
        tiktok.forget_requests()
        found = await find(client, "alice")
        assert ids(found) == [story.id for story in made if story.kind == "photo"]
        assert dict(found.left_out) == {"no_media": 2}
        assert tiktok.count("list") == 4
    cursors = [httpx.URL(seen.url).params["cursor"] for seen in tiktok.seen("list")]
    assert cursors[0] == "0"
    assert [int(cursor) for cursor in cursors] == sorted({int(cursor) for cursor in cursors})


@pytest.mark.parametrize("fault", ["stuck", "repeat"])
async def test_a_list_that_never_ends_ends(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, fault: str
) -> None:
    made = alice.photo()
    tiktok.fault("list", fault)
    found = await find(client, "alice")
    assert (ids(found), found.left_out) == ([made.id], {}), "TikTok counts no more than it listed"
    assert tiktok.count("list") <= 2


@pytest.mark.parametrize(
    "again", [{"MaxCursor": 1}, {"MaxCursor": 10**15}], ids=["stands still", "repeats itself"]
)
async def test_a_list_that_breaks_off_is_read_again(
    tiktok: FakeTikTok, alice: Account, again: Said
) -> None:
    made = alice.photo()
    broken = {"itemList": None, "HasMoreAfter": True, "TotalCount": None, "MaxCursor": 1}
    async with reading(tiktok, broken, broken, {}) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out) == ([made.id], {})
    tiktok.forget_requests()
    first = alice.photo()
    tiktok.most_per_page = 1
    cut = {"HasMoreAfter": True, "TotalCount": None, **again}
    async with reading(tiktok, {"TotalCount": None}, cut, {}) as client:
        found = await find(client, "alice")
    assert ids(found) == [made.id, first.id]
    # Still broken then: what there is counts, and that it is not all is said.
    async with reading(tiktok, cut) as client:
        found = await find(client, "alice")
    assert len(found.stories) == 1
    assert found.left_out == {"broken_off": 1}


async def test_empty_pages_are_passed_over_while_there_is_more(
    tiktok: FakeTikTok, alice: Account
) -> None:
    made = alice.photo()
    nothing = [
        {"itemList": None, "HasMoreAfter": True, "MaxCursor": n, "TotalCount": None}
        for n in range(1, 5)
    ]
    async with reading(tiktok, *nothing[:2], {}) as client:
        found = await find(client, "alice")
    assert (ids(found), tiktok.count("list")) == ([made.id], 3)
    tiktok.forget_requests()
    async with reading(tiktok, *nothing[:3], *nothing) as client:
        assert await failure(client, "alice") is HeldBack
    assert tiktok.count("list") == 6


async def test_a_list_with_ever_new_pages_is_capped(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stories.story_list.MAX_LIST_PAGES", 3)
    for _ in range(6):
        alice.photo(size=(64, 64))
    tiktok.most_per_page = 1
    found = await find(client, "alice")
    assert tiktok.count("list") == 3, "a second reading would end at the same place"
    assert len(found.stories) == 3
    assert found.left_out == {"too_long": 3}


async def test_a_partial_list_is_read_again(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    made = [alice.photo(), alice.photo()]
    async with reading(tiktok, {"TotalCount": "5"}, {}) as partial:
        found = await find(partial, "alice")
    assert (ids(found), found.left_out) == ([story.id for story in made], {})
    tiktok.forget_requests()
    async with reading(tiktok, {"TotalCount": "5"}) as partial:
        found = await find(partial, "alice")
    assert (ids(found), found.left_out) == ([story.id for story in made], {"held_back": 3})
    assert tiktok.count("list") == 2
    # The second reading fails, or brings less: the first one stands.
    for second in (b"", b"<html>", {"TotalCount": "5", "itemList": None}):
        async with reading(tiktok, {"TotalCount": "5"}, second) as partial:
            found = await find(partial, "alice")
        assert (ids(found), found.left_out) == ([story.id for story in made], {"held_back": 3})


async def test_a_private_account_is_private_in_the_second_reading_too(
    tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    async with reading(tiktok, {"TotalCount": "5"}, {"statusCode": 10222}) as client:
        assert await failure(client, "alice") is PrivateAccount


async def test_an_account_is_not_empty_while_something_is_missing(
    tiktok: FakeTikTok, alice: Account
) -> None:
    alice.expired()
    async with reading(tiktok, {"TotalCount": "3"}) as client:
        assert await failure(client, "alice") is HeldBack


@pytest.mark.parametrize(("fault", "error"), [("withheld", HeldBack), ("empty", Refused)])
async def test_a_partial_answer_is_asked_again_and_never_means_no_story(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    fault: str,
    error: type[StoriesError],
) -> None:
    story = alice.photo()
    tiktok.fault("list", fault, times=1)
    found = await find(client, "alice")
    assert ids(found) == [story.id]
    first, second = (seen.headers.get("cookie", "") for seen in tiktok.seen("list"))
    assert "ttwid" in first
    assert "ttwid" not in second, "the second try is a fresh session"
    tiktok.fault("list", fault)
    # Only an answer of nothing turns the whole server away; a list held back is this account's.
    assert await failure(client, "alice") is error
    assert not issubclass(HeldBack, Refusal)
    assert tiktok.count("list") == 4


@pytest.mark.parametrize(
    ("fault", "options", "error"),
    [
        (403, {}, Refused),
        (405, {}, Refused),
        (444, {}, Refused),
        ("system_error", {}, Refused),
        ("captcha", {}, Refused),
        ("challenge_again", {}, Challenged),
        (429, {"retry_after": 300}, RateLimited),
        (500, {}, UpstreamDown),
        ("silent", {}, UpstreamDown),
        ("stall", {"after": 100}, UpstreamDown),
        ("drop", {"after": 100}, UpstreamDown),
        ("changed", {}, UpstreamChanged),
        ("deep", {}, UpstreamChanged),
        ("huge", {"size": 20 * 2**20}, UpstreamChanged),
        ("login", {}, LoginRequired),
        (404, {}, UpstreamChanged),
        ("redirect", {"to": "https://evil.example/"}, UpstreamChanged),
        ("redirect", {"to": "http://www.tiktok.com/"}, UpstreamChanged),
    ],
)
async def test_a_list_that_is_not_given(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    fault: str | int,
    options: dict[str, Any],
    error: type[StoriesError],
) -> None:
    alice.photo()
    tiktok.fault("list", fault, **options)
    assert await failure(client, "alice") is error
    assert tiktok.strays == []


async def test_a_list_of_things_we_cannot_read_is_not_empty(
    client: StoryClient, alice: Account
) -> None:
    alice.nothing()
    assert await failure(client, "alice") is UpstreamChanged


async def test_the_rate_limit_is_passed_before_each_page_and_list(
    tiktok: FakeTikTok, alice: Account
) -> None:
    passed: list[int] = []

    async def rate_limit(*, at_once: bool = False) -> None:
        passed.append(len(tiktok.requests))

    alice.photo()
    transport = tiktok.transport()
    async with StoryClient(
        rate_limit=rate_limit, page_transport=transport, media_transport=transport
    ) as client:
        await find(client, "alice")
    assert passed == [0, 1]


# --- what is left out -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"privateItem": True}, "private"),
        ({"video": {}, "imagePost": None, "isContentClassified": True}, "age_restricted"),
        ({"imagePost": {"images": []}}, "not_ready"),
        ({"video": {}, "imagePost": None}, "no_media"),
        ({"imagePost": {"images": [{}] * 101}}, "unreadable"),
        ({"author": {"id": "1", "uniqueId": "somebody"}}, "foreign"),
        ({"story": {"ExpiredAt": 1_700_000_000_000}, "createTime": 1_600_000_000}, None),
    ],
)
async def test_every_reason_for_leaving_a_story_out_is_handed_on_beside_the_others(
    client: StoryClient, alice: Account, flags: Said, reason: str | None
) -> None:
    first, odd, last = alice.photo(), alice.photo(item=flags), alice.photo()
    found = await find(client, "alice")
    assert ids(found) == [first.id, last.id]
    assert found.left_out == ({reason: 1} if reason else {})
    assert found.left_out_ids == ({odd.id: reason} if reason else {})


async def test_entries_without_an_id_are_counted_once_and_not_as_held_back_too(
    tiktok: FakeTikTok, alice: Account
) -> None:
    made = alice.photo()
    alice.photo(item={"id": None})
    async with reading(tiktok, {}) as client:
        found = await find(client, "alice")
    assert (ids(found), found.left_out) == ([made.id], {"unreadable": 1})
    stuck: Said = {"HasMoreAfter": True, "TotalCount": None}
    async with reading(tiktok, {**stuck, "MaxCursor": 1}, {**stuck, "MaxCursor": 2}) as client:
        found = await find(client, "alice")
    assert found.left_out == {"unreadable": 1, "broken_off": 1}


async def test_a_story_that_its_author_advertises_is_a_story(
    tiktok: FakeTikTok, alice: Account
) -> None:
    made = [alice.photo(item={"isAd": True})]
    async with reading(tiktok, {}) as client:
        assert ids(await find(client, "alice")) == [story.id for story in made]
        made.append(alice.photo())
        assert ids(await find(client, "alice")) == [story.id for story in made]


async def test_another_accounts_advert_does_not_stand_in_for_a_story_held_back(
    tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    alice.photo(item={"author": {"id": "1", "uniqueId": "shop"}, "isAd": True})
    async with reading(tiktok, {"TotalCount": "1"}) as client:
        assert (await find(client, "alice")).left_out == {}
    async with reading(tiktok, {"TotalCount": "2"}) as client:
        assert (await find(client, "alice")).left_out == {"held_back": 1}


@pytest.mark.parametrize(
    ("total", "left_out"),
    [
        (None, {}),
        ("", {}),
        ("many", {}),
        (-1, {}),
        (0, {}),
        ([9], {}),
        (1.5, {}),
        ("3", {"held_back": 2}),
        (10**9, {"held_back": 10**6}),
        ("9" * 18, {"held_back": 10**6}),
    ],
)
async def test_a_count_that_is_no_number_promises_nothing_and_a_huge_one_is_cut(
    tiktok: FakeTikTok, alice: Account, total: Any, left_out: dict[str, int]
) -> None:
    alice.photo()
    async with reading(tiktok, {"TotalCount": total}) as client:
        assert (await find(client, "alice")).left_out == left_out


async def test_a_list_of_private_stories_alone_is_not_an_empty_one(
    client: StoryClient, alice: Account
) -> None:
    alice.photo(item={"privateItem": True})
    assert await failure(client, "alice") is PrivatePost


async def test_a_link_to_a_story_says_nothing_of_the_rest_of_its_list(
    tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo(item={"privateItem": True})
    made = alice.photo()
    async with reading(tiktok, {"TotalCount": "9"}) as client:
        found = await find(client, made.url)
    assert (ids(found), found.left_out, found.left_out_ids) == ([made.id], {}, {})


# --- pages that were read elsewhere ---------------------------------------------------------------


async def test_pages_read_elsewhere_make_the_list_they_would_make_here(
    client: StoryClient, alice: Account
) -> None:
    story = alice.photo()
    (listed,) = (await find(client, "alice")).stories
    whole = replace(wire.kept_items([]), stories=(listed,), listed_ids=frozenset({story.id}))
    kept = wire.kept_items(["7513039991730291236"])
    session = client.session()
    author = listed.author
    assert list_of_pages(author, session, [whole], broken_off=False).left_out_counts == {}
    partial = list_of_pages(author, session, [whole, kept], broken_off=False)
    assert partial.left_out_counts == {"held_back": 1}
    assert partial.left_out == {"7513039991730291236": "held_back"}
    refused = list_of_pages(author, session, [whole], broken_off=True, error=Refused("x"))
    assert refused.left_out_counts == {"broken_off": 1}
    assert isinstance(refused.refusal, Refused)
    counted = list_of_pages(author, session, [replace(whole, total=3), kept], broken_off=False)
    assert counted.left_out_counts == {"held_back": 2}
    assert counted.missing == 1


async def test_nothing_read_elsewhere_is_no_story_unless_something_is_missing(
    client: StoryClient, alice: Account
) -> None:
    author, session = Author(id=alice.id, name="alice"), client.session()
    assert list_of_pages(author, session, [], broken_off=False).error is None
    for pages, broken_off in (
        ([wire.kept_items(["7513039991730291236"])], False),
        ([replace(wire.kept_items([]), total=2)], False),
        ([], True),
    ):
        found = list_of_pages(author, session, pages, broken_off=broken_off)
        assert isinstance(found.error, UpstreamDown)
