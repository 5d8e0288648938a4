"""Flat as it grows: no page, no call and no worker reads a growing table from end to end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.test import Client
from django.utils import timezone

from benchmarks.filling import fill, fill_job, fill_queue, make_owners
from jobs.files import capacity
from jobs.files.deletion import DeletionTally
from jobs.housekeeping import reaper
from jobs.housekeeping.orphans import Comparison
from jobs.models import Item, Job
from jobs.queries import cards, lists, snapshot
from jobs.queue import backoff, quotas, settling
from jobs.queue.claims import claim
from jobs.queue.dispatch import dispatch
from jobs.queue.settling import Outcome
from jobs.queue.submission import submit
from jobs.states import ItemState
from tests.unit.jobs.conftest import Broker
from tests.unit.jobs.database_work import (
    analyze,
    full_scans,
    on_sqlite,
    steps,
    with_and_without_statistics,
)

pytestmark = [pytest.mark.django_db, on_sqlite]


@pytest.fixture
def owner() -> User:
    """Somebody among others, with some of everything."""
    owners = make_owners(3)
    fill(owners, jobs=90, lines=2, stories=2, present=0.5)
    fill_queue(owners, lines=60)
    fill_job(owners[0], lines=5, stories=5)
    return owners[0]


def _queued() -> Item:
    item = Item.objects.filter(state=ItemState.QUEUED, not_before=None).first()
    assert item
    return item


def _settle() -> None:
    claimed = claim(_queued().pk)
    assert claimed
    settling.finish(claimed, Outcome(ItemState.DONE))


def _page(path: str) -> Callable[[User], object]:
    def get(user: User) -> object:
        client = Client()
        client.force_login(user)
        answer = client.get(path)
        assert answer.status_code == 200
        return answer

    return get


def _poll(user: User) -> object:
    job = Job.objects.visible_to(user).order_by("created_at").first()
    assert job
    return snapshot.load_snapshot(job.pk, user)


def _list(user: User) -> object:
    ids, _cursor = lists.page_of(Job.objects.visible_to(user), after=None, limit=20)
    return snapshot.load_snapshots(ids, user)


ACTIONS: dict[str, Callable[[User], object]] = {
    "home": _page("/"),
    "history": _page("/history/"),
    "last page": _page("/history/?page=9999"),
    "search": _page("/history/?q=bakery"),
    **{f"history, {state}": _page(f"/history/?state={state}") for state in ItemState},
    "recent targets": cards.recent_targets,
    "poll": _poll,
    "API list": _list,
    "usage": quotas.usage,
    "bytes of an owner": lambda user: capacity.used_bytes(user.pk),
    "submit": lambda user: submit(user, ["@corner.bakery"]),
    "dispatch": lambda _user: dispatch(),
    "claim and settle": lambda _user: _settle(),
    "hold": lambda _user: backoff.hold_queue(timezone.now(), "refused"),
    "repair": lambda _user: reaper.requeue_stalled(timezone.now()),
}
TOTALS = {"submit"}
"""Of these, the bytes of the whole instance are added up, from an index."""


@with_and_without_statistics
@pytest.mark.parametrize("action", ACTIONS)
def test_no_growing_table_is_read_from_end_to_end(
    action: str,
    statistics: bool,
    owner: User,
    broker: Broker,
) -> None:
    analyze(statistics)
    scans = full_scans(lambda: ACTIONS[action](owner))
    if action in TOTALS:
        scans = [scan for scan in scans if not scan.startswith("SCAN jobs_artifact USING")]
    assert scans == []


@with_and_without_statistics
def test_a_share_of_the_comparison_reads_a_share_of_the_rows(
    statistics: bool,
    owner: User,
) -> None:
    comparison = Comparison()
    comparison.run(timezone.now(), DeletionTally())
    analyze(statistics)
    assert full_scans(lambda: comparison.run(timezone.now(), DeletionTally())) == []


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_history_by_state_costs_in_proportion_to_the_jobs(state: str) -> None:
    """It walked all lines of the instance for each job."""
    (alice,) = make_owners(1)

    def cost(jobs: int) -> int:
        fill([alice], jobs=jobs, stories=0)
        found = lists.in_state(Job.objects.visible_to(alice), ItemState(state))
        return steps(found.count)

    few, more = cost(100), cost(900)
    assert more < 15 * few


@with_and_without_statistics
def test_cards_of_lines_without_files_do_not_read_everybodys_files(statistics: bool) -> None:
    """Each of them was looked for among all files that are there."""
    alice, bob = make_owners(2)
    fill_queue([alice], lines=50)
    fill([bob], jobs=20)
    analyze(statistics)
    few = steps(lambda: cards.job_cards(cards.search_jobs(alice)))
    fill([bob], jobs=400)
    analyze(statistics)
    many = steps(lambda: cards.job_cards(cards.search_jobs(alice)))
    assert many < 1.5 * few


def test_a_planted_scan_is_seen(owner: User) -> None:
    scans = full_scans(lambda: list(Item.objects.filter(error_detail="x")))
    assert len(scans) == 1
    lines = Item.objects.filter(error_detail="x", job=OuterRef("pk"))
    assert full_scans(lambda: list(Job.objects.filter(note="x").filter(Exists(lines))))
