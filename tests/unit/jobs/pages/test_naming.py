"""The page of file names: it shows what comes of a template, and keeps what can be used."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.files import naming_choices
from tests.factories import make_user

pytestmark = pytest.mark.django_db
URL = "/account/names/"


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def page(alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def test_it_begins_with_the_instances_own(page: Client, set_env: Callable[..., None]) -> None:
    set_env(filename_template="{kind}_{number}")
    shown = page.get(URL).content.decode()
    assert 'value="{kind}_{number}"' in shown
    assert "carousel_02.jpg" in shown
    assert "Back to the default" not in shown


def test_a_template_is_shown_before_it_is_kept(page: Client, alice: User) -> None:
    shown = page.get(URL, {"template": "{caption:4}"}).content.decode()
    assert "Firs.mp4" in shown
    assert naming_choices.own_template(alice.pk) == ""


def test_a_preview_keeps_nothing_and_puts_nothing_of_the_form_into_an_address(
    page: Client, alice: User
) -> None:
    shown = page.get(URL, {"template": "{id}"}).content.decode()
    assert 'formmethod="get"' not in shown
    assert f'action="{URL}"' in shown
    seen = page.post(URL, {"template": "{caption:4}", "preview": "1"})
    assert (seen.status_code, "Firs.mp4" in seen.content.decode()) == (200, True)
    wrong = page.post(URL, {"template": "{nobody}", "preview": "1"})
    assert (wrong.status_code, "Unknown placeholder" in wrong.content.decode()) == (200, True)
    assert naming_choices.own_template(alice.pk) == ""


def test_a_template_is_kept(page: Client, alice: User) -> None:
    assert page.post(URL, {"template": "{caption}"}).status_code == 302
    assert naming_choices.own_template(alice.pk) == "{caption}"
    assert "Back to the default" in page.get(URL).content.decode()


def test_it_goes_back_to_the_default(page: Client, alice: User) -> None:
    naming_choices.choose(alice.pk, "{id}")
    page.post(URL, {"template": "{caption}", "reset": "1"})
    assert naming_choices.own_template(alice.pk) == ""


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{author.__class__}", "Unknown placeholder: {author.__class__}"),
        ("{<b>}", "Unknown placeholder: {&lt;b&gt;}"),
        ("{caption:999}", "{caption:999}: only author, nickname and caption take a length"),
        ("../{author}", "A file name cannot contain “/”."),
        ("{author", "Unmatched brace: {"),
        ("x" * 121, "Too long: 120 characters at most."),
        ("a\u202eb", "Invisible character: U+202E"),
        (" ", "The template is empty."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(
    page: Client, alice: User, template: str, said: str
) -> None:
    refused = page.post(URL, {"template": template})
    assert refused.status_code == 422
    assert said in refused.content.decode()
    looked_at = page.get(URL, {"template": template})
    assert looked_at.status_code == 200
    assert said in looked_at.content.decode()
    assert naming_choices.own_template(alice.pk) == ""


def test_nothing_sent_at_all_is_the_default(page: Client, alice: User) -> None:
    naming_choices.choose(alice.pk, "{id}")
    assert page.post(URL, {}).status_code == 302
    assert naming_choices.own_template(alice.pk) == ""
