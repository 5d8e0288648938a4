"""Tests for `jobs.watch`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs.models import Watch, WatchedAccount, WatchGap, WatchingPause

pytestmark = pytest.mark.django_db


def a_watch(account: WatchedAccount, name: str = "nora") -> Watch:
    owner, _made = get_user_model().objects.get_or_create(username=name)
    renew_by = timezone.now() + timedelta(days=30)
    return Watch.objects.create(owner=owner, account=account, every_s=21600, renew_by=renew_by)


def test_an_account_is_there_once_by_its_id_and_once_by_a_name_without_one() -> None:
    WatchedAccount.objects.create(name="anna", tiktok_id="7")
    WatchedAccount.objects.create(name="anna", tiktok_id="8")  # a name that changed hands
    WatchedAccount.objects.create(name="anna")
    for fields in ({"name": "other", "tiktok_id": "7"}, {"name": "anna"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            WatchedAccount.objects.create(**fields)


def test_nobody_watches_an_account_twice() -> None:
    account = WatchedAccount.objects.create(name="anna", tiktok_id="7")
    a_watch(account)
    a_watch(account, "omar")
    with pytest.raises(IntegrityError), transaction.atomic():
        a_watch(account)


def test_no_row_names_its_account_by_itself() -> None:
    """str() of a row stands in logs and admin pages, where names are masked."""
    account = WatchedAccount.objects.create(name="anna", tiktok_id="7")
    watch = a_watch(account)
    assert "anna" not in f"{account} {watch}"


def test_a_gap_says_from_when_to_when() -> None:
    at = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
    gap = WatchGap(begins_at=at, ends_at=at + timedelta(hours=6))
    assert str(gap) == "2026-11-20 14:03 – 2026-11-20 20:03"
    assert str(WatchingPause(since=at)) == "paused since 2026-11-20 14:03"
