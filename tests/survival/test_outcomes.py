"""Every outcome holds under each way: what TikTok says is told the same, however it was asked."""

from __future__ import annotations

import os

import pytest

from tests.survival.outcomes import OUTCOMES, Outcome
from tests.survival.results import result_of
from tests.survival.scenes import small_site
from tests.survival.ways import COLUMNS, HTTPX, bench, missing

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("column", [*COLUMNS, HTTPX])
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: outcome.name)
async def test_the_outcome_is_told(outcome: Outcome, column: str) -> None:
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
