"""The form of how one is told; the page is in test_notice_pages.py."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import translation

from notices import webhooks
from notices.models import Channel, Preference
from tests.factories import make_user
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
    }


def test_it_offers_channels_where_there_are_some() -> None:
    Channel.objects.create(name="Family", address="", scheme="ntfy")
    assert "Family" in str(NoticeForm(preference=Preference())["channel"])


def test_its_hours_are_said_in_the_readers_language() -> None:
    for language, said in (("de", "Einmal am Tag, um 08:00"), ("en", "Once a day, at 08:00")):
        with translation.override(language):
            assert said in str(NoticeForm(preference=Preference())["digest_hour"])


def test_names_are_asked_about_where_somebody_else_could_read_them() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    webhooks.put(alice.pk, "https://hooks.example.org/a", ())

    def asks(owner: User) -> bool:
        return "names" in NoticeForm(preference=Preference(owner=owner)).fields

    assert asks(alice)
    assert not asks(bob)
    Channel.objects.create(name="Family", address="", scheme="ntfy")
    assert asks(bob)


def test_an_answer_that_was_not_asked_for_changes_nothing() -> None:
    preference = Preference(names=True)
    form = NoticeForm({"own": "yes"}, preference=preference)
    assert form.is_valid()
    form.fill(preference)
    assert preference.names


@pytest.mark.parametrize(("begins", "ends"), [("22", 7), ("0", 7), ("7", None)])
def test_quiet_hours_last_until_seven_unless_one_says_so(begins: str, ends: int | None) -> None:
    preference = Preference()
    form = NoticeForm(
        {"own": "yes", "quiet_from": begins, "quiet_until": ""}, preference=preference
    )
    assert form.is_valid() == (ends is not None)
    if form.is_valid():
        form.fill(preference)
    assert preference.quiet_until == ends


def test_quiet_hours_that_would_be_none_are_refused() -> None:
    form = NoticeForm(
        {"own": "yes", "quiet_from": "7", "quiet_until": "7"}, preference=Preference()
    )
    assert form.errors == {"quiet_until": ["Quiet hours cannot end at the hour they begin."]}
    assert "also within quiet hours" in str(form)
