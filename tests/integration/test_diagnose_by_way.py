"""`manage.py diagnose @name --way NAME`: over a real browser, and by a way that is not there."""

from __future__ import annotations

import pytest
from django.utils import timezone

from jobs.housekeeping import sweep
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.test_diagnose import diagnose


@pytest.mark.usefixtures("redis_server")
def test_by_a_browser(proxy: FakeProxy, tiktok: FakeTikTok) -> None:
    sweep.sweep(timezone.now())
    tiktok.account("alice.secret").video(seconds=1)
    _, findings, printed = diagnose(
        proxy, "@alice.secret", "--way", "browser", STORYKEEP_BROWSER="local"
    )
    assert {part: findings[part]["verdict"] for part in ("profile", "list", "media")} == {
        "profile": "ok",
        "list": "ok",
        "media": "ok",
    }, printed
    assert "browser on" in findings["ways"]["said"]


@pytest.mark.usefixtures("redis_server")
def test_by_a_way_that_is_not_set_up(proxy: FakeProxy, tiktok: FakeTikTok) -> None:
    tiktok.account("alice.secret")
    for way in ("browser", "gallery-dl"):
        code, findings, _ = diagnose(proxy, "@alice.secret", "--way", way)
        assert code == 1
        assert findings["tiktok"]["said"] == f"{way} cannot be asked: not set up"
        assert "profile" not in findings
    assert not tiktok.requests
