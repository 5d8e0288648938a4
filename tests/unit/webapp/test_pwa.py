"""The site as an app: manifest, service worker, offline page, and how it looks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from django.test.utils import override_script_prefix, override_settings

from tests.factories import make_job, make_user
from webapp import pwa

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    """Alice's browser."""
    browser = Client()
    browser.force_login(make_user("alice"))
    return browser


def text(response: Any) -> str:
    """The page, one space between words."""
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def shell(response: Any) -> dict[str, Any]:
    """The facts the service worker is handed."""
    first = response.content.decode().splitlines()[0]
    facts: dict[str, Any] = json.loads(first.removeprefix("self.shell = ").removesuffix(";"))
    return facts


def test_the_manifest_takes_what_apps_share() -> None:
    response = Client().get("/manifest.webmanifest")
    assert response["Content-Type"] == "application/manifest+json"
    facts = response.json()
    assert facts["share_target"] == {
        "action": "/",
        "method": "GET",
        "enctype": "application/x-www-form-urlencoded",
        "params": {"title": "title", "text": "text", "url": "url"},
    }
    assert (facts["start_url"], facts["scope"], facts["display"]) == ("/", "/", "standalone")
    sizes = {(icon["sizes"], icon.get("purpose", "any")) for icon in facts["icons"]}
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= sizes
    for icon in facts["icons"]:
        assert finders.find(icon["src"].removeprefix("/static/"))


def test_whoever_is_signed_in_shares_to_an_address_of_their_own(client: Client) -> None:
    response = client.get("/manifest.webmanifest")
    assert response["Cache-Control"] == "private, no-cache"
    target = response.json()["share_target"]
    assert target["method"] == "POST"
    assert re.fullmatch(r"/share/\d+/[0-9a-f]{40}/", target["action"])
    # The worker lets it pass as it came: who made it is said by its own headers alone.
    assert "/share/" in shell(client.get("/service-worker.js"))["skip"]


def test_below_a_path_everything_stays_below_it() -> None:
    with override_script_prefix("/keep/"):
        facts = Client().get("/manifest.webmanifest").json()
        worker = shell(Client().get("/service-worker.js"))
    assert (facts["id"], facts["scope"], facts["share_target"]["action"]) == ("/keep/",) * 3
    assert worker["offline"] == "/keep/offline/"
    assert "/keep/files/" in worker["skip"]


def test_the_service_worker_keeps_the_shell_alone() -> None:
    response = Client().get("/service-worker.js")
    assert response["Content-Type"].startswith("text/javascript")
    facts = shell(response)
    assert facts["offline"] == "/offline/"
    assert facts["unsent"] == "/offline/?unsent"
    assert all(re.fullmatch(r"/static/[a-z.-]+", file) for file in facts["files"])
    assert {name for name in pwa.SHELL if not finders.find(name)} == set()
    assert "/files/" in facts["skip"]


def test_another_look_is_another_shell() -> None:
    browser = Client()
    plain = browser.get("/service-worker.js").content
    browser.cookies["theme"] = "dark"
    assert browser.get("/service-worker.js").content != plain


def test_the_offline_page_names_nobody(client: Client) -> None:
    assert "No connection to Storykeep" in text(client.get("/offline/"))
    assert "alice" not in text(client.get("/offline/"))
    assert text(client.get("/offline/")) == text(Client().get("/offline/"))


def test_the_service_worker_can_tell_the_offline_page_from_another_in_its_place() -> None:
    for address in ("/offline/", "/offline/?unsent"):
        assert Client().get(address)["X-Storykeep-Page"] == "offline"
    assert "X-Storykeep-Page" not in Client().get("/login/")


def test_every_page_leads_to_manifest_and_icons(client: Client) -> None:
    for page in (text(client.get("/")), text(Client().get("/login/"))):
        assert len(re.findall('<link rel="manifest"', page)) == 1
        assert "apple-touch-icon" in page


def test_a_sign_in_in_front_is_shown_its_cookies_with_the_manifest(client: Client) -> None:
    """Without `crossorigin` a browser asks for the manifest as a stranger."""
    job = make_job(make_user("alice"), links=1)
    signed_in = ("/", "/help/", "/account/", "/phone/", "/history/", f"/jobs/{job.pk}/")
    pages = [(client, path) for path in (*signed_in, "/offline/", "/api/v1/docs")]
    pages += [(Client(), path) for path in ("/login/", "/nope", "/password/reset/")]
    for browser, path in pages:
        page = browser.get(path, follow=True).content.decode()
        links = re.findall(r'<link rel="manifest"[^>]*>', page)
        assert links == [
            '<link rel="manifest" href="/manifest.webmanifest" crossorigin="use-credentials">'
        ], path


