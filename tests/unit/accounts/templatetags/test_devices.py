"""Browsers by names people know."""

from __future__ import annotations

import pytest

from accounts.templatetags.devices import device
from tests.unit.accounts.browsing import (
    IPHONE,
)


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (IPHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/1 Safari/1 Edg/140", "Edge on Windows"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Firefox/140.0", "Firefox on Android"),
        ("curl/8.0", "curl/8.0"),
        ("<script>" * 99, ("<script>" * 99)[:60]),
        ("", "Unknown device"),
    ],
)
def test_browsers_have_names(agent: str, said: str) -> None:
    assert device(agent) == said
