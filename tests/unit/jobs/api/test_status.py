"""`GET /status`: who sees what, and when it counts as changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import Scope
from jobs import VERSION
from jobs.api import status
from jobs.ops import status as ops_status
from jobs.ops.status import Kept
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.ops.instances import stand_in_for_redis

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """Nothing was read so far, and Redis answers."""
    stand_in_for_redis(monkeypatch)
    fresh = Kept()
    monkeypatch.setattr(ops_status, "kept", fresh)
    return fresh


def ask(user: User, **headers: str) -> Any:
    token = tokens.create(user, "sensor", scope=Scope.READ)
    return Client().get("/api/v1/status", headers={"authorization": f"Bearer {token}", **headers})


def test_a_member_sees_how_it_works_and_what_is_theirs() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    make_item(make_job(alice))
    make_item(make_job(bob), state="done")
    answer = ask(bob)
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("mine").pop("last_saved_at")
    assert body == {
        "version": VERSION,
        "state": "ok",
        "workers": {"alive": 2, "wanted": 1},
        "breaker": {"open": False, "until": None},
        "queue": None,
        "disk": None,
        "last_saved_at": None,
    }


def test_who_may_see_the_overview_sees_the_queue_of_all() -> None:
    make_item(make_job(make_user("alice")), asked_at=timezone.now() - timedelta(seconds=90))
    body = ask(make_user("root", is_superuser=True, is_staff=True)).json()
    assert body["queue"]["queued"] == 1
    assert body["queue"]["oldest_age_s"] in range(90, 600)
    assert set(body["disk"]) == {"used_bytes", "free_bytes", "limit_bytes"}
    assert body["mine"] == {
        "queued": 0, "running": 0, "oldest_age_s": None, "last_saved_at": None,
    }  # fmt: skip


def test_the_tag_stays_while_nothing_but_ages_change(kept: Kept) -> None:
    alice = make_user("alice")
    item = make_item(make_job(alice))
    answer = ask(alice)
    tag = answer.headers["ETag"]
    item.asked_at -= timedelta(minutes=3)
    item.save()
    again = ask(alice, if_none_match=tag)
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    make_item(make_job(alice))
    assert ask(alice, if_none_match=tag).status_code == 200


def test_a_little_free_space_is_no_change() -> None:
    root = make_user("root", is_superuser=True, is_staff=True)
    out = status.status_json(root)
    assert out.disk is not None
    out.disk.free_bytes = 5 * status.FREE_STEP
    tag = status.etag(out)
    out.disk.free_bytes += status.FREE_STEP - 1
    assert status.etag(out) == tag
    out.disk.free_bytes += 1
    assert status.etag(out) != tag


def test_it_needs_a_token() -> None:
    assert Client().get("/api/v1/status").status_code == 401