def test_the_phone_page_fills_in_the_address(client: Client) -> None:
    page = text(client.get("/phone/", headers={"host": "stories.example"}))
    assert "http://stories.example/?text=" in page
    assert "This site uses http" in page
    assert "<svg" in page
    assert Client().get("/phone/").status_code == 302


def test_the_phone_page_knows_when_no_phone_could_come_here(client: Client) -> None:
    page = text(client.get("/phone/", headers={"host": "localhost:8000"}))
    assert "on the machine Storykeep runs on" in page
    assert 'class="qr"' not in page


def test_the_public_address_is_believed_first(client: Client) -> None:
    public = settings.STORYKEEP.model_copy(update={"public_url": "https://keep.example"})
    with override_settings(STORYKEEP=public):
        page = text(client.get("/phone/", headers={"host": "10.0.0.7"}))
    assert "https://keep.example/?text=" in page
    assert "This site uses http" not in page


def test_a_job_as_a_code() -> None:
    alice, bob = Client(), Client()
    alice.force_login(make_user("alice"))
    bob.force_login(make_user("bob"))
    job = make_job(make_user("alice"), links=1)
    address = f"/jobs/{job.pk}/code.svg"
    response = alice.get(address)
    assert response["Content-Type"] == "image/svg+xml"
    assert ET.fromstring(response.content).tag.endswith("svg")  # noqa: S314 - ours
    assert bob.get(address).status_code == 404
    page = text(alice.get(f"/jobs/{job.pk}/", headers={"host": "keep.example"}))
    assert address in page
    assert address not in text(alice.get(f"/jobs/{job.pk}/", headers={"host": "localhost"}))


def test_nothing_holds_up_the_first_paint(client: Client) -> None:
    job = make_job(make_user("alice"), links=1)
    for address in ("/", f"/jobs/{job.pk}/", "/history/", "/help/"):
        page = text(client.get(address))
        # Data in JSON is no script: nothing waits for it.
        scripts = re.findall(r"<script(?![^>]*application/json)[^>]*>", page)
        assert scripts
        assert all(" defer" in script and " src=" in script for script in scripts), address
        # Those of dialogs come after all that is in sight.
        assert len(sheets(page.partition("</head>")[0])) <= 7, address
        assert set(sheets(page)) <= set(pwa.SHELL), address
    for name in sheets_of_ours():
        style = sheet(name)
        assert "@font-face" not in style, name
        assert "@import" not in style, name


# --- how it looks ---------------------------------------------------------------------------------


def test_scripts_ask_through_one_helper_that_ends_in_time() -> None:
    folder = Path(finders.find("requests.js") or "").parent
    asking = {
        path.name for path in folder.glob("*.js") if re.search(r"\bfetch\(", path.read_text())
    }
    assert asking == {"requests.js", "service-worker.js"}


def test_no_template_has_a_link_that_saves_whatever_comes() -> None:
    for path in Path(settings.BASE_DIR, "templates").rglob("*.html"):
        assert not re.search(r"<a [^>]*\sdownload[\s>=]", path.read_text()), path.name


def sheets(page: str) -> list[str]:
    """The style sheets a page asks for."""
    return re.findall(r'<link rel="stylesheet" href="/static/([^"]+)">', page)


def sheets_of_ours() -> list[str]:
    """Every style sheet there is."""
    folder = Path(finders.find("tokens.css") or "").parent
    return [path.name for path in folder.glob("*.css")]


def sheet(name: str) -> str:
    """What a style sheet says."""
    return Path(finders.find(name) or "").read_text(encoding="utf-8")


def test_every_sheet_but_those_of_admin_and_api_is_in_the_shell() -> None:
    kept = {name for name in pwa.SHELL if name.endswith(".css")}
    apart = {name for name in sheets_of_ours() if name.startswith(("admin-", "api-"))}
    assert set(sheets_of_ours()) - kept == apart


def test_colours_stand_once() -> None:
    """What a browser is told before it has read the sheets is what the sheets say."""
    canvas = re.search(r"--canvas: light-dark\((#\w+), (#\w+)\);", sheet("tokens.css"))
    assert canvas
    for name in sheets_of_ours():
        assert "prefers-color-scheme" not in sheet(name), name
        assert (":root" in sheet(name)) <= (name in {"tokens.css", "admin-pages.css"}), name
    bars = re.findall(r'<meta name="theme-color" content="(#\w+)"', text(Client().get("/login/")))
    assert tuple(bars) == canvas.groups()
    assert Client().get("/manifest.webmanifest").json()["background_color"] == canvas[1]
