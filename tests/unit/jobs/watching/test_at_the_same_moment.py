"""Looks, beginnings and deletions at the same moment: none of them fails, and nothing is doubled.

On SQLite there is one writer at a time; on PostgreSQL each of these once met a deadlock, or a row
that was gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone

from jobs.models import Job, Watch, WatchedAccount, WatchState
from jobs.watching import looks, watches
from jobs.watching.outcome import note_list
from notices import outbox
from notices.models import Message, Preference, Webhook
from notices.outbox import News
from tests.factories import make_user
from tests.unit.jobs.watching.making import account, claimed, sight, story, watching

pytestmark = pytest.mark.django_db(transaction=True)
SetEnv = Callable[..., None]
HOUR = timedelta(hours=1)
ROUNDS = 4


@pytest.fixture(autouse=True)
def _all_may(set_env: SetEnv) -> Iterator[None]:
    set_env(watches="members", watches_max=1000)
    yield
    connections.close_all()


def together(*acts: Callable[[], object]) -> list[str]:
    """The errors of acts that begin at the same moment, each over a connection of its own."""
    barrier, errors = threading.Barrier(len(acts)), list[str]()

    def run(act: Callable[[], object]) -> None:
        try:
            barrier.wait(20)
            act()
        except Exception as error:  # noqa: BLE001  # told by the test
            errors.append(f"{type(error).__name__}: {error}")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def people(count: int, name: str) -> list[User]:
    return [make_user(f"{name}{number}") for number in range(count)]


def test_a_watch_is_deleted_while_another_one_of_the_account_begins() -> None:
    for number in range(ROUNDS):
        one, other = people(2, f"r{number}x")
        watch = watches.begin(one, "@anna")
        errors = together(
            lambda: watches.delete(watch),  # noqa: B023
            lambda: watches.begin(other, "@anna"),  # noqa: B023
            lambda: looks.tick(timezone.now()),
        )
        assert errors == []
        assert Watch.objects.get().owner == other
        Watch.objects.all().delete()


def test_a_look_ends_while_its_watch_goes() -> None:
    for number in range(ROUNDS):
        watch = watching(f"r{number}")
        look = claimed(watch)
        errors = together(
            lambda: note_list(look, sight([story()])),  # noqa: B023
            lambda: watches.delete_all(watch.owner_id),  # noqa: B023
        )
        assert errors == []
        assert not Watch.objects.exists()
        looks.drop_unwatched()  # where the look had it locked, the next minute forgets it
        assert not WatchedAccount.objects.exists()


def test_two_names_of_an_account_become_one_while_somebody_leaves() -> None:
    for number in range(ROUNDS):
        WatchedAccount.objects.all().delete()
        known = account()
        owners = people(3, f"r{number}y")
        for owner in owners:
            watching(owner.username, known, covered_until=timezone.now() - HOUR)
        names = [watches.begin(owner, f"@{name}") for name in ("old", "older") for owner in owners]
        ids = {watch.account_id for watch in names} | {known.pk}
        claims = [look for account_id in ids if (look := looks.claim(account_id))]
        assert len(claims) == 3
        seen = sight([story(number + 1)])
        acts = [lambda look=look, seen=seen: note_list(look, seen) for look in claims]
        assert together(*acts, lambda: watches.delete_all(owners[0].pk)) == []  # noqa: B023
        jobs = Job.objects.filter(owner__in=owners)
        found = [(job.owner_id, job.items.get().only_ids) for job in jobs]
        assert len(found) == len(set(found))
        active = Watch.objects.exclude(state=WatchState.ENDED)
        assert active.filter(owner__in=owners).count() <= len(owners)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("is_over", [False, True])
def test_nothing_is_told_of_a_watch_that_is_deleted_meanwhile(
    monkeypatch: pytest.MonkeyPatch, is_over: bool, whole: bool
) -> None:
    """That it ends soon, or has ended."""
    now = timezone.now()
    watch = watching(renew_by=now - HOUR if is_over else now + HOUR, next_at=now + HOUR)
    Preference.objects.create(owner=watch.owner)
    Webhook.objects.create(owner=watch.owner, address="sealed", secret="sealed", host="x")
    real, begun = outbox.add_all, list[threading.Thread]()

    def delete() -> None:
        if whole:
            watches.delete_all(watch.owner_id)
        else:
            watches.delete(Watch.objects.get(pk=watch.pk))
        connections.close_all()

    def slow(news: Sequence[News]) -> int:
        if not begun:  # its end, and then the hole that it ends with
            begun.append(threading.Thread(target=delete))
            begun[0].start()
            begun[0].join(0.5)  # it has to wait for us
        return real(news)

    monkeypatch.setattr(outbox, "add_all", slow)
    looks.tick(now)
    begun[0].join(60)
    assert not Watch.objects.exists()
    assert not Message.objects.exists()


def test_limits_hold_for_who_begin_at_once(set_env: SetEnv) -> None:
    set_env(watches="members", watches_max=3, watches_per_member=2)
    one = make_user("one")
    refused = together(*[lambda n=n: watches.begin(one, f"@acc{n}") for n in range(5)])
    assert (Watch.objects.count(), len(refused)) == (2, 3)
    refused = together(*[lambda u=u: watches.begin(u, "@anna") for u in people(4, "many")])
    assert (Watch.objects.count(), len(refused)) == (3, 3)
    assert WatchedAccount.objects.filter(name="anna").count() == 1
