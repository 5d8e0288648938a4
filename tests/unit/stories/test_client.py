"""Who an account is and what it shows, asked of the fake TikTok."""

import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from stories.client import Listing, StoryClient
from stories.config import ClientConfig
from stories.errors import (
    AgeRestricted,
    Challenged,
    DeadShortLink,
    Gone,
    InputError,
    LoginRequired,
    MediaUnavailable,
    NoSuchAccount,
    NotAStory,
    PrivateAccount,
    PrivatePost,
    RateLimited,
    Refusal,
    Refused,
    StoriesError,
    Unavailable,
    UnsupportedLink,
    UpstreamChanged,
    UpstreamDown,
)
from stories.lookup import Found, look_up
from stories.structures import Author, Target, TargetKind
from stories.targets import parse_line
from tests.fake_tiktok import Account, FakeTikTok

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


class Names:
    """Remembered accounts, as jobs/upstream/breaker.py keeps them."""

    def __init__(self) -> None:
        self.known: dict[str, Author] = {}
        self.forgotten: list[str] = []

    async def get(self, name: str) -> Author | None:
        return self.known.get(name)

    async def put(self, author: Author) -> None:
        self.known[author.name.lower()] = author

    async def forget(self, name: str) -> None:
        self.forgotten.append(name)
        self.known.pop(name, None)


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


async def find(client: StoryClient, line: str, **options: Any) -> Found:
    return await look_up(client, parse_line(line), **options)


async def failure(client: StoryClient, line: str, **options: Any) -> type[StoriesError]:
    with pytest.raises(StoriesError) as caught:
        await find(client, line, **options)
    return type(caught.value)


def ids(found: Found | Listing) -> list[str]:
    return [story.id for story in found.stories]


Said = dict[str, Any]


def scripted(tiktok: FakeTikTok, *answers: Said | bytes) -> httpx.MockTransport:
    """The fake with its story lists changed, one after the other; the last one for all that follow.

    answers: what to put over the fake's own answer (None takes a key away), or all of a body.
    """
    usual = tiktok.transport()
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        response: httpx.Response = usual.handler(request)  # type: ignore[assignment]
        if "/api/story/" not in request.url.path:
            return response
        change = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(change, bytes):
            return httpx.Response(200, content=change)
        said = {**json.loads(response.read()), **change}
        return httpx.Response(200, json={k: v for k, v in said.items() if v is not None})

    return httpx.MockTransport(answer)


@asynccontextmanager
async def reading(
    tiktok: FakeTikTok, *answers: Said | bytes, names: Names | None = None
) -> AsyncIterator[StoryClient]:
    """A client that is told what `scripted` says."""
    transport = scripted(tiktok, *answers)
    made = StoryClient(identities=names, page_transport=transport, media_transport=transport)
    async with made:
        yield made


# --- accounts ---------------------------------------------------------------------------------


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
    assert tiktok.count("page") == tiktok.count("embed_item") == 0


async def test_no_story_is_an_answer(client: StoryClient, alice: Account) -> None:
    alice.post()
    found = await find(client, "alice")
    assert found.stories == ()
    assert found.author.name == "alice"


async def test_what_is_left_out_is_counted(client: StoryClient, alice: Account) -> None:
    alice.expired()
    kept = alice.photo()
    found = await find(client, "alice")
    assert ids(found) == [kept.id]
    assert dict(found.dropped) == {"expired": 1}


async def test_private_and_unknown_accounts_are_final(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    tiktok.account("hidden", private=True)
    tiktok.account("banned", profile_code=10221)
    assert await failure(client, "hidden") is PrivateAccount
    assert await failure(client, "banned") is NoSuchAccount
    assert await failure(client, "nobody.here") is NoSuchAccount
    assert tiktok.count("embed") == 0


async def test_a_404_profile_is_no_account(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    tiktok.fault("profile", 404)
    assert await failure(client, "alice") is NoSuchAccount


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("challenge_again", Challenged),
        ("unsolvable", Challenged),
        (403, Refused),
        ("empty", Refused),
        ("system_error", Refused),
        ("changed", Refused),
        ("login", LoginRequired),
    ],
)
async def test_the_embed_helps_when_the_profile_is_kept_from_us(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    fault: str | int,
    error: type[StoriesError],
) -> None:
    story = alice.photo()
    tiktok.fault("profile", fault)
    assert ids(await find(client, "alice")) == [story.id]
    assert tiktok.count("embed") == 1
    # When it does not help either, what kept us out in the first place is the answer.
    tiktok.fault("embed", "changed")
    assert await failure(client, "alice", fresh=True) is error


