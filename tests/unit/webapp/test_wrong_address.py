"""A form or page refused for the address it was opened at: the page names address and setting."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.test import Client

from tests.factories import make_user
from tests.unit.jobs.api.scripts import error_of
from webapp import wrong_address

pytestmark = pytest.mark.django_db
HOST = "stories.example.org"


@pytest.fixture(autouse=True)
def _nothing_logged_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_address, "_logged", set())


def sign_in(origin: str | None, *, host: str = HOST, **headers: str) -> Any:
    """The answer to a sign-in from a page the browser says it opened there."""
    browser = Client(enforce_csrf_checks=True)
    token = browser.get("/login/", headers={"Host": host}).context["csrf_token"]
    sent = {"Host": host, **headers} | ({"Origin": origin} if origin is not None else {})
    form = {"login": "alice", "password": "alicealice", "csrfmiddlewaretoken": str(token)}
    return browser.post("/login/", form, headers=sent)


def words(response: Any, status: int = 403) -> str:
    """What a page says, as a person reads it."""
    assert response.status_code == status
    return " ".join(html.unescape(response.content.decode()).split())


@pytest.fixture
def public(settings: Any) -> str:
    """The public address is set, as in webapp/settings.py."""
    url = "https://stories.example.org"
    settings.STORYKEEP = settings.STORYKEEP.model_copy(update={"public_url": url})
    settings.ALLOWED_HOSTS = [HOST, "localhost", "127.0.0.1"]
    settings.CSRF_TRUSTED_ORIGINS = [url]
    settings.CSRF_COOKIE_SECURE = True
    return url


def test_behind_https_without_a_public_address_the_setting_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    page = words(sign_in(f"https://{HOST}"))
    assert f"opened at https://{HOST}, but Storykeep’s address is set to http://{HOST}." in page
    assert f"STORYKEEP_PUBLIC_URL=https://{HOST}" in page
    assert "expired" not in page
    assert "cookies" not in page
    sign_in(f"https://{HOST}")
    (line,) = [record for record in caplog.records if record.name == wrong_address.logger.name]
    assert f"https://{HOST}" in line.getMessage()
    assert "STORYKEEP_PUBLIC_URL" in line.getMessage()


@pytest.mark.parametrize("site", ["", "same-origin"])
def test_a_proxy_that_rewrites_the_host_is_told_the_setting(site: str) -> None:
    headers = {"Sec-Fetch-Site": site} if site else {}
    page = words(sign_in(f"https://{HOST}", host="web:8000", **headers))
    assert f"STORYKEEP_PUBLIC_URL=https://{HOST}" in page
    assert "http://web:8000" in page
    asks = f"If https://{HOST} is an address of this instance, whoever runs it can set:"
    assert (asks in page) is (not site)


def test_a_proxy_that_hides_the_origin_is_told_so() -> None:
    page = words(sign_in("null"))
    assert "does not say at which address" in page
    assert "Referrer-Policy: no-referrer" in page
    assert "Back to home" in page


def test_what_the_proxy_made_of_the_host_is_not_given_as_the_setting() -> None:
    """It would be copied as it is, and be the wrong address."""
    page = words(sign_in("null", host="127.0.0.1:8477"))
    assert "STORYKEEP_PUBLIC_URL=https://… (as in the address bar)" in page
    assert "8477" not in page


def test_a_public_address_that_is_set_is_shown_when_the_origin_is_hidden(public: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    headers = {"Host": "127.0.0.1:8000", "Origin": "null"}
    page = words(browser.post("/login/", {"login": "alice"}, headers=headers))
    assert f"STORYKEEP_PUBLIC_URL={public}</code>" in page


def test_over_https_a_missing_referer_is_the_same(settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    page = words(sign_in(None, **{"X-Forwarded-Proto": "https"}))
    assert "does not say at which address" in page
    foreign = {"X-Forwarded-Proto": "https", "Referer": "https://proxy.example/path?secret=1"}
    page = words(sign_in(None, **foreign))
    assert "opened at https://proxy.example," in page
    assert "secret" not in page


@pytest.mark.parametrize("host", [HOST, "127.0.0.1:8000"])
def test_opened_past_the_public_address_there_is_no_cookie(public: str, host: str) -> None:
    """Cookies for https alone, or for a sub-path: the browser keeps them to itself."""
    browser = Client(enforce_csrf_checks=True)
    headers = {"Host": host, "Origin": f"http://{host}"}
    page = words(browser.post("/login/", {"login": "alice"}, headers=headers))
    assert "expired" not in page
    assert f"opened at http://{host}, but Storykeep’s address is set to {public}." in page
    assert f'href="{public}"' in page


def test_opened_past_a_public_address_below_a_sub_path(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As every form that is refused for its address: a line in the log, and the whole setting."""
    url = "https://stories.example.org/keep"
    settings.STORYKEEP = settings.STORYKEEP.model_copy(update={"public_url": url})
    settings.ALLOWED_HOSTS = [HOST, "10.0.0.7"]
    settings.FORCE_SCRIPT_NAME = "/keep"
    browser = Client(enforce_csrf_checks=True)
    headers = {"Host": "10.0.0.7", "Origin": "http://10.0.0.7"}
    page = words(browser.post("/login/", {"login": "alice"}, headers=headers))
    assert f"opened at http://10.0.0.7, but Storykeep’s address is set to {url}." in page
    assert "STORYKEEP_PUBLIC_URL=http://10.0.0.7/keep<" in page
    (line,) = [record for record in caplog.records if record.name == wrong_address.logger.name]
    assert "http://10.0.0.7" in line.getMessage()
    assert "STORYKEEP_PUBLIC_URL" in line.getMessage()


