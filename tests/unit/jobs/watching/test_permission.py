"""Tests for `jobs.watching.permission`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser

from jobs.models import WatchingPause, WatchState
from jobs.watching.permission import is_on, is_paused, lookable, may_watch
from tests.factories import make_user
from tests.unit.jobs.watching.making import watching

pytestmark = pytest.mark.django_db
SetEnv = Callable[..., None]


def test_who_may_watch_is_the_instances_choice(set_env: SetEnv) -> None:
    admin, member = make_user("nora", is_staff=True), make_user("omar")
    away = make_user("pia", is_staff=True, is_active=False)
    for choice, allowed in (("off", set()), ("admins", {admin}), ("members", {admin, member})):
        set_env(watches=choice)
        assert {user for user in (admin, member, away) if may_watch(user)} == allowed
        assert is_on() == (choice != "off")
        assert not may_watch(AnonymousUser())


def test_looks_are_made_for_who_may_watch_and_while_watching_does_not_rest(
    set_env: SetEnv,
) -> None:
    watch, members = watching("nora"), watching("omar")
    type(members.owner).objects.filter(pk=members.owner_id).update(is_staff=False)
    watching("pia", state=WatchState.PAUSED)
    watching("quin", state=WatchState.ENDED, next_at=None)
    assert set(lookable()) == {watch}
    set_env(watches="members")
    assert set(lookable()) == {watch, members}
    type(watch.owner).objects.filter(pk=watch.owner_id).update(is_active=False)
    assert set(lookable()) == {members}
    WatchingPause.objects.create()
    assert is_paused()
    assert not lookable()
    WatchingPause.objects.all().delete()
    set_env(watches="off")
    assert not lookable()
