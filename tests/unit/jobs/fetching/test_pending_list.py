"""A first list is written with the first files, or by itself when they take their time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jobs.fetching import recorder
from jobs.fetching.recorder import SAVE_AFTER_S
from jobs.models import Item, Role, Story
from jobs.queue import claims
from jobs.queue.claims import ClaimLost
from jobs.states import ItemState
from stories.errors import PrivateAccount
from stories.events import Resolved
from tests.factories import make_item
from tests.unit.jobs.database_work import statements
from tests.unit.jobs.fetching.stage import AUTHOR, Stage, a_story, ended, files, listed, run

pytestmark = pytest.mark.django_db
S = ItemState


class Clock:
    """Seconds that go forward when a test says so."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def as_it_stands(item: Item) -> tuple[str, bool, list[str]]:
    """The author's name, whether there is a list, and the states of the stories."""
    item.refresh_from_db()
    states = item.stories.order_by("position").values_list("state", flat=True)
    return item.author_name, item.listed_at is not None, list(states)


def test_author_list_file_and_end_are_one_transaction(stage: Stage, clock: Clock) -> None:
    photo, item = a_story(), make_item()
    seen: list[Any] = []
    with statements() as sent:
        run(
            stage,
            item,
            Resolved(author=AUTHOR),
            lambda: seen.append(as_it_stands(item)),
            listed(photo),
            lambda: seen.append(as_it_stands(item)),
            stage.file(photo),
            ended(photo),
            lambda: seen.append(as_it_stands(item)),
        )
    assert seen == [("", False, [])] * 3
    assert as_it_stands(item) == ("sample.user", True, [S.DONE])
    assert files(item) == [(Role.MEDIA, 1, "sample.user_2026-11-20_1401.jpg")]
    assert Story.objects.get().captured_at
    writes = [sql.split()[:3] for sql, _ in sent if sql.startswith(("INSERT", "UPDATE"))]
    assert sum("jobs_story" in word for words in writes for word in words) == 1


def test_a_list_does_not_wait_for_files_that_take_their_time(stage: Stage, clock: Clock) -> None:
    photo, item = a_story(), make_item()
    seen: list[Any] = []

    def later() -> None:
        clock.now += 1.1 * SAVE_AFTER_S
        seen.append(as_it_stands(item))

    run(
        stage,
        item,
        Resolved(author=AUTHOR),
        None,
        lambda: seen.append(as_it_stands(item)),
        listed(photo),
        later,
        None,
        lambda: seen.append(as_it_stands(item)),
        stage.file(photo),
        ended(photo),
    )
    name = "sample.user"
    assert seen == [(name, False, []), (name, False, []), (name, True, [S.QUEUED])]
    assert as_it_stands(item) == (name, True, [S.DONE])


def test_an_empty_list_is_written_in_the_end(stage: Stage, clock: Clock) -> None:
    item = make_item()
    assert run(stage, item, listed()).state == S.EMPTY
    assert as_it_stands(item) == ("sample.user", True, [])


def test_an_author_without_a_list_is_written_in_the_end(stage: Stage, clock: Clock) -> None:
    item = make_item()
    with pytest.raises(PrivateAccount):
        run(stage, item, Resolved(author=AUTHOR), PrivateAccount())
    assert as_it_stands(item) == ("sample.user", False, [])


def test_a_second_list_takes_over_from_the_first_that_waits(stage: Stage, clock: Clock) -> None:
    first, second, item = a_story(1), a_story(2), make_item()
    run(stage, item, listed(first), listed(first, second), stage.file(second), ended(second))
    assert as_it_stands(item) == ("sample.user", True, [S.QUEUED, S.DONE])


def test_a_line_that_was_cancelled_meanwhile_gets_no_list(stage: Stage, clock: Clock) -> None:
    photo, item = a_story(), make_item()

    def cancel() -> None:
        Item.objects.filter(pk=item.pk).update(state=S.CANCELLED)

    with pytest.raises(ClaimLost):
        run(stage, item, listed(photo), cancel, stage.file(photo), ended(photo))
    assert as_it_stands(item) == ("", False, [])
    assert not claims.is_claimed(item.pk, 1)
