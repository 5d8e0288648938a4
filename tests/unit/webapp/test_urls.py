"""Who may open what: each route and method, as everyone there is, with what the table says.

The table is `access.txt`. Each request goes through all of Django, and what it did is undone.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from pydantic import SecretStr

from accounts.oidc import discovery
from jobs.admin import views
from jobs.queue import broker
from tests.oidc.hostile import Hostile, settings_for
from tests.unit.webapp import access
from tests.unit.webapp.access import (
    API,
    METHODS,
    OTHER_METHODS,
    PEOPLE,
    TOKENS,
    Asker,
    Row,
    Scenery,
)
from webapp.api import api

pytestmark = pytest.mark.django_db

described = functools.cache(api.get_openapi_schema)
"""The description of the API, made once."""

ROWS = access.read_table(access.TABLE.read_text(encoding="utf-8"))
ROUTES = access.routes()
CHANGES_NOTHING = {"GET", "HEAD", "OPTIONS", "TRACE"}


@pytest.fixture(scope="module")
def asker(django_db_setup: None, django_db_blocker: Any) -> Iterator[Asker]:
    """Everyone and everything, made once; what is asked leaves no trace."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield Asker(Scenery())
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _in_silence(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands are refused here, and each would be a line of the log."""
    caplog.set_level("CRITICAL", logger="django.request")
    caplog.set_level("CRITICAL", logger="django.security")


@pytest.fixture(autouse=True)
def _all_pages_are_there(monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]) -> None:
    """Mail can be sent and there is an identity provider, so that pages about them are open. No
    worker hears of anything."""
    provider = Hostile()
    provider.issuer = "https://auth.example.org"
    known = discovery.Discovery(provider.issuer, lambda _url: provider.document())
    monkeypatch.setattr(discovery, "_current", known)
    set_env(**settings_for(provider.issuer, public_url=None))
    set_env(watches="members")
    set_env(email_url=SecretStr("smtp://localhost"), email_from="a@example.org")
    set_env(push_contact="a@example.org")
    monkeypatch.setattr(broker, "send", lambda *_: True)
    monkeypatch.setattr(views, "run_diagnosis", lambda _name, _way="": {"findings": []})
    nothing_newer = {"version": "", "reason": "same"}
    monkeypatch.setattr("webapp.admin.protocol.run_look", lambda: nothing_newer)
    monkeypatch.setattr(api, "get_openapi_schema", lambda **_: described())


def row(route: str, method: str) -> Row:
    """The table's; HEAD is as GET."""
    return ROWS[route, "GET" if method == "HEAD" else method]


# --- that the table is whole ----------------------------------------------------------------------


def test_every_route_and_method_has_a_row() -> None:
    wanted = {(route, method) for route in ROUTES for method in METHODS if method != "HEAD"}
    assert sorted(wanted - ROWS.keys()) == []
    assert sorted(ROWS.keys() - wanted) == []


def test_every_call_that_the_api_describes_is_one_of_them() -> None:
    for path, calls in api.get_openapi_schema()["paths"].items():
        route = re.sub(r"\{(\w+)\}", r"<\1>", path.removeprefix("/"))
        for method in calls:
            outcomes = row(route, method.upper()).outcomes
            assert outcomes["none"] == "401", (route, method)
            assert outcomes["write"] not in {"401", "403", "404", "405"}, (route, method)


# --- that it is true ------------------------------------------------------------------------------

PAGES = [route for route in ROUTES if not route.startswith(API)]
CALLS = [route for route in ROUTES if route.startswith(API)]


def check(asker: Asker, route: str, method: str, column: str, **how: Any) -> None:
    """Ask as the person or with the token of a column, and compare with the table.

    how: what else is told to `Asker.ask`, or whom to ask as in place of the column's. outcome: in
    place of the table's. Whoever only looks, and whoever is refused, changes nothing.
    """
    expected = how.pop("outcome", None) or row(route, method).outcomes[column]
    if how.keys().isdisjoint({"session", "token"}) and column not in {"anonymous", "none"}:
        how["session" if column in PEOPLE else "token"] = column
    answer = asker.ask(route, method, **how)
    assert answer.outcome == expected, (route, method, column, how)
    assert not (answer.wrote and method in CHANGES_NOTHING), answer.wrote
    may_change = column in {"owner", "admin", "write"} or len(how.get("rights", ())) > 1
    assert answer.outcome[0] in "23" or not answer.wrote, answer.wrote
    assert may_change or not answer.changed_alice, answer.wrote


def two_of(route: str) -> tuple[str, str]:
    """Two of the seldom methods, in turn; `make attack` asks with all of them."""
    turn = zlib.crc32(route.encode()) % len(OTHER_METHODS)
    return OTHER_METHODS[turn], OTHER_METHODS[turn - 1]


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route or "home")
def test_a_page_answers_each_person_as_the_table_says(asker: Asker, route: str) -> None:
    master = "admin" if route.startswith("admin/") else "owner"
    for method in ("GET", "POST"):
        for person in PEOPLE:
            check(asker, route, method, person)
        # Rights are for the admin's pages alone.
        if master == "owner":
            check(asker, route, method, "staff", rights=asker.scenery.rights)
    check(asker, route, "HEAD", master)
    # Blocked people and holders of a token are strangers here.
    check(asker, route, "GET", "anonymous", session="blocked")
    check(asker, route, "POST", "anonymous", token="write")
    for method in two_of(route):
        check(asker, route, method, "anonymous")
        check(asker, route, method, master)
    # A form of another site comes with the browser's session, and without our token.
    forged = asker.ask(route, "POST", session=master, csrf=True)
    assert not forged.wrote


@pytest.mark.parametrize("route", [route for route in PAGES if route.startswith("admin/")])
def test_a_right_opens_to_staff_what_the_table_says_and_nothing_else(
    asker: Asker, route: str
) -> None:
    for method in ("GET", "POST"):
        told = row(route, method)
        named = {right for rights in told.rights for right in rights.split("+")}
        for rights, outcome in told.rights.items():
            check(asker, route, method, "staff", rights=rights.split("+"), outcome=outcome)
        for right in named - told.rights.keys():
            check(asker, route, method, "staff", rights=[right])
        check(asker, route, method, "staff", rights=asker.scenery.rights.keys() - named)


@pytest.mark.parametrize("route", CALLS)
def test_a_call_answers_each_token_as_the_table_says(asker: Asker, route: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        for token in TOKENS:
            check(asker, route, method, token)
        # A browser that is signed in is a stranger to the API, so no page can call it by a form.
        check(asker, route, method, "none", session="owner")
    for method in ("HEAD", *two_of(route)):
        check(asker, route, method, "write")
