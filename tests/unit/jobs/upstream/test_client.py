"""The client's configuration: what the settings say."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import SecretStr

from jobs.upstream.client import client_config


def test_the_client_follows_the_settings(set_env: Callable[..., None]) -> None:
    set_env(
        proxy=SecretStr("http://proxy:1"),
        fetch_concurrency=3,
        file_max=10_000_000,
        page_transport="httpx",
    )
    made = client_config()
    assert (made.proxy, made.transfers, made.page_transport) == ("http://proxy:1", 3, "httpx")
    assert (made.max_video_bytes, made.max_picture_bytes) == (10_000_000, 10_000_000)
    assert made.ca_bundle is None
