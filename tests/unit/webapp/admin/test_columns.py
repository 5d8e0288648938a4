"""The list of people: what each uses of what they may, and when they were last here."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import formats, timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import ApiToken
from jobs.models import Job, Quota
from jobs.templatetags.words import when
from tests.factories import make_user
from tests.unit.webapp.admin.pages import LIST, act, plain

pytestmark = pytest.mark.django_db


def test_the_list_says_what_everyone_uses(
    browser: Client, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_user(f"user{number}")
    Quota.objects.create(owner=alice, active_items=4, stored_bytes=5_000_000_000)
    with django_assert_max_num_queries(11):
        text = plain(browser.get(LIST).content)
    assert "3 kB of 5.0 GB" in text
    assert "0 of 4" in text
    for query in ("?role=admin", "?role=blocked", "?o=5.8", "?q=ali", "?role=nonsense"):
        assert browser.get(LIST + query).status_code == 200


def test_times_are_told_as_the_site_tells_them(browser: Client, alice: User) -> None:
    act(browser, "block", alice)
    at = User.objects.get(pk=alice.pk).date_joined
    for place in (LIST, f"{LIST}{alice.pk}/change/"):
        page = plain(browser.get(place).content)
        assert str(when(at)) in page, place
        assert formats.localize(timezone.localtime(at)) not in page, place
    (entry,) = LogEntry.objects.filter(object_id=str(alice.pk))
    page = plain(browser.get(f"{LIST}{alice.pk}/history/").content)
    assert str(when(entry.action_time)) in page
    assert formats.localize(timezone.localtime(entry.action_time)) not in page
    assert entry.get_change_message() in page


def test_last_active_is_the_latest_sign(browser: Client, alice: User) -> None:
    long_ago = timezone.now() - timedelta(days=300)
    User.objects.filter(pk=alice.pk).update(date_joined=long_ago, last_login=None)
    Job.objects.update(created_at=long_ago)
    used = timezone.now() - timedelta(days=3)
    ApiToken.objects.update(last_used_at=used)
    row = browser.get(f"{LIST}?q=alice").context["cl"].queryset.get()
    assert row.active_at == used
