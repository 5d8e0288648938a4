"""Nothing on any page is such that its Content-Security-Policy would have to refuse it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError, transaction
from django.test import Client
from pydantic import SecretStr

from accounts import invitations, setup
from jobs.admin import views
from jobs.files.serving import INLINE_POLICY
from jobs.pages import history
from jobs.queue import broker
from tests.unit.webapp import access
from tests.unit.webapp.access import Asker, Scenery
from webapp.middleware import POLICY

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parents[3]
DATA = {"application/json", "application/ld+json", "text/plain"}
"""Types of script elements that no browser runs."""
ADDRESSES = {"src", "href", "action", "formaction", "poster", "data", "srcset"}
ELSEWHERE = re.compile(r"\s*(?:javascript:|vbscript:|data:text|https?:|//)", re.IGNORECASE)
UNWANTED = {"style", "base", "iframe", "frame", "object", "embed", "applet", "marquee"}


class Refused(HTMLParser):
    """What a browser would refuse of a page, or ought to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in UNWANTED:
            self.found.append(f"<{tag}>")
        if tag == "script" and "src" not in given and given.get("type") not in DATA:
            self.found.append("<script> with a text")
        if tag == "meta" and given.get("http-equiv", "refresh") != "refresh":
            self.found.append(f"<meta http-equiv={given['http-equiv']}>")
        self.found += [f"<{tag} {name}>" for name in given if re.match("on[a-z]|style$", name)]
        for name in ADDRESSES & given.keys():
            if tag == "a" and name == "href" and re.match(r"https?://", given[name]):
                continue  # a link to somewhere else is followed, not loaded
            if re.match(
                r"\s*(?:javascript|vbscript|data:text|https?:|//)", given[name], re.IGNORECASE
            ):
                self.found.append(f"<{tag} {name}={given[name]}>")


def check(response: Any) -> None:
    """That the page holds nothing that is refused, and says what is."""
    policy = response.headers["Content-Security-Policy"]
    kind = response.headers.get("Content-Type", "")
    assert "default-src 'none'" in policy
    if policy == INLINE_POLICY:  # a picture or video by itself, in the page a browser makes of it
        assert kind.startswith(("image/", "video/", "audio/"))
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in policy
        assert "script-src" not in policy
        return
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "http" not in policy
    if kind.startswith("text/html"):
        assert policy == POLICY
        parser = Refused()
        parser.feed(response.content.decode())
        assert parser.found == []


@pytest.fixture(scope="module")
def asker(django_db_setup: None, django_db_blocker: Any) -> Iterator[Asker]:
    """Everyone and everything; the owner and the admin have just given their password."""
    with django_db_blocker.unblock(), transaction.atomic():
        scenery = Scenery()
        for person in ("owner", "admin", "staff"):
            session = SessionStore(scenery.sessions[person])
            session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
            session.save()
        yield Asker(scenery)
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _all_pages_are_there(monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]) -> None:
    set_env(email_url=SecretStr("smtp://localhost"), email_from="a@example.org")
    monkeypatch.setattr(broker, "send", lambda *_: True)
    monkeypatch.setattr(views, "run_diagnosis", lambda _name, _way="": {"findings": []})


ROWS = access.read_table(access.TABLE.read_text(encoding="utf-8"))
SHOWN = [
    route
    for route in access.routes()
    if not route.startswith(access.API) or ROWS[route, "GET"].outcomes["none"] == "200"
]


@pytest.mark.parametrize("route", SHOWN, ids=lambda route: route or "home")
def test_a_page_needs_nothing_its_policy_forbids(asker: Asker, route: str) -> None:
    person = "admin" if route.startswith("admin/") else "owner"
    for method in ("GET", "POST"):
        check(asker.ask(route, method, session=person).response)
    if ROWS[route, "GET"].outcomes.get("anonymous") == "200":
        check(asker.ask(route, "GET").response)


@pytest.mark.parametrize("route", ["setup/<str:token>/", "join/<str:token>/"])
def test_a_page_for_who_has_no_account_yet(asker: Asker, route: str) -> None:

    client = Client()
    token = invitations.create(None)
    if route.startswith("setup"):
        User.objects.filter(is_superuser=True).update(is_superuser=False)
        token = setup.create_link() or ""
    for answer in (
        client.get(f"/{route.partition('/')[0]}/{token}/"),
        client.post(f"/{route.partition('/')[0]}/{token}/", {"username": "x"}),
    ):
        assert answer.status_code in {200, 422}
        check(answer)


class Stopping(Exception):
    """PostgreSQL's, while it ends."""

    sqlstate = "57P01"


def test_pages_about_errors(asker: Asker, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={asker.scenery.sessions['owner']}"}
    answers = {
        404: client.get("/nowhere/"),
        403: client.post("/login/", {"login": "alice"}),
        413: client.post("/", {"text": "x" * 600_000, "csrfmiddlewaretoken": "t"}, headers=cookie),
    }
    settings.ALLOWED_HOSTS = ["stories.example.org"]
    answers[400] = client.get("/", headers={"host": "elsewhere.example"})
    settings.ALLOWED_HOSTS = ["*"]
    away = OperationalError("the database is stopping")
    away.__cause__ = Stopping()
    for status, error in ((500, ValueError("x")), (503, away)):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(history, "render", fail)
        answers[status] = client.get("/history/", headers=cookie)
    wrong = {"login": "nobody", "password": "x"}
    answers[429] = [Client().post("/login/", wrong) for _ in range(32)][-1]
    for status, answer in answers.items():
        assert answer.status_code == status
        check(answer)


INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=[\"']|<script(?![^>]*\b(?:src|type)=)|javascript:")
SCRIPTED = re.compile(r"setAttribute\(\s*[\"'](?:style|on)|\beval\(|new Function\(|\.cssText\b")


def test_no_template_and_no_script_of_ours_writes_any() -> None:
    """Also what no test renders: a page in a state that is seldom met."""
    folders = [ROOT / "templates", *ROOT.glob("*/templates")]
    templates = [path for folder in folders for path in folder.rglob("*.html")]
    scripts = list((ROOT / "webapp" / "static").rglob("*.js"))
    assert len(templates) > 50
    assert len(scripts) > 20
    assert [str(path) for path in templates if INLINE.search(path.read_text())] == []
    ours = [path for path in scripts if "vendor" not in path.parts]
    assert [str(path) for path in ours if SCRIPTED.search(path.read_text())] == []


ANSWER_WITHOUT_POLICY = {
    "webapp.request_times.take_times",  # count and pass on
    "webapp.telemetry.trace_requests",
    "django.middleware.security.SecurityMiddleware",  # to https
    "whitenoise.middleware.WhiteNoiseMiddleware",  # static files
}


def test_what_is_looked_for_is_found() -> None:
    parser = Refused()
    parser.feed(
        "<p style='a'><a onclick=x href='javascript:y'><script>z</script><style></style>"
        "<script src='https://elsewhere.example/x.js'></script><form action='//elsewhere.example'>"
        "<img onerror=x><svg onload=x><meta http-equiv=set-cookie><a href='https://fine.example'>"
        "<script type='application/json'>{}</script><script src='/static/x.js'></script>"
    )
    assert len(parser.found) == 10
    outside = settings.MIDDLEWARE[
        : settings.MIDDLEWARE.index("webapp.middleware.content_security_policy")
    ]
    assert set(outside) <= ANSWER_WITHOUT_POLICY
