"""One look at a watched account, with the real client and the fake TikTok behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.fetching import bridge, looking
from jobs.fetching.bridge import TransferThread
from jobs.models import Item, Job, Watch, WatchedAccount, WatchState
from jobs.queue import shutdown
from jobs.queue.shutdown import ShutdownRequested
from jobs.upstream import breaker, way_switches
from jobs.watching import looks
from jobs.watching.outcome import Consequences
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.structures import Author
from tests.factories import make_item
from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.jobs.watching.making import account, claimed, watching

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def tiktok(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTikTok]:
    """A site, asked by a client on a loop of its own."""
    site = FakeTikTok(page_bytes=20_000)
    transport = site.transport()

    def client() -> StoryClient:
        return StoryClient(ClientConfig(), page_transport=transport, media_transport=transport)

    monkeypatch.setattr(way_switches, "mirror", lambda: None)
    thread = TransferThread(client)
    monkeypatch.setattr(bridge, "current", lambda: thread)
    yield site
    thread.stop()


@pytest.fixture
def anna(tiktok: FakeTikTok) -> Account:
    return tiktok.account("anna")


def known(anna: Account, **facts: Any) -> Watch:
    """A watch of an account whose id is known."""
    author = Author(id=anna.id, name="anna", sec_uid=anna.sec_uid)
    return watching(of=account(author), **facts)


def look_at(watch: Watch) -> Consequences | None:
    Watch.objects.filter(pk=watch.pk).update(next_at=timezone.now())
    told = looking.run(claimed(watch))
    watch.refresh_from_db()
    return told


def asked(tiktok: FakeTikTok) -> list[str]:
    """The endpoints that were asked since this was last called."""
    seen = [request.endpoint for request in tiktok.requests]
    tiktok.forget_requests()
    return seen


def test_a_look_at_a_known_account_is_one_request(tiktok: FakeTikTok, anna: Account) -> None:
    watch = known(anna)
    look_at(watch)
    assert asked(tiktok) == ["list"]
    assert not Job.objects.exists()
    story = anna.photo()
    look_at(watch)
    look_at(watch)
    assert asked(tiktok) == ["list", "list"]
    assert Item.objects.get().only_ids == story.id
    assert watch.covered_until is not None


def test_a_first_look_finds_out_who_a_name_is(tiktok: FakeTikTok, anna: Account) -> None:
    anna.photo()
    watch = watching(of=WatchedAccount.objects.create(name="anna"), state=WatchState.CHECKING)
    look_at(watch)
    assert asked(tiktok) == ["profile", "list"]
    assert watch.state == WatchState.ACTIVE
    assert WatchedAccount.objects.get().tiktok_id == anna.id


@pytest.mark.parametrize(
    ("facts", "code"), [({"private": True}, "private_account"), (None, "no_such_account")]
)
def test_an_account_that_cannot_be_watched_is_refused_at_once(
    tiktok: FakeTikTok, facts: dict[str, Any] | None, code: str
) -> None:
    if facts is not None:
        tiktok.account("anna", **facts)
    watch = watching(of=WatchedAccount.objects.create(name="anna"), state=WatchState.CHECKING)
    told = look_at(watch)
    assert told is not None
    assert (watch.state, watch.error_code) == (WatchState.ENDED, code)


def test_an_account_that_became_private_is_asked_about_once_more_before_it_ends(
    tiktok: FakeTikTok, anna: Account
) -> None:
    watch = known(anna)
    anna.private = True
    look_at(watch)
    assert asked(tiktok) == ["list", "profile"]
    assert (watch.state, watch.error_code) == (WatchState.ENDED, "private_account")


def test_a_list_that_errs_once_ends_nothing(
    tiktok: FakeTikTok, anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna.photo()
    watch = known(anna)
    anna.secret = True  # its list says private, its profile does not
    real = looking._ask

    def ask(look: looks.Look, author: Author | None) -> Any:
        if author is None:
            anna.secret = False
        return real(look, author)

    monkeypatch.setattr(looking, "_ask", ask)
    look_at(watch)
    assert (watch.state, watch.error_code) == (WatchState.ACTIVE, "")
    assert Job.objects.count() == 1


def test_a_name_that_is_somebody_elses_by_now_is_not_watched_in_its_place(
    tiktok: FakeTikTok,
) -> None:
    tiktok.account("anna").photo()  # another one than was watched
    former = tiktok.account("former", private=True)
    watch = watching(of=account(Author(id=former.id, name="anna")))
    look_at(watch)
    assert (watch.state, watch.error_code) == (WatchState.ENDED, "no_such_account")
    assert not Job.objects.exists()


def test_a_renamed_account_goes_on(tiktok: FakeTikTok, anna: Account) -> None:
    watch = watching(of=account(Author(id=anna.id, name="before")))
    anna.photo()
    told = look_at(watch)
    assert told is not None
    assert [old for _watch, old in told.renamed] == ["before"]
    assert asked(tiktok) == ["list"]


@pytest.mark.parametrize("kind", ["refuse", 429])
def test_a_refusal_holds_all_and_counts_for_nothing(
    tiktok: FakeTikTok, anna: Account, kind: str | int
) -> None:
    item = make_item()
    watch = known(anna)
    tiktok.fault("any", 403 if kind == "refuse" else kind)
    assert look_at(watch) is None
    assert (watch.failures, watch.looked_at) == (0, None)
    assert breaker.open_state() is not None
    item.refresh_from_db()
    assert item.not_before is not None
    assert looks.due(timezone.now()) == []
    tiktok.forget_requests()
    assert looking.run(claimed(watch)) is None  # a message that was on its way
    assert tiktok.requests == []
    breaker._local.close()
    assert looks.due(timezone.now()) == [watch.account_id]


def test_a_site_that_is_down_counts_as_a_failed_look(tiktok: FakeTikTok, anna: Account) -> None:
    before = timezone.now() - 7 * HOUR
    watch = known(anna, covered_until=before)
    tiktok.fault("any", 500)
    assert look_at(watch) is None
    assert (watch.failures, watch.error_code) == (1, "upstream_down")
    assert watch.covered_until == before
    assert watch.next_at is not None
    assert watch.next_at > timezone.now()


def test_a_worker_that_ends_gives_its_look_back(
    anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = known(anna)

    async def forever(*_: object, **__: object) -> AsyncGenerator[None, None]:
        await asyncio.sleep(60)
        yield

    monkeypatch.setattr(looking, "look_up", lambda *_, **__: anext(forever()))
    shutdown.shutdown_requested.set()
    try:
        with pytest.raises(ShutdownRequested):
            look_at(watch)
    finally:
        shutdown.shutdown_requested.clear()
    assert looks.due(timezone.now()) == [watch.account_id]


def test_a_look_that_takes_too_long_is_given_up(
    anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = known(anna)

    async def slow(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(looking, "look_up", slow)
    monkeypatch.setattr(looking, "LIMIT_S", 0.0)
    assert look_at(watch) is None
    assert (watch.failures, watch.error_code) == (1, "timed_out")
