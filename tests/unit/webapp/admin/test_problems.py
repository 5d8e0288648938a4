"""The page of problems: what it shows to whom, hiding, and the number in the header."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from jobs.ephemeral import hidden_problems
from jobs.ops.findings import Finding, Verdict
from jobs.ops.problems import Facts
from tests.factories import make_user
from tests.unit.jobs.ops.instances import stand_in_for_redis
from webapp import problems

pytestmark = pytest.mark.django_db
PAGE = "/admin/problems/"
NOW = timezone.now()


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The codes that Redis says are hidden."""
    codes: set[str] = set()

    def hide(code: str) -> bool:
        codes.add(code)
        return True

    def show(code: str) -> bool:
        codes.discard(code)
        return True

    monkeypatch.setattr(hidden_problems, "hide", hide)
    monkeypatch.setattr(hidden_problems, "show", show)
    monkeypatch.setattr(hidden_problems, "hidden", lambda given: frozenset(codes & set(given)))
    return codes


@pytest.fixture
def _troubled(monkeypatch: pytest.MonkeyPatch, hidden: set[str]) -> None:
    facts = Facts(
        now=NOW,
        findings=(Finding("worker", Verdict.FAIL, "none <b>lives</b>", "Look at its log."),),
        begun_at=NOW - timedelta(days=30),
    )
    monkeypatch.setattr(problems, "memory", problems.Memory(lambda: facts))


def text(browser: Client) -> str:
    answer = browser.get(PAGE)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.usefixtures("hidden")
def test_quiet_when_there_is_none(browser: Client) -> None:
    assert "Nothing to fix." in text(browser)
    assert ">Problems" not in browser.get("/admin/people/").content.decode()


@pytest.mark.usefixtures("_troubled")
def test_each_with_its_fix_and_the_number_in_the_header(browser: Client) -> None:
    page = text(browser)
    assert "No worker is online: nothing is being saved" in page
    assert "None &lt;b&gt;lives&lt;/b&gt;." in page
    assert "Look at its log." in page
    assert 'href="/admin/system/backup/"' in page
    assert '<span class="count">4</span>' in browser.get("/admin/people/").content.decode()


def test_the_overview_opens_with_what_does_not_work(
    browser: Client, hidden: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding("database", Verdict.FAIL, "cannot be written to (full)", "Make room.")
    facts = Facts(now=NOW, findings=(finding,))
    monkeypatch.setattr(problems, "memory", problems.Memory(lambda: facts))
    stand_in_for_redis(monkeypatch)
    page = browser.get("/admin/").content.decode()
    assert "The database does not work." in page
    assert "Everything is running" not in page
    assert hidden == set()


@pytest.mark.usefixtures("_troubled")
def test_hiding_and_showing_again_are_logged(browser: Client, root: User, hidden: set[str]) -> None:
    browser.post(f"{PAGE}no_public_url/hide/")
    assert hidden == {"no_public_url"}
    page = text(browser)
    assert "Hidden for now" in page
    assert '<span class="count">3</span>' in page
    browser.post(f"{PAGE}no_public_url/hide/", {"show": "1"})
    assert hidden == set()
    again, hide = LogEntry.objects.order_by("-pk")
    assert (hide.user, hide.object_repr) == (root, "Problem: No public address is set")
    assert (hide.change_message, again.change_message) == ("hidden for 30 days", "shown again")
    assert browser.get("/admin/tables/").status_code == 200  # which lists what was done


@pytest.mark.usefixtures("_troubled")
@pytest.mark.parametrize("code", ["worker", "nonsense", "mail"])
def test_only_what_is_there_and_may_be_lived_with_is_hidden(
    browser: Client, hidden: set[str], code: str
) -> None:
    assert browser.post(f"{PAGE}{code}/hide/").status_code == 404
    assert hidden == set()


@pytest.mark.usefixtures("_troubled")
def test_without_redis_hiding_says_so(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_problems, "hide", lambda _code: False)
    page = browser.post(f"{PAGE}no_public_url/hide/", follow=True).content.decode()
    assert "Redis does not answer" in page
    assert not LogEntry.objects.exists()


@pytest.mark.usefixtures("_troubled")
def test_who_may_do_what(hidden: set[str]) -> None:
    clerk, browser = make_user("clerk", is_staff=True), Client()
    browser.force_login(clerk)
    assert browser.get(PAGE).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_operations"))
    page = text(browser)
    assert "Hide for" not in page
    assert "/admin/system/backup/" not in page
    assert browser.post(f"{PAGE}no_public_url/hide/").status_code == 403
    assert hidden == set()
    member = Client()
    member.force_login(make_user("member"))
    assert member.get(PAGE).status_code in {302, 403}
    assert Client().get(PAGE).status_code == 302


@pytest.mark.usefixtures("_troubled")
def test_looking_at_the_address_hides_nothing(browser: Client, hidden: set[str]) -> None:
    assert browser.get(f"{PAGE}no_public_url/hide/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="root"))
    assert strict.post(f"{PAGE}no_public_url/hide/").status_code == 403
    assert hidden == set()
