"""A fake TikTok with small pages, an account on it, and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.fake_tiktok import Account, FakeTikTok
from tests.unit.fake_tiktok.browsing import REFERER, UA


@pytest.fixture
def tiktok() -> FakeTikTok:
    """A site with pages of two kilobytes, not four hundred."""
    return FakeTikTok(page_bytes=2_000)


@pytest.fixture
def alice(tiktok: FakeTikTok) -> Account:
    """An account on it."""
    return tiktok.account("sample.user")


@pytest.fixture
def web(tiktok: FakeTikTok) -> Iterator[httpx.Client]:
    """A browser that says where it comes from."""
    headers = {"User-Agent": UA, "Referer": REFERER}
    with httpx.Client(transport=tiktok.transport(), headers=headers) as client:
        yield client
