"""A person's own limits are there for as long as the person."""

from __future__ import annotations

import pytest

from jobs.models import Quota
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_they_go_with_an_account() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    bobs = Quota.objects.create(owner=bob)
    Quota.objects.create(owner=alice)
    alice.delete()
    assert list(Quota.objects.all()) == [bobs]


def test_they_are_called_by_their_owner() -> None:
    assert str(Quota(owner=make_user("alice"))) == "quota: alice"
