"""The form of how one is told; the page is in test_notice_pages.py."""

from __future__ import annotations

import pytest

from notices.models import Channel, Preference
from webapp.notice_form import NoticeForm

pytestmark = pytest.mark.django_db


def test_it_shows_what_was_chosen() -> None:
    preference = Preference(own=False, digest_hour=0, quiet_from=22, quiet_until=7)
    form = NoticeForm(preference=preference)
    values = {name: form[name].value() for name in form.fields}
    assert values == {
        "own": "no",
        "digest_hour": "0",
        "quiet_from": "22",
        "quiet_until": "7",
        "names": False,
    }


def test_it_offers_channels_where_there_are_some() -> None:
    Channel.objects.create(name="Family", address="", scheme="ntfy")
    assert "Family" in str(NoticeForm(preference=Preference())["channel"])
