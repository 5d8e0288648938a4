"""One way to a story is shut: what the others tell is used, and each is tried once."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from stories.client import StoryClient
from stories.errors import (
    AgeRestricted,
    Gone,
    NotAStory,
    PrivateAccount,
    PrivatePost,
    RateLimited,
    Refused,
    RegionLocked,
    StoriesError,
    Unavailable,
    UnknownAnswer,
    UpstreamDown,
)
from stories.structures import Author
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import Names, failure, find, ids, reading

pytestmark = pytest.mark.anyio

NO_MEDIA: dict[str, Any] = {"imagePostInfo": None, "imagePost": None}
"""For FakeStory.embed: the embed shows no media."""


def asked(tiktok: FakeTikTok) -> list[str]:
    """The endpoints asked, in order; once where another identity asked again what was refused."""
    return [endpoint for endpoint, _ in groupby(request.endpoint for request in tiktok.requests)]


def nameless(item_id: str, *, story: bool = False) -> str:
    return f"https://www.tiktok.com/@/video/{item_id}{'?story_type=1' if story else ''}"


def withheld(account: Account, message: str = "item doesn't exist", **facts: Any) -> Any:
    """A story whose page says that there is none, or not for us, and whose embed has no media."""
    story = account.photo(page_code=10204, page_message=message, **facts)
    item = {"id": story.id, "text": "", "video": {"urls": []}}
    story.embed = {"itemInfos": item, "imagePostInfo": None, **facts.get("embed", {})}
    return story


# --- the author's name ------------------------------------------------------------------------


@pytest.mark.parametrize("marked", [False, True], ids=["plain link", "marked as a story"])
async def test_a_nameless_link_whose_embed_alone_names_the_author(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, marked: bool
) -> None:
    alice.photo()
    story = withheld(alice)
    found = await find(client, nameless(story.id, story=marked))
    assert ids(found) == [story.id]
    assert found.author.id == alice.id
    assert found.stories[0].is_story
    assert asked(tiktok) == ["page", "embed_item", "list"]


async def test_an_embed_that_holds_nothing_but_the_author(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = withheld(alice)
    story.embed["itemInfos"] = None
    assert ids(await find(client, nameless(story.id))) == [story.id]


async def test_a_nameless_link_whose_author_only_oembed_names(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = withheld(alice)
    tiktok.fault("embed_item", 403)
    found = await find(client, nameless(story.id))
    assert ids(found) == [story.id]
    assert asked(tiktok) == ["page", "embed_item", "oembed", "profile", "list"]
    # The name was looked up before: its account is known.
    tiktok.forget_requests()
    assert ids(await find(client, nameless(story.id))) == [story.id]
    assert asked(tiktok) == ["page", "embed_item", "oembed", "list"]


async def test_a_page_with_an_author_and_no_media(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    tiktok.fault("embed_item", 403)
    bare = alice.photo(item={"imagePost": None, "video": {}})
    # Its list has it without media, too: that is the answer, and no other way is left.
    assert await failure(client, nameless(bare.id)) is not Gone
    assert asked(tiktok) == ["page", "list", "embed_item"]
    tiktok.forget_requests()
    items = [{**item_of(tiktok, story)}]
    story.item = {"imagePost": None, "video": {}}
    async with reading(tiktok, {"itemList": items, "TotalCount": "1"}) as client_of_a_good_list:
        assert ids(await find(client_of_a_good_list, nameless(story.id))) == [story.id]
    assert asked(tiktok) == ["page", "list"]


def item_of(tiktok: FakeTikTok, story: Any) -> dict[str, Any]:
    """A story as its list has it."""
    response = tiktok.handle(
        "GET",
        "www.tiktok.com",
        f"/api/story/item_list/?aid=1988&authorId={story.account.id}&count=20&cursor=0",
        {},
    )
    tiktok.forget_requests()
    items: list[dict[str, Any]] = response.json()["itemList"]
    return next(item for item in items if item["id"] == story.id)


async def test_a_link_with_somebody_elses_name(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    bob = tiktok.account("bob")
    bob.photo()
    story = withheld(alice)
    found = await find(client, f"https://www.tiktok.com/@bob/video/{story.id}")
    assert (ids(found), found.author.name) == ([story.id], "alice")
    assert asked(tiktok) == ["profile", "list", "page", "embed_item", "list"]


async def test_a_link_with_a_name_that_is_nobodys_any_more(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = withheld(alice)
    found = await find(client, f"https://www.tiktok.com/@former.name/story/{story.id}")
    assert ids(found) == [story.id]
    assert asked(tiktok) == ["profile", "page", "embed_item", "list"]


async def test_a_page_that_only_says_it_is_a_story(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo(page_code=10235, page_message="")
    assert ids(await find(client, nameless(story.id))) == [story.id]
    # Known to be a story, it is taken from its embed where the list leaves it out.
    unlisted = alice.photo(page_code=10235, page_message="", listed=False)
    found = await find(client, nameless(unlisted.id))
    assert (ids(found), found.stories[0].is_story) == ([unlisted.id], True)


async def test_a_long_story_that_its_list_leaves_out(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    story = alice.video(listed=False)
    for link in (story.url, nameless(story.id), tiktok.short_link("ZMx", to=story)):
        assert ids(await find(client, link)) == [story.id]


async def test_the_list_is_preferred_to_an_embed_which_holds_less(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.video()
    tiktok.fault("page", 403)
    found = await find(client, nameless(story.id, story=True))
    assert asked(tiktok) == ["page", "embed_item", "list"]
    assert found.stories[0].media[0].variants[0].codec == "h264"


# --- accounts ---------------------------------------------------------------------------------


async def test_an_account_whose_list_is_empty_while_its_profile_is_shut(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, names: Names
) -> None:
    names.known["alice"] = Author(id=alice.id, name="alice")
    tiktok.fault("profile", 403)
    tiktok.fault("embed", 403)
    found = await find(client, "alice")
    assert (found.stories, found.author.name) == ((), "alice")
    assert asked(tiktok) == ["list", "profile", "embed"]


async def test_an_id_that_is_no_name_while_its_profile_is_shut(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    link = f"https://m.tiktok.com/h5/share/usr/{alice.id}.html"
    tiktok.fault("profile", 403)
    assert await failure(client, link) is Refused, "an empty list names nobody"
    story = alice.photo()
    found = await find(client, link)
    assert (ids(found), found.author.name) == ([story.id], "alice")


@pytest.mark.parametrize(
    ("code", "message"),
    [(4711, ""), (10204, ""), (10231, ""), (10204, "person_geo_fencing")],
)
async def test_a_profile_with_a_code_that_says_little_of_the_account(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, code: int, message: str
) -> None:
    story = alice.photo()
    tiktok.fault("profile", "code", code=code, message=message)
    assert ids(await find(client, "alice")) == [story.id]
    assert asked(tiktok) == ["profile", "embed", "list"]


async def test_a_list_with_a_code_nobody_knows(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    tiktok.fault("list", "code", code=4711)
    assert await failure(client, "alice") is UnknownAnswer
    assert ids(await find(client, story.url)) == [story.id], "its own page answers"


# --- what is final, and what is not -----------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("status_deleted", Gone),
        ("status_self_see", PrivatePost),
        ("author_secret", PrivateAccount),
        ("content_classification", AgeRestricted),
        ("x&status_abnormal", Gone),
    ],
)
async def test_a_reason_given_is_final_and_ends_the_look_up(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, message: str, error: type[StoriesError]
) -> None:
    story = alice.photo(page_code=10204, page_message=message)
    assert await failure(client, nameless(story.id)) is error
    assert asked(tiktok) == ["page"]


async def test_an_emptied_story_is_for_adults(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    emptied: dict[str, Any] = {
        "author": None,
        "createTime": "0",
        "video": {},
        "imagePost": None,
        "isContentClassified": True,
    }
    story = alice.photo(item=emptied)
    assert await failure(client, nameless(story.id)) is AgeRestricted
    assert await failure(client, story.url) is AgeRestricted


@pytest.mark.parametrize("message", ["person_geo_fencing", "copyright_geo_filter&x"])
async def test_a_region_lock_is_tried_another_way_and_then_final(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, message: str
) -> None:
    story = withheld(alice, message)
    assert ids(await find(client, nameless(story.id))) == [story.id], "the list has it"
    hidden = withheld(alice, message, listed=False)
    assert await failure(client, nameless(hidden.id)) is RegionLocked


async def test_no_reason_given_may_pass(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    for message in ("", "a_word_never_seen_before"):
        hidden = withheld(alice, message, listed=False)
        hidden.embed = {"itemInfos": None, "authorInfos": None}
        assert await failure(client, nameless(hidden.id)) is Unavailable


async def test_a_passing_fault_of_a_page_is_made_good_by_the_others(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    tiktok.fault("page", "code", code=100004, message="RPCError: timeout")
    assert ids(await find(client, nameless(story.id))) == [story.id]
    tiktok.fault("embed_item", 503)
    tiktok.fault("oembed", 404)
    assert await failure(client, nameless(story.id)) is UpstreamDown


async def test_an_ordinary_post_that_only_its_embed_shows(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    post = alice.post("photo", ago_s=3600, page_code=10204, page_message="")
    assert await failure(client, nameless(post.id)) is NotAStory
    found = await find(client, nameless(post.id), posts=True)
    assert (ids(found), found.stories[0].is_story) == ([post.id], False)


# --- gone at once -----------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["item doesn't exist", ""], ids=["said so", "no reason"])
@pytest.mark.parametrize("form", ["story", "video"])
async def test_a_link_to_what_is_deleted_expired_or_never_was_is_gone_at_once(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, message: str, form: str
) -> None:
    alice.photo()
    tiktok.fault("page", "code", code=10204, message=message)
    never_was = tiktok.new_id(tiktok.now() - 3600)
    deleted = alice.photo(listed=False, oembed=False, embed={"itemInfos": None})
    expired = alice.expired(listed=False)
    for item_id in (never_was, deleted.id, expired.id):
        link = f"https://www.tiktok.com/@alice/{form}/{item_id}"
        assert await failure(client, link) is Gone
        assert await failure(client, tiktok.short_link(f"ZM{item_id}", to=link)) is Gone
        # No word of oEmbed's is needed.
        fault = tiktok.fault("oembed", 404)
        assert await failure(client, tiktok.short_link(f"ZM{item_id}", to=link)) is Gone
        tiktok.faults.clear()
        assert fault.hits <= 1
        tiktok.fault("page", "code", code=10204, message=message)


async def test_a_nameless_link_is_gone_when_its_certain_authors_list_is_without_it(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    deleted = withheld(alice, "", listed=False, oembed=False)
    deleted.embed["itemInfos"] = None
    assert await failure(client, nameless(deleted.id)) is Gone
    async with reading(tiktok, {"TotalCount": "5"}) as partial:
        assert await failure(partial, nameless(deleted.id)) is Unavailable


async def test_a_nameless_link_to_what_never_was(client: StoryClient, tiktok: FakeTikTok) -> None:
    never_was = tiktok.new_id(tiktok.now() - 3600)
    assert await failure(client, nameless(never_was)) is Gone


async def test_what_may_be_withheld_from_this_region_is_not_gone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    hidden = withheld(alice, "", listed=False)
    hidden.embed = {"itemInfos": None, "authorInfos": None}
    for link in (hidden.url, tiktok.short_link("ZMx", to=hidden)):
        assert await failure(client, link) is Unavailable


async def test_what_its_embed_still_names_is_not_gone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    hidden = withheld(alice, "", listed=False)
    tiktok.fault("oembed", 404)
    assert await failure(client, nameless(hidden.id)) is Unavailable
    hidden.embed["itemInfos"] = None
    assert await failure(client, nameless(hidden.id)) is Gone


async def test_a_list_that_is_kept_from_us_leaves_it_open(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    never_was = tiktok.new_id(tiktok.now() - 3600)
    tiktok.fault("list", 403)
    tiktok.fault("oembed", 404)
    link = f"https://www.tiktok.com/@alice/story/{never_was}"
    assert await failure(client, link) is Unavailable


@pytest.mark.parametrize("oembed", [200, 400, 404])
async def test_what_is_under_review_is_not_gone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, oembed: int
) -> None:
    alice.photo()
    story = withheld(alice, "status_reviewing", listed=False)
    story.embed = {"itemInfos": None, "authorInfos": None}
    if oembed != 200:
        tiktok.fault("oembed", oembed)
    for link in (story.url, story.shared_url, nameless(story.id)):
        assert await failure(client, link) is Unavailable
        assert await failure(client, link, posts=True) is Unavailable


async def test_what_its_page_calls_a_story_is_not_gone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    story = alice.photo(listed=False, oembed=False, page_code=10235, page_message="")
    story.embed = {"itemInfos": None, "authorInfos": None}
    assert await failure(client, story.url) is Unavailable


@pytest.mark.parametrize("oembed", [403, 404, 500])
async def test_the_list_of_a_pasted_name_alone_makes_nothing_gone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, oembed: int
) -> None:
    alice.photo()
    hidden = tiktok.account("corner.bakery").post("photo", ago_s=60, page_code=10204)
    hidden.embed = {"itemInfos": None, "authorInfos": None}
    tiktok.fault("oembed", oembed)
    for form in ("story", "video"):
        link = f"https://www.tiktok.com/@alice/{form}/{hidden.id}"
        assert await failure(client, link) is Unavailable
        assert await failure(client, link, posts=True) is Unavailable


async def test_a_pasted_name_that_is_private_does_not_keep_anothers_story(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    tiktok.account("corner.bakery", private=True)
    link = f"https://www.tiktok.com/@corner.bakery/story/{story.id}"
    assert ids(await find(client, link)) == [story.id]


# --- how often TikTok is asked ----------------------------------------------------------------


@pytest.mark.parametrize("shut", ["page", "embed_item", "oembed", "list"])
async def test_whoever_asks_us_to_slow_down_is_not_asked_again(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, shut: str
) -> None:
    hidden = withheld(alice, "", listed=shut == "list")
    hidden.embed["authorInfos"] = None
    tiktok.fault(shut, 429)
    link = hidden.url if shut == "list" else nameless(hidden.id)
    assert await failure(client, link) is RateLimited
    assert asked(tiktok)[-1] == shut


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("form", ["named", "nameless", "short"])
async def test_when_every_way_is_shut_three_are_enough(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, status: int, form: str
) -> None:
    story = alice.photo()
    short = tiktok.short_link("ZMx", to=story)
    link = {"named": story.url, "nameless": nameless(story.id), "short": short}[form]
    tiktok.fault("pages", status)
    tiktok.fault("list", status)
    tiktok.fault("oembed", status)
    assert await failure(client, link) in {Refused, UpstreamDown}
    assert len([endpoint for endpoint in asked(tiktok) if endpoint != "short"]) <= 4


async def test_each_way_is_tried_at_most_once(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    tiktok.account("bob").photo()
    hidden = withheld(alice, "", listed=False)
    hidden.embed["authorInfos"] = None
    assert await failure(client, f"https://www.tiktok.com/@bob/video/{hidden.id}") is Unavailable
    assert asked(tiktok) == [
        "profile", "list", "page", "embed_item", "oembed", "profile", "list",
    ]  # fmt: skip
