"""Which requests the link of a story or post takes, and what their failures add up to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stories.client import StoryClient
from stories.errors import (
    AgeRestricted,
    Challenged,
    Gone,
    MediaUnavailable,
    NotAStory,
    PrivateAccount,
    PrivatePost,
    RateLimited,
    Refused,
    StoriesError,
    Unavailable,
    UpstreamDown,
)
from stories.lookup import look_up
from stories.structures import Target, TargetKind
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import Said, failure, find, ids, reading

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)


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
    ("fault", "embed", "error"),
    [
        (403, 403, Refused),
        ("challenge_again", 403, Challenged),
        (503, 503, UpstreamDown),
        (503, 403, Refused),
        ("html", 503, UpstreamDown),
        ("html", "challenge_again", Challenged),
    ],
)
async def test_a_page_kept_from_us_never_means_gone(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    fault: str | int,
    embed: str | int,
    error: type[StoriesError],
) -> None:
    tiktok.account("bob")
    alice.photo()
    hidden = alice.photo(listed=False)
    tiktok.fault("page", fault)
    tiktok.fault("embed_item", embed)
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
    tiktok.fault("oembed", 404)
    async with reading(tiktok, {"TotalCount": "5"}) as partial:
        assert await failure(partial, link) is Unavailable
    unreadable: Said = {"itemList": [{}], "TotalCount": None}
    for unread in (unreadable, {"itemList": [], "TotalCount": "5"}):
        async with reading(tiktok, unread) as partial:
            assert await failure(partial, link) is Unavailable


async def test_gone_without_its_page(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    deleted = alice.photo(listed=False, oembed=False)
    tiktok.fault("page", 403)
    tiktok.fault("embed_item", 403)
    # TikTok itself named the author, and the whole list is without it.
    assert await failure(client, tiktok.short_link("ZMx", to=deleted)) is Gone
    tiktok.fault("oembed", 404)
    assert await failure(client, deleted.url) is Refused
    # Its day is over, whoever posted it.
    assert await failure(client, alice.expired(listed=False).url) is Gone


@pytest.mark.parametrize(
    ("flags", "error", "asked"),
    [
        ({"privateItem": True}, PrivatePost, 0),
        ({"isContentClassified": True, "imagePost": None, "video": {}}, AgeRestricted, 0),
        ({"story": {"ExpiredAt": 1_700_000_000_000}, "createTime": 1_600_000_000}, Gone, 0),
        ({"imagePost": {"images": []}, "video": {}}, MediaUnavailable, 2),
        ({"imagePost": None, "video": {}}, Refused, 2),
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


@pytest.mark.parametrize("said", [{"TotalCount": "0"}, {"TotalCount": None}])
async def test_a_list_without_stories_that_is_doubted_makes_nothing_gone(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, said: Said
) -> None:
    """Its profile speaks of a story, and every page of that one is kept from us."""
    story = alice.photo()
    for page in ("page", "embed_item", "oembed"):
        tiktok.fault(page, 403)
    link = tiktok.short_link("ZMx", to=story)
    async with reading(tiktok, {"itemList": [] if said["TotalCount"] else None, **said}) as odd:
        alice.story_status = 1
        assert await failure(odd, link) is Refused
        alice.story_status = 0
        assert await failure(odd, link) is Gone


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
    # The name in a link proves nothing: who posted it is asked for once.
    assert (tiktok.count("page"), tiktok.count("embed_item")) == (1, 0)


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
    assert await failure(client, nothing, posts=True) is Gone


# --- the client itself ------------------------------------------------------------------------


async def test_targets_without_anything_to_go_by_are_not_asked_for(client: StoryClient) -> None:
    with pytest.raises(StoriesError):
        await look_up(client, replace(Target(kind=TargetKind.USER), user_id="1"))


async def test_a_clock_that_is_wrong_by_an_hour_changes_nothing(
    client: StoryClient, alice: Account
) -> None:
    story = alice.photo()
    for wrong in (NOW - timedelta(hours=1), NOW + timedelta(hours=1)):
        assert ids(await find(client, "alice", now=wrong)) == [story.id]
