"""The rows of the People page: right sums, their order, and queries that do not grow with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import admin_log, tokens
from accounts.models import ApiToken
from jobs.models import Quota
from jobs.queue.quotas import Use
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from webapp.people_rows import people_rows, share

pytestmark = pytest.mark.django_db


def save(name: str, *sizes: int) -> User:
    """A person with saved files of these sizes, each of a line of its own."""
    person = make_user(name)
    for size in sizes:
        story = make_story(make_item(make_job(person), state=ItemState.DONE))
        make_artifact(story, size_bytes=size)
    return person


def names(**how: str) -> list[str]:
    return [row.user.username for row in people_rows(**how)]


def test_who_uses_the_disk_stands_first(set_env: Callable[..., None]) -> None:
    save("alice", 100, 200)
    save("bob", 1_000)
    make_user("carol")
    set_env(disk_max=4_000, quota_bytes=0)
    bob, alice, carol = people_rows()
    assert [row.user.username for row in (bob, alice, carol)] == ["bob", "alice", "carol"]
    assert (bob.disk.use.used, bob.disk.percent, bob.disk.of_limit) == (1_000, 25, False)
    assert (alice.disk.use.used, alice.jobs, alice.today.use.used) == (300, 2, 2)
    assert (carol.disk.percent, carol.jobs, carol.seen_at) == (0, 0, None)
    assert not bob.limited


def test_bars_are_against_the_limits_of_each(set_env: Callable[..., None]) -> None:
    alice = save("alice", 850)
    Quota.objects.create(owner=alice, stored_bytes=1_000, items_per_day=1)
    set_env(quota_bytes=500)
    save("bob", 250)
    mine, theirs = people_rows()
    assert (mine.disk.percent, mine.disk.level, mine.limited) == (85, "warn", True)
    assert (mine.today.percent, mine.today.level) == (100, "bad")
    assert (theirs.disk.percent, theirs.disk.of_limit, theirs.disk.level) == (50, True, "")


@pytest.mark.parametrize(
    ("used", "limit", "whole", "percent", "level"),
    [
        (0, None, 0, 0, ""), (5, None, 0, 1, ""), (1, None, 10**9, 1, ""), (9, 10, 0, 90, "warn"),
        (10, 10, 0, 100, "bad"), (30, 10, 0, 100, "bad"), (7, 10, 0, 70, ""),
        (99, None, 100, 99, ""),
    ],
)  # fmt: skip
def test_a_bar(used: int, limit: int | None, whole: int, percent: int, level: str) -> None:
    bar = share(Use(used, limit), whole)
    assert (bar.percent, bar.level) == (percent, level)


def test_other_orders_and_names() -> None:
    now = timezone.now()
    save("Zoe", 100)
    alice = make_user("alice", last_login=now - timedelta(days=3))
    bob = make_user("bob", last_login=now - timedelta(days=9), email="ask@example.org")
    tokens.create(bob, "phone")
    ApiToken.objects.update(last_used_at=now + timedelta(minutes=1))
    assert names(sort="name") == ["alice", "bob", "Zoe"]
    assert names(sort="seen") == ["bob", "Zoe", "alice"]
    assert names(sort="today")[0] == "Zoe"
    assert names(sort="nonsense") == names()
    assert names(query="LIC") == ["alice"]
    assert names(query="ask@") == ["bob"]
    assert names(query="nobody") == []
    assert {row.user.pk: row.seen_at for row in people_rows()}[alice.pk] == alice.last_login


def test_the_row_for_those_who_left_is_nobody() -> None:
    make_user(admin_log.FORMER)
    assert names() == []


def test_queries_do_not_grow_with_people(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(12):
        save(f"person{number}", 10, 20)
    with django_assert_max_num_queries(8):
        assert len(people_rows()) == 12
