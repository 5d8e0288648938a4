"""What every answer has in common."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client

from tests.factories import make_job, make_user

Asked = Callable[[str, str], tuple[bytes, dict[str, str]]]


@pytest.fixture
def asked(db: None) -> Asked:
    """A request as a server makes it: the test client would take the body off by itself."""

    def ask(method: str, path: str) -> tuple[bytes, dict[str, str]]:
        environ: dict[str, object] = {"REQUEST_METHOD": method, "PATH_INFO": path}
        environ["REMOTE_ADDR"] = "127.0.0.1"
        setup_testing_defaults(environ)
        environ["wsgi.input"] = io.BytesIO()
        sent: dict[str, str] = {}

        def start_response(_status: str, headers: Any, *_: Any) -> Any:
            sent.update(headers)

        parts = WSGIHandler()(environ, start_response)
        return b"".join(parts), sent

    return ask


@pytest.mark.parametrize("path", ["/health/live", "/login/", "/nothing/here/"])
def test_a_head_has_the_headers_of_a_get_and_no_body(asked: Asked, path: str) -> None:
    body, of_get = asked("GET", path)
    nothing, of_head = asked("HEAD", path)
    assert body
    assert nothing == b""
    assert of_head["Content-Length"] == of_get["Content-Length"] == str(len(body))
    assert "default-src 'none'" in of_head["Content-Security-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    ["/", "/history/", "/help/", "/account/", "/account/sessions/", "/account/security/"],
)
def test_what_a_signed_in_person_sees_is_not_kept(client: Client, path: str) -> None:
    client.force_login(make_user("alice"))
    assert "no-store" in client.get(path).headers["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/help/", "/offline/"])
def test_what_everyone_sees_may_be(client: Client, path: str) -> None:
    assert "no-store" not in client.get(path).headers.get("Cache-Control", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("Asia%2FTokyo", ["19 November 2026"]),  # as the page's script writes it
        ("Asia/Tokyo", ["19 November 2026"]),
        ("America/New_York", ["18 November 2026"]),
        ("", ["18 November 2026"]),
        ("../../etc/passwd", ["18 November 2026"]),
        ("Mars/Olympus", ["18 November 2026"]),
        ("\x00", ["18 November 2026"]),
    ],
)
def test_days_are_the_readers(client: Client, zone: str, days: list[str]) -> None:
    alice = make_user("alice")
    make_job(alice, created_at=datetime(2026, 11, 18, 16, tzinfo=UTC))
    client.force_login(alice)
    client.cookies["zone"] = zone
    page = client.get("/history/").content.decode()
    assert re.findall(r'data-when="day">([^<]+)<', page) == days
