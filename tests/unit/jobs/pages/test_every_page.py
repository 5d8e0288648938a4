"""What holds for every page: its policy, and what is shown when there is none."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.unit.jobs.pages.pages import shown

pytestmark = pytest.mark.django_db


CSP = "default-src 'none'"


@pytest.mark.parametrize("address", ["/", "/help/", "/history/", "/account/", "/login/"])
def test_every_page_keeps_its_policy(client: Client, address: str) -> None:
    response = client.get(address, follow=True)
    assert CSP in response["Content-Security-Policy"]
    page = response.content.decode()
    assert " style=" not in page
    assert "<style" not in page
    assert " onclick=" not in page
    assert "<script>" not in page


def test_what_does_not_exist_is_a_plain_page(client: Client) -> None:
    response = client.get(f"/jobs/{uuid.uuid4()}/")
    assert response.status_code == 404
    assert "Page not found" in shown(response)


def test_account_and_password(client: Client, alice: User) -> None:
    assert "alice" in shown(client.get("/account/"))
    response = client.post(
        "/account/password/",
        {
            "oldpassword": "alicealice",
            "password1": "correct horse 9",
            "password2": "correct horse 9",
        },
    )
    assert response["Location"] == "/account/"
    alice.refresh_from_db()
    assert alice.check_password("correct horse 9")
