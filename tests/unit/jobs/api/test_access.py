"""Who may call the API, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import Client

from accounts import tokens
from accounts.models import ApiToken, Scope
from jobs.models import Job
from tests.factories import make_user
from tests.unit.jobs.api.scripts import Script, error_of, make_full_job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Bearer sk_wrong", "Basic YTpi", "é"]
)
def test_without_a_token_nothing(client: Client, header: str | None) -> None:
    headers = {"Authorization": header} if header is not None else {}
    for method, path in (("GET", "/jobs"), ("POST", "/jobs"), ("GET", "/me"), ("GET", "/files/x")):
        response = client.generic(method, f"/api/v1{path}", headers=headers)
        assert error_of(response, 401)["code"] == "unauthorized"
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_session_is_no_token(client: Client) -> None:
    client.force_login(make_user("alice"))
    assert client.get("/api/v1/me").status_code == 401


def test_a_blocked_user_is_out(alice: Script) -> None:
    alice.user.is_active = False
    alice.user.save()
    error_of(alice.call("GET", "/me"), 401)


def test_a_token_that_may_only_look(alice: Script) -> None:
    job = make_full_job(alice.user)
    alice.token = tokens.create(alice.user, "eyes", scope=Scope.READ)
    assert alice.call("GET", "/jobs").status_code == 200
    assert alice.call("HEAD", f"/files/{job.artifacts.all()[0].pk}").status_code == 200
    for method, path in (
        ("POST", "/jobs"),
        ("POST", f"/jobs/{job.pk}/cancel"),
        ("DELETE", f"/jobs/{job.pk}"),
    ):
        response = alice.call(method, path, {"lines": ["a1"]})
        assert error_of(response, 403)["code"] == "read_only_token"
    assert Job.objects.get() == job


def test_so_many_requests_a_minute(
    alice: Script, bob: Script, set_env: Callable[..., None]
) -> None:
    set_env(api_rate=3)
    for left, path in ((2, "/me"), (1, "/jobs/unknown"), (0, "/jobs?limit=x")):
        response = alice.call("GET", path)
        assert response.headers["RateLimit-Limit"] == "3"
        assert response.headers["RateLimit-Remaining"] == str(left)
        assert 58 <= int(response.headers["RateLimit-Reset"]) <= 60
    response = alice.call("GET", "/me")
    error = error_of(response, 429)
    assert error["code"] == "too_many_requests"
    assert error["retryable"]
    assert response.headers["Retry-After"] == response.headers["RateLimit-Reset"]
    assert bob.call("GET", "/me").status_code == 200
    set_env(api_rate=0)
    response = alice.call("GET", "/me")
    assert response.status_code == 200
    assert "RateLimit-Limit" not in response.headers


def test_a_host_that_is_none_of_ours_is_told_so_in_json(client: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["stories.example.org"]
    response = client.get("/api/v1/me", headers={"Host": "evil.example.net"})
    assert error_of(response, 400)["code"] == "bad_request"


def test_looking_works_while_somebody_writes_for_long(
    alice: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    ApiToken.objects.update(last_used_at=None)

    def locked(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(QuerySet, "update", locked)
    assert alice.call("GET", "/me").status_code == 200
