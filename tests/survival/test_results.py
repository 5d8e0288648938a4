"""The verdict on what came of a line: what is served, what is named, and what is wrong."""

from __future__ import annotations

import pytest

from stories.errors import (
    Challenged,
    Gone,
    HintedStory,
    NoSuchAccount,
    Refused,
    RegionLocked,
    StoriesError,
    Unavailable,
)
from tests.fake_tiktok import FakeStory
from tests.survival.results import Result, verdict
from tests.survival.scenes import Scene, linked, small_site, usual

pytestmark = pytest.mark.short


def whole(story: FakeStory) -> dict[tuple[str, int], bytes]:
    """All files of a story, as they are saved."""
    return {(story.id, file.position): file.body for file in story.files}


@pytest.fixture(scope="module")
def scene() -> Scene:
    """An account with three stories."""
    return usual(small_site())


def saved(scene: Scene, *but: FakeStory) -> dict[tuple[str, int], bytes]:
    """All files of a scene, but for those of some stories."""
    files: dict[tuple[str, int], bytes] = {}
    for story in scene.stories:
        files |= {} if story in but else whole(story)
    return files


def test_all_of_it_and_no_word_of_trouble_is_served(scene: Scene) -> None:
    assert verdict(Result(saved=saved(scene)), scene) == "served"
    assert verdict(Result(), Scene(line="alice")) == "served"


@pytest.mark.parametrize("error", [Refused(), Challenged(), HintedStory()])
def test_who_is_told_that_we_were_kept_out_is_told_the_truth(
    scene: Scene, error: StoriesError
) -> None:
    assert verdict(Result(error=error), scene) == "named"


@pytest.mark.parametrize("error", [Gone(), NoSuchAccount(), Unavailable(), RegionLocked()])
def test_who_is_told_that_there_is_nothing_is_told_a_lie(scene: Scene, error: StoriesError) -> None:
    assert verdict(Result(error=error), scene) == f"WRONG {error.code}"
    assert verdict(Result(error=error), scene, true={error.code}) == "named"


def test_no_stories_is_wrong_where_there_are_some(scene: Scene) -> None:
    assert verdict(Result(), scene) == "WRONG: no stories"
    link = linked(small_site())
    assert verdict(Result(), link) == "WRONG: no stories"


def test_a_story_that_is_lost_without_a_word_is_wrong(scene: Scene) -> None:
    first, second, _ = scene.stories
    assert verdict(Result(saved=saved(scene, first)), scene) == "WRONG: a story is lost"
    told = Result(saved=saved(scene, first), left_out={"held_back": 1})
    assert verdict(told, scene) == "named"
    told.saved = saved(scene, first, second)
    assert verdict(told, scene) == "WRONG: a story is lost"
    told.unfinished[second.id] = "media_unavailable"
    assert verdict(told, scene) == "named"


def test_other_bytes_are_no_story(scene: Scene) -> None:
    files = saved(scene)
    key = next(iter(files))
    assert verdict(Result(saved={**files, key: b"other"}), scene) == "WRONG: a story is lost"
