"""The search for an identity that is served: what counts as served, and who searches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from stories.errors import (
    Challenged,
    LoginRequired,
    NoSuchAccount,
    RateLimited,
    Refused,
    StoriesError,
    TimedOut,
    UpstreamChanged,
    UpstreamDown,
)
from stories.http.identity_search import IdentitySearch, RefusedTry
from stories.identity import REMEMBERED_S, Identity, LocalIdentityMemory, identity_ladder

pytestmark = pytest.mark.anyio

LADDER = identity_ladder("curl")
USUAL, SECOND, THIRD, FOURTH = LADDER


def first_try(
    search: IdentitySearch,
    identity: Identity = USUAL,
    *,
    error: StoriesError | None = None,
    served: bool = False,
) -> RefusedTry:
    return RefusedTry(
        identity=identity,
        error=error or Refused("at first"),
        began=search.ended,
        served=served,
    )


def answering(
    tried: list[Identity], outcome: StoriesError | None = None
) -> Callable[[Identity], Awaitable[str]]:
    async def retry(identity: Identity) -> str:
        tried.append(identity)
        if outcome is not None:
            raise outcome
        return "answer"

    return retry


async def test_the_next_identity_is_tried_and_the_one_that_works_is_kept() -> None:
    search, tried = IdentitySearch(LADDER), list[Identity]()
    assert await search.current() == USUAL
    assert await search.try_another(first_try(search), answering(tried)) == "answer"
    assert tried == [SECOND]
    assert await search.current() == SECOND


async def refuse(search: IdentitySearch, identity: Identity) -> None:
    """A look-up as this identity is refused, and served as another one."""
    await search.try_another(first_try(search, identity), answering([]))


async def test_one_that_rests_gets_a_real_look_up_after_1_2_5_15_and_60_minutes() -> None:
    now = [1000.0]
    search = IdentitySearch(LADDER, LocalIdentityMemory(lambda: now[0]))
    await refuse(search, USUAL)
    for minutes in (1, 2, 5, 15, 60, 60):
        now[0] += minutes * 60 - 1
        assert await search.current() == SECOND, "it rests"
        now[0] += 1
        begun = [await search.current() for _ in range(5)]
        assert begun == [USUAL, *[SECOND] * 4], "one look-up finds out, the others do without it"
        await refuse(search, USUAL)
        assert await search.current() == SECOND


async def test_one_that_is_served_after_its_rest_is_used_again() -> None:
    now = [1000.0]
    search = IdentitySearch(LADDER, LocalIdentityMemory(lambda: now[0]))
    await refuse(search, USUAL)
    now[0] += 61
    assert await search.current() == USUAL
    await search.note_served(USUAL)
    assert [await search.current() for _ in range(3)] == [USUAL] * 3
    await refuse(search, USUAL)
    now[0] += 59
    assert await search.current() == SECOND
    now[0] += 2
    assert await search.current() == USUAL, "its rests begin anew with a minute"


async def test_a_look_up_that_finds_nothing_out_leaves_it_to_the_next() -> None:
    now = [1000.0]
    search = IdentitySearch(LADDER, LocalIdentityMemory(lambda: now[0]))
    await refuse(search, USUAL)
    now[0] += 61
    assert await search.current() == USUAL
    now[0] += 59
    assert await search.current() == SECOND
    now[0] += 2
    assert await search.current() == USUAL


async def test_a_trial_that_is_refused_goes_on_as_the_one_that_is_served() -> None:
    now, tried = [1000.0], list[Identity]()
    search = IdentitySearch(LADDER, LocalIdentityMemory(lambda: now[0]))
    await refuse(search, USUAL)
    await refuse(search, SECOND)
    assert await search.current() == THIRD
    now[0] += 61
    assert await search.current() == USUAL
    await search.try_another(first_try(search), answering(tried))
    assert tried == [THIRD], "not the second, which rests too"


async def test_after_half_an_hour_the_first_that_does_not_rest_is_next() -> None:
    now = [1000.0]
    search = IdentitySearch(LADDER, LocalIdentityMemory(lambda: now[0]))
    for _ in range(5):
        await refuse(search, USUAL)
        now[0] += 3600
        assert await search.current() == USUAL
    await refuse(search, USUAL)
    now[0] += REMEMBERED_S + 1
    assert await search.current() == SECOND, "the usual one rests for an hour by now"


async def test_when_all_are_refused_each_gets_its_turn() -> None:
    search, tried = IdentitySearch(LADDER), list[Identity]()
    for _ in range(4):
        begun = await search.current()
        tried.append(begun)
        with pytest.raises(Refused):
            await search.try_another(first_try(search, begun), answering(tried, Refused()))
    assert tried == [USUAL, SECOND, THIRD, FOURTH] * 2


async def test_an_identity_that_lists_are_served_to_is_kept_though_a_page_is_refused() -> None:
    """Pages of single items are kept from whole regions, whoever asks."""
    search, tried = IdentitySearch(LADDER), list[Identity]()
    for _ in range(4):
        with pytest.raises(Refused):
            await search.try_another(first_try(search, served=True), answering(tried, Refused()))
        assert await search.current() == USUAL
    assert tried == [SECOND, THIRD, FOURTH, SECOND]


@pytest.mark.parametrize(
    ("outcome", "raised", "kept"),
    [
        (NoSuchAccount(), NoSuchAccount, SECOND),
        (Challenged(), Challenged, THIRD),
        (RateLimited(), RateLimited, USUAL),
        (UpstreamDown(), Refused, USUAL),
        (TimedOut(), Refused, USUAL),
        (UpstreamChanged(), Refused, USUAL),
        (LoginRequired(), LoginRequired, USUAL),
    ],
    ids=lambda value: getattr(value, "code", None),
)
async def test_what_the_other_identity_is_told(
    outcome: StoriesError, raised: type[StoriesError], kept: Identity
) -> None:
    search = IdentitySearch(LADDER)
    with pytest.raises(StoriesError) as caught:
        await search.try_another(first_try(search), answering([], outcome))
    assert type(caught.value) is raised
    assert await search.current() == kept


async def test_a_rate_limit_that_lets_nothing_through_says_nothing_about_an_identity() -> None:
    search, pausing = IdentitySearch(LADDER), Refused("this instance is pausing")
    pausing.unasked = True
    with pytest.raises(Refused, match="at first"):
        await search.try_another(first_try(search), answering([], pausing))
    assert (await search.current(), search.ended) == (USUAL, 0)


async def test_a_sign_in_page_that_stays_says_nothing_about_the_server() -> None:
    search, wall = IdentitySearch(LADDER), LoginRequired("a wall")
    with pytest.raises(LoginRequired):
        await search.try_another(first_try(search, error=wall), answering([], Refused()))
    assert await search.current() == USUAL


async def test_of_many_refused_at_once_one_searches_and_all_use_what_it_finds() -> None:
    search, tried = IdentitySearch(LADDER), list[Identity]()
    tries = [first_try(search) for _ in range(20)]
    answers = await asyncio.gather(*(search.try_another(t, answering(tried)) for t in tries))
    assert answers == ["answer"] * 20
    assert (set(tried), search.ended) == ({SECOND}, 1)


async def test_of_many_refused_at_once_one_searches_in_vain_for_all() -> None:
    search, tried = IdentitySearch(LADDER), list[Identity]()
    tries = [first_try(search) for _ in range(20)]
    results = await asyncio.gather(
        *(search.try_another(t, answering(tried, Refused("again"))) for t in tries),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {Refused}
    assert tried == [SECOND], "no storm of requests"


async def test_a_search_that_is_cancelled_leaves_the_next_one_free() -> None:
    search, begun = IdentitySearch(LADDER), asyncio.Event()

    async def never(_: Identity) -> str:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    first, second = first_try(search), first_try(search)
    task = asyncio.create_task(search.try_another(first, never))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await search.try_another(second, answering([])) == "answer"


async def test_what_another_worker_found_is_tried_first() -> None:
    memory, tried = LocalIdentityMemory(), list[Identity]()
    search = IdentitySearch(LADDER, memory)
    refused = first_try(search)
    await memory.put(FOURTH.name)
    await search.try_another(refused, answering(tried))
    assert tried == [FOURTH]