def test_at_the_right_address_a_missing_cookie_is_what_it_was(
    public: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser = Client(enforce_csrf_checks=True)
    headers = {"Host": HOST, "Origin": public}
    page = words(browser.post("/login/", {"login": "alice"}, headers=headers))
    assert "expired, or cookies are off" in page
    assert "STORYKEEP" not in page
    assert "a form was refused: CSRF cookie not set." in caplog.text


def test_a_form_of_another_site_is_not_taken_for_a_setting() -> None:
    page = words(sign_in("https://evil.example", **{"Sec-Fetch-Site": "cross-site"}))
    assert "Another site, https://evil.example, sent this form" in page
    assert "STORYKEEP_PUBLIC_URL" not in page
    assert page.count("The form came from another site") == 2  # the title and the heading
    assert "does not match" not in page
    assert '<a class="button primary" href="/">Back to home</a>' in page


@pytest.mark.parametrize(
    "origin",
    [
        "https://<script>alert(1)</script>",
        "https://a b",
        "javascript:alert(1)",
        "https://user:secret@host.example",
        "https://[::1",
        "https://" + "a" * 5000,
        "https://x\\y",
        "https://exa\u0301mple",
        "",
    ],
)
def test_a_hostile_origin_is_not_repeated(origin: str, caplog: pytest.LogCaptureFixture) -> None:
    page = words(sign_in(origin.encode().decode("latin-1")))
    assert "does not say at which address" in page
    for part in ("alert(1)", "secret", "a" * 300):
        assert part not in page
        assert part not in caplog.text


def test_whoever_makes_up_origins_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(60):
        sign_in(f"https://site-{number}.example")
    lines = [record for record in caplog.records if record.name == wrong_address.logger.name]
    assert len(lines) == 20


def test_a_paste_from_a_wrong_address_keeps_its_lines_and_names_the_setting() -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_user("alice"))
    first = browser.get("/", headers={"Host": HOST})
    form = {
        "text": "@corner.bakery",
        "writer": first.context["writer"],
        "csrfmiddlewaretoken": str(first.context["csrf_token"]),
    }
    page = words(browser.post("/", form, headers={"Host": HOST, "Origin": f"https://{HOST}"}))
    assert "@corner.bakery" in page
    assert f"STORYKEEP_PUBLIC_URL=https://{HOST}" in page
    assert "expired" not in page


def test_below_a_sub_path_the_setting_holds_it(settings: Any) -> None:
    settings.FORCE_SCRIPT_NAME = "/keep"
    page = words(sign_in(f"https://{HOST}"))
    assert f"STORYKEEP_PUBLIC_URL=https://{HOST}/keep" in page


# --- a name this instance does not have ---


def test_a_host_that_is_not_ours_is_told_the_setting_and_not_the_address(public: str) -> None:
    page = words(Client().get("/", headers={"Host": "10.0.0.7:8000"}), 400)
    assert "is not set up for the name 10.0.0.7:8000" in page
    assert "STORYKEEP_PUBLIC_URL" in page
    assert HOST not in page  # whoever scans the network does not learn it here
    error = error_of(Client().get("/api/v1/me", headers={"Host": "web"}), 400)
    assert error["code"] == "bad_request"
    assert "STORYKEEP_PUBLIC_URL" in error["hint"]


def test_a_hostile_host_is_not_repeated(public: str) -> None:
    page = words(Client().get("/", headers={"Host": "<script>alert(1)</script>"}), 400)
    assert "alert(1)" not in page
    assert "STORYKEEP_PUBLIC_URL" in page
