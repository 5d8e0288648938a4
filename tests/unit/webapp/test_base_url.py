"""The address this instance prints for itself, with and without a public one."""

from __future__ import annotations

import socket

import pytest

from webapp.base_url import absolute_url, base_url
from webapp.env import Env


def env(**facts: object) -> Env:
    """Settings with some of them given."""
    return Env().model_copy(update={"public_url": None, "bind": "127.0.0.1", "port": 8000} | facts)


def test_the_public_address_comes_first() -> None:
    public = env(public_url="https://stories.example.org/keep")
    assert base_url(public) == "https://stories.example.org/keep"
    assert absolute_url(public, "/keep/join/x/") == "https://stories.example.org/keep/join/x/"


@pytest.mark.parametrize(
    ("bind", "hostname", "url"),
    [
        ("127.0.0.1", "nas", "http://127.0.0.1:8000"),
        ("::1", "nas", "http://[::1]:8000"),
        ("0.0.0.0", "nas", "http://nas:8000"),  # noqa: S104
        ("::", "nas", "http://nas:8000"),
        ("0.0.0.0", "0123456789ab", "http://localhost:8000"),  # noqa: S104
    ],
)
def test_else_it_is_where_the_server_listens(
    monkeypatch: pytest.MonkeyPatch, bind: str, hostname: str, url: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: hostname)
    assert base_url(env(bind=bind)) == url
    assert absolute_url(env(bind=bind), "/join/x/") == f"{url}/join/x/"
