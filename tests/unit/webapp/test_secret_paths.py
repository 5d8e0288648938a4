"""No address that is a secret gets into the log, whatever was wrong with the request."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from jobs.queries import feed as feeds
from tests.factories import make_user
from webapp.secret_paths import masked

SECRET = "Zk3-correct_horse_battery_staple_0123456789"
_WORDS = re.compile(r"<(?:str|path|slug):(token|secret|key)>")


def secret_routes() -> list[str]:
    """Every address with a secret in it, filled in."""

    def walk(patterns: list[URLPattern | URLResolver], above: str) -> list[str]:
        found = []
        for pattern in patterns:
            route = above + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                found += walk(pattern.url_patterns, route)
            elif _WORDS.search(route):
                found.append("/" + re.sub(r"<[^>]+>", SECRET, route))
        return found

    return walk(get_resolver().url_patterns, "")


def test_each_of_the_addresses_is_masked() -> None:
    routes = secret_routes()
    assert {route.split("/")[1] for route in routes} >= {"feed", "join", "setup", "signin"}
    for route in routes:
        assert SECRET not in masked(f"Not Found: {route}")
        assert SECRET not in masked(f"Not Found: /below/a/path{route}")


def test_other_addresses_are_read_as_they_are() -> None:
    for path in ("/jobs/5f0c/", "/feed/", "/account/feed/", "/history/?q=join"):
        assert masked(path) == path


@pytest.mark.django_db
class TestTheLog:
    @pytest.fixture
    def secret(self) -> str:
        reader: User = make_user("reader")
        return feeds.renew(reader.pk)

    @pytest.mark.parametrize("tail", ["", ".ato", ".atom/", "x.atom", ".atom?a=b"])
    def test_does_not_hold_a_mistyped_one(
        self, secret: str, tail: str, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        client.get(f"/feed/{secret}{tail}")
        client.post(f"/feed/{secret}.atom")
        assert "Method Not Allowed (POST): /feed/…" in caplog.text
        assert secret not in caplog.text

    def test_does_not_hold_one_in_hand_when_something_breaks(
        self,
        secret: str,
        client: Client,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(feeds, "saved_stories", None)
        client.raise_request_exception = False
        assert client.get(f"/feed/{secret}.atom").status_code == 500
        assert "TypeError" in caplog.text
        assert secret not in caplog.text
