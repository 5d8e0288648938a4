"""The sign-in library speaks in our words."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory

from accounts.adapters import AccountAdapter
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_what_is_wrong_is_said_in_our_words() -> None:
    alice = make_user("alice")
    browser = Client()
    page = browser.post("/login/", {"login": "alice", "password": "wrong"}).content.decode()
    assert "Wrong username or password." in page
    browser.force_login(alice)
    given = {"oldpassword": "wrong", "password1": "a new one 7", "password2": "a new one 7"}
    page = browser.post("/account/password/", given).content.decode()
    assert "That is not your current password." in page
    for label in ("Current password", "New password", "New password again"):
        assert f">{label}</label>" in page
    page = browser.post("/account/confirm/", {"password": "wrong"}).content.decode()
    assert "That is not your password." in page


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "counted"),
    [
        (0, "192.0.2.1", None, "192.0.2.1"),
        (0, "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (1, "192.0.2.1", "198.51.100.7", "198.51.100.7"),
        (1, "192.0.2.1", "10.0.0.1, 198.51.100.7", "198.51.100.7"),
        (2, "192.0.2.1", "10.0.0.1, 198.51.100.7, 192.0.2.2", "198.51.100.7"),
        (1, "192.0.2.1", None, "192.0.2.1"),
        (2, "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (1, "192.0.2.1", "198.51.100.7,", "192.0.2.1"),
        (1, "192.0.2.1", "unknown", "192.0.2.1"),
        (1, "192.0.2.1", "' OR 1=1", "192.0.2.1"),
        (1, "192.0.2.1", "198.51.100.7:4711", "198.51.100.7"),
        (1, "192.0.2.1", "[2001:db8::1]:4711", "2001:db8::1"),
        (0, "::ffff:192.0.2.1", None, "192.0.2.1"),
        (1, "192.0.2.1", "::ffff:198.51.100.7", "198.51.100.7"),
        (0, "2a02:908:1:2:3:4:5:6", None, "2a02:908:1:2::"),
        (1, "192.0.2.1", "2a02:908:1:2:ffff::9", "2a02:908:1:2::"),
        (0, "fd12:3456:789a:1::7", None, "fd12:3456:789a:1::7"),
        (0, "::1", None, "::1"),
        (0, "fe80::1%eth0", None, "fe80::1"),
        (0, "", None, "::"),
    ],
)
def test_guesses_are_counted_by_an_address_that_no_stranger_chooses(
    rf: RequestFactory, settings: Any, proxies: int, peer: str, forwarded: str | None, counted: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {"x-real-ip": "203.0.113.1", "forwarded": "for=203.0.113.2"}
    if forwarded is not None:
        headers["x-forwarded-for"] = forwarded
    request = rf.get("/login/", REMOTE_ADDR=peer, headers=headers)
    assert AccountAdapter(request).get_client_ip(request) == counted


@pytest.mark.parametrize("forwarded", ["198.51.100.7", "", "unknown", "x" * 5000])
def test_a_header_that_no_proxy_of_ours_wrote_breaks_nothing(settings: Any, forwarded: str) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2
    make_user("alice")
    browser = Client()
    given = {"login": "alice", "password": "alicealice"}
    answer = browser.post("/login/", given, headers={"x-forwarded-for": forwarded})
    assert answer.status_code == 302
    assert browser.get("/account/sessions/").status_code == 200