async def test_an_embed_that_knows_no_such_account_is_believed(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    tiktok.fault("profile", 403)
    assert await failure(client, "nobody") is NoSuchAccount


@pytest.mark.parametrize(("fault", "error"), [(429, RateLimited), (503, UpstreamDown)])
async def test_no_second_request_when_asked_to_slow_down(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    fault: int,
    error: type[StoriesError],
) -> None:
    tiktok.fault("profile", fault)
    assert await failure(client, "alice") is error
    assert len(tiktok.requests) == 1


async def test_the_challenge_is_answered_on_the_way(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    tiktok.fault("profile", "challenge", times=1, second="again")
    tiktok.fault("list", "challenge", times=1)
    assert len((await find(client, "alice")).stories) == 1
    assert [seen.endpoint for seen in tiktok.requests] == ["profile"] * 2 + ["list"] * 2


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


# --- the list ---------------------------------------------------------------------------------


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
        assert dict(found.dropped) == {"no_media": 2}
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
    assert (ids(found), found.missing) == ([made.id], 0), "TikTok counts no more than it listed"
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
    assert (ids(found), found.missing) == ([made.id], 0)
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
    assert found.missing == 1


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
        assert await failure(client, "alice") is UpstreamDown
    assert tiktok.count("list") == 6


async def test_a_list_with_ever_new_pages_is_capped(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stories.client.MAX_LIST_PAGES", 3)
    for _ in range(6):
        alice.photo(size=(64, 64))
    tiktok.most_per_page = 1
    found = await find(client, "alice")
    assert tiktok.count("list") == 3, "a second reading would end at the same place"
    assert len(found.stories) == 3
    assert found.missing == 3


async def test_a_partial_list_is_read_again(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    made = [alice.photo(), alice.photo()]
    async with reading(tiktok, {"TotalCount": "5"}, {}) as partial:
        found = await find(partial, "alice")
    assert (ids(found), found.missing) == ([story.id for story in made], 0)
    tiktok.forget_requests()
    async with reading(tiktok, {"TotalCount": "5"}) as partial:
        found = await find(partial, "alice")
    assert (ids(found), found.missing) == ([story.id for story in made], 3)
    assert tiktok.count("list") == 2
    # The second reading fails, or brings less: the first one stands.
    for second in (b"", b"<html>", {"TotalCount": "5", "itemList": None}):
        async with reading(tiktok, {"TotalCount": "5"}, second) as partial:
            found = await find(partial, "alice")
        assert (ids(found), found.missing) == ([story.id for story in made], 3)


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
        assert await failure(client, "alice") is UpstreamDown


@pytest.mark.parametrize(("fault", "error"), [("withheld", UpstreamDown), ("empty", Refused)])
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
    assert not issubclass(UpstreamDown, Refusal)
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


async def test_the_gate_is_passed_before_each_page_and_list(
    tiktok: FakeTikTok, alice: Account
) -> None:
    passed: list[int] = []

    async def rate_limit() -> None:
        passed.append(len(tiktok.requests))

    alice.photo()
    transport = tiktok.transport()
    async with StoryClient(
        rate_limit=rate_limit, page_transport=transport, media_transport=transport
    ) as client:
        await find(client, "alice")
    assert passed == [0, 1]


# --- short links ------------------------------------------------------------------------------


async def test_short_links(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> None:
    story = alice.photo()
    for link in (
        tiktok.short_link("ZMa", to=story),
        tiktok.short_link("ZMb", to=story, host="vt.tiktok.com"),
        tiktok.short_link("ZMc", to=story, host="www.tiktok.com"),
        tiktok.short_link("ZMd", to=story, hops=4),
        tiktok.short_link("ZMe", to=alice),
    ):
        found = await find(client, link)
        assert ids(found) == [story.id], link
    agents = {seen.headers["user-agent"] for seen in tiktok.seen("short")}
    assert agents == {"facebookexternalhit/1.1"}


async def test_dead_short_links(client: StoryClient, tiktok: FakeTikTok) -> None:
    assert await failure(client, "https://vm.tiktok.com/ZMnobody/") is DeadShortLink
    for code, target in {
        "home": "https://www.tiktok.com/",
        "bare": "https://www.tiktok.com",
        "query": "https://www.tiktok.com/?_r=1&lang=en",
    }.items():
        assert await failure(client, tiktok.short_link(code, to=target)) is DeadShortLink
    tiktok.fault("short", 404)
    assert await failure(client, "https://vm.tiktok.com/ZMgone/") is DeadShortLink


async def test_a_short_link_in_a_circle(client: StoryClient, tiktok: FakeTikTok) -> None:
    link = tiktok.short_link("ZMloop", to="https://vm.tiktok.com/ZMloop/")
    assert await failure(client, link) is DeadShortLink
    assert tiktok.count("short") == 5


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("https://www.tiktok.com/login?redirect_url=x", LoginRequired),
        ("https://evil.example/@alice", UnsupportedLink),
        ("https://www.tiktok.com/tag/cats", UnsupportedLink),
        ("https://shop.tiktok.com/x", UnsupportedLink),
    ],
)
async def test_short_links_that_lead_elsewhere(
    client: StoryClient, tiktok: FakeTikTok, target: str, error: type[StoriesError]
) -> None:
    assert await failure(client, tiktok.short_link("ZMx", to=target)) is error
    assert tiktok.count() == 1
    assert tiktok.strays == []


async def test_a_short_link_that_answers_a_preview_with_a_page(alice: Account) -> None:
    story, tiktok = alice.photo(), alice.site
    link = tiktok.short_link("ZMx", to=story)
    usual = tiktok.transport()

    def answer(request: httpx.Request) -> httpx.Response:
        if "facebook" in request.headers["user-agent"]:
            return httpx.Response(200, content=b"<html>an app page")
        return usual.handler(request)  # type: ignore[return-value]

    transport = httpx.MockTransport(answer)
    async with StoryClient(page_transport=transport, media_transport=transport) as client:
        assert ids(await find(client, link)) == [story.id]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://evil.example/login",
        "https://evil.example/x https://www.tiktok.com/@alice",
        "https://evil.example/?u=https://www.tiktok.com/@alice",
        "https://www.tiktok.com:8443/@alice",
        "https://www.tiktok.com@evil.example/@alice",
        "snssdk1233://user/profile/1",
    ],
)
async def test_a_short_link_to_another_site_is_that(
    client: StoryClient, tiktok: FakeTikTok, target: str
) -> None:
    assert await failure(client, tiktok.short_link("ZMx", to=target)) is UnsupportedLink
    assert tiktok.count() == 1


@pytest.mark.parametrize(
    "target",
    [
        "https://www.tiktok.com/x https://www.tiktok.com/@alice",
        "https://www.tiktok.com/@alice https://www.tiktok.com/@bob",
        "https://www.tiktok.com/@zo\u0308e",
    ],
)
async def test_where_a_short_link_leads_is_one_address(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, target: str
) -> None:
    with pytest.raises(InputError):
        await find(client, tiktok.short_link("ZMx", to=quote(target, safe=":/@ ")))
    assert tiktok.count() == 1


@pytest.mark.parametrize(
    ("preview", "browser", "error"),
    [
        (403, None, None),
        ("empty", None, None),
        ("html", None, None),
        ("system_error", None, None),
        (403, 403, Refused),
        ("empty", "empty", Refused),
        ("html", "empty", Refused),
        ("empty", "html", UpstreamChanged),
        ("html", "html", UpstreamChanged),
        (403, 404, DeadShortLink),
        (404, None, DeadShortLink),
        (429, None, RateLimited),
        (503, None, UpstreamDown),
    ],
)
async def test_a_short_link_is_asked_as_a_preview_then_as_a_browser(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    preview: str | int,
    browser: str | int | None,
    error: type[StoriesError] | None,
) -> None:
    story = alice.photo()
    link = tiktok.short_link("ZMx", to=story)
    tiktok.fault("short", preview, times=1)
    if browser is not None:
        tiktok.fault("short", browser)
    if error is None:
        assert ids(await find(client, link)) == [story.id]
    else:
        assert await failure(client, link) is error
    agents = [seen.headers["user-agent"][:8] for seen in tiktok.seen("short")]
    last = preview in {404, 429, 503}
    assert agents == (["facebook"] if last else ["facebook", "Mozilla/"])


# --- story links ------------------------------------------------------------------------------


async def test_a_story_link_is_found_in_its_authors_list(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    story = alice.photo()
    for link in (story.url, story.shared_url):
        assert ids(await find(client, link)) == [story.id]
    assert tiktok.count("page") == 0


async def test_a_nameless_story_link_by_its_page(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    found = await find(client, f"https://www.tiktok.com/@/video/{story.id}?story_type=1")
    assert ids(found) == [story.id]
    assert found.author.id == alice.id
    assert [seen.endpoint for seen in tiktok.requests] == ["page"]


async def test_a_story_the_list_leaves_out_by_its_page_then_its_embed(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo(listed=False)
    assert ids(await find(client, story.url)) == [story.id]
    tiktok.fault("page", 403)
    assert ids(await find(client, story.url)) == [story.id]
    assert tiktok.count("embed_item") == 1


async def test_a_renamed_authors_story_link(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    found = await find(client, f"https://www.tiktok.com/@oldname/story/{story.id}")
    assert ids(found) == [story.id]
    assert found.author.name == "alice"


async def test_an_expired_story(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> None:
    just = alice.expired(listed=False)
    assert await failure(client, just.url) is Gone
    nameless = f"https://www.tiktok.com/@/video/{just.id}?story_type=1"
    assert await failure(client, nameless) is Gone
    tiktok.forget_requests()
    long_ago = alice.expired(ago_s=49 * 3600)
    assert await failure(client, long_ago.url) is Gone
    assert tiktok.requests == []


async def test_a_deleted_story(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> None:
    deleted = tiktok.new_id(tiktok.now() - 3600)
    assert await failure(client, f"https://www.tiktok.com/@alice/story/{deleted}") is Gone
    # Without the author's list nobody can tell deleted from "not here".
    nameless = f"https://www.tiktok.com/@/video/{deleted}?story_type=1"
    assert await failure(client, nameless) is Unavailable
    tiktok.fault("list", 403)
    assert await failure(client, f"https://www.tiktok.com/@alice/story/{deleted}") is Unavailable


async def test_a_story_link_while_everything_is_refused(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    tiktok.fault("any", 403)
    assert await failure(client, story.url) is Refused
    tiktok.faults.clear()
    tiktok.fault("any", 429)
    tiktok.forget_requests()
    assert await failure(client, story.url) is RateLimited
    assert len(tiktok.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error"), [(403, Refused), ("challenge_again", Challenged), (503, UpstreamDown)]
)
async def test_a_page_kept_from_us_never_means_gone(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    fault: str | int,
    error: type[StoriesError],
) -> None:
    tiktok.account("bob")
    alice.photo()
    hidden = alice.photo(listed=False)
    tiktok.fault("page", fault)
    tiktok.fault("embed_item", 403)
    # The name in a link is decoration: alice's story may stand under bob's name, or her old one.
    for name in ("alice", "bob", "nobody.here"):
        link = f"https://www.tiktok.com/@{name}/story/{hidden.id}"
        assert await failure(client, link) is error, name
    async with reading(tiktok, {"TotalCount": "5"}) as partial:
        short = tiktok.short_link("ZMx", to=hidden)
        assert await failure(partial, short) is error


async def test_a_partial_list_proves_nothing(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    link = f"https://www.tiktok.com/@alice/story/{tiktok.new_id(tiktok.now() - 3600)}"
    assert await failure(client, link) is Gone
    async with reading(tiktok, {"TotalCount": "5"}) as partial:
        assert await failure(partial, link) is Unavailable
    for unread in ({"itemList": [{}], "TotalCount": None}, {"itemList": [], "TotalCount": "5"}):
        async with reading(tiktok, unread) as partial:
            assert await failure(partial, link) is Unavailable


async def test_gone_without_its_page(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    deleted = alice.photo(listed=False)
    tiktok.fault("page", 403)
    tiktok.fault("embed_item", 403)
    # TikTok itself named the author, and the whole list is without it.
    assert await failure(client, tiktok.short_link("ZMx", to=deleted)) is Gone
    assert await failure(client, deleted.url) is Refused
    # Its day is over, whoever posted it.
    assert await failure(client, alice.expired(listed=False).url) is Gone


@pytest.mark.parametrize(
    ("flags", "error", "asked"),
    [
        ({"privateItem": True}, PrivatePost, 0),
        ({"isContentClassified": True, "imagePost": None, "video": {}}, AgeRestricted, 0),
        ({"story": {"ExpiredAt": 1_700_000_000_000}, "createTime": 1_600_000_000}, Gone, 0),
        ({"imagePost": {"images": []}, "video": {}}, MediaUnavailable, 1),
        ({"imagePost": None, "video": {}}, Refused, 1),
    ],
    ids=["private", "age gate", "expired", "slides not listed", "no media"],
)
@pytest.mark.parametrize("others", [0, 1])
async def test_why_the_list_left_a_story_out_is_the_answer(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    flags: dict[str, Any],
    error: type[StoriesError],
    asked: int,
    others: int,
) -> None:
    for _ in range(others):
        alice.photo()
    story = alice.photo(item=flags)
    tiktok.fault("page", 403)
    tiktok.fault("embed_item", 403)
    assert await failure(client, story.url) is error
    assert tiktok.count("page") == asked, "what is not for everyone is not tried another way"


async def test_what_is_listed_as_somebody_elses_is_not_gone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    story = alice.photo()
    tiktok.fault("page", 403)
    tiktok.fault("embed_item", 403)
    foreign: list[Said] = [{"id": story.id, "author": {"id": "1", "uniqueId": "somebody"}}]
    async with reading(tiktok, {"itemList": foreign, "TotalCount": "1"}) as odd:
        assert await failure(odd, tiktok.short_link("ZMx", to=story)) is not Gone


async def test_what_the_list_left_out_may_be_on_its_page(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    items: list[Said] = [{"id": story.id, "author": {"id": alice.id, "uniqueId": "alice"}}]
    items[0]["imagePost"] = {"images": []}
    async with reading(tiktok, {"itemList": items}) as early:
        assert ids(await find(early, story.url)) == [story.id]
        assert await failure(early, "alice") is MediaUnavailable


async def test_a_story_link_of_a_private_account(client: StoryClient, tiktok: FakeTikTok) -> None:
    story = tiktok.account("hidden", private=True).photo()
    assert await failure(client, story.url) is PrivateAccount
    assert tiktok.count("page") == 0


async def test_a_story_link_to_a_private_post(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo(listed=False, page_code=10216)
    tiktok.fault("embed_item", 403)
    assert await failure(client, story.url) is PrivatePost


async def test_a_story_link_to_a_post(client: StoryClient, alice: Account) -> None:
    post = alice.post("photo", ago_s=3600)
    link = f"https://www.tiktok.com/@alice/story/{post.id}"
    assert await failure(client, link) is NotAStory
    found = await find(client, link, posts=True)
    assert ids(found) == [post.id]
    assert not found.stories[0].is_story


# --- post links -------------------------------------------------------------------------------


async def test_a_plain_link_to_a_story_is_a_story(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story, unlisted = alice.photo(), alice.photo(listed=False)
    found = await find(client, f"https://www.tiktok.com/@alice/photo/{story.id}")
    assert found.stories[0].is_story
    assert tiktok.count("page") == 0
    found = await find(client, f"https://www.tiktok.com/@alice/photo/{unlisted.id}")
    assert found.stories[0].is_story
    found = await find(client, f"https://www.tiktok.com/@/video/{story.id}")
    assert found.stories[0].is_story


async def test_an_ordinary_post(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> None:
    recent, old = alice.post("photo", ago_s=3600), alice.post("photo")
    assert await failure(client, recent.url) is NotAStory
    tiktok.forget_requests()
    assert await failure(client, old.url) is NotAStory
    assert tiktok.requests == [], "its id says that it cannot be a story"
    for post in (recent, old):
        found = await find(client, post.url, posts=True)
        assert ids(found) == [post.id]
        assert not found.stories[0].is_story
    assert tiktok.count("list") == 1, "an old post is not looked for among the stories"


async def test_a_post_by_its_embed(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> None:
    post = alice.post("photo")
    tiktok.fault("page", 403)
    assert ids(await find(client, post.url, posts=True)) == [post.id]
    tiktok.fault("embed_item", "changed")
    assert await failure(client, post.url, posts=True) is Refused


async def test_posts_that_are_not_for_everyone(client: StoryClient, tiktok: FakeTikTok) -> None:
    hidden = tiktok.account("hidden", private=True).post("photo")
    closed = tiktok.account("bob").post("photo", page_code=10216)
    tiktok.fault("embed_item", 403)
    assert await failure(client, hidden.url, posts=True) is PrivateAccount
    assert await failure(client, closed.url, posts=True) is PrivatePost
    nothing = f"https://www.tiktok.com/@bob/video/{tiktok.new_id(tiktok.now() - 10**6)}"
    assert await failure(client, nothing, posts=True) is Unavailable


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


async def test_targets_without_anything_to_go_by_are_not_asked_for(client: StoryClient) -> None:
    with pytest.raises(StoriesError):
        await look_up(client, replace(Target(kind=TargetKind.USER), user_id="1"))


async def test_a_clock_that_is_wrong_by_an_hour_changes_nothing(
    client: StoryClient, alice: Account
) -> None:
    story = alice.photo()
    for wrong in (NOW - timedelta(hours=1), NOW + timedelta(hours=1)):
        assert ids(await find(client, "alice", now=wrong)) == [story.id]
