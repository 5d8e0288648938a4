"""Push messages end with the session of the browser that takes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from accounts import ended_sessions
from notices.models import PushSubscription
from tests.factories import make_user
from tests.unit.notices.receiving import Browser
from webapp.notice_sessions import SUBSCRIPTION, PushSessions

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, set_env: Callable[..., None]) -> None:
    set_env(data_dir=tmp_path)


def signed_in(name: str, endpoint: str) -> Client:
    """A browser somebody is signed in with, and told by."""
    client = Client()
    client.force_login(make_user(name))
    session = client.session
    session[SUBSCRIPTION] = Browser(endpoint).subscribe(make_user(name)).pk
    session.save()
    return client


def devices() -> set[str]:
    return {
        url.rpartition("/")[2]
        for url in PushSubscription.objects.values_list("endpoint", flat=True)
    }


def test_the_site_listens() -> None:
    assert any(isinstance(listener, PushSessions) for listener in ended_sessions.listeners)


def test_signing_out_here_ends_it_here() -> None:
    phone = signed_in("alice", "https://web.push.apple.com/phone")
    signed_in("alice", "https://web.push.apple.com/laptop")
    phone.post("/logout/")
    assert devices() == {"laptop"}


def test_a_session_that_ran_out_ends_nothing() -> None:
    signed_in("alice", "https://web.push.apple.com/phone")
    Session.objects.all().delete()
    assert devices() == {"phone"}


def test_a_browser_that_somebody_else_took_over_stays_theirs() -> None:
    phone = signed_in("alice", "https://web.push.apple.com/phone")
    signed_in("bob", "https://web.push.apple.com/phone")
    phone.post("/logout/")
    assert PushSubscription.objects.get().owner == make_user("bob")


@pytest.mark.parametrize("which", [None, "1", [], -1, 10**30])
def test_a_session_that_holds_nonsense(which: object) -> None:
    PushSessions().session_ended({SUBSCRIPTION: which, "_auth_user_id": "x"})
    PushSessions().session_ended({SUBSCRIPTION: 1})


def test_signed_out_everywhere() -> None:
    signed_in("alice", "https://web.push.apple.com/phone")
    signed_in("bob", "https://web.push.apple.com/other")
    PushSessions().all_ended(make_user("alice").pk)
    assert devices() == {"other"}
