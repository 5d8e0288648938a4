"""A line that waits for another's list learns what that list leaves out, and is not done by it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from jobs.fetching import coalescing, pipeline
from jobs.files.workspace import Workspace
from jobs.models import Audio, Item
from jobs.queue import claims, shutdown
from jobs.queue.claims import Claim
from jobs.states import ItemState
from stories.errors import Advert, AgeRestricted
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.fetching.stage import Stage, a_story, ended, listed

pytestmark = pytest.mark.django_db
S = ItemState


def running(owner: str) -> Item:
    return make_item(make_job(make_user(owner)), name="someone", state=S.RUNNING)


@pytest.fixture
def leader(monkeypatch: pytest.MonkeyPatch) -> Item:
    """Alice's item, in the lead with a list that leaves one out and with the one photo it has."""
    monkeypatch.setattr(coalescing, "POLL_EVERY_S", 0)
    item = running("alice")
    assert claims.try_lead(Claim(item.pk, item.attempt), coalescing.fetch_key(item))
    Item.objects.filter(pk=item.pk).update(
        listed_at=timezone.now(), author_name="someone", left_out={"private": 1}
    )
    make_artifact(make_story(item, tiktok_id=a_story().id), content=b"photo")
    return item


def ending(monkeypatch: pytest.MonkeyPatch, leader: Item, **facts: Any) -> None:
    """The leader ends while the follower waits."""

    def wait(_seconds: float) -> bool:
        Item.objects.filter(pk=leader.pk).update(fetch_key=None, **facts)
        return False

    monkeypatch.setattr(shutdown.shutdown_requested, "wait", wait)


@pytest.mark.parametrize("state", [S.PARTIAL, S.QUEUED, S.DONE])
def test_a_follower_of_a_list_that_leaves_something_out_looks_for_itself(
    leader: Item, stage: Stage, monkeypatch: pytest.MonkeyPatch, state: ItemState
) -> None:
    photo, other = a_story(1), a_story(2)
    ending(monkeypatch, leader, state=state, error_code="private_post")
    bob = running("bob")
    stage.script = (listed(photo, other), ended(photo), stage.file(other), ended(other))
    assert pipeline.run(Claim(bob.pk, bob.attempt)).state == S.DONE
    assert stage.asked["have"] == frozenset({(photo.id, 1)}), "what the leader saved is linked"
    bob.refresh_from_db()
    assert bob.left_out == {}


def test_a_follower_whose_own_look_up_fails_keeps_what_the_leader_learned(
    leader: Item, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending(monkeypatch, leader, state=S.PARTIAL)
    bob = running("bob")
    stage.script = (AgeRestricted(),)
    with pytest.raises(AgeRestricted):
        pipeline.run(Claim(bob.pk, bob.attempt))
    bob.refresh_from_db()
    assert bob.left_out == {"private": 1}


def test_a_follower_of_a_list_of_which_nothing_is_for_everyone_ends_alike(
    leader: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.stories.all().delete()
    left_out = {"age_restricted": 2}
    ending(monkeypatch, leader, state=S.FAILED, left_out=left_out, error_code="age_restricted")
    bob = running("bob")
    with pytest.raises(AgeRestricted):
        pipeline.run(Claim(bob.pk, bob.attempt))
    bob.refresh_from_db()
    assert bob.left_out == left_out


def test_what_an_earlier_attempt_of_the_leader_learned_is_not_taken_for_its_list(
    leader: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.stories.all().delete()
    Item.objects.filter(pk=leader.pk).update(listed_at=None)
    attempt = coalescing.find_leader(coalescing.fetch_key(leader), Audio.NONE)
    assert attempt
    ending(monkeypatch, leader, state=S.EMPTY, left_out={})
    with Workspace("bob.1") as workspace:
        events = [event for event in attempt.events(workspace) if event is not None]
    assert [event.left_out for event in events] == [{}]  # type: ignore[union-attr]
    assert attempt.complete


def test_a_follower_of_an_advert_is_told_that_it_is_one(
    leader: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader.stories.all().delete()
    Item.objects.filter(pk=leader.pk).update(listed_at=None, left_out={})
    detail = "it leads to where the app is offered"
    ending(monkeypatch, leader, state=S.EMPTY, error_code="advert", error_detail=detail)
    bob = running("bob")
    with pytest.raises(Advert, match="where the app is offered"):
        pipeline.run(Claim(bob.pk, bob.attempt))
    bob.refresh_from_db()
    assert bob.listed_at is None
