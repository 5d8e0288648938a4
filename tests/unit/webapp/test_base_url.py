"""The address this instance prints for itself, with and without a public one."""

from __future__ import annotations

import socket

import pytest

from webapp.base_url import absolute_url, base_url
from webapp.env import Env


def env(**facts: object) -> Env:
    """Settings with some of them given."""
    bare = {"public_url": None, "bind": "127.0.0.1", "port": 8000, "published_port": None}
    return Env().model_copy(update=bare | facts)


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


@pytest.mark.parametrize(
    ("published", "url"),
    [
        ("9000", "http://localhost:9000"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("192.168.1.5:80", "http://192.168.1.5:80"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("0.0.0.0:9000", "http://localhost:9000"),
        ("9000-9010", "http://localhost:9000"),
    ],
)
def test_of_a_container_it_is_where_its_port_is_published(
    monkeypatch: pytest.MonkeyPatch, published: str, url: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "0123456789ab")
    container = env(bind="0.0.0.0", published_port=published)  # noqa: S104
    assert base_url(container) == url
    assert absolute_url(container, "/setup/x/") == f"{url}/setup/x/"


def test_a_public_address_has_the_port_it_names() -> None:
    public = env(public_url="https://stories.example.org", published_port="9000")
    assert base_url(public) == "https://stories.example.org"
