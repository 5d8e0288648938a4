"""Sharing from the app: a job at once for its owner, and for nobody who only pretends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from jobs.models import Job, Quota
from jobs.pages import share_target
from tests.factories import make_item, make_job, make_user
from tests.unit.jobs.pages.pages import shown

pytestmark = pytest.mark.django_db

LINK = "https://vm.tiktok.com/ZMabcdef1/"
SHARED = {"title": "TikTok", "text": f"Look at this! {LINK}", "url": ""}


def share(browser: Client, whose: User, **headers: str) -> Any:
    """As the phone's own sheet delivers it, unless headers say otherwise."""
    given = {"Sec-Fetch-Site": "none"} | headers
    return browser.post(share_target.address(whose), SHARED, headers=given)


@pytest.fixture
def strict(alice: User) -> Client:
    """Alice's browser, for which forms of strangers are looked at as outside of tests."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    return browser


def test_a_share_is_a_job_at_once(strict: Client, alice: User) -> None:
    response = share(strict, alice)
    job = Job.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/jobs/{job.pk}/")
    assert job.owner == alice
    assert [item.line for item in job.items.all()] == [f"Look at this! {LINK}"]


@pytest.mark.parametrize(
    "site", ["cross-site", "same-site", "same-origin", "", "None", "none, none"]
)
def test_a_form_on_a_page_starts_nothing_even_with_the_right_address(
    site: str, strict: Client, alice: User
) -> None:
    response = share(strict, alice, **{"Sec-Fetch-Site": site})
    assert not Job.objects.exists()
    assert LINK in shown(response)  # one tap away, as with any link that fills the box
    bare = strict.post(share_target.address(alice), SHARED)
    assert (bare.status_code, Job.objects.exists()) == (200, False)


def test_anothers_address_or_a_guessed_one_starts_nothing(strict: Client, alice: User) -> None:
    bob = make_user("bob")
    assert share(strict, bob).status_code == 200
    guesses = [f"/share/{alice.pk}/{key}/" for key in ("x", "0" * 40, "é")]
    for guess in [*guesses, f"/share/{10**30}/x/", share_target.address(alice)[:-2] + "/"]:
        answer = strict.post(guess, SHARED, headers={"Sec-Fetch-Site": "none"})
        assert answer.status_code in {200, 404}
    assert not Job.objects.exists()


def test_a_link_to_the_address_is_only_a_link(strict: Client, alice: User) -> None:
    response = strict.get(share_target.address(alice), SHARED, headers={"Sec-Fetch-Site": "none"})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert not Job.objects.exists()


def test_a_new_password_makes_a_new_address(strict: Client, alice: User) -> None:
    old = share_target.address(alice)
    alice.set_password("another one")
    alice.save()
    strict.force_login(alice)
    response = strict.post(old, SHARED, headers={"Sec-Fetch-Site": "none"})
    assert (response.status_code, Job.objects.exists()) == (200, False)
    assert share(strict, alice).status_code == 302


def test_delivered_twice_it_is_one_job(
    strict: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = timezone.now()
    for after_s in (0, 1, share_target.WINDOW_S - 1):
        then = moment + timedelta(seconds=after_s)
        monkeypatch.setattr(timezone, "now", lambda then=then: then)
        share(strict, alice)
    assert Job.objects.count() == 1
    # The same account shared again later may have new stories.
    later = moment + timedelta(seconds=2 * share_target.WINDOW_S)
    monkeypatch.setattr(timezone, "now", lambda: later)
    share(strict, alice)
    assert Job.objects.count() == 2


def test_what_was_shared_waits_for_the_sign_in(alice: User) -> None:
    browser = Client()
    response = share(browser, alice)
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/")
    given = {"login": "alice", "password": "alicealice", "next": "/"}
    page = browser.post("/login/", given, follow=True)
    assert LINK in shown(page)
    assert not Job.objects.exists()


def test_what_was_shared_waits_for_nobody_else(alice: User) -> None:
    browser = Client()
    share(browser, alice)
    make_user("bob")
    given = {"login": "bob", "password": "bobbob", "next": "/"}
    assert LINK not in shown(browser.post("/login/", given, follow=True))


def test_a_stranger_without_a_session_leaves_nothing_behind(alice: User) -> None:
    browser = Client()
    answer = browser.post(f"/share/{alice.pk}/guessed/", SHARED)
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/")
    assert not answer.cookies  # which would end the session this browser has
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing to see here",
        f"@nora\n@b1\n{LINK}\nhttps://example.com/x",
        "https://www.tiktok.com/@nora/video/7300000000000000002",
        "https://www.tiktok.com/tag/cats",
        "\n".join(f"@name{number}" for number in range(51)),
    ],
)
def test_what_leaves_a_doubt_fills_the_box(text: str, strict: Client, alice: User) -> None:
    given, headers = {"text": text}, {"Sec-Fetch-Site": "none"}
    answer = strict.post(share_target.address(alice), given, headers=headers)
    assert answer.status_code == 200
    assert f">\n{text}</textarea>" in answer.content.decode()
    assert not Job.objects.exists()


def test_without_room_it_is_said(strict: Client, alice: User) -> None:
    make_item(make_job(alice), name="open")
    Quota.objects.create(owner=alice, active_items=1)
    answer = share(strict, alice)
    assert answer.status_code == 422
    assert 'role="alert"' in shown(answer)
    assert LINK in shown(answer)
