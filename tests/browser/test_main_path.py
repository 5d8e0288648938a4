"""Paste, watch, look, take: the way everyone goes, on a phone and on a desktop."""

from __future__ import annotations

import csv
import io
import re
import time
from pathlib import Path
from zipfile import ZipFile

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import DEVICES, NAME, PASSWORD, Open, Stack, Witness, saved

SETTLED_MS = 60_000


def paste(page: Page, text: str) -> None:
    """Send some lines and wait for the job's page."""
    page.goto("/")
    page.fill("#id_text", text)
    page.click("[data-submit]")
    page.wait_for_url(re.compile(r"/jobs/"))


def until(page: Page, question: str) -> None:
    """Until the script says so; the page's own policy forbids Playwright's way of waiting."""
    deadline = time.monotonic() + 10
    while not page.evaluate(question):
        assert time.monotonic() < deadline, question
        page.wait_for_timeout(50)


def settle(page: Page) -> None:
    """Until nothing more happens."""
    page.wait_for_selector("#job[data-settled]", timeout=SETTLED_MS)


@pytest.mark.parametrize("device", DEVICES)
def test_from_sign_in_to_files(
    device: str, chromium: object, stack: Stack, visit: Open, tmp_path: Path
) -> None:
    page = visit(device, storage_state=None)
    page.goto("/?text=%40harbour.bakery")
    page.fill("#id_username", NAME)
    page.fill("#id_password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    box = page.locator("#id_text")
    expect(box).to_have_value("@harbour.bakery")  # it survived the sign-in
    expect(page.locator("[data-submit]")).to_be_focused()  # what is left to do
    box.fill("@harbour.bakery\nquiet.owl\n@harbour.bakery\n@locked.diary\nnothing to see")
    expect(page.get_by_role("button", name="Save from 3 accounts")).to_be_visible()
    expect(page.locator("[data-chips]")).to_have_text(
        re.compile(r"3 accounts\s*1 duplicate\s*1 not understood")
    )
    page.get_by_role("button", name="Save from 3 accounts").click()
    page.wait_for_url(re.compile(r"/jobs/"))
    settle(page)

    assert page.locator(".tile").count() == 4
    expect(page.locator(".badge.kept")).to_have_count(4)
    expect(page.get_by_text("No public story right now.")).to_be_visible()
    expect(page.get_by_text("This account is private.")).to_be_visible()
    expect(page.get_by_text("This is not a TikTok name or link.")).to_be_visible()
    expect(page.locator(".badge.leaves").first).to_have_text(re.compile(r"[34].h.\d+.m"))
    expect(page.locator("#job-clock")).to_have_text(re.compile(r"Files are deleted in 1.h.5\d.m"))

    look(page, device)
    take(page, tmp_path)


def look(page: Page, device: str) -> None:
    """Through the viewer: a video that plays and seeks, a picture, and out again."""
    page.locator("a.frame").first.click()
    viewer = page.locator("#viewer")
    expect(viewer).to_be_visible()
    video = viewer.locator("video")
    until(page, "document.querySelector('#viewer video').currentTime > 0.2")
    assert video.evaluate("v => v.videoWidth") > 0
    video.evaluate("v => { v.pause(); v.currentTime = v.duration - 1 }")
    until(
        page,
        "(v => !v.seeking && v.readyState >= 2 && v.currentTime > 3)"
        "(document.querySelector('#viewer video'))",
    )
    page.keyboard.press("ArrowRight")
    picture = viewer.locator(".stage img")
    expect(picture).to_be_visible()
    until(page, "document.querySelector('#viewer .stage img').naturalWidth > 0")
    expect(viewer.locator("[data-place]")).to_have_text("2 / 7")
    if device == "phone":
        viewer.get_by_role("button", name="About this story").tap()
    expect(viewer.get_by_role("group", name="About this story")).to_contain_text(
        re.compile(r"Posted.*On TikTok for .* more.*Deleted here in ", re.DOTALL)
    )
    page.keyboard.press("Escape")
    if device == "phone":
        page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()


def take(page: Page, folder: Path) -> None:
    """A video, a picture, a carousel, a selection and everything."""
    with saved(page, folder) as files:
        page.get_by_role("link", name=re.compile("Download MP4")).first.click()
    assert files[0].read_bytes()[4:8] == b"ftyp"
    assert re.fullmatch(r"harbour\.bakery_\d{4}-\d\d-\d\d_\d{4}\.mp4", files[0].name)

    with saved(page, folder) as files:
        page.get_by_role("link", name=re.compile("Download image")).first.click()
    with Image.open(files[0]) as image:
        assert image.format == "JPEG"
        image.load()

    with saved(page, folder) as files:
        page.get_by_role("link", name=re.compile("Download ZIP")).first.click()
    with ZipFile(files[0]) as archive:
        assert archive.testzip() is None
        assert sum(name.endswith(".jpg") for name in archive.namelist()) == 4

    for box in page.locator(".pick").all()[:2]:
        box.check()
    expect(page.locator("#selection-words")).to_have_text("2 selected")
    with saved(page, folder) as files:
        page.get_by_role("button", name="Save selected").click()
    with ZipFile(files[0]) as archive:
        assert sum(name.endswith((".mp4", ".jpg")) for name in archive.namelist()) == 2

    page.locator("[data-clear]").click()
    with saved(page, folder) as files:
        page.get_by_role("button", name=re.compile(r"Save \d+ files · ")).click()
    with ZipFile(files[0]) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        manifest = next(name for name in names if name.endswith("manifest.csv"))
        rows = list(csv.DictReader(io.StringIO(archive.read(manifest).decode("utf-8-sig"))))
        assert {row["author"] for row in rows} == {"harbour.bakery"}
        assert sum(name.endswith(".mp4") for name in names) == 2


def test_without_a_script(visit: Open, tmp_path: Path) -> None:
    page = visit("phone", java_script_enabled=False)
    paste(page, "@slow.tide")
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    expect(page.locator("#job-words")).to_contain_text(
        re.compile("Queued|Looking up|Found|Saving|Checking")
    )
    # The page reloads itself; nobody has to.
    page.wait_for_selector("#job[data-settled]", timeout=SETTLED_MS)
    expect(page.locator("#job-words")).to_contain_text("4 files saved and checked")
    expect(page.locator("#job-clock")).to_have_text(
        re.compile(r"Files are deleted: \d+ \w+, \d\d:\d\d UTC")
    )
    with saved(page, tmp_path) as files:
        page.get_by_role("link", name=re.compile("Download MP4")).first.click()
    assert files[0].stat().st_size >= 3_000_000
    page.locator(".pick").nth(0).check()
    page.locator(".pick").nth(1).check()
    page.get_by_role("button", name="Save selected").click()
    with saved(page, tmp_path) as files:  # one page, which reloads itself, and one link
        page.get_by_role("link", name="Download ZIP").click(timeout=SETTLED_MS)
    with ZipFile(files[0]) as archive:
        assert sum(name.endswith(".mp4") for name in archive.namelist()) == 2


def tab_to(page: Page, selector: str) -> None:
    """Go on with the Tab key, from wherever the focus is."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("chosen => document.activeElement.matches(chosen)", selector):
            return
    pytest.fail(f"the Tab key does not lead to {selector}")


def test_with_the_keyboard_alone(chromium: object, visit: Open, tmp_path: Path) -> None:
    page = visit(storage_state=None)
    page.goto("/")
    page.wait_for_selector("#id_username:focus")  # the first field, once the page is drawn
    page.keyboard.type(NAME)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#id_text:focus")
    page.keyboard.type("night.trains")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile(r"/jobs/"))
    settle(page)
    tab_to(page, "a.frame")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer [data-place]")).to_have_text("2 / 3")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    assert page.evaluate("document.activeElement.matches('a.frame')")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator(".pick:checked")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.locator("a.take:focus")).to_have_count(1)
    with saved(page, tmp_path) as files:
        page.keyboard.press("Enter")
    assert files[0].suffix in {".mp4", ".jpg", ".webp"}


def test_a_post_is_saved_when_asked_for(visit: Open) -> None:
    page = visit()
    paste(page, "https://www.tiktok.com/t/ZMharvest/")
    settle(page)
    page.get_by_role("button", name="Save this post anyway").click()
    settle(page)
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.locator(".clocks")).to_have_count(0)


def test_cancel_keeps_what_was_saved(visit: Open) -> None:
    page = visit("phone")
    paste(page, "@last.tide")
    page.locator(".tile").first.wait_for(timeout=SETTLED_MS)
    page.get_by_role("button", name="Cancel").click()
    settle(page)
    expect(page.locator("#job")).to_have_class(re.compile("cancelled"))
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)


def test_files_can_be_deleted_and_a_job_forgotten(visit: Open, witness: Witness) -> None:
    page = visit("phone")
    paste(page, "@foggy.morning")
    settle(page)
    page.get_by_role("link", name="Delete files now").click()
    expect(page.get_by_role("heading", name=re.compile(r"Delete 1 file, .*\?"))).to_be_visible()
    page.get_by_role("button", name="Delete now").click()
    expect(page.get_by_role("status").filter(has_text="1 file deleted, ")).to_be_visible()
    expect(page.locator(".tile.past")).to_contain_text("Deleted")
    page.get_by_role("button", name="Fetch again").click()
    settle(page)
    expect(page.locator(".hero .state.done")).to_have_count(1)
    page.get_by_role("link", name="Forget this job").click()
    page.wait_for_url(re.compile(r"/history/"))
    expect(page.get_by_role("status").filter(has_text="Job forgotten")).to_be_visible()
