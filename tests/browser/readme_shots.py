"""The pictures of the README: `make shots ARGS=readme` writes them into docs/pictures.

Each is a WebP below MAX_BYTES, small enough to be committed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils import timezone
from PIL import Image
from playwright.sync_api import BrowserContext, Page

from jobs.fetching import author_pictures
from jobs.models import Job, StoryKind
from jobs.states import ItemState
from stories.media import avatars
from tests import factories
from tests.browser import admin_shots, scenes
from tests.fake_tiktok import media

NAME: Final = "readme"
OUT: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"
MAX_BYTES: Final = 150_000
NAMES: Final = ("phone-dark", "contact-sheet", "viewer", "overview")

ACCOUNTS: Final = (
    ("nora.films", "Nora Lindqvist", "VPCV"),
    ("market.street", "Market Street", "CP"),
    ("harbour.watch", "Harbour Watch", "VVP"),
    ("night.trains", "Night Trains", "V"),
    ("tiny.garden", "Tiny Garden", "PPC"),
    ("sea.glass.studio", "Sea Glass Studio", "CVP"),
    ("foggy.morning", "Foggy Morning", "PV"),
    ("window.seat", "Window Seat", "VCVP"),
    ("harvest.table", "Harvest Table", "PC"),
    ("quiet.owl", "Quiet Owl", "V"),
)
"""Name, nickname and the stories (Video, Photo, Carousel) of the accounts of the batch."""
KINDS: Final = {"V": StoryKind.VIDEO, "P": StoryKind.PHOTO, "C": StoryKind.CAROUSEL}

MakeContext = Callable[[str, str], BrowserContext]
"""From a screen's name and a colour scheme to a browser signed in as alice."""


def take_all(
    jobs: Mapping[str, Job], context: MakeContext, sign_in: Callable[[Page, str], None]
) -> None:
    """Take every picture. sign_in: signs a page in under a name."""
    OUT.mkdir(parents=True, exist_ok=True)
    done, many = (f"/jobs/{job.pk}/" for job in (jobs["done"], _batch(jobs["done"].owner)))
    phone = context("phone", "dark")
    _take(_opened(phone, done), "phone-dark")
    phone.close()
    desktop = context("readme", "light")
    _take(_opened(desktop, many), "contact-sheet")
    page = _opened(desktop, done)
    page.locator("a[data-view]").first.click()
    page.wait_for_timeout(1200)
    _take(page, "viewer")
    desktop.clear_cookies()
    page = desktop.new_page()
    sign_in(page, "keeper")
    with admin_shots.morning_after():
        page.goto("/admin/")
        _take(page, "overview")
    desktop.close()


def _batch(owner: User) -> Job:
    """Ten accounts, everything saved; the first stories leave TikTok soon."""
    job = factories.make_job(owner, note="Autumn campaign, second week", settled_at=timezone.now())
    for number, (name, nickname, kinds) in enumerate(ACCOUNTS):
        item = factories.make_item(
            job,
            name=name,
            state=ItemState.DONE,
            author_id=str(6_800_000_000_000_000_001 + number),
            author_name=name,
            author_nickname=nickname,
        )
        author_pictures.save(item.pk, avatars.make(media.portrait(name)))
        for place, kind in enumerate(kinds):
            hours_ago = 23.4 - number * 1.9 - place * 1.3
            count = 4 if kind == "C" else 1
            scenes.add_story(item, KINDS[kind], hours_ago=max(0.5, hours_ago), count=count)
    return job


def _opened(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path)
    return page


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(800)  # lazy pictures come
    (OUT / f"{name}.webp").write_bytes(packed(page.screenshot()))


def packed(png: bytes) -> bytes:
    """A screenshot as a WebP of at most MAX_BYTES, as good as fits."""
    image: Any = Image.open(io.BytesIO(png)).convert("RGB")
    for quality in range(90, 10, -10):
        out = io.BytesIO()
        image.save(out, "WEBP", quality=quality, method=6)
        if out.tell() <= MAX_BYTES:
            return out.getvalue()
    raise ValueError(f"{image.size} does not fit into {MAX_BYTES} bytes")
