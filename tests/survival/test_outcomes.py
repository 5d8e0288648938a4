"""Every outcome holds under each way: what TikTok says is told the same, however it was asked."""

from __future__ import annotations

import os

import pytest
from _pytest.mark import ParameterSet

from tests import real_gallery_dl
from tests.survival.outcomes import OUTCOMES, Outcome
from tests.survival.results import result_of
from tests.survival.scenes import small_site
from tests.survival.ways import ALL, COLUMNS, DIRECT, GALLERY_DL, HTTPX, bench, missing

pytestmark = pytest.mark.anyio


ANSWERS = frozenset(
    {
        *("saved", "empty", "partial", "private_account", "private_post", "no_such_account"),
        *("age_restricted", "region_locked", "gone", "unavailable", "not_a_story"),
        *("dead_short_link", "rate_limited"),
    }
)
"""Codes after which no other way is asked. A network failure has the code of a held back list."""


def columns() -> list[ParameterSet]:
    """Every column; those that ask by our own requests alone are quick."""
    quick = [pytest.param(column, marks=pytest.mark.short) for column in (DIRECT, HTTPX)]
    return [*quick, *(pytest.param(column) for column in COLUMNS if column != DIRECT)]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("column", columns())
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.name)
async def test_the_outcome_is_told(outcome: Outcome, column: str) -> None:
    if column in {GALLERY_DL, ALL}:
        real_gallery_dl.install_once()
    lack = missing(column)
    if lack and os.environ.get("REQUIRE_BROWSER") != "1":
        pytest.skip(lack)
    tiktok = small_site()
    scene = outcome.make(tiktok)
    async with bench() as place:
        place.show(tiktok)
        async with place.client(column) as client:
            result = await result_of(client, scene)
    assert result.outcome in outcome.codes(column), result.error
    if result.saved or result.outcome in {"saved", "partial"}:
        assert all(result.has(story) for story in scene.stories)
        assert {story for story, _ in result.saved} == {story.id for story in scene.stories}
    assert not tiktok.strays
    assert not place.guard.refused
    if column == ALL and (outcome.code in ANSWERS or outcome.name == "nobody answers"):
        assert (place.browser.visits, place.helper.runs) == (0, 0), "the answer was had"
