"""Sign-in by a real provider of another origin, in a real Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import ROOT, free_port
from tests.oidc import real


@dataclass
class House:
    """An instance below a path, with a provider. run: a command of `manage.py`; what it prints."""

    url: str
    issuer: str
    run: Callable[..., str]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="sk-oidc-", dir="/tmp"))
    port, provider_port = free_port(), free_port()
    url, issuer = f"http://127.0.0.1:{port}/keep", f"http://127.0.0.1:{provider_port}"
    environment = {
        name: value
        for name, value in os.environ.items()
        if "STORYKEEP" not in name and name != "DJANGO_SETTINGS_MODULE"
    } | {
        "STORYKEEP_DATA_DIR": str(folder / "data"),
        "STORYKEEP_PUBLIC_URL": url,
        "STORYKEEP_DISK_MIN_FREE": "0",
        "STORYKEEP_ADMIN_USER": "root",
        "STORYKEEP_ADMIN_PASSWORD": "rootroot1",
        "STORYKEEP_OIDC_ISSUER": issuer,
        "STORYKEEP_OIDC_CLIENT_ID": real.CLIENT_ID,
        "STORYKEEP_OIDC_CLIENT_SECRET": real.CLIENT_SECRET,
        "STORYKEEP_OIDC_NAME": "Home",
        "STORYKEEP_OIDC_ADMIN_GROUP": "admins",
        "STORYKEEP_OIDC_MEMBER_GROUP": "family",
        "STORYKEEP_OIDC_SIGNUP": "group",
    }

    def run(*words: str) -> str:
        argv = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            argv, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        provider = stack.enter_context(
            real.starting(provider_port, folder, f"{url}/login/oidc/callback/")
        )
        run("up", "--only", "migrate")
        argv = [sys.executable, "-m", "webapp.web", "--threads", "8", "--port", str(port)]
        process = subprocess.Popen(argv, cwd=ROOT, env=environment)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        real.until_answers(f"http://127.0.0.1:{port}/health/live", process)
        real.until_ready(issuer, provider)
        yield House(url, issuer, run)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    fresh = chromium.new_context()
    yield fresh
    fresh.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def sign_in_there(page: Page, name: str) -> None:
    """The provider's own pages: name and password, then consent."""
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill(name * 2)
    page.locator("[name=password]").press("Enter")
    page.get_by_role("button", name="Authorize").click()


def sign_in(page: Page, house: House, name: str) -> None:
    page.goto(f"{house.url}/login/")
    page.get_by_role("button", name="Continue with Home").click()
    page.wait_for_url(f"{house.issuer}/**")
    sign_in_there(page, name)


def test_a_member_of_the_family_comes_in_and_goes(page: Page, house: House) -> None:
    sign_in(page, house, "nora")
    page.wait_for_url(f"{house.url}/")
    page.goto(f"{house.url}/account/")
    expect(page.get_by_text("You are signed in as nora")).to_be_visible()
    expect(page.get_by_role("link", name="Everyone")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("At Home you may still be signed in.")).to_be_visible()


def test_who_is_in_the_group_is_an_admin(page: Page, house: House) -> None:
    sign_in(page, house, "boss")
    page.wait_for_url(f"{house.url}/")
    page.goto(f"{house.url}/account/")
    expect(page.get_by_role("link", name="Everyone")).to_be_visible()


def test_who_is_in_no_group_stays_outside(page: Page, house: House) -> None:
    sign_in(page, house, "guest")
    expect(page.get_by_role("heading", name="You have no access")).to_be_visible()


def test_who_declines_is_told_so(page: Page, house: House) -> None:
    page.goto(f"{house.url}/login/")
    page.get_by_role("button", name="Continue with Home").click()
    page.locator("[name=login]").fill("guest")
    page.locator("[name=password]").fill("guestguest")
    page.locator("[name=password]").press("Enter")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="You did not sign in")).to_be_visible()


def test_without_the_origin_in_the_policy_the_browser_stays(page: Page, house: House) -> None:
    """What the policy of the page is for: the same page with the usual one leads nowhere."""

    def with_the_usual_policy(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        policy = answer.headers["content-security-policy"].replace(f" {house.issuer}", "")
        headers = answer.headers | {"content-security-policy": policy}
        route.fulfill(response=answer, headers=headers)  # type: ignore[attr-defined]

    page.route("**/login/", with_the_usual_policy)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{house.url}/login/")
    page.get_by_role("button", name="Continue with Home").click()
    page.wait_for_timeout(1500)
    assert page.url == f"{house.url}/login/"
    assert any("form-action" in text for text in said)


def test_an_account_is_linked_by_its_owner_and_unlinked(page: Page, house: House) -> None:
    link = house.run("signin-link", "root").strip()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{house.url}/")
    page.goto(f"{house.url}/account/provider/")
    page.locator("[name=password]").fill("rootroot1")  # a link from a shell is no confirmation
    page.get_by_role("button", name="Continue", exact=True).click()
    page.get_by_role("button", name="Continue with Home").click()
    page.wait_for_url(f"{house.issuer}/**")
    sign_in_there(page, "kin")
    expect(page.get_by_text("You can sign in with Home now.")).to_be_visible()
    page.goto(f"{house.url}/account/")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Continue with Home").click()
    page.get_by_role("button", name="Authorize").click()  # who they are is known there
    page.wait_for_url(f"{house.url}/")
    page.goto(f"{house.url}/account/provider/")
    page.locator("[name=password]").fill("rootroot1")
    page.get_by_role("button", name="Continue", exact=True).click()
    page.get_by_role("button", name="Remove the link").click()
    expect(page.get_by_text("Link removed.")).to_be_visible()
