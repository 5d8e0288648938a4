"""Answers to what is not there, not allowed, or broken."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from jobs.errors import BY_CODE
from jobs.models import Artifact, Job
from jobs.queue import submission
from tests.factories import make_job
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
        ("PUT", "/jobs", {"GET", "POST"}),
        ("POST", "/me", {"GET"}),
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
