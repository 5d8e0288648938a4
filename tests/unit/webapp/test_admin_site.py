"""The admin's site: the places in its header, and the pages that hook in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import ResolverMatch, reverse
from django.utils.functional import lazystr

import webapp.urls  # noqa: F401  # it registers the pages, which a fixture here takes away
from accounts.models import Invitation
from jobs.models import Quota
from tests.factories import make_item, make_job, make_user
from webapp import admin_site
from webapp.admin_site import AdminPage, AdminPages, StorykeepAdminSite, admin_pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> AdminPages:
    """The registered pages, none at first."""
    pages = AdminPages()
    monkeypatch.setattr(admin_site, "admin_pages", pages)
    return pages


def page(name: str, **more: object) -> AdminPage:
    facts: dict[str, object] = {
        "name": name,
        "route": f"{name}/",
        "view": lambda request, **parts: HttpResponse(f"{name} {parts}"),
        "allowed": lambda request: request.user.is_superuser,
        "title": lazystr(name.title()),
    }
    return AdminPage(**facts | more)  # type: ignore[arg-type]


def request_of(user: User, url_name: str = "") -> HttpRequest:
    request = RequestFactory().get("/admin/")
    request.user = user
    request.resolver_match = ResolverMatch(HttpResponse, (), {}, url_name)
    return request


def test_the_header_leads_where_its_reader_may_go(pages: AdminPages) -> None:
    site, clerk = StorykeepAdminSite(), make_user("clerk", is_staff=True)

    def titles() -> list[str]:
        fresh = User.objects.get(pk=clerk.pk)  # rights are remembered by the object
        return [str(place.title) for place in site.each_context(request_of(fresh))["places"]]

    assert titles() == []
    clerk.user_permissions.add(Permission.objects.get(codename="view_item"))
    assert titles() == ["Jobs"]
    clerk.user_permissions.add(Permission.objects.get(codename="view_operations"))
    assert titles() == ["Overview", "Jobs"]
    assert site.each_context(request_of(make_user("member")))["places"] == []


@pytest.mark.parametrize(
    ("url_name", "current"),
    [
        ("overview", ["Overview"]),
        ("jobs_item_change", ["Jobs"]),
        ("password_change", []),
    ],
)
def test_the_header_marks_where_one_is(
    pages: AdminPages, url_name: str, current: list[str]
) -> None:
    request = request_of(make_user("boss", is_staff=True, is_superuser=True), url_name)
    places = StorykeepAdminSite().each_context(request)["places"]
    assert [str(place.title) for place in places if place.current] == current


def test_a_page_that_hooks_in(pages: AdminPages) -> None:
    pages.register(page("system"))
    pages.register(page("people", route="people/<int:pk>/"))
    pages.register(page("limit", title=None, section="people"))
    assert [each.name for each in pages] == ["people", "system", "limit"]
    assert pages.section_of("limit") == "people"
    assert pages.section_of("system") == "system"
    urls: dict[str, Any] = {
        str(getattr(pattern, "name", "")): pattern for pattern in StorykeepAdminSite().get_urls()
    }
    request = request_of(make_user("boss", is_staff=True, is_superuser=True))
    answer = urls["people"].callback(request, pk=7)
    assert answer.content == b"people {'pk': 7}"
    response = urls["people"].callback(request_of(make_user("member")), pk=7)
    assert response.status_code == 302


@pytest.mark.parametrize("count", [0, 3])
def test_a_page_with_a_count_shows_up_when_there_is_any(
    pages: AdminPages, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_site, "reverse", lambda name: name)
    pages.register(page("problems", count=lambda request: count))
    request = request_of(make_user("boss", is_staff=True, is_superuser=True))
    places = StorykeepAdminSite().each_context(request)["places"]
    assert [place.count for place in places if place.url == "admin:problems"] == [3] * bool(count)


def test_the_tables_stay_within_reach() -> None:
    client = Client()
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    found = re.findall(r'href="(/admin/\w+/\w+/)"', client.get("/admin/tables/").content.decode())
    assert {"/admin/jobs/job/", "/admin/jobs/item/", "/admin/auth/user/"} <= set(found)


@pytest.mark.parametrize(("language", "people"), [("en", "People"), ("fr", "Personnes")])
def test_the_tables_stand_under_words_of_this_site(language: str, people: str) -> None:
    client = Client(headers={"accept-language": language})
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    page = client.get("/admin/tables/").content.decode()
    assert re.findall(r'class="section"[^>]*>([^<]+)<', page) == [
        "Notifications",
        people,
        "Storykeep",
    ]
    assert people in client.get("/admin/auth/").content.decode()


# --- who may: every address of this site's own --------------------------------------------------

WRITING = ("post", "put", "patch", "delete")


def own_addresses() -> list[str]:
    """Every registered page, the overview's fragment, the diagnosis, and what reveals a row."""
    alice = make_user("alice")
    item = make_item(make_job(alice), name="secret.name", state="failed")
    parts: dict[str, Any] = {"code": "no_public_url", "user_id": alice.pk, "name": "browser"}
    addresses = [
        reverse(
            f"admin:{page.name}",
            kwargs={name: value for name, value in parts.items() if f":{name}>" in page.route},
        )
        for page in admin_pages
    ]
    addresses += [reverse("operations_now"), reverse("diagnosis")]
    for row in (item, item.job):
        table = row._meta.model_name
        addresses.append(reverse(f"admin:jobs_{table}_reveal", args=[row.pk]))
        addresses.append(reverse(f"admin:jobs_{table}_changelist"))
        addresses.append(reverse(f"admin:jobs_{table}_change", args=[row.pk]))
    return addresses


def nothing_was_done() -> bool:
    return not (LogEntry.objects.exists() or Quota.objects.exists() or Invitation.objects.exists())


def test_nobody_without_a_right_comes_anywhere() -> None:
    addresses = own_addresses()
    assert len(addresses) >= 14
    form = {"stored_bytes": "1GB", "whom": "me", "role": "admin", "days": "7"}
    for name, staff, statuses in (("", False, {302}), ("m", False, {302}), ("c", True, {403})):
        browser = Client()
        if name:
            browser.force_login(make_user(name, is_staff=staff))
        for address in addresses:
            for method in ("get", *WRITING):
                answer = getattr(browser, method)(address, form if method == "post" else None)
                # A method that is not taken may be told before who may; it changes nothing.
                assert answer.status_code in statuses | {405}, (name, method, address)
                assert b"secret.name" not in answer.content
    assert nothing_was_done()


def test_no_form_from_elsewhere_and_no_other_method_does_anything() -> None:
    addresses = own_addresses()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_user("root", is_staff=True, is_superuser=True))
    for address in addresses:
        for method in WRITING:
            status = getattr(strict, method)(address).status_code
            assert status == 403, (method, address)
    assert nothing_was_done()
