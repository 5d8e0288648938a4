"""A person's own limits, on the page about that person."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Quota
from tests.unit.webapp.admin.pages import LIST, change

pytestmark = pytest.mark.django_db
NO_LIMITS = {f"quota-0-{name}": "" for name in ("active_items", "items_per_day", "stored_bytes")}


def test_a_quota_is_set_and_taken_away(browser: Client, alice: User) -> None:
    assert "Write a size" in change(browser, alice, **{"quota-0-stored_bytes": "lots"})
    change(browser, alice, **{"quota-0-stored_bytes": "5GB", "quota-0-items_per_day": "0"})
    quota = Quota.objects.get()
    assert (quota.owner, quota.stored_bytes, quota.items_per_day) == (alice, 5 * 1000**3, 0)
    assert quota.active_items is None
    assert 'value="5GB"' in browser.get(f"{LIST}{alice.pk}/change/").content.decode()
    held = {"quota-INITIAL_FORMS": "1", "quota-0-owner": str(alice.pk)}
    change(browser, alice, **held, **{"quota-0-stored_bytes": "1500MB"})
    assert Quota.objects.get().stored_bytes == 1_500_000_000
    change(browser, alice, **held, **NO_LIMITS)
    assert Quota.objects.get().stored_bytes is None


def test_a_quota_is_emptied_not_deleted(browser: Client, alice: User) -> None:
    """Its row also knows what was sent today and is gone already."""
    today = timezone.now().date()
    Quota.objects.create(owner=alice, active_items=4, forgotten_on=today, forgotten_items=26)
    page = browser.get(f"{LIST}{alice.pk}/change/").content.decode()
    assert "quota-0-DELETE" not in page
    assert "quota: alice" not in page  # one heading is enough
    assert "js-inline" not in page  # no script adds or removes rows
    assert "Empty: as for everyone on this instance. 0: no limit." in page
    held = {"quota-INITIAL_FORMS": "1", "quota-0-owner": str(alice.pk), "quota-0-DELETE": "on"}
    change(browser, alice, **held, **NO_LIMITS)
    quota = Quota.objects.get()
    assert (quota.active_items, quota.forgotten_items) == (None, 26)
    assert "quota: alice" in browser.get(f"{LIST}{alice.pk}/history/").content.decode()
