"""The People page: limits on the spot, invitations, blocking, and who may do any of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core import mail as django_mail
from django.test import Client
from pydantic import SecretStr

from accounts import invitations, mail
from accounts.models import Invitation
from jobs.models import Quota
from tests.factories import make_user
from tests.unit.webapp.admin.pages import plain

pytestmark = pytest.mark.django_db
PAGE = "/admin/people/"


def page(browser: Client, **query: str) -> str:
    answer = browser.get(PAGE, query)
    assert answer.status_code == 200
    return plain(answer.content)


def set_limits(browser: Client, user: User, **values: str) -> str:
    """The page after somebody's limits were sent."""
    given = {"active_items": "", "items_per_day": "", "stored_bytes": ""} | values
    return plain(browser.post(f"{PAGE}{user.pk}/limits/", given, follow=True).content)


# --- the page -----------------------------------------------------------------------------------


def test_everyone_with_what_they_use(browser: Client, alice: User) -> None:
    make_user("bob", is_active=False)
    text = page(browser)
    assert text.index("alice") < text.index("bob")
    assert "3 kB" in text
    assert f'href="/admin/jobs/job/?owner__id__exact={alice.pk}"' in text
    assert browser.get(f"/admin/jobs/job/?owner__id__exact={alice.pk}").status_code == 200
    assert 'class="pill bad">blocked<' in text
    assert "style=" not in text


@pytest.mark.parametrize("query", ["zz", "\0", "%", "'", "<script>", "x" * 5000, "é" * 200])
def test_a_search_for_anything(browser: Client, alice: User, query: str) -> None:
    text = page(browser, q=query)
    assert "<script>alert" not in text
    assert page(browser, sort=query, page=query)


def test_a_hostile_name_is_only_text(browser: Client) -> None:
    User.objects.create(username="<script>x</script>&")
    text = page(browser)
    assert "<script>x" not in text
    assert "&lt;script&gt;x&lt;/script&gt;&amp;" in text


def test_many_people_are_on_several_pages(browser: Client) -> None:
    for number in range(60):
        User.objects.create(username=f"person{number:02}")
    text = page(browser, sort="name")
    assert "Page 1 of 2" in text
    assert 'href="?page=2&amp;sort=name"' in text
    assert "person59" in page(browser, sort="name", page="2")
    assert "person59" in page(browser, sort="name", page="999")


# --- limits -------------------------------------------------------------------------------------


def test_limits_on_the_spot(browser: Client, alice: User, root: User) -> None:
    text = set_limits(browser, alice, items_per_day="50", stored_bytes="2GB")
    assert "Limits of alice saved." in text
    quota = Quota.objects.get(owner=alice)
    assert (quota.active_items, quota.items_per_day, quota.stored_bytes) == (None, 50, 2 * 10**9)
    assert "50 lines a day, 2.0 GB" in text
    assert 'value="2GB"' in text
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr) == (root, "alice")
    assert "items_per_day 50" in entry.change_message
    text = set_limits(browser, alice, stored_bytes="0")
    quota.refresh_from_db()
    assert (quota.items_per_day, quota.stored_bytes) == (None, 0)
    assert "all of the disk" in text
    assert "as for everyone" in set_limits(browser, alice)
    set_limits(browser, alice)
    assert LogEntry.objects.count() == 3  # what changed nothing is no entry


