"""A person's own template of file names."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from jobs.files import naming_choices
from jobs.models import NamingChoice
from jobs.name_template import DEFAULT, TemplateRefused
from jobs.queue.submission import submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice")


def test_nothing_is_chosen_at_first(alice: User) -> None:
    assert naming_choices.own_template(alice.pk) == ""


def test_a_choice_is_kept_and_changed(alice: User) -> None:
    naming_choices.choose(alice.pk, "{caption}")
    naming_choices.choose(alice.pk, "{id}")
    assert naming_choices.own_template(alice.pk) == "{id}"


@pytest.mark.parametrize("template", ["", DEFAULT])
def test_what_the_instance_does_is_no_choice_of_ones_own(alice: User, template: str) -> None:
    naming_choices.choose(alice.pk, "{id}")
    naming_choices.choose(alice.pk, template)
    assert not NamingChoice.objects.exists()


def test_what_cannot_be_used_changes_nothing(alice: User) -> None:
    naming_choices.choose(alice.pk, "{id}")
    with pytest.raises(TemplateRefused):
        naming_choices.choose(alice.pk, "../{id}")
    assert naming_choices.own_template(alice.pk) == "{id}"


def test_a_job_is_sent_with_what_its_owner_has_chosen(alice: User) -> None:
    bob = User.objects.create_user("bob")
    naming_choices.choose(alice.pk, "{id}")
    assert submit(alice, ["@harbour.bakery"]).name_template == "{id}"
    assert submit(bob, ["@harbour.bakery"]).name_template == ""


def test_a_choice_goes_with_its_person(alice: User) -> None:
    naming_choices.choose(alice.pk, "{id}")
    alice.delete()
    assert not NamingChoice.objects.exists()
