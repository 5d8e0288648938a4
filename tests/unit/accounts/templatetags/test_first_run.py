"""The sign-in page of an instance without an admin says where the link is, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from accounts import setup
from accounts.templatetags import first_run
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setup, "_seen_admin", False)
    nowhere = {"docker": tmp_path / "docker", "podman": tmp_path / "podman"}
    monkeypatch.setattr(first_run, "_CONTAINERS", nowhere)
    monkeypatch.setattr(first_run, "_CHECKOUT", tmp_path / "Makefile")


def door(client: Client, path: str = "/") -> str:
    response = client.get(path, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_it_says_where_the_link_is_and_not_which(client: Client) -> None:
    token = setup.create_link()
    assert token
    page = door(client)
    assert "Finish setting up" in page
    assert "in the terminal where it runs" in page
    assert '<code class="command">journalctl -u storykeep</code>' in page
    assert token not in page
    assert "/setup/" not in page
    assert 'name="password"' not in page


@pytest.mark.parametrize(
    ("engine", "redis", "command"),
    [
        ("docker", None, "docker logs storykeep"),
        ("podman", None, "podman logs storykeep"),
        ("docker", "redis://redis:6379/0", "docker compose logs migrate"),
        ("podman", "redis://redis:6379/0", "podman compose logs migrate"),
    ],
)
def test_in_a_container_it_names_the_command(
    client: Client, set_env: Callable[..., None], engine: str, redis: Any, command: str
) -> None:
    first_run._CONTAINERS[engine].touch()
    set_env(redis_url=redis)
    page = door(client)
    assert f'<code class="command">{command}</code>' in page
    assert "terminal" not in page


def test_a_checkout_in_a_container_has_a_terminal(client: Client) -> None:
    first_run._CONTAINERS["docker"].touch()
    first_run._CHECKOUT.touch()
    page = door(client)
    assert "in the terminal where it runs" in page
    assert "docker" not in page


def test_it_is_gone_once_there_is_an_admin(client: Client) -> None:
    assert "Finish setting up" in door(client)
    make_user("root", is_superuser=True)
    page = door(client)
    assert "Finish setting up" not in page
    assert 'name="password"' in page


def test_once_seen_an_admin_is_not_looked_for_again(
    client: Client, django_assert_num_queries: Any
) -> None:
    make_user("root", is_superuser=True)
    assert not setup.needs_admin()
    with django_assert_num_queries(0):
        assert not setup.needs_admin()


def test_people_without_an_admin_can_sign_in(client: Client) -> None:
    make_user("alice")
    page = door(client)
    assert "Finish setting up" in page
    assert 'name="password"' in page


def test_a_database_that_fails_is_no_missing_admin(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> bool:
        raise DatabaseError

    monkeypatch.setattr(setup, "admin_exists", fail)
    assert first_run.first_run() is None