def test_lines_that_are_gone_go_on_counting(browser: Client, alice: User) -> None:
    """The row holds their number, too, and another process may write it at any moment."""
    Quota.objects.create(owner=alice, forgotten_items=7)
    set_limits(browser, alice, items_per_day="9")
    quota = Quota.objects.get(owner=alice)
    assert (quota.forgotten_items, quota.items_per_day) == (7, 9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stored_bytes", "much"), ("stored_bytes", "-1"), ("items_per_day", "-1"),
        ("items_per_day", "1.5"), ("active_items", "9" * 30), ("stored_bytes", "9" * 30),
        ("stored_bytes", "<b>"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_said_where_it_was_written(
    browser: Client, alice: User, field: str, value: str
) -> None:
    answer = browser.post(f"{PAGE}{alice.pk}/limits/", {field: value})
    assert answer.status_code == 422
    text = plain(answer.content)
    assert text.count('<details class="limits" open>') == 1
    assert f'id="wrong-{field}-{alice.pk}"' in text
    assert 'aria-invalid="true"' in text
    assert "<b>" not in re.sub(r"<b>[\d.]+[^<]*</b>", "", text)
    assert not Quota.objects.exists()


def test_nobody_has_no_limits(browser: Client) -> None:
    assert browser.post(f"{PAGE}999999/limits/", {}).status_code == 404
    assert browser.get(f"{PAGE}999999/limits/").status_code == 405


# --- invitations --------------------------------------------------------------------------------


def invite(browser: Client, **more: str) -> str:
    given = {"whom": "Nora", "role": "member", "days": "7"} | more
    return plain(browser.post(PAGE, given).content)


def test_an_invitation_from_here(browser: Client, root: User) -> None:
    text = invite(browser)
    found = re.search(r'id="secret"[^>]*>http://testserver(/join/[^<]+)<', text)
    assert found
    assert Client().get(found[1]).status_code == 200
    assert 'class="qr"' in text
    invitation = Invitation.objects.get()
    assert (invitation.created_by, invitation.whom, invitation.makes_admin) == (root, "Nora", False)
    later = page(browser)
    assert "1 open invitation" in later
    assert "/join/" not in later
    assert "no-store" in browser.post(PAGE, {}).headers["Cache-Control"]


@pytest.mark.parametrize("more", [{"days": "9999"}, {"role": "owner"}, {"days": ""}])
def test_an_invitation_that_cannot_be(browser: Client, more: dict[str, str]) -> None:
    answer = browser.post(PAGE, {"whom": "", "role": "member", "days": "7"} | more)
    assert answer.status_code == 422
    assert '<details class="invite" open>' in plain(answer.content)
    assert not Invitation.objects.exists()


def test_it_is_sent_where_mail_can_be_sent(
    browser: Client, set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'name="email"' not in page(browser)
    invite(browser, email="nora@example.org")
    assert not django_mail.outbox
    set_env(email_url=SecretStr("smtp://localhost"), public_url="https://stories.example.org")
    monkeypatch.setattr(mail, "send_in_background", lambda message: message.send())
    assert 'name="email"' in page(browser)
    text = invite(browser, email="nora@example.org", whom="")
    assert "nora@example.org" in text
    (sent,) = django_mail.outbox
    assert sent.to == ["nora@example.org"]
    link = re.search(r"https://stories\.example\.org/join/\S+", str(sent.body))
    assert link
    assert link[0] in text
    assert "root invites you" in str(sent.body)
    assert "once, for 7 days" in str(sent.body)
    assert invitations.pending().last().whom in {"", "nora@example.org"}  # type: ignore[union-attr]


@pytest.mark.parametrize("address", ["nora", "a@b.example\nBcc: all@example.org", "a@b, c@d"])
def test_no_mail_to_what_is_no_address(
    browser: Client, set_env: Callable[..., None], address: str
) -> None:
    set_env(email_url=SecretStr("smtp://localhost"), public_url="https://stories.example.org")
    answer = browser.post(PAGE, {"whom": "", "role": "member", "days": "7", "email": address})
    assert answer.status_code == 422
    assert not Invitation.objects.exists()
    assert not django_mail.outbox


# --- blocking -----------------------------------------------------------------------------------


def test_blocking_asks_first_and_leads_back(browser: Client, alice: User) -> None:
    given = {"action": "block", "_selected_action": alice.pk, "back": "people"}
    question = plain(browser.post("/admin/auth/user/", given).content)
    assert 'name="back" value="people"' in question
    assert 'href="/admin/people/"' in question
    answer = browser.post("/admin/auth/user/", given | {"sure": "yes"}, follow=True)
    assert answer.redirect_chain[-1][0] == PAGE
    alice.refresh_from_db()
    assert not alice.is_active


def test_nobody_blocks_themselves_from_here(browser: Client, root: User, alice: User) -> None:
    text = page(browser)
    assert text.count('name="action" value="block"') == 1
    assert f'name="_selected_action" value="{root.pk}"' not in text
    given = {"action": "block", "_selected_action": root.pk, "back": "people", "sure": "yes"}
    assert "You cannot block yourself." in plain(
        browser.post("/admin/auth/user/", given, follow=True).content
    )
    root.refresh_from_db()
    assert root.is_active


# --- rights -------------------------------------------------------------------------------------


def test_admins_alone(alice: User) -> None:
    """Whatever single rights somebody may have."""
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.all())
    for user in (clerk, alice):
        browser = Client()
        browser.force_login(user)
        for answer in (
            browser.get(PAGE),
            browser.post(PAGE, {"whom": "", "role": "admin", "days": "7"}),
            browser.post(f"{PAGE}{clerk.pk}/limits/", {"stored_bytes": "0"}),
        ):
            assert answer.status_code in {302, 403}
    assert not Quota.objects.exists()
    assert not Invitation.objects.exists()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("boss", is_staff=True, is_superuser=True))
    assert strict.post(f"{PAGE}{alice.pk}/limits/", {}).status_code == 403


# --- from the overview ----------------------------------------------------------------------------


def test_one_limit_alone_leaves_the_others(browser: Client, alice: User) -> None:
    Quota.objects.create(owner=alice, items_per_day=7)
    sent = {"stored_bytes": "2GB", "back": "overview"}
    answer = browser.post(f"{PAGE}{alice.pk}/limits/", sent)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")
    quota = Quota.objects.get(owner=alice)
    assert (quota.items_per_day, quota.stored_bytes) == (7, 2_000_000_000)
    assert LogEntry.objects.get().change_message == "Limits: stored_bytes 2000000000"
    browser.post(f"{PAGE}{alice.pk}/limits/", sent)
    browser.post(f"{PAGE}{alice.pk}/limits/", {})
    assert LogEntry.objects.count() == 1


def test_a_size_that_is_none_leaves_the_others_in_the_form(browser: Client, alice: User) -> None:
    Quota.objects.create(owner=alice, items_per_day=7)
    answer = browser.post(f"{PAGE}{alice.pk}/limits/", {"stored_bytes": "lots"})
    assert answer.status_code == 422
    text = plain(answer.content)
    assert 'name="items_per_day" value="7"' in text
    assert 'name="stored_bytes" value="lots"' in text
    assert Quota.objects.get(owner=alice).stored_bytes is None
