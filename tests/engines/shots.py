"""Pictures of the pages in Firefox and WebKit, for human eyes: `make shots ENGINE=webkit`.

They land in shots/ as `<engine>-<page>-<device>.png`. The states are those of
tests/browser/shots.py, which takes many more looks of them in Chromium.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.browser import shots  # sets Django up: first

from jobs.models import Job  # isort: skip
from playwright.sync_api import sync_playwright

from tests.engines.conftest import playwright_screen, webkit_screen
from tests.engines.screens import Screen

TALL: Final = {"phone": (390, 2000), "desktop": (1440, 1500)}
"""Width and height in pixels: WebKit's pictures are of the window, so that is as tall as most pages
are long."""
OPENING_S: Final = 0.7
PAGES: Final = {
    "home": "/",
    "history": "/history/",
    "history-nothing": "/history/?q=nowhere",
    "help": "/help/",
    "account": "/account/",
    "security": "/account/security/",
    "tokens": "/account/tokens/",
    "phone-set-up": "/phone/",
    "404": "/nothing/",
}
ADMIN: Final = {
    "admin": "/admin/",
    "admin-people": "/admin/people/",
    "admin-system": "/admin/system/",
    "admin-problems": "/admin/problems/",
    "admin-jobs": "/admin/jobs/job/",
    "admin-lines": "/admin/jobs/item/",
}


@contextmanager
def _screen(engine: str, base: str, device: str, folder: Path) -> Iterator[Screen]:
    if engine == "webkit":
        with webkit_screen(base, device, folder, size=TALL[device]) as screen:
            yield screen
    else:
        with (
            sync_playwright() as playwright,
            playwright_screen(playwright, engine, base, device, size=TALL[device]) as screen,
        ):
            yield screen


def _take_all(screen: Screen, tail: str, jobs: dict[str, Job], names: list[str]) -> None:
    def wanted(name: str) -> bool:
        return not names or any(part in f"{name}-{tail}" for part in names)

    def take(name: str, path: str = "") -> None:
        if wanted(name):
            if path:
                screen.goto(path)
            screen.js("document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })")
            time.sleep(OPENING_S)  # what opens has opened, and lazy pictures are here
            screen.picture(shots.OUT / f"{name}-{tail}.png")

    take("login", "/login/")
    screen.sign_in("alice", "alicealice")
    for name, path in PAGES.items():
        take(name, path)
    if wanted("home-typed"):
        screen.goto("/")
        screen.fill("#id_text", shots.TYPED)
        take("home-typed")
    for name, job in jobs.items():
        take(f"job-{name}", f"/jobs/{job.pk}/")
    if wanted("viewer"):
        screen.goto(f"/jobs/{jobs['done'].pk}/")
        screen.click("a[data-view]")
        take("viewer")
        screen.press("Escape")
    if wanted("selected"):
        screen.goto(f"/jobs/{jobs['done'].pk}/")
        screen.click(".pick")
        take("selected")
    screen.sign_out()
    screen.sign_in("keeper", "keeperkeeper")
    for name, path in ADMIN.items():
        take(name, path)


def main(engine: str, names: list[str]) -> None:
    """Take the pictures whose name contains one of `names`; all when there is none."""
    shots.OUT.mkdir(exist_ok=True)
    with shots.filled_site() as (base, jobs), tempfile.TemporaryDirectory() as folder:
        for device in TALL:
            with _screen(engine, base, device, Path(folder)) as screen:
                _take_all(screen, f"{device}-{engine}", jobs, names)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
