"""The picture of a line's author is saved with the line, under its claim."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.fetching import author_pictures, coalescing, pipeline, recorder
from jobs.models import AuthorPicture, Item
from jobs.queue import actions, claims
from jobs.queue.claims import Claim, ClaimLost
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from stories.events import AvatarReady
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.fetching.stage import Stage, a_story, ended, listed, run

pytestmark = pytest.mark.django_db
S = ItemState


def picture_of(item: Item) -> tuple[str, bytes | None]:
    row = AuthorPicture.objects.filter(item=item).first()
    return row.digest if row else "", author_pictures.of(item.pk)


def test_it_is_saved_with_its_digest(stage: Stage) -> None:
    item, photo = make_item(), a_story()
    script = [AvatarReady(picture=b"face"), listed(photo), stage.file(photo), ended(photo)]
    assert run(stage, item, *script) == Outcome(S.DONE)
    digest, picture = picture_of(item)
    assert picture == b"face"
    assert len(digest) == 16
    assert stage.asked["options"].avatar


def test_a_line_without_stories_has_one_too(stage: Stage) -> None:
    item = make_item()
    assert run(stage, item, listed(), AvatarReady(picture=b"face")) == Outcome(S.EMPTY)
    assert picture_of(item)[1] == b"face"


def test_it_is_asked_for_once_in_the_life_of_a_line(stage: Stage) -> None:
    item = make_item()
    run(stage, item, AvatarReady(picture=b"face"), listed())
    Item.objects.filter(pk=item.pk).update(state=S.QUEUED)
    run(stage, item, listed())
    assert not stage.asked["options"].avatar
    assert picture_of(item)[1] == b"face"


def test_another_picture_takes_the_place_of_the_first() -> None:
    item = make_item()
    author_pictures.save(item.pk, b"one")
    first = picture_of(item)
    author_pictures.save(item.pk, b"two")
    second = picture_of(item)
    assert AuthorPicture.objects.count() == 1
    assert second[1] == b"two"
    assert second[0] != first[0]


def test_it_costs_one_statement_beside_the_files(stage: Stage) -> None:
    """It shares their transaction, and the fence of it."""
    counts = []
    for name, more in (("ann", []), ("bea", [AvatarReady(picture=b"face")])):
        item, photo = make_item(name=name), a_story()
        with CaptureQueriesContext(connection) as queries:
            run(stage, item, listed(photo), *more, stage.file(photo), ended(photo))
        counts.append(len(queries))
    assert counts[1] == counts[0] + 1


def test_a_file_that_follows_it_waits_for_others_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture's own patience is not the file's: else each line had a transaction more."""
    now = 1000.0
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: now))
    seen = []

    def soon() -> None:
        nonlocal now
        now += recorder.SAVE_AFTER_S + 0.1

    def later() -> None:
        nonlocal now
        now += recorder.SAVE_PICTURE_AFTER_S - 0.1
        seen.append(AuthorPicture.objects.count())

    def look() -> None:
        seen.append(AuthorPicture.objects.count())

    item, first, second = make_item(), a_story(1), a_story(2)
    begin = [listed(first, second), soon, stage.file(first)]
    script = [*begin, AvatarReady(picture=b"face"), later, stage.file(second), look]
    run(stage, item, *script, ended(first), ended(second))
    assert seen == [0, 0]
    assert AuthorPicture.objects.count() == 1


def test_it_does_not_wait_for_a_large_file(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: now))
    seen = []

    def later() -> None:
        nonlocal now
        now += recorder.SAVE_PICTURE_AFTER_S

    def look() -> None:
        seen.append(AuthorPicture.objects.count())

    item, photo = make_item(), a_story()
    script = [listed(photo), AvatarReady(picture=b"face"), later, None, look]
    run(stage, item, *script, stage.file(photo), ended(photo))
    assert seen == [1]


def test_whoever_lost_the_line_writes_nothing(stage: Stage) -> None:
    item = make_item()

    def cancel() -> None:
        actions.cancel_item(item)

    with pytest.raises(ClaimLost):
        run(stage, item, listed(), AvatarReady(picture=b"late"), cancel)
    assert picture_of(item) == ("", None)


# --- lines that follow another --------------------------------------------------------------------


def running(owner: str, **facts: Any) -> Item:
    facts = {"name": "someone", "state": S.RUNNING, "author_name": "someone"} | facts
    return make_item(make_job(make_user(owner)), **facts)


def test_a_line_that_follows_another_has_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalescing, "POLL_EVERY_S", 0)
    leader, follower = running("alice"), running("bob", author_name="")
    claim = Claim(leader.pk, leader.attempt)
    assert claims.try_lead(claim, coalescing.fetch_key(leader))
    author_pictures.save(leader.pk, b"face")
    Item.objects.filter(pk=leader.pk).update(listed_at=timezone.now() + timedelta(seconds=1))

    def settle() -> None:
        Item.objects.filter(pk=leader.pk).update(state=S.EMPTY)

    outcome = pipeline.run(Claim(follower.pk, follower.attempt), on_list=settle)
    assert outcome == Outcome(S.EMPTY)
    assert picture_of(follower) == picture_of(leader)
    assert picture_of(follower)[1] == b"face"
