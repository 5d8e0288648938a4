"""Pictures of every state of every page, for human eyes: `python -m tests.browser.shots [name…]`.

They land in shots/: phone and desktop, light, dark, in German and French, a phone in Spanish, the
smallest phone and a very wide screen. No worker runs; rows and files are made. `readme` alone takes
the README's pictures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright runs a loop in this thread

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.staticfiles.testing import StaticLiveServerTestCase  # noqa: E402
from django.test.runner import DiscoverRunner  # noqa: E402
from django.utils import timezone  # noqa: E402
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright  # noqa: E402

from jobs.ephemeral import heartbeats, progress  # noqa: E402
from jobs.ephemeral.progress import ItemProgress  # noqa: E402
from jobs.files import disk  # noqa: E402
from jobs.models import Artifact, Item, Job, Package, Quota  # noqa: E402
from jobs.states import ItemState  # noqa: E402
from jobs.upstream import breaker, pauses  # noqa: E402
from tests import factories  # noqa: E402
from tests.browser import (  # noqa: E402
    account_shots,
    admin_shots,
    job_scenes,
    provider_shots,
    rare_shots,
    readme_shots,
    scenes,
    watch_shots,
)

CHROMIUM = "/usr/bin/chromium"
OUT = Path(__file__).resolve().parents[2] / "shots"
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}
SCREENS: dict[str, dict[str, Any]] = {
    "phone": PHONE | {"device_scale_factor": 2},
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "small": PHONE | {"viewport": {"width": 320, "height": 568}, "device_scale_factor": 2},
    "readme": {"viewport": {"width": 1440, "height": 900}},
    "wide": {"viewport": {"width": 2560, "height": 1440}},
}
Scheme = Literal["light", "dark"]
LOOKS: tuple[tuple[str, Scheme, str], ...] = (
    *((screen, "light", "en-GB") for screen in SCREENS if screen != readme_shots.NAME),
    *((screen, "dark", "en-GB") for screen in ("phone", "desktop")),
    *((screen, "light", "de-DE") for screen in ("phone", "desktop", "small")),
    *((screen, "light", "fr-FR") for screen in ("phone", "desktop", "small")),
    ("phone", "light", "es-MX"),
)
"""Screen, scheme and language of each set of pictures. German words are the longest, French
sentences."""
SHARES = """
document.documentElement.classList.add("ios");
navigator.canShare = () => true;
navigator.share = async () => {};
"""
"""What a phone has and a headless browser lacks."""
SILENT = """
navigator.canShare = () => true;
navigator.share = () => new Promise(() => {});
0  // else the function itself is called, and waited for
"""
"""A phone whose sheet is open: it has not answered yet."""

TYPED = """@nora.films
market.street
https://www.tiktok.com/@harbour.watch/story/7441111111111111111
https://vm.tiktok.com/ZMabcdef1/
https://www.tiktok.com/@nora.films/video/7300000000000000001
https://example.com/nothing
@nora.films
"""


@contextmanager
def _site() -> Iterator[str]:
    runner = DiscoverRunner(verbosity=0, interactive=False)
    runner.setup_test_environment()
    databases = runner.setup_databases()

    class Site(StaticLiveServerTestCase):
        """The server alone, without a test."""

    Site.setUpClass()
    try:
        yield Site.live_server_url
    finally:
        Site.tearDownClass()
        runner.teardown_databases(databases)


def _context(browser: Browser, screen: str, scheme: Any, base: str, locale: str) -> BrowserContext:
    context = browser.new_context(
        base_url=base,
        color_scheme=scheme,
        locale=locale,
        timezone_id="Europe/Berlin",
        service_workers="block",  # else the answers of rare_shots.py would not reach the page
        **SCREENS[screen],
    )
    page = context.new_page()
    _sign_in(page, "alice")
    page.close()
    return context


def _sign_in(page: Page, name: str) -> None:
    page.goto("/login/")
    page.fill("#id_username", name)
    page.fill("#id_password", name * 2)
    page.locator("form.card button").click()
    page.wait_for_url("**/")


def _take(page: Page, name: str, *, full: bool = True) -> None:
    page.wait_for_timeout(250)
    if full:  # lazy pictures are only fetched near the window
        page.evaluate("document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })")
        page.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => 0)))")
    page.screenshot(path=OUT / f"{name}.png", full_page=full)


def _shoot_all(page: Page, tail: str, jobs: dict[str, Job], names: list[str]) -> None:
    def shoot(name: str, path: str, *, full: bool = True) -> bool:
        if names and not any(part in f"{name}-{tail}" for part in names):
            return False
        page.goto(path)
        _take(page, f"{name}-{tail}", full=full)
        return True

    shoot("home", "/", full=False)
    shoot("home-full", "/")
    if shoot("home-typed", "/", full=False):
        page.fill("#id_text", TYPED)
        page.click("summary")
        _take(page, f"home-typed-{tail}")
    for name, job in jobs.items():
        shoot(f"job-{name}", f"/jobs/{job.pk}/")
    if shoot("viewer-video", f"/jobs/{jobs['done'].pk}/", full=False):
        page.locator("a[data-view]").first.click()
        page.wait_for_timeout(600)
        _take(page, f"viewer-video-{tail}", full=False)
        page.keyboard.press("ArrowRight")
        _take(page, f"viewer-photo-{tail}", full=False)
    if shoot("selected", f"/jobs/{jobs['done'].pk}/", full=False):
        for box in page.locator(".pick").all()[:2]:
            box.check()
        page.locator(".tile .more").nth(2).click()
        _take(page, f"selected-{tail}", full=False)
        _take(page, f"selected-full-{tail}")
    shoot("history", "/history/", full=False)
    shoot("history-narrowed", "/history/?state=failed", full=False)
    shoot("history-nothing", "/history/?q=nowhere", full=False)
    removed = Artifact.objects.filter(job=jobs["cleaned-up"]).first()
    if removed:
        shoot("no-file", f"/files/{removed.pk}/{removed.name}", full=False)
    if shoot("home-too-many", "/", full=False):
        page.fill("#id_text", "\n".join(f"@name{number}" for number in range(51)))
        page.evaluate("document.querySelector('form[data-composer]').submit()")
        page.wait_for_selector("[role=alert]")
        _take(page, f"home-too-many-{tail}", full=False)
    _shoot_phone(page, tail, f"/jobs/{jobs['done'].pk}/", shoot)
    shoot("help", "/help/")
    shoot("account", "/account/", full=False)
    shoot("account-password", "/account/password/", full=False)
    account_shots.inside(page, tail, shoot, _take)
    provider_shots.inside(page, shoot)
    watch_shots.inside(shoot)
    shoot("clean", f"/jobs/{jobs['done'].pk}/clean/", full=False)
    shoot("forget", f"/jobs/{jobs['done'].pk}/forget/", full=False)
    shoot("404", "/nothing/", full=False)
    page.context.clear_cookies()
    if shoot("login", "/login/", full=False):
        page.fill("#id_username", "alice")
        page.fill("#id_password", "wrong")
        page.locator("form.card button").click()
        page.wait_for_selector("[role=alert]")
        _take(page, f"login-wrong-{tail}", full=False)
    account_shots.at_the_door(page, tail, shoot, _take)
    provider_shots.at_the_door(shoot)
    _sign_in(page, "newcomer")
    shoot("home-blank", "/", full=False)
    shoot("history-blank", "/history/", full=False)
    page.context.clear_cookies()
    _sign_in(page, "keeper")
    admin_shots.take_all(page, tail, jobs, shoot, _take)
    rare_shots.take_all(page, tail, jobs, shoot, _take)


def _pretend_to_work() -> None:
    """What Redis would say if workers were at it."""
    now = timezone.now()
    heartbeats.last_seen = lambda now=None: {"worker-812@attic": timezone.now()}
    counts = {"expired": 4, "freed_bytes": 12_300_000, "failed": 0}
    heartbeats.last_sweep = lambda: heartbeats.Sweep(now, counts)
    breaker.shared_state = lambda: None
    pauses.recent = lambda since, now: (
        pauses.Pause(
            since=now - timedelta(hours=9), until=now - timedelta(hours=8), code="challenged",
            waited=4,
        ),
    )  # fmt: skip
    running = Item.objects.filter(state=ItemState.RUNNING)
    by_item = {
        str(item.pk): ItemProgress(
            phase="saving", files_done=2, files_total=5, bytes_done=12_000_000,
            bytes_total=30_000_000, worker="worker-812@attic",
        )
        for item in running
    }  # fmt: skip
    packing = ItemProgress(phase="packing", share=0.43)
    by_package = {str(one.pk): packing for one in Package.objects.open()}
    progress.read_many = lambda job_ids: by_item
    progress.read = lambda job_id: by_package


def _shoot_phone(page: Page, tail: str, path: str, shoot: Callable[..., bool]) -> None:
    if shoot("share-preparing", path, full=False) and "phone" in tail:
        page.evaluate(SHARES)
        page.add_script_tag(url="/static/share.js")
        page.locator("#share-all").click()
        _take(page, f"share-ready-{tail}", full=False)
        page.evaluate("navigator.canShare = () => false")
        page.locator("#share [data-cancel]").click()
        page.locator("#share-all").click()
        _take(page, f"share-refused-{tail}", full=False)
        page.locator("#share [data-cancel]").click()
        _take(page, f"job-on-phone-{tail}")
        _shoot_rounds(page, tail)
    if shoot("qr", path, full=False) and "desktop" in tail:
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.locator(".on-phone summary").click()
        _take(page, f"qr-{tail}", full=False)
    shoot("phone-set-up", "/phone/")
    shoot("offline", "/offline/", full=False)


def _shoot_rounds(page: Page, tail: str) -> None:
    """More than one call may have: the first round is out, and the phone does not answer."""
    page.evaluate(SILENT)
    page.evaluate("document.querySelectorAll('a[data-share]').forEach(a => a.dataset.bytes = 2e7)")
    page.locator("#share-all").click()
    page.wait_for_selector("[data-go]:not([disabled])")
    _take(page, f"share-round-{tail}", full=False)
    page.locator("[data-go]").click()
    page.wait_for_selector("#share [data-next]:not([hidden])")
    _take(page, f"share-next-files-{tail}", full=False)


@contextmanager
def filled_site() -> Iterator[tuple[str, dict[str, Job]]]:
    """The site with a job for every scene, and what Redis would say. Its address; jobs by name."""
    with _site() as base:
        disk.root()  # rows come before their files here, and would be missed without the mark
        alice = factories.make_user("alice")
        factories.make_user("newcomer")
        factories.make_user("keeper", is_staff=True, is_superuser=True)
        Quota.objects.create(owner=alice, items_per_day=200, stored_bytes=2_000_000_000)
        # An address a phone understands, for the pages that show one.
        public = {"public_url": "https://keep.example"}
        settings.STORYKEEP = settings.STORYKEEP.model_copy(update=public)
        more = {
            "watches": "members",
            "watches_per_member": 9,
            "push_contact": "keeper@example.org",
            "library_dir": Path(settings.STORYKEEP.data_dir) / "library",
        }
        settings.STORYKEEP = settings.STORYKEEP.model_copy(update=more)
        settings.ACCOUNT_RATE_LIMITS = False  # these pictures sign in more often than people do
        account_shots.prepare(alice)
        watch_shots.prepare(alice)
        made = scenes.SCENES | job_scenes.SCENES
        jobs = {name: make(alice) for name, make in made.items()}
        _pretend_to_work()
        rare_shots.prepare()
        admin_shots.prepare()
        yield base, jobs


def main(names: list[str]) -> None:
    """Take the pictures whose name contains one of `wanted`; all when there is none."""
    OUT.mkdir(exist_ok=True)
    with filled_site() as (base, jobs), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        if names == [readme_shots.NAME]:
            readme_shots.take_all(
                jobs,
                lambda screen, scheme: _context(browser, screen, scheme, base, "en-GB"),
                _sign_in,
            )
            return
        for screen, scheme, locale in LOOKS:
            context = _context(browser, screen, scheme, base, locale)
            tail = f"{screen}-{scheme}" if locale == "en-GB" else f"{screen}-{locale}"
            _shoot_all(context.new_page(), tail, jobs, names)
            context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
