"""Error pages: what is said of a bug and of a request that is refused, to people and to scripts."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.upstream import breaker
from tests.factories import make_user
from tests.unit.jobs.api.scripts import error_of

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
    assert "more than this instance takes" in response.content.decode()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_host_that_is_none_of_ours_is_told_so_in_json(client: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["stories.example.org"]
    response = client.get("/api/v1/me", headers={"Host": "evil.example.net"})
    assert error_of(response, 400)["code"] == "bad_request"
