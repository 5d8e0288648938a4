"""Two who watch an account share one transfer, whichever of their lines comes first."""

from __future__ import annotations

from uuid import uuid4

import pytest

from jobs.fetching import coalescing
from jobs.files import store
from jobs.models import Item, Role
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from stories.structures import Story
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.fetching.stage import AUTHOR, Stage, a_story, ended, listed, run

pytestmark = pytest.mark.django_db
S = ItemState
LOOK = uuid4()


def line(owner: str, *stories: Story, **facts: object) -> Item:
    """A line that a look made of these stories."""
    job = make_job(make_user(owner), from_watch=True)
    target = {"kind": "user", "name": AUTHOR.name, "user_id": AUTHOR.id}
    only_ids = " ".join(story.id for story in stories)
    fields = {"target": target, "only_ids": only_ids, "look_id": LOOK} | facts
    return make_item(job, name=AUTHOR.name, **fields)


def saved(stage: Stage, item: Item, *stories: Story) -> Outcome:
    events = [event for story in stories for event in (stage.file(story), ended(story))]
    outcome = run(stage, item, listed(*stories), *events)
    Item.objects.filter(pk=item.pk).update(state=outcome.state)
    return outcome


def test_what_one_has_saved_the_other_links(stage: Stage) -> None:
    story = a_story()
    first, second = line("nora", story), line("omar", story)
    assert saved(stage, first, story) == Outcome(S.DONE)
    stage.asked = {}
    assert run(stage, second) == Outcome(S.DONE)
    assert stage.asked == {}  # nobody asked TikTok
    ours, theirs = (item.artifacts.get(role=Role.MEDIA) for item in (first, second))
    assert ours.owner != theirs.owner
    assert theirs.content_id == ours.pk  # one file on the disk
    assert store.size(theirs.pk) == store.size(ours.pk)
    assert theirs.expires_at > theirs.created_at  # kept for whom it is, too


def test_what_is_gone_meanwhile_is_fetched(stage: Stage) -> None:
    story = a_story()
    first, second = line("nora", story), line("omar", story)
    saved(stage, first, story)
    first.job.delete()
    assert saved(stage, second, story) == Outcome(S.DONE)
    assert second.artifacts.count() == 1
    assert stage.asked["options"].only == {story.id}


def test_what_was_found_and_left_meanwhile_is_missing(stage: Stage) -> None:
    here, left = a_story(), a_story(2)
    outcome = saved(stage, line("nora", here, left), here)
    assert outcome.state == S.PARTIAL
    assert outcome.error is not None
    assert outcome.error.code == "gone"


def test_the_look_says_whose_list_it_is(stage: Stage) -> None:
    story = a_story()
    saved(stage, line("nora", story), story)
    known = stage.asked["options"].known
    assert (known.id, known.name) == (AUTHOR.id, AUTHOR.name)
    run(stage, make_item(name="someone"), listed())
    assert stage.asked["options"].known is None
    assert stage.asked["options"].only == frozenset()


@pytest.mark.parametrize("facts", [{"look_id": uuid4()}, {"only_ids": "1"}, {"look_id": None}])
def test_only_the_same_stories_of_the_same_look_are_shared(
    stage: Stage, facts: dict[str, object]
) -> None:
    story = a_story()
    saved(stage, line("nora", story), story)
    assert coalescing.find_sibling(line("omar", story, **facts)) is None
    assert coalescing.find_sibling(line("omar", story)) is not None


def test_what_only_some_want_is_not_what_all_want(stage: Stage) -> None:
    """Of two lines for one account, one that a look made leads nobody else."""
    story = a_story()
    ours, asked = line("nora", story), line("omar", look_id=None)
    assert coalescing.fetch_key(ours) != coalescing.fetch_key(asked)
