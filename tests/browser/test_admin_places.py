"""People, System and Problems in a real instance: readable everywhere, and two of their tasks."""

from __future__ import annotations

import tarfile

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DEVICES, Open, sideways
from tests.browser.test_pages import faults

PLACES = (
    "/admin/people/",
    "/admin/problems/",
    "/admin/system/",
    "/admin/system/protocol/",
    "/admin/system/ways/",
)


@pytest.mark.parametrize("device", DEVICES)
def test_nothing_sideways(device: str, visit: Open) -> None:
    """What axe finds on them: test_faults.py, once in each look."""
    page = visit(device)
    for width in (None, 320):
        if width:
            page.set_viewport_size({"width": width, "height": 700})
        for place in PLACES:
            page.goto(place)
            assert sideways(page) <= 0, (place, width)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", DEVICES)
def test_nothing_serious_where_everything_is_unfolded(
    device: str, scheme: str, visit: Open
) -> None:
    page = visit(device, color_scheme=scheme, bypass_csp=True)
    page.goto("/admin/people/")
    for fold in page.locator("#content summary").all():
        fold.click()
    assert not faults(page)
    assert sideways(page) <= 0


def test_what_runs_is_told_by_itself(visit: Open) -> None:
    """The worker's version and time come from the worker."""
    page = visit()
    page.goto("/admin/system/")
    row = page.get_by_role("row").filter(has_text="worker-")
    expect(row.first).to_be_visible()
    expect(row.first.get_by_text("unknown")).to_have_count(0)
    expect(page.get_by_text("STORYKEEP_DATA_DIR")).to_be_visible()


def test_limiting_somebody_takes_two_clicks(visit: Open) -> None:
    page = visit("phone")
    page.goto("/admin/people/")
    row = page.locator(".people > li").filter(has_text="alice")
    row.locator("summary").click()
    row.get_by_label("Lines a day").fill("5000")
    row.get_by_role("button", name="Save").click()
    expect(row.locator("summary")).to_contain_text("5000 lines a day")
    row.locator("summary").click()
    row.get_by_label("Lines a day").fill("")
    row.get_by_role("button", name="Save").click()
    expect(row.locator("summary")).to_contain_text("as for everyone")


def test_an_invitation_with_its_code(visit: Open) -> None:
    page = visit("phone")
    page.goto("/admin/people/")
    page.locator(".invite summary").click()
    page.get_by_label("For", exact=True).fill("Nora")
    page.get_by_role("button", name="Create link").click()
    expect(page.locator("#secret")).to_contain_text("/join/")
    expect(page.locator("svg.qr")).to_be_visible()


def test_a_backup_after_the_password(visit: Open) -> None:
    page = visit()
    page.goto("/admin/system/")
    page.get_by_role("link", name="Back up now").click()
    page.locator("input[type=password]").fill("alicealice")
    page.locator("form.card button").first.click()
    page.get_by_label("Passphrase", exact=True).fill("correct horse")
    page.get_by_label("Repeat the passphrase").fill("correct horse")
    page.get_by_role("button", name="Back up now").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    with tarfile.open(download.value.path()) as archive:
        assert archive.getnames() == [
            "manifest.json", "RESTORE.txt", "settings.txt", "keys.bin", "database.sqlite3",
        ]  # fmt: skip
        database = archive.extractfile("database.sqlite3")
        assert database
        assert database.read(15) == b"SQLite format 3"
    page.goto("/admin/system/")
    expect(page.get_by_text("Last one:")).to_be_visible()
