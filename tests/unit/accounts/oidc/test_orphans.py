"""People can be deleted after a provider was switched off, whose tables are still there."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.auth.models import User
from django.db import connection

from accounts import people
from tests.factories import make_user


def rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_links_that_nothing_knows_go_with_the_person(settings: Any) -> None:
    make_user("root", is_superuser=True, is_staff=True)
    alice, bob = make_user("alice"), make_user("bob")
    for user in (alice, bob):
        row = SocialAccount.objects.create(user=user, provider="https://gone", uid=user.username)
        SocialToken.objects.create(account=row, token="old")
    settings.INSTALLED_APPS = [
        name for name in settings.INSTALLED_APPS if name != "allauth.socialaccount"
    ]
    people.remove(alice)
    assert not User.objects.filter(username="alice").exists()
    assert rows("socialaccount_socialaccount") == rows("socialaccount_socialtoken") == 1


@pytest.mark.django_db
def test_without_such_tables_nothing_is_asked(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = make_user("alice")
    settings.INSTALLED_APPS = [
        name for name in settings.INSTALLED_APPS if name != "allauth.socialaccount"
    ]
    monkeypatch.setattr(connection.introspection, "table_names", lambda *_: [])
    people.remove(alice)
    assert not User.objects.exists()
