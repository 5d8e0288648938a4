"""Three days of watching on a clock of the test's: outages, restarts, a new name, a locked door.

The rows, the queue, the client, the files and what TikTok answers are real; only the clock is not,
and a minute passes when the test says so.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from django.utils import timezone

from jobs.ephemeral import steady
from jobs.fetching import bridge, looking, pipeline
from jobs.fetching.bridge import TransferThread
from jobs.models import Artifact, Item, Job, Role, Story, Watch, WatchGap, WatchState
from jobs.queue import broker, claims, routing, settling
from jobs.queue.fairness import fair_order
from jobs.states import OPEN, ItemState
from jobs.upstream import breaker, way_switches
from jobs.watching import looks, outcome, watches
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import StoriesError
from tests.factories import make_user
from tests.fake_tiktok import Account, FakeTikTok
from tests.fake_tiktok.accounts import FakeStory

HOUR: Final = timedelta(hours=1)
DAY: Final = 24 * HOUR
START: Final = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
STEP: Final = timedelta(minutes=5)

DOWN: Final = (7, 13)
"""Hours in which TikTok does not answer: six."""
REFUSED: Final = (16, 28)
"""Hours in which TikTok refuses this server: twelve."""
OFF: Final = (31, 61)
"""Hours in which this server is off: thirty."""
END: Final = 96
"""Hours: after the 72, what was posted in them has left TikTok."""
CRASHES: Final = (2, 5, 9)
"""Looks in the middle of which the worker dies, by their number."""


class Crash(BaseException):
    """The process is gone."""


@dataclass
class World:
    """The clock, the site, and what was done: whole lists, jobs made of them, crashes."""

    site: FakeTikTok
    hour: float = 0.0
    looks: Counter[str] = field(default_factory=Counter)
    found: int = 0
    crashes: int = 0

    @property
    def now(self) -> datetime:
        return START + self.hour * HOUR

    def is_within(self, hours: tuple[int, int]) -> bool:
        return hours[0] <= self.hour < hours[1]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made: World

    site = FakeTikTok(page_bytes=5_000, now=lambda: made.now.timestamp())
    made = World(site)
    transport = site.transport()

    def client() -> StoryClient:
        return StoryClient(ClientConfig(), page_transport=transport, media_transport=transport)

    monkeypatch.setattr(timezone, "now", lambda: made.now)
    monkeypatch.setattr(steady, "now", lambda: made.now.timestamp())
    monkeypatch.setattr(way_switches, "mirror", lambda: None)
    thread = TransferThread(client)
    monkeypatch.setattr(bridge, "current", lambda: thread)
    breaker._local.close()
    yield made
    breaker._local.close()
    thread.stop()


class Server:
    """The minute task, the looks and the lines of one server, one after the other."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self._sent: list[Any] = []

        def send(task: str, row_id: Any) -> bool:
            if task == routing.LOOK:
                self._sent.append(row_id)
            return True

        monkeypatch.setattr(broker, "send", send)
        self._note_list = outcome.note_list
        monkeypatch.setattr(outcome, "note_list", self._noted)

    def _noted(self, look: looks.Look, sight: outcome.Sight) -> outcome.Consequences | None:
        self.world.looks["whole"] += 1
        if self.world.looks["whole"] in CRASHES:
            self.world.crashes += 1
            raise Crash
        told = self._note_list(look, sight)
        assert told is not None
        self.world.found += bool(told.jobs)
        return told

    def minute(self) -> None:
        """What happens in a minute: twice, as messages may come twice."""
        looks.tick(timezone.now())
        for account_id in (*self._sent, *self._sent):
            look = looks.claim(account_id)
            if look is not None:
                with suppress(Crash):
                    looking.run(look)
        self._sent.clear()
        for item_id in fair_order(timezone.now(), 50):
            claim = claims.claim(item_id)
            if claim is not None:
                try:
                    settling.finish(claim, pipeline.run(claim))
                except StoriesError as error:
                    settling.fail(claim, error)


@dataclass
class Author:
    """An account that posts every few hours. posted: every story, with its file's hash."""

    account: Account
    every_h: tuple[float, float]
    seed: int
    posted: list[tuple[FakeStory, str]] = field(default_factory=list)
    _next_h: float = 0.0

    def live(self, hour: float) -> None:
        chance = random.Random(f"{self.seed} {len(self.posted)}")  # a game
        if hour >= self._next_h and hour < 72:
            story = self.account.photo(size=(54, 96), ago_s=0, caption=f"{len(self.posted)}")
            content = story.files[0].body
            self.posted.append((story, hashlib.sha256(content).hexdigest()))
            self._next_h = hour + chance.uniform(*self.every_h)


