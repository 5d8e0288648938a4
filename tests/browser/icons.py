"""The PNG icons phones want, drawn from icon.svg: `python -m tests.browser.icons`."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import sync_playwright

STATIC = Path(__file__).resolve().parents[2] / "webapp" / "static"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ROUND = 'rx="15" '
SAFE_ZONE = 0.8
"""Launchers cut a maskable icon into any shape, but never into this inner part."""

ICONS = {"icon-192": 192, "icon-512": 512, "icon-maskable": 512, "apple-touch-icon": 180}
"""Name and edge in pixels."""


def drawing(name: str) -> str:
    """The icon; for phones that cut the corners themselves, without round ones."""
    source = (STATIC / "icon.svg").read_text(encoding="utf-8")
    if name.startswith("icon-") and "maskable" not in name:
        return source
    assert ROUND in source
    square = source.replace(ROUND, "")
    if "maskable" not in name:
        return square
    ground, _, rest = square.partition("/>")
    move = f"translate({32 * (1 - SAFE_ZONE)} {32 * (1 - SAFE_ZONE)}) scale({SAFE_ZONE})"
    return f'{ground}/><g transform="{move}">{rest.removesuffix("</svg>")}</g></svg>'


def main() -> None:
    """Draw all of them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, edge in ICONS.items():
            page = browser.new_page(viewport={"width": edge, "height": edge})
            page.set_content(
                f"<style>body{{margin:0}}svg{{display:block;width:{edge}px}}</style>{drawing(name)}"
            )
            page.screenshot(path=STATIC / f"{name}.png", omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
