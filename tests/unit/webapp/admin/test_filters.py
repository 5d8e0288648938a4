"""The filter beside the list of people: each choice shows whom it names, and no one else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.factories import make_user
from tests.unit.webapp.admin.pages import LIST

pytestmark = pytest.mark.django_db

EVERYONE = {"root", "alice", "bob", "carol"}


@pytest.fixture(autouse=True)
def _people(root: User, alice: User) -> None:
    """An admin and a member, and one of each who is blocked."""
    make_user("bob", is_active=False)
    make_user("carol", is_staff=True, is_superuser=True, is_active=False)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", EVERYONE),
        ("?role=member", {"alice", "bob"}),
        ("?role=admin", {"root", "carol"}),
        ("?role=blocked", {"bob", "carol"}),
        ("?role=Admin", EVERYONE),
        ("?role=' OR 1=1 --", EVERYONE),
        ("?role=member&q=bob", {"bob"}),
    ],
)
def test_a_choice_shows_whom_it_names(browser: Client, query: str, names: set[str]) -> None:
    shown = browser.get(LIST + query).context["cl"].queryset
    assert {user.username for user in shown} == names


def test_every_choice_is_offered_and_the_one_in_force_is_marked(browser: Client) -> None:
    listed = browser.get(f"{LIST}?role=blocked").context["cl"]
    (role,) = listed.filter_specs
    offered = list(role.choices(listed))
    assert [one["display"] for one in offered][1:] == ["member", "admin", "blocked"]
    assert [one["display"] for one in offered if one["selected"]] == ["blocked"]
