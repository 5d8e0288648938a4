"""Actions on people: each asks first, does what it says, and leaves an admin."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from accounts import people
from accounts.models import ApiToken
from jobs.models import Artifact, Item
from jobs.states import ItemState
from tests.factories import make_job, make_user
from tests.unit.webapp.admin.pages import LIST, act, plain

pytestmark = pytest.mark.django_db


def test_roles(browser: Client, root: User, alice: User) -> None:
    assert "Make admin: 1 user." in act(browser, "make_admin", alice)
    alice.refresh_from_db()
    assert (alice.is_superuser, alice.is_staff) == (True, True)
    assert "nobody to do that to" in act(browser, "make_admin", alice)
    assert "Make member: 1 user." in act(browser, "make_member", alice)
    alice.refresh_from_db()
    assert (alice.is_superuser, alice.is_staff) == (False, False)


def test_what_was_done_is_noted_in_one_language(browser: Client, alice: User) -> None:
    browser.cookies["django_language"] = "de"
    with translation.override("en"):  # a request leaves its language behind
        act(browser, "block", alice)
    assert LogEntry.objects.get().change_message == "Block: end sessions and tokens"


def test_a_persons_page_has_their_acts_and_comes_back(browser: Client, alice: User) -> None:
    address = f"{LIST}{alice.pk}/change/"
    page = plain(browser.get(address).content)
    offered = re.findall(r'name="action" value="(\w+)"', page)
    assert offered == ["make_admin", "block", "sign_out", "password_link", "forget_factors"]
    given = {"action": "block", "_selected_action": alice.pk, "back": "row"}
    asked = plain(browser.post(LIST, given).content)
    assert "1 user:" in asked
    assert f'href="{address}"' in asked
    assert User.objects.get(pk=alice.pk).is_active
    done = browser.post(LIST, given | {"sure": "yes"})
    assert done.headers["Location"] == address
    alice.refresh_from_db()
    assert not alice.is_active
    assert not ApiToken.objects.exists()
    offered = re.findall(r'name="action" value="(\w+)"', plain(browser.get(address).content))
    assert "unblock" in offered
    assert "block" not in offered


def test_the_last_admin_stays_one(browser: Client, root: User) -> None:
    assert "only admin" in act(browser, "make_member", root)
    root.refresh_from_db()
    assert root.is_superuser
    assert root.is_active


def test_actions_ask_first(browser: Client, alice: User) -> None:
    for name in ("block", "sign_out", "delete_selected"):
        text = act(browser, name, alice, sure=False)
        assert "alice" in text
        assert "sure" in text.lower()
    alice.refresh_from_db()
    assert alice.is_active


def test_blocking_and_unblocking(browser: Client, alice: User) -> None:
    phone = Client()
    phone.force_login(alice)
    assert "Block: 1 user." in act(browser, "block", alice)
    assert phone.get("/account/").status_code == 302
    assert "nobody to do that to" in act(browser, "block", alice)
    assert "Unblock: 1 user." in act(browser, "unblock", alice)
    alice.refresh_from_db()
    assert alice.is_active


def test_nothing_is_fetched_for_somebody_who_is_blocked(browser: Client, alice: User) -> None:
    bob = make_user("bob")
    open_jobs = [make_job(alice, links=2), make_job(alice, links=1, state=ItemState.RUNNING)]
    theirs = make_job(bob, links=1)
    assert "cancelled" in act(browser, "block", alice, sure=False)
    assert Item.objects.filter(state=ItemState.CANCELLED).count() == 0
    act(browser, "block", alice)
    states = Item.objects.filter(job__in=open_jobs).values_list("state", flat=True)
    assert set(states) == {ItemState.CANCELLED}
    assert theirs.items.get().state == ItemState.QUEUED
    assert Artifact.objects.filter(owner=alice, removed_at=None).count() == 1


def test_signing_out(browser: Client, alice: User) -> None:
    phone = Client()
    phone.force_login(alice)
    act(browser, "sign_out", alice)
    assert phone.get("/account/").status_code == 302


def test_nobody_blocks_themselves(browser: Client, root: User, alice: User) -> None:
    make_user("other", is_staff=True, is_superuser=True)
    text = act(browser, "block", root, alice)
    assert "You cannot block yourself." in text
    assert "Block: 1 user." in text
    root.refresh_from_db()
    assert root.is_active
    assert "nobody to do that to" in act(browser, "block", root)


def test_the_last_admin_is_not_blocked(
    browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks was demoted a moment ago, and is still signed in as an admin."""
    people.set_role(alice, admin=True)
    monkeypatch.setattr(people, "admins", lambda: User.objects.filter(pk=alice.pk, is_active=True))
    assert "someone has to run this instance. (alice)" in act(browser, "block", alice)
    alice.refresh_from_db()
    assert alice.is_active


def test_a_link_for_a_new_password(browser: Client, alice: User) -> None:
    assert "/password/" not in act(browser, "password_link", alice, sure=False)
    page = act(browser, "password_link", alice)
    found = re.search(r"alice: (http://testserver(/password/[^<]+))</code>", page)
    assert found
    form = Client().get(found[2], follow=True)
    assert b"password1" in form.content
    assert "/password/" not in browser.get(LIST).content.decode()
