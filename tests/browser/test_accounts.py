"""Coming in by invitation, a token, a passkey, and out again, in a real browser."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DEVICES, Open, Stack, Witness
from tests.browser.test_pages import faults

GOOD = "correct horse 42"


@contextmanager
def stranger(chromium: Browser, stack: Stack, device: str, witness: Witness) -> Iterator[Page]:
    """Someone's own browser, without a session."""
    context = chromium.new_context(base_url=stack.url, **DEVICES[device])
    page = context.new_page()
    witness.watch(page, stack.url)
    yield page
    context.close()


def invite(admin: Page, whom: str) -> str:
    """The path of a fresh link, made on the page."""
    admin.goto("/account/invitations/")
    admin.fill("#id_whom", whom)
    admin.get_by_role("button", name="Create link").click()
    link = admin.locator("#secret").inner_text()
    expect(admin.get_by_role("button", name="Copy")).to_be_visible()
    return link[link.index("/join/") :]


def join(page: Page, path: str, name: str) -> None:
    """Use the link."""
    page.goto(path)
    assert not faults(page)
    page.fill("#id_username", name)
    page.fill("#id_password1", GOOD)
    page.fill("#id_password2", GOOD)
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#id_text")).to_be_visible()


def ask(stack: Stack, token: str) -> Any:
    """Who the API says the token belongs to."""
    request = urllib.request.Request(f"{stack.url}/api/v1/me")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["user"]["name"]


@pytest.mark.parametrize("device", DEVICES)
def test_an_invited_person_comes_in_and_goes(
    device: str, chromium: Browser, stack: Stack, visit: Open, witness: Witness
) -> None:
    path = invite(visit(device, bypass_csp=True), f"Grandma {device}")
    with stranger(chromium, stack, device, witness) as page:
        join(page, path, f"grandma-{device}")
        page.goto("/account/tokens/")
        page.fill("#id_name", "shortcut")
        page.get_by_role("button", name="Create token").click()
        assert ask(stack, page.locator("#secret").inner_text()) == f"grandma-{device}"

        page.goto("/account/sessions/")
        expect(page.get_by_text("This device")).to_be_visible()

        page.goto("/account/data/")
        page.get_by_role("button", name="Close my account").click()
        sure = page.get_by_role("dialog", name="Close your account for good?")
        sure.get_by_role("button", name="Close my account").click()
        page.fill("#id_password", GOOD)  # is it you?
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading")).to_have_text("Your account is closed")
        page.goto("/account/")
        expect(page.locator("#id_username")).to_be_visible()
    with stranger(chromium, stack, device, witness) as page:
        witness.expected.append("404")
        page.goto(path)
        expect(page.get_by_role("heading")).to_have_text("This link no longer works")


def test_a_passkey_signs_in_by_itself(
    chromium: Browser, stack: Stack, visit: Open, witness: Witness
) -> None:
    path = invite(visit(), "Careful")
    with stranger(chromium, stack, "desktop", witness) as page:
        key = page.context.new_cdp_session(page)
        key.send("WebAuthn.enable")
        key.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        join(page, path, "careful")
        page.goto("/account/security/")
        page.get_by_role("link", name="Add a passkey").click()
        page.fill("#id_password", GOOD)
        page.get_by_role("button", name="Continue").click()
        page.fill("#id_name", "My laptop")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator(".codes li")).to_have_count(10)
        page.goto("/account/security/")
        expect(page.get_by_text("My laptop").first).to_be_visible()

        page.goto("/account/")
        page.get_by_role("button", name="Sign out").click()
        page.goto("/account/tokens/")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("API tokens")

        page.goto("/account/")
        page.get_by_role("button", name="Sign out").click()
        page.fill("#id_username", "careful")
        page.fill("#id_password", GOOD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading")).to_have_text("Two-factor code")
        page.get_by_role("button", name="Use a passkey or security key").click()
        expect(page.locator("#id_text")).to_be_visible()


def test_a_passkey_that_is_not_there_changes_nothing(
    chromium: Browser, stack: Stack, witness: Witness
) -> None:
    with stranger(chromium, stack, "phone", witness) as page:
        page.goto("/login/")
        # Braces: a function as the result would be called at once.
        page.evaluate("{ navigator.credentials.get = () => Promise.reject(Error('no')); true }")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing changed")
