"""Rests: how long what was refused is left alone, and who finds out whether it is served again."""

from __future__ import annotations

import pytest

from stories.rests import RESTS_S, TRIAL_S, LocalRests, RestState, rest_s

pytestmark = pytest.mark.anyio


def test_rests_grow_from_a_minute_to_an_hour() -> None:
    assert [rest_s(count) / 60 for count in range(1, 8)] == [1, 2, 5, 15, 60, 60, 60]


async def test_what_was_never_refused_does_not_rest() -> None:
    assert await LocalRests().look(["a", "b"]) == RestState()


async def test_of_many_refusals_at_once_the_first_counts() -> None:
    now = [50.0]
    rests = LocalRests(lambda: now[0])
    for _ in range(5):
        await rests.rest("a")
    assert await rests.look(["a", "b"]) == RestState(resting=frozenset("a"))
    now[0] += RESTS_S[0]
    assert await rests.look(["a", "b"]) == RestState(due="a")


async def test_one_caller_is_told_that_a_rest_is_over() -> None:
    now = [50.0]
    rests = LocalRests(lambda: now[0])
    await rests.rest("a")
    await rests.rest("b")
    now[0] += RESTS_S[0]
    assert await rests.look(["a", "b"]) == RestState(resting=frozenset("b"), due="a")
    assert await rests.look(["a", "b"]) == RestState(resting=frozenset("a"), due="b")
    assert await rests.look(["a", "b"]) == RestState(resting=frozenset("ab"))
    now[0] += TRIAL_S
    assert (await rests.look(["a", "b"])).due == "a", "who was told has not come back"


async def test_a_refusal_after_a_rest_begins_a_longer_one_and_being_served_ends_them() -> None:
    now = [50.0]
    rests = LocalRests(lambda: now[0])
    for seconds in (*RESTS_S, RESTS_S[-1]):
        await rests.rest("a")
        now[0] += seconds - 1
        assert (await rests.look(["a"])).resting == {"a"}
        now[0] += 1
        assert (await rests.look(["a"])).due == "a"
    await rests.wake("a")
    assert await rests.look(["a"]) == RestState()
    await rests.rest("a")
    now[0] += RESTS_S[0]
    assert (await rests.look(["a"])).due == "a"
