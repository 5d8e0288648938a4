"""The form about a person: name and address, and nothing else."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.test import Client

from accounts import signin
from jobs.models import Quota
from tests.factories import make_user
from tests.unit.webapp.admin.pages import LIST, change

pytestmark = pytest.mark.django_db


def test_an_old_page_gives_nobody_an_address_back(browser: Client, alice: User) -> None:
    change(browser, alice, email="alice@example.org")
    page = browser.get(f"{LIST}{alice.pk}/change/").content.decode()
    assert 'name="initial-email" value="alice@example.org"' in page
    signin.set_email(alice, "")  # she removes it meanwhile
    seen = {"email": "alice@example.org", "initial-email": "alice@example.org"}
    change(browser, alice, **seen, **{"quota-0-active_items": "3"})
    alice.refresh_from_db()
    assert alice.email == ""
    assert not EmailAddress.objects.exists()
    assert Quota.objects.get().active_items == 3


def test_an_address_is_one_persons(browser: Client, alice: User) -> None:
    change(browser, alice, email="Alice@Example.org")
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"
    bob = make_user("bob")
    assert "Someone else here has this address." in change(browser, bob, email="ALICE@example.org")
    change(browser, alice, email="")
    change(browser, bob, email="alice@example.org")
    bob.refresh_from_db()
    assert bob.email == "alice@example.org"


def test_the_form_takes_no_other_field(browser: Client, alice: User) -> None:
    before = User.objects.get(pk=alice.pk).password
    more = {"role": "admin", "blocked": "on"}
    change(browser, alice, password="x", is_superuser="on", is_staff="on", is_active="", **more)
    alice.refresh_from_db()
    assert alice.password == before
    assert not alice.is_staff
    assert alice.is_active
