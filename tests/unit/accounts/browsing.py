"""Signing in as a browser does, and what tests about it share."""

from __future__ import annotations

import time
from typing import Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

FORM = {"login": "alice", "password": "alicealice"}
FRESH = "correct horse 42"
"""A new password."""

SECRET = "JBSWY3DPEHPK3PXP"
"""Of an authenticator app."""

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/604.1"


def sign_in(client: Client, **more: Any) -> Any:
    """The answer to the sign-in form, filled in for alice unless `more` says otherwise."""
    return client.post("/login/", FORM | more)


def is_signed_in(client: Client) -> bool:
    """Whether the account page opens."""
    return client.get("/account/").status_code == 200


def totp_code(secret: str) -> str:
    """The code an authenticator app shows now."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def confirm(client: Client) -> None:
    """Answer the question who is at the browser, as alice does."""
    client.post("/account/confirm/", {"password": FORM["password"]})
