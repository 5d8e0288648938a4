"""A member's webhook on the page of notifications."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from notices.models import Webhook
from tests.factories import make_user
from tests.unit.webapp.test_notice_pages import PAGE, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, set_env: Callable[..., None]) -> None:
    set_env(data_dir=tmp_path)


@pytest.fixture
def client() -> Client:
    """Alice's browser."""
    client = Client()
    client.force_login(make_user("alice"))
    return client


def test_a_webhooks_secret_is_shown_once(client: Client) -> None:
    page = text(client.post(PAGE, {"webhook": "1", "address": " https://hooks.example.org/t0ken "}))
    assert "whsec_" in page
    assert f'action="{PAGE}#webhook"' in page  # where the answer is shown
    later = text(client.get(PAGE))
    assert "whsec_" not in later
    assert "t0ken" not in later
    assert "hooks.example.org" in later
    client.post(PAGE, {"webhook_off": "1"})
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    "address",
    ["", "http://hooks.example.org/", "https://u:p@h.org/", "javascript:alert(1)", '"><b>'],
)
def test_an_address_that_may_not_be_used_is_shown_again(client: Client, address: str) -> None:
    page = text(client.post(PAGE, {"webhook": "1", "address": address}), 422)
    assert "Use a public https address" in page
    assert page.count(" autofocus") == 1
    assert 'id="address" ' in page.partition(" autofocus")[0].rpartition("<")[2]
    assert "<b>" not in page
    assert not Webhook.objects.exists()


def test_a_host_that_is_listed(client: Client, set_env: Callable[..., None]) -> None:
    address = {"webhook": "1", "address": "http://ha.lan:8123/hook"}
    text(client.post(PAGE, address), 422)
    set_env(webhook_hosts=("ha.lan:8123",))
    text(client.post(PAGE, address))