def at(story: FakeStory) -> datetime:
    return datetime.fromtimestamp(int(story.created), UTC)


def test_three_days(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    site = world.site
    daily = Author(site.account("daily"), (1.5, 5.0), 1)
    renamed = Author(site.account("before"), (4.0, 9.0), 2)
    locked = Author(site.account("locked"), (3.0, 6.0), 3)
    authors = (daily, renamed, locked)
    nora, omar = make_user("nora", is_staff=True), make_user("omar", is_staff=True)
    for author in authors:
        author.live(0)
    every = {nora: 6 * HOUR, omar: 12 * HOUR}
    watched = {
        (owner, author.account.id): watches.begin(owner, author.account.name, every=every[owner])
        for owner, author in ((nora, daily), (omar, daily), (nora, renamed), (omar, locked))
    }
    server = Server(world, monkeypatch)
    fault = None
    while world.hour < END:
        for author in authors:
            author.live(world.hour)
        if world.hour >= 29 and renamed.account.name == "before":
            site.accounts["after"] = site.accounts.pop("before")
            renamed.account.name = "after"
        locked.account.private = world.hour >= 66
        wanted = 500 if world.is_within(DOWN) else 403 if world.is_within(REFUSED) else None
        if fault is not None and wanted is None:
            site.faults.items.remove(fault) if hasattr(
                site.faults, "items"
            ) else site.faults.clear()
            fault = None
        elif fault is None and wanted is not None:
            fault = site.fault("any", wanted)
        if not world.is_within(OFF):
            server.minute()
        world.hour = round(world.hour + STEP / HOUR, 6)

    rows = {key: Watch.objects.get(owner=key[0], account__tiktok_id=key[1]) for key in watched}
    assert world.crashes == len(CRASHES)
    assert not Item.objects.filter(state__in=OPEN).exists()
    _every_full_day_story_is_saved_once(authors, rows)
    _the_holes_are_the_true_ones(rows)
    _nothing_twice()
    assert rows[nora, renamed.account.id].account.name == "after"
    assert rows[omar, locked.account.id].state == WatchState.ENDED
    assert rows[omar, locked.account.id].error_code == "private_account"
    _requests_are_within_the_budget(world)


def _every_full_day_story_is_saved_once(
    authors: tuple[Author, ...], rows: dict[tuple[Any, str], Watch]
) -> None:
    for (owner, account_id), watch in rows.items():
        (author,) = (one for one in authors if one.account.id == account_id)
        for story, digest in author.posted:
            if watch.state == WatchState.ENDED and at(story) + DAY > START + 66 * HOUR:
                continue  # it did not stay its full day for everyone
            saved = Story.objects.filter(owner=owner, tiktok_id=story.id)
            in_hole = any(gap.begins_at <= at(story) <= gap.ends_at for gap in watch.gaps.all())
            if in_hole:
                assert saved.count() <= 1
                continue
            assert [row.state for row in saved] == [ItemState.DONE], (owner, at(story))
            file = Artifact.objects.get(story=saved[0], role=Role.MEDIA)
            assert file.sha256 == digest


def _the_holes_are_the_true_ones(rows: dict[tuple[Any, str], Watch]) -> None:
    """Of thirty hours without a look, what was posted in the first six may be gone."""
    off_until = START + OFF[1] * HOUR
    for watch in rows.values():
        gaps = list(watch.gaps.all())
        assert len(gaps) == 1
        (gap,) = gaps
        # From the last whole list before the server went off, to a day before the first after it.
        assert gap.begins_at <= START + OFF[0] * HOUR
        assert gap.begins_at > START + REFUSED[1] * HOUR - STEP
        assert timedelta() <= gap.ends_at - (off_until - DAY) <= HOUR
    assert WatchGap.objects.count() == len(rows)


def _nothing_twice() -> None:
    saved = Counter(Story.objects.values_list("owner", "tiktok_id"))
    assert set(saved.values()) == {1}
    assert not Job.objects.exclude(from_watch=True).exists()


def _requests_are_within_the_budget(world: World) -> None:
    """One list a look, and one for all whom its stories are saved for; a profile for a name."""
    answered = [seen for seen in world.site.requests if seen.status == 200]
    lists = sum(seen.endpoint == "list" for seen in answered)
    profiles = sum(seen.endpoint == "profile" for seen in answered)
    assert lists <= world.looks["whole"] + world.found + 2
    assert profiles <= 4 + 2
    pictures = Counter(seen.path for seen in answered if seen.endpoint == "picture")
    shared = Story.objects.values("tiktok_id").distinct().count()
    assert sum(pictures.values()) <= shared + 3
