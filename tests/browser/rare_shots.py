"""The pictures of what one rarely sees: refusals, faults, first run, what is used up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.middleware import csrf
from django.template import loader
from django.test import Client, RequestFactory
from django.utils import timezone, translation
from playwright.sync_api import FilePayload, Page, Route

from accounts import mail, setup, signin
from jobs import VERSION
from jobs.admin import views as admin_views
from jobs.ephemeral import heartbeats
from jobs.files import disk
from jobs.models import Job, Quota
from jobs.ops.findings import Finding, Report, Verdict
from jobs.pages import history
from jobs.upstream import breaker
from tests import factories
from webapp import wrong_address
from webapp.backups import restoring

Shoot = Callable[..., bool]
Take = Callable[..., None]

FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "400": ("400.html", {}),
    "413": ("400.html", {"too_large": True, "status": 413}),
    "403": ("403.html", {}),
    "403-form": ("403_csrf.html", {}),
    "429": ("429.html", {"wait": timedelta(minutes=5)}),
    "500": ("500.html", {"bug_id": "9f3c1a7b"}),
    "503": ("503.html", {}),
    "closed": ("registration/closed.html", {}),
}

REPORT = Report(
    at=datetime(2026, 11, 20, 16, 3, tzinfo=UTC),
    about="Storykeep 0.1.0",
    findings=(
        Finding(
            part="database", verdict=Verdict.OK, message="SQLite answers, no migration is missing"
        ),
        Finding(part="redis", verdict=Verdict.OK, message="answers in 1 ms"),
        Finding(
            part="disk",
            verdict=Verdict.WARN,
            message="1.2 GB free, below the 2 GB that new work needs soon",
            hint="Remove files, or set STORYKEEP_DISK_MAX lower.",
        ),
        Finding(
            part="tiktok",
            verdict=Verdict.FAIL,
            message="refuses this server (refused)",
            hint="Wait a while; another address for the server, or a proxy, may help.",
        ),
    ),
)


def prepare() -> None:
    """People with nothing left, and with codes for a rainy day."""
    spent = factories.make_user("spent")
    Quota.objects.create(owner=spent, items_per_day=2, active_items=2, stored_bytes=1_000)
    factories.make_job(spent, links=2)
    RecoveryCodes.activate(User.objects.get(username="careful"))


def enter(page: Page, name: str) -> None:
    """Sign in without the form, for those it would ask more than a password."""
    client, key = Client(), settings.SESSION_COOKIE_NAME
    client.force_login(User.objects.get(username=name))
    page.context.clear_cookies()
    page.goto("/login/")
    site = page.url.removesuffix("login/")
    page.context.add_cookies([{"name": key, "value": client.cookies[key].value, "url": site}])


@contextmanager
def _refused() -> Iterator[None]:
    def stands() -> breaker.BreakerState:
        return breaker.BreakerState(timezone.now() + timedelta(minutes=14), "refused")

    with patch.object(breaker, "open_state", stands), patch.object(breaker, "shared_state", stands):
        yield


def _answers(content: str) -> Callable[[Route], None]:
    return lambda route: route.fulfill(body=content, content_type="text/html")


def take_all(page: Page, tail: str, jobs: dict[str, Job], shoot: Shoot, take: Take) -> None:
    """Every rare page. Leaves nobody signed in."""
    enter(page, "alice")
    with _refused():
        shoot("home-refused", "/", full=False)
    with patch.object(disk, "is_away", lambda: True):
        shoot("home-disk-away", "/", full=False)
        page.route("**/files/**", lambda route: route.fulfill(status=503))
        shoot("job-disk-away", f"/jobs/{jobs['done'].pk}/")
        shoot("history-disk-away", "/history/", full=False)
        page.unroute("**/files/**")
    if shoot("home-plain-http", "/", full=False):
        page.evaluate("document.querySelector('[data-insecure]').hidden = false")
        take(page, f"home-plain-http-{tail}", full=False)
    page.route("**/progress/", lambda route: route.abort())
    if shoot("job-lost", f"/jobs/{jobs['running'].pk}/", full=False):
        page.wait_for_selector("#connection:not([hidden])")
        take(page, f"job-lost-{tail}", full=False)
    page.unroute("**/progress/")
    page.route("**/progress/", lambda route: route.fulfill(status=401))
    if shoot("job-signed-out", f"/jobs/{jobs['running'].pk}/", full=False):
        page.wait_for_selector("#connection a:not([hidden])")
        take(page, f"job-signed-out-{tail}", full=False)
    page.unroute("**/progress/")
    with patch.object(history, "JOBS_PER_PAGE", 5):
        shoot("history-pages", "/history/?page=2")
    _marked(page, tail, shoot, take)
    shoot("logout", "/logout/", full=False)
    enter(page, "spent")
    shoot("home-spent", "/", full=False)
    enter(page, "careful")
    for name, place in (("codes", "recovery-codes/"), ("codes-new", "recovery-codes/generate/")):
        if (
            shoot(name, f"/account/security/{place}", full=False)
            and page.locator("#id_password").count()
        ):
            page.fill("#id_password", "carefulcareful")
            page.click("main form button.primary")
            page.wait_for_url(f"**/{place}")
            take(page, f"{name}-{tail}")
    shoot("security-on", "/account/security/")
    _admin(page, tail, shoot, take)
    page.context.clear_cookies()
    shoot("blocked", "/account/blocked/", full=False)
    shoot("password-changed", "/account/password/changed/", full=False)
    shoot("setup-over", "/setup/used-up/", full=False)
    with patch.object(setup, "admin_exists", lambda: False):
        shoot("setup", f"/setup/{setup.create_link()}/")
        _restore(page, tail, shoot, take)
    _mail(page, shoot)
    _faults(page, tail, shoot)


def _marked(page: Page, tail: str, shoot: Shoot, take: Take) -> None:
    """The box with what is wrong in it."""
    if shoot("home-marked", "/", full=False):
        page.fill("#id_text", "https://www.tiktok.com/tag/cats\n\n??? what is this")
        page.click("[data-submit]")
        page.wait_for_selector("#problem")
        take(page, f"home-marked-{tail}")
    if shoot("home-too-old", "/", full=False):
        page.fill("#id_text", "@nora\n@bea")
        page.context.clear_cookies(name=settings.CSRF_COOKIE_NAME)
        page.click("[data-submit]")
        page.wait_for_selector("#problem")
        take(page, f"home-too-old-{tail}")


def _mail(page: Page, shoot: Shoot) -> None:
    """Where a mail server is set."""
    user = User.objects.get(username="careful")
    with patch.object(mail, "is_configured", lambda: True):
        enter(page, "careful")
        signin.set_email(user, "")
        shoot("mail-none", "/account/email/", full=False)
        signin.set_email(user, "careful@example.org")
        EmailAddress.objects.create(user=user, email="careful.and.new@example.org")
        shoot("mail-changing", "/account/email/", full=False)
        page.context.clear_cookies()
        shoot("mail-login", "/login/", full=False)
        shoot("mail-forgotten", "/password/", full=False)
        shoot("mail-sent", "/password/sent/", full=False)
        shoot("mail-link-over", "/account/email/used/", full=False)


def _restore(page: Page, tail: str, shoot: Shoot, take: Take) -> None:
    """A backup at the set-up link: one that is none, and one that comes back without its key."""
    if not shoot("setup-restore", f"/setup/{setup.create_link()}/restore/"):
        return
    file: FilePayload = {
        "name": "holiday.tar",
        "mimeType": "application/x-tar",
        "buffer": b"photos",
    }
    page.set_input_files("#id_file", file)
    page.click("form.card button")
    page.wait_for_selector("[role=alert]")
    take(page, f"setup-restore-refused-{tail}")
    restored = restoring.Restored(
        at="2026-11-28T12:05:00Z", version=VERSION, people=4, jobs=212, has_keys=False,
        overruled=False,
    )  # fmt: skip
    with patch.object(restoring, "restore", lambda *_args, **_options: restored):
        page.set_input_files("#id_file", file)
        page.click("form.card button")
        page.wait_for_url("**/restore/")
        page.wait_for_selector("form", state="detached")
    take(page, f"setup-restored-{tail}")


def _admin(page: Page, tail: str, shoot: Shoot, take: Take) -> None:
    enter(page, "keeper")
    with _refused(), patch.object(heartbeats, "last_seen", lambda now=None: {}):
        shoot("admin-overview-ill", "/admin/")
    with patch.object(admin_views, "run_diagnosis", lambda _name, _way="": REPORT.as_dict()):
        if shoot("admin-diagnosis-found", "/admin/diagnosis/"):
            page.click("form.ask input[type=submit]")
            take(page, f"admin-diagnosis-found-{tail}")
    shoot("admin-stories", "/admin/jobs/story/")
    shoot("admin-files", "/admin/jobs/artifact/")


def _wrong_form(request: Any) -> wrong_address.WrongAddress | None:
    """Why a form was refused that a page under another name than the public one has sent."""
    request.META |= {"HTTP_ORIGIN": "http://attic.local:8000", "HTTP_SEC_FETCH_SITE": "same-origin"}
    return wrong_address.of_form(request, csrf.REASON_BAD_ORIGIN)


def _faults(page: Page, tail: str, shoot: Shoot) -> None:
    request: Any = RequestFactory().get("/broken/")
    request.user, request.resolver_match = AnonymousUser(), None
    spoken = tail[-5:-3]
    with translation.override(spoken if spoken in {"de", "es", "fr"} else "en"):
        request.META["HTTP_HOST"] = "attic.local:8000"
        wrong: dict[str, tuple[str, dict[str, Any]]] = {
            "wrong-host": ("400.html", {"wrong": wrong_address.of_host(request)}),
            "wrong-address": ("403_csrf.html", {"wrong": _wrong_form(request)}),
        }
        faults = FAULTS | wrong
        found = {name: loader.render_to_string(*fault, request) for name, fault in faults.items()}
    for name, content in found.items():
        page.route(f"**/broken/{name}", _answers(content))
        shoot(name, f"/broken/{name}", full=False)
