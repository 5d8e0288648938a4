"""Paste, watch, look, hand over: what everyone does, in every engine."""

from __future__ import annotations

import pytest

from tests.engines.conftest import SHARES, SIZES, Open
from tests.engines.screens import Screen

PAGES = ("/", "/history/", "/help/", "/account/", "/account/tokens/", "/phone/")
VIDEO = "document.querySelector('#viewer video')"


def fits(screen: Screen) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(screen.js("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("device", SIZES)
def test_from_a_name_to_a_video_that_plays(device: str, visit: Open) -> None:
    screen = visit(device)
    screen.paste("@harbour.bakery\nquiet.owl\n@locked.diary")
    assert fits(screen)
    assert screen.js("document.querySelectorAll('.line').length") == 3
    screen.click("a[data-view]")
    screen.until("document.querySelector('#viewer').open")
    screen.until(f"(v => v && v.readyState >= 2 && v.videoWidth > 0)({VIDEO})")
    screen.play(VIDEO, past_s=0.2)
    screen.press("Space")  # pauses or plays, and closes nothing
    assert screen.js("document.querySelector('#viewer').open")
    screen.press("ArrowRight")
    screen.until("document.querySelector('#viewer img')?.naturalWidth > 0")
    screen.press("Escape")
    screen.until("!document.querySelector('#viewer').open")


@pytest.mark.parametrize("device", SIZES)
def test_every_page_fits(device: str, visit: Open) -> None:
    screen = visit(device)
    for page in PAGES:
        screen.goto(page)
        assert fits(screen), page


def test_the_box_grows_with_what_is_pasted(visit: Open) -> None:
    screen = visit("phone")
    screen.goto("/")
    before = screen.box("#id_text")["height"]
    screen.fill("#id_text", "\n".join(f"@name{number}" for number in range(9)))
    screen.until("(box => box.scrollHeight <= box.clientHeight + 1)(id_text)")
    assert screen.box("#id_text")["height"] > before
    assert screen.js("getComputedStyle(id_text).resize") == "none"


def test_the_share_sheet_is_no_taller_than_it_has_to_be(visit: Open) -> None:
    screen = visit("phone", script=SHARES)
    screen.paste("@night.trains")
    screen.click("[data-share-of='job']")
    screen.until("document.querySelector('#share').open")
    screen.until("(go => go && !go.disabled && !go.hidden)(document.querySelector('[data-go]'))")
    # At the foot, once it has come up.
    screen.until("Math.abs(share.getBoundingClientRect().bottom - innerHeight) < 2")
    assert screen.box("#share")["height"] < 420  # stretched it would be the whole window's 844
    screen.click("[data-go]")
    files = screen.until("window.shared.length && window.shared[0]")
    assert [kind.partition("/")[0] for _, kind, _ in files]
    assert all(size > 0 for _, _, size in files)


def test_a_download_that_broke_goes_on(visit: Open) -> None:
    screen = visit("desktop")
    screen.paste("@night.trains")
    screen.js(
        "(async link => { const part = await fetch(link, { headers: { Range: 'bytes=10-19' } });"
        " window.part = [part.status, (await part.arrayBuffer()).byteLength] })"
        "(document.querySelector('a[data-download]').href) && 1"
    )
    assert screen.until("window.part") == [206, 10]
