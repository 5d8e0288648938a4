"""The API as a whole: who may call it and how often, and its answers when something is wrong."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import Client

from accounts import tokens
from accounts.models import ApiToken, Scope
from jobs.errors import BY_CODE, DiskFull, QuotaExceeded
from jobs.models import Artifact, Job
from jobs.queue import submission
from tests.factories import make_job, make_user
from tests.unit.jobs.api.scripts import Script, error_of, make_full_job
from webapp.api import STATUS

pytestmark = pytest.mark.django_db


CALLS = [
    ("GET", "/jobs/{}"),
    ("DELETE", "/jobs/{}"),
    *(("POST", f"/jobs/{{}}/{act}") for act in ("cancel", "retry", "extend", "bundle")),
]


@pytest.mark.parametrize(("method", "path"), [*CALLS, ("GET", "/files/{}"), ("HEAD", "/files/{}")])
def test_unknown_and_other_peoples_are_the_same_404(
    method: str, path: str, alice: Script, bob: Script, set_env: Callable[..., None]
) -> None:
    set_env(api_rate=0)  # how many requests are left differs by itself
    job = make_full_job(bob.user)
    theirs = Artifact.objects.first() if "files" in path else job
    assert theirs
    answers = [
        alice.call(method, path.format(one)) for one in (theirs.pk, uuid.uuid4(), "no-id", "%00")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    skipped = {"Content-Length"}
    assert len({
        tuple(sorted((k, v) for k, v in answer.headers.items() if k not in skipped))
        for answer in answers
    }) == 1  # fmt: skip
    assert Job.objects.filter(pk=job.pk).exists()


@pytest.mark.parametrize(
    "path", ["/", "/nope", "/jobs/", "/jobs/a/b/c", "/files", "//", "/jobs/x/"]
)
def test_an_address_that_is_none(alice: Script, path: str) -> None:
    assert error_of(alice.call("GET", path), 404)["code"] == "not_found"
    assert error_of(alice.client.get(f"/api/v1{path}"), 404)["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/jobs", {"GET", "HEAD", "POST"}),
        ("POST", "/me", {"GET", "HEAD"}),
        ("GET", "/jobs/x/retry", {"POST"}),
    ],
)
def test_a_method_that_is_none(alice: Script, method: str, path: str, allowed: set[str]) -> None:
    response = alice.call(method, path)
    assert error_of(response, 405)["code"] == "method_not_allowed"
    assert set(response.headers["Allow"].split(", ")) == allowed


def test_a_bug_of_ours_has_an_id_and_tells_nothing(
    alice: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(submission, "submit", crash)
    with caplog.at_level(logging.ERROR):
        response = alice.call("POST", "/jobs", {"lines": ["@target"]})
    error = error_of(response, 500)
    assert (error["code"], error["retryable"]) == ("internal", True)
    assert "secret" not in response.content.decode()
    bug = error["message"].rpartition("(")[2].rstrip(")")
    said = [record.getMessage() for record in caplog.records]
    assert sum(bug in line for line in said) == 1
    assert not any("target" in line for line in said)


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(BY_CODE)


def test_a_condition_that_does_not_hold(alice: Script) -> None:
    job = make_job(alice.user, links=1)
    response = alice.call("GET", f"/jobs/{job.pk}", If_Match='"zzz"')
    assert error_of(response, 412)["code"] == "precondition_failed"


def test_too_large_a_body_is_not_even_read(alice: Script) -> None:
    error = error_of(alice.call("POST", "/jobs", b"x" * (512 * 1024 + 1)), 413)
    assert error["code"] == "body_too_large"
    assert Job.objects.count() == 0


def test_a_body_in_chunks_is_refused_rather_than_taken_for_an_empty_one(alice: Script) -> None:
    headers = {"Authorization": f"Bearer {alice.token}", "Transfer-Encoding": "chunked"}
    response = alice.client.generic("POST", "/api/v1/jobs", b"", headers=headers)
    assert error_of(response, 411)["code"] == "length_required"
    assert Job.objects.count() == 0


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DiskFull(retry_after_s=90.2), 507),
        (QuotaExceeded(retry_after_s=90.2), 429),
    ],
)
def test_no_room(
    alice: Script, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Job:
        raise error

    monkeypatch.setattr(submission, "submit", refuse)
    response = alice.call("POST", "/jobs", {"lines": ["@a"]})
    found = error_of(response, status)
    assert (found["retryable"], found["retry_after_s"]) == (True, 91)
    assert response.headers["Retry-After"] == "91"


# --- who may call, and how often ---


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
        assert 1 <= int(response.headers["RateLimit-Reset"]) <= 60
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


def test_looking_works_while_somebody_writes_for_long(
    alice: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    ApiToken.objects.update(last_used_at=None)

    def locked(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(QuerySet, "update", locked)
    assert alice.call("GET", "/me").status_code == 200
