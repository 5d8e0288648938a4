"""What a browser of ours is doing, for tests."""

from __future__ import annotations

from stories.browser.browser import Browser


def is_running(browser: Browser) -> bool:
    """Whether it has a Chromium of its own, which takes memory."""
    return browser._chromium is not None
