"""How often the database is asked while lines are saved.

A job of twenty authors, each with two videos, a photo and a carousel of four: 140 media, 240 files.
Counted is what Django executes from the first message to the settled job: dispatch and savepoints
included, and on SQLite every BEGIN; no COMMIT. And lines of one small file each, where the
beginnings and ends of transactions count on either database.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from jobs import tasks
from jobs.fetching import pipeline, recorder
from jobs.files import capacity
from jobs.models import Artifact, Job, Role
from jobs.queue import broker, submission
from jobs.states import ItemState
from stories.events import AvatarReady, Event, Resolved
from stories.structures import Author, StoryKind
from tests.factories import make_user
from tests.unit.jobs.fetching.stage import PICTURE, VIDEO, Stage, a_story, check_disk, ended, listed

pytestmark = pytest.mark.django_db(transaction=True)

AUTHORS = 20
MEDIA = 7 * AUTHORS
MOST_PER_MEDIUM = 5
SMALL_LINES = 12
MOST_PER_LINE = {"postgresql": 20, "sqlite": 26}
ONE_ARRIVES_EVERY_S = 0.2


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


def an_author(stage: Stage, clock: Clock) -> Iterator[Callable[[], Event]]:
    """The events of one line's harvest, a medium every `ONE_ARRIVES_EVERY_S`."""
    name = stage.asked["target"].name
    author = Author(id=f"68{hash(name) % 10**15:015}", name=name, nickname=name.title())
    videos = [a_story(number, StoryKind.VIDEO, author=author) for number in (1, 2)]
    photo = a_story(3, author=author)
    album = a_story(4, StoryKind.CAROUSEL, pictures=4, author=author)

    def later(event: Callable[[], Event]) -> Callable[[], Event]:
        def arrive() -> Event:
            clock.now += ONE_ARRIVES_EVERY_S
            return event()

        return arrive

    yield later(lambda: Resolved(author=author))
    yield later(lambda: replace(listed(*videos, photo, album), author=author))
    yield lambda: AvatarReady(picture=name.encode())
    for story in (*videos, photo):
        yield later(stage.file(story, verified=VIDEO if story in videos else PICTURE))
        yield stage.file(story, role="poster")
        yield lambda story=story: ended(story)  # type: ignore[misc]
    for position in (1, 2, 3, 4):
        yield later(stage.file(album, position))
    yield stage.file(album, role="poster")
    yield lambda: ended(album, 4)


@pytest.fixture
def fetch_all(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[[Job], None]:
    """Deliver the messages of a job, one after the other, until there is none."""
    messages: list[str] = []

    def send(_task: str, row_id: UUID) -> bool:
        messages.append(str(row_id))
        return True

    clock = Clock()
    monkeypatch.setattr(broker, "send", send)
    monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(pipeline, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(pipeline, "CHECK_EVERY_S", 0.9)
    # Stored bytes are counted once a second, however many lines are worked on at once.
    monkeypatch.setattr(capacity, "time", SimpleNamespace(monotonic=lambda: 1000.0))

    class Script:
        def __iter__(self) -> Iterator[Any]:
            return an_author(stage, clock)

    stage.script = Script()  # type: ignore[assignment]

    def fetch(job: Job) -> None:
        while messages:
            tasks.fetch_item(messages.pop(0))
        job.refresh_from_db()

    return fetch


def test_a_medium_costs_at_most_five_statements(fetch_all: Callable[[Job], None]) -> None:
    alice = make_user("alice")
    job = submission.submit(alice, [f"@author{number}" for number in range(AUTHORS)])
    sent: list[str] = []

    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(count):
        fetch_all(job)
    assert job.settled_at is not None
    assert set(job.items.values_list("state", flat=True)) == {ItemState.DONE}
    files = Counter(Artifact.objects.filter(job=job).values_list("role", flat=True))
    assert files == {Role.MEDIA: MEDIA, Role.POSTER: 4 * AUTHORS, Role.ZIP: AUTHORS}
    check_disk()
    assert len(sent) <= MOST_PER_MEDIUM * MEDIA, by_shape(sent)


def one_photo(stage: Stage) -> Iterator[Callable[[], Event]]:
    """The events of a line whose account shows one photo."""
    name = stage.asked["target"].name
    author = Author(id=f"68{hash(name) % 10**15:015}", name=name, nickname=name.title())
    photo = a_story(3, author=author)
    yield lambda: Resolved(author=author)
    yield lambda: replace(listed(photo), author=author)
    yield lambda: AvatarReady(picture=name.encode())
    yield stage.file(photo)
    yield stage.file(photo, role="poster")
    yield lambda: ended(photo)


def test_a_line_of_one_small_file_costs_few_statements(
    stage: Stage, fetch_all: Callable[[Job], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Script:
        def __iter__(self) -> Iterator[Any]:
            return one_photo(stage)

    stage.script = Script()  # type: ignore[assignment]
    monkeypatch.setattr(pipeline, "CHECK_EVERY_S", 60)
    jobs = [
        submission.submit(
            make_user(name), [f"@{name}{number}" for number in range(SMALL_LINES // 3)]
        )
        for name in ("alice", "bob", "carol")
    ]
    sent: list[str] = []

    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    # What begins a transaction on PostgreSQL is sent by its driver, and what ends one by either.
    of_a_transaction = ["COMMIT"] if connection.vendor == "sqlite" else ["BEGIN", "COMMIT"]
    commit = connection._commit  # type: ignore[attr-defined]

    def count_commit() -> None:
        sent.extend(of_a_transaction)
        commit()

    monkeypatch.setattr(connection, "_commit", count_commit)
    with connection.execute_wrapper(count):
        fetch_all(jobs[0])
    for job in jobs:
        job.refresh_from_db()
        assert job.settled_at is not None
        assert set(job.items.values_list("state", "attempt")) == {(ItemState.DONE, 1)}
    check_disk()
    assert "COMMIT" in sent
    assert len(sent) <= MOST_PER_LINE[connection.vendor] * SMALL_LINES, by_shape(sent)


def by_shape(sent: list[str]) -> str:
    """Statements and how often each was sent, most frequent first."""
    shapes = Counter(re.sub(r'"s\d+_x\d+"', "…", sql)[:200] for sql in sent)
    return "\n".join(f"{count:5} {shape}" for shape, count in shapes.most_common())
