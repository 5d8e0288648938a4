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
    # Not by the client's own jar: what some browser sends, Python need not be willing to set.
    cookie = f"sessionid={client.cookies['sessionid'].value}; zone={zone}"
    page = client.get("/history/", headers={"cookie": cookie}).content.decode()
    assert re.findall(r'data-when="day">([^<]+)<', page) == days


# --- health probes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["10.0.0.7:8000", "web", "web:8000", "a_b_c", "[fd00::7]:8000", "", "evil.example"]
)
@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
@pytest.mark.django_db
def test_a_probe_comes_by_whatever_name_when_the_public_address_is_set(
    settings: Any, host: str, path: str
) -> None:
    settings.ALLOWED_HOSTS = ["stories.example.org"]
    response = Client().get(path, headers={"Host": host})
    assert response.status_code in {200, 503}
    assert response.headers["Content-Security-Policy"]
    assert host.encode() not in response.content or not host
    assert Client().head(path, headers={"Host": host}).content == b""


@pytest.mark.parametrize(
    "path", ["/", "/login/", "/health/", "/health/nope", "/healthy", "/api/v1/me"]
)
def test_no_other_page_is_open_to_a_wrong_name(settings: Any, path: str) -> None:
    settings.ALLOWED_HOSTS = ["stories.example.org"]
    assert Client().get(path, headers={"Host": "web:8000"}).status_code == 400


def test_a_probe_needs_no_host_at_all(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["stories.example.org"]
    assert Client(SERVER_NAME="10.0.0.7").get("/health/live").status_code == 200


def test_a_probe_below_a_sub_path_is_one_too(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["stories.example.org"]
    settings.FORCE_SCRIPT_NAME = "/keep"
    assert Client().get("/health/live", headers={"Host": "web"}).status_code == 200
