"""What axe finds, of any weight: nothing, on any page, in any language, light or dark.

But for the API's documentation, which Swagger UI draws: its rows are buttons in buttons.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import DEVICES, Open, Witness
from tests.browser.test_main_path import paste, settle
from tests.browser.test_pages import LOCALES, PLACES, faults

ADMIN = (
    "/admin/",
    "/admin/people/",
    "/admin/system/",
    "/admin/system/ways/",
    "/admin/problems/",
    "/admin/system/protocol/",
    "/admin/diagnosis/",
    "/admin/tables/",
    "/admin/auth/user/",
    "/admin/auth/user/1/change/",
    "/admin/jobs/job/",
    "/admin/jobs/item/",
    "/admin/jobs/story/",
    "/admin/jobs/artifact/",
    "/admin/jobs/package/",
    "/admin/notices/channel/",
    "/admin/notices/channel/add/",
    "/admin/notices/delivery/",
)
DOORS = ("/login/", "/setup/used-up/", "/join/used-up/")
"""Pages of people who are not signed in."""
LOOKS = [(device, scheme) for scheme in ("light", "dark") for device in DEVICES]
_found: list[str] = []


@pytest.fixture
def places(visit: Open) -> list[str]:
    """Addresses of every kind of page, also of a job with every kind of verdict."""
    if _found:
        return _found
    page = visit()
    paste(page, "@tiny.garden\n@quiet.owl\n@locked.diary\nhttps://example.com/x")
    settle(page)
    job = page.url
    page.goto("/admin/jobs/item/")
    line = page.locator("#result_list th a").first.get_attribute("href") or ""
    identity = re.findall(r"/jobs/([\da-f-]{36})/", job)[0]
    acts = [f"{job}{act}/" for act in ("clean", "forget")]
    _found.extend([*PLACES, job, f"{job}?view=list", *acts])
    _found.extend([*ADMIN, f"/admin/jobs/job/{identity}/change/", line])
    return _found


def looked_at(page: Page, place: str) -> list[str]:
    """What axe finds there."""
    page.goto(place)
    return [f"{place}: {fault}" for fault in faults(page)]


@pytest.mark.parametrize("locale", LOCALES)
def test_no_page_has_any_fault(
    locale: str, visit: Open, witness: Witness, places: list[str]
) -> None:
    """Every page in every language; on which device and in which light takes turns."""
    witness.expected += ["404", "405"]
    turn = LOCALES.index(locale)
    pages = {
        look: visit(look[0], color_scheme=look[1], locale=locale, bypass_csp=True) for look in LOOKS
    }
    found: list[str] = []
    for number, place in enumerate(places):
        found += looked_at(pages[LOOKS[(number + turn) % len(LOOKS)]], place)
    outside = visit(
        LOOKS[turn][0],
        color_scheme=LOOKS[turn][1],
        locale=locale,
        bypass_csp=True,
        storage_state=None,
    )
    for place in DOORS:
        found += looked_at(outside, place)
    assert not found, "\n".join(found)
