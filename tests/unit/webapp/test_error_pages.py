"""Error pages: what is said of a bug and of a request that is refused, to people and to scripts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import (
    BadRequest,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from jobs.pages import home
from jobs.upstream import breaker
from tests.factories import make_user
from tests.unit.jobs.api.scripts import error_of
from webapp import error_pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    """A member."""
    return make_user("alice")


@pytest.fixture
def client(alice: User) -> Client:
    """Alice's browser."""
    browser = Client()
    browser.force_login(alice)
    return browser


def test_a_crash_gives_an_id_to_quote(
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def crash(*_: Any) -> Any:
        raise RuntimeError("nobody is to read this")

    monkeypatch.setattr(breaker, "open_state", crash)
    browser = Client(raise_request_exception=False)
    browser.force_login(alice)
    response = browser.get("/")
    page = response.content.decode()
    assert response.status_code == 500
    assert "nobody is to read this" not in page
    assert "Traceback" not in page
    quoted = page.split('<code class="quote">')[1].split("<")[0]
    assert any(quoted in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "form",
    [{"text": "@nora " * 200_000}, {"text": "@nora"} | {f"more{n}": "" for n in range(3000)}],
    ids=["bytes", "fields"],
)
def test_a_form_over_the_limit_is_said_to_be_that(
    client: Client, form: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    response = client.post("/", form)
    assert response.status_code == 413
    assert "Too much at once" in response.content.decode()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_host_that_is_none_of_ours_is_told_so_in_json(client: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["stories.example.org"]
    response = client.get("/api/v1/me", headers={"Host": "evil.example.net"})
    assert error_of(response, 400)["code"] == "bad_request"


# --- one handler at a time ---


def test_a_script_gets_the_id_of_a_bug_in_json(
    rf: RequestFactory, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        int("nobody")
    except ValueError:
        response = error_pages.server_error(rf.get("/api/v1/jobs?text=%40ann"))
    assert response.status_code == 500
    assert response.headers["Cache-Control"] == "no-store"
    assert b"nobody" not in response.content
    error = json.loads(response.content)["error"]
    assert error["code"] == "internal"
    (record,) = [one for one in caplog.records if one.name == error_pages.logger.name]
    assert error["message"].rpartition("(")[2].rstrip(")") in record.getMessage()
    assert record.exc_info
    assert record.exc_info[0] is ValueError
    assert "ann" not in record.getMessage()


def test_the_page_about_a_bug_asks_no_database(
    rf: RequestFactory, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        response = error_pages.server_error(rf.get("/history/"))
    assert response.status_code == 500


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestDataTooBig("x"), 413),
        (TooManyFieldsSent("x"), 413),
        (TooManyFilesSent("x"), 413),
        (SuspiciousOperation("<script>x"), 400),
        (BadRequest("<script>x"), 400),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
@pytest.mark.parametrize("path", ["/history/", "/api/v1/jobs"])
def test_a_request_over_the_limit_is_told_from_one_that_makes_no_sense(
    rf: RequestFactory, path: str, error: Exception, status: int
) -> None:
    response = error_pages.bad_request(rf.get(path), error)
    assert response.status_code == status
    assert b"<script>x" not in response.content
    if path.startswith("/api"):
        assert json.loads(response.content)["error"]["code"] == "bad_request"
    else:
        assert (b"Too much at once" in response.content) is (status == 413)


@pytest.mark.parametrize("path", ["/api", "/api/v2/jobs", "/jobs/api/v1/", "/API/v1/jobs"])
def test_only_what_is_below_the_api_is_answered_in_json(rf: RequestFactory, path: str) -> None:
    response = error_pages.bad_request(rf.get(path), BadRequest())
    assert response.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/account/data/", "/history/", "/nope"])
def test_a_form_without_a_token_sends_nothing_and_is_not_shown_again(
    rf: RequestFactory, alice: User, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(home, "expired_form", lambda _: pytest.fail("it was read"))
    request = rf.post(path, {"text": "@ann.secret", "what": "data"})
    request.user = alice
    response = error_pages.csrf_failure(request, "CSRF token missing.")
    assert response.status_code == 403
    assert b"ann.secret" not in response.content
