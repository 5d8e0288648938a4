"""Resubmission: which lines may be fetched again, and the job made of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.errors import QuotaExceeded
from jobs.models import Audio, Item, ItemKind, Job, Prefer, Role
from jobs.queue.resubmission import (
    DUPLICATE_WINDOW,
    MAX_EARLIER,
    earlier_lines,
    is_refetchable,
    refetch,
    refetchable,
    resubmit,
    with_refetch_facts,
)
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

S = ItemState
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "kind", "saved", "present", "on_tiktok", "expected"),
    [
        (S.CANCELLED, ItemKind.STORY, False, False, False, True),
        (S.CANCELLED, ItemKind.USER, True, True, True, True),
        (S.DONE, ItemKind.STORY, True, False, True, True),
        (S.PARTIAL, ItemKind.POST, True, False, True, True),
        (S.DONE, ItemKind.STORY, True, True, True, False),  # something is still here
        (S.DONE, ItemKind.STORY, False, False, True, False),  # nothing ever was
        (S.DONE, ItemKind.STORY, True, False, False, False),  # its story has left
        (S.DONE, ItemKind.USER, True, False, False, True),  # an account may have new ones
        (S.FAILED, ItemKind.USER, True, False, True, False),  # that is for retrying
        (S.EMPTY, ItemKind.USER, True, False, True, False),
        (S.QUEUED, ItemKind.USER, True, False, True, False),
        (S.RUNNING, ItemKind.USER, True, False, True, False),
    ],
)
def test_which_lines_may_be_fetched_again(
    state: ItemState, kind: ItemKind, saved: bool, present: bool, on_tiktok: bool, expected: bool
) -> None:
    facts = {"saved": saved, "present": present, "on_tiktok": on_tiktok}
    assert refetchable(state, kind=kind, **facts) == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("file", "story", "facts"),
    [
        ({}, {}, (True, True, True)),
        ({"role": Role.POSTER}, {}, (False, False, True)),
        ({"removed_at": timezone.now()}, {}, (True, False, True)),
        ({"expires_at": timezone.now() - HOUR}, {}, (True, False, True)),
        ({}, {"leaves_at": None}, (True, True, True)),
        ({}, {"leaves_at": timezone.now() - HOUR}, (True, True, False)),
        ({}, {"source_url": ""}, (True, True, False)),
        ({}, {"leaves_at": None, "source_url": ""}, (True, True, False)),
    ],
)
def test_the_facts_of_a_row(
    file: dict[str, Any], story: dict[str, Any], facts: tuple[bool, bool, bool]
) -> None:
    now: datetime = timezone.now()
    item = make_item(state=S.DONE)
    make_artifact(make_story(item, **({"leaves_at": now + HOUR} | story)), **file)
    found: Any = with_refetch_facts(Item.objects.filter(pk=item.pk), now).get()
    assert (found.saved, found.present, found.on_tiktok) == facts
    assert is_refetchable(found) == (facts[0] and not facts[1])


@pytest.mark.django_db
def test_a_job_is_made_of_the_refetchable_lines(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    old = make_job(note="why", posts=True, audio=Audio.MP3, prefer=Prefer.HIGHEST)
    for name, state in (("a1", S.CANCELLED), ("b2", S.EMPTY), ("c3", S.CANCELLED)):
        make_item(old, name=name, state=state)
    new = refetch(old)
    assert new
    assert (new.owner, new.note) == (old.owner, "why")
    assert (new.posts, new.audio, new.prefer) == (True, Audio.MP3, Prefer.HIGHEST)
    assert [item.line for item in new.items.order_by("position")] == ["@a1", "@c3"]
    earlier = dict(old.items.values_list("line", "pk"))
    assert [item.refetch_of for item in new.items.order_by("position")] == [
        earlier["@a1"],
        earlier["@c3"],
    ]
    nothing = make_job(links=2, state=S.EMPTY)
    with django_assert_num_queries(1):
        assert refetch(nothing) is None


@pytest.mark.django_db
def test_a_line_that_asks_for_something_else_fetches_the_rest_of_nothing() -> None:
    old = make_job(links=1, state=S.CANCELLED)
    (item,) = resubmit(old, ["@somebody.else"]).items.all()
    assert item.refetch_of is None


@pytest.mark.django_db
def test_the_rest_of_a_rest_is_that_of_the_line_with_files() -> None:
    old = make_item(name="a1", state=S.CANCELLED)
    make_artifact(make_story(old, state=S.CANCELLED))
    middle = refetch(old.job)
    assert middle
    middle.items.update(state=S.CANCELLED)
    newest = refetch(middle)
    assert newest
    assert newest.items.get().refetch_of == old.pk
    middle.delete()  # harmless: nothing leads through it


@pytest.mark.django_db
def test_earlier_lines_end_where_they_come_round_or_are_gone_or_somebody_elses(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    first, second, third = (make_item(state=S.CANCELLED) for _ in range(3))
    for item, before in ((first, third), (second, first), (third, second)):
        Item.objects.filter(pk=item.pk).update(refetch_of=before.pk)
    assert earlier_lines(Item(owner=first.owner)) == []
    third.refresh_from_db()
    assert earlier_lines(third) == [second.pk, first.pk, third.pk]
    first.job.delete()
    assert earlier_lines(third) == [second.pk]
    bobs = make_item(make_job(make_user("bob")), refetch_of=third.pk)
    assert earlier_lines(bobs) == []
    line = make_item()
    for _ in range(MAX_EARLIER + 5):
        line = make_item(refetch_of=line.pk)
    with django_assert_max_num_queries(MAX_EARLIER):
        assert len(earlier_lines(line)) == MAX_EARLIER


@pytest.mark.django_db
def test_another_choice_about_posts() -> None:
    assert resubmit(make_job(posts=False), ["@a1"], posts=True).posts
    assert not resubmit(make_job(posts=True), ["@b2"], posts=False).posts


@pytest.mark.django_db
def test_it_counts_against_the_limits(set_env: Callable[..., None]) -> None:
    set_env(quota_active=1)
    old = make_job(links=2, state=S.CANCELLED)
    with pytest.raises(QuotaExceeded):
        refetch(old)
    assert Job.objects.count() == 1


@pytest.mark.django_db
def test_equal_calls_within_the_window_are_one() -> None:
    old = make_job(links=2, state=S.CANCELLED)
    first, second = refetch(old), refetch(old)
    assert first
    assert first == second
    assert resubmit(old, ["@author1"]) != first
    assert resubmit(old, ["@author1", "@author2"], posts=True) != first
    Job.objects.filter(pk=first.pk).update(created_at=timezone.now() - DUPLICATE_WINDOW)
    third = refetch(old)
    assert third
    assert third not in {old, first}
