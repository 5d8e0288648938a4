"""The look and the language a person chose, and who may be led where."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    """Alice's browser."""
    browser = Client()
    browser.force_login(make_user("alice"))
    return browser


def text(response: Any) -> str:
    """The page, one space between words."""
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_theme_stands_in_the_page(client: Client, theme: str) -> None:
    assert "data-theme" not in text(client.get("/account/"))
    response = client.post("/preferences/", {"theme": theme, "next": "/account/"})
    assert response["Location"] == "/account/"
    page = text(client.get("/account/"))
    assert f'data-theme="{theme}"' in page
    assert f'<meta name="color-scheme" content="{theme}">' in page
    client.post("/preferences/", {"theme": ""})
    assert "data-theme" not in text(client.get("/account/"))


def test_a_made_up_theme_is_nothing(client: Client) -> None:
    client.cookies["theme"] = '"><script>'
    assert "data-theme" not in text(client.get("/account/"))


@pytest.mark.parametrize("wrong", [{}, {"theme": "pink"}, {"language": "xx"}])
def test_what_cannot_be_chosen_is_refused(client: Client, wrong: dict[str, str]) -> None:
    assert client.post("/preferences/", wrong).status_code == 400


def test_one_goes_back_to_pages_of_ours_alone(client: Client) -> None:
    response = client.post("/preferences/", {"theme": "dark", "next": "https://evil.example/"})
    assert response["Location"] == "/"


def test_reading_the_preferences_leads_to_where_they_are(client: Client) -> None:
    assert client.get("/preferences/")["Location"] == "/account/"
    assert client.head("/preferences/")["Location"] == "/account/"
    assert Client().get("/preferences/")["Location"] == "/"
    assert client.put("/preferences/").status_code == 405
