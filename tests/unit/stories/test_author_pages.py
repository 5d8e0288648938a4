"""The pages that name an account, and which of two failures is heard."""

from typing import Any

import pytest

from stories.client import StoryClient
from stories.errors import (
    Challenged,
    LoginRequired,
    NoSuchAccount,
    PrivateAccount,
    RateLimited,
    Refused,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.stories.lookups import failure, find, ids

pytestmark = pytest.mark.anyio


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
    fault = tiktok.fault("profile", 404)
    # Not where its embed shows it, and not where no page is where it was.
    story = alice.photo()
    assert ids(await find(client, "alice")) == [story.id]
    assert await failure(client, "nobody.here") is NoSuchAccount
    alice.embeddable = False
    await client.forget_author("alice")
    assert await failure(client, "alice") is NoSuchAccount
    tiktok.fault("embed", 404)
    assert await failure(client, "alice") is UpstreamChanged
    assert await failure(client, "nobody.here") is UpstreamChanged
    assert fault.hits == 5


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


@pytest.mark.parametrize(
    ("profile", "embed", "error"),
    [
        ("html", "challenge_again", Challenged),
        ("html", 403, Refused),
        ("html", 503, UpstreamDown),
        (503, 403, Refused),
        (403, 503, Refused),
        ("html", "html", UpstreamChanged),
    ],
)
async def test_of_two_pages_that_are_kept_from_us_the_refusal_is_heard(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    profile: str | int,
    embed: str | int,
    error: type[StoriesError],
) -> None:
    """A page that only says "captcha" cannot be read; an embed that is challenged means: wait."""
    tiktok.fault("profile", profile)
    tiktok.fault("embed", embed)
    assert await failure(client, "alice") is error


async def test_an_embed_that_knows_no_such_account_is_believed(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    tiktok.fault("profile", 403)
    assert await failure(client, "nobody") is NoSuchAccount


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        (500, {}),
        (503, {}),
        ("code", {"code": 100004}),
        ("code", {"code": 777, "message": "timeout"}),
    ],
)
async def test_an_account_whose_profile_has_a_fault_is_found_by_its_embed(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    fault: str | int,
    options: dict[str, Any],
) -> None:
    story = alice.photo()
    tiktok.fault("profile", fault, **options)
    assert ids(await find(client, "alice")) == [story.id]


@pytest.mark.parametrize(
    ("fault", "options", "error"),
    [
        (429, {}, RateLimited),
        (503, {"retry_after": 30}, UpstreamDown),
        ("silent", {}, UpstreamDown),
        ("drop", {"after": 100}, UpstreamDown),
    ],
)
async def test_no_second_request_when_asked_to_slow_down_or_not_answered(
    # A fault that is answered is the page's alone: the embed is asked. Silence is the site's.
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    fault: str | int,
    options: dict[str, Any],
    error: type[StoriesError],
) -> None:
    tiktok.fault("profile", fault, **options)
    assert await failure(client, "alice") is error
    assert len(tiktok.requests) == 1
