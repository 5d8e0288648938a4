"""The JSON API, from the token to the last error."""

from __future__ import annotations

import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import ApiToken, Scope
from jobs.api import routes as jobs_api
from jobs.api.schemas import ErrorOut
from jobs.errors import BY_CODE, DiskFull, QuotaExceeded
from jobs.files import store
from jobs.models import Artifact, Audio, Item, Job, Package, Prefer, Role
from jobs.queue import submission
from jobs.states import ItemState
from jobs.zips import claims, packing
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from webapp.api import STATUS

pytestmark = pytest.mark.django_db

S = ItemState
MINUTE = timedelta(minutes=1)


class Script:
    """A script with a token; `call("GET", "/jobs")`."""

    def __init__(self, user: User, client: Client) -> None:
        self.user = user
        self.client = client
        self.token = tokens.create(user, "test")
        tokens.authenticate(self.token)  # the first use is noted now, not in the counted queries

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes | str) else json.dumps(body) if body else b""
        return self.client.generic(
            method,
            f"/api/v1{path}",
            content,
            "application/json",
            headers={"Authorization": f"Bearer {self.token}"} | named,
        )


@pytest.fixture
def alice(client: Client) -> Script:
    return Script(make_user("alice"), client)


@pytest.fixture
def bob(client: Client) -> Script:
    return Script(make_user("bob"), client)


def fault(response: Any, status: int) -> dict[str, Any]:
    """The error in a response of that status; checks its shape."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/json"
    found = response.json()
    assert set(found) == {"error"}
    error: dict[str, Any] = found["error"]
    assert list(error) == ["code", "message", "hint", "retryable", "retry_after_s"]
    assert error["message"]
    return error


def make_full_job(owner: User | None = None) -> Job:
    job = make_job(owner or make_user("alice"), note="why")
    item = make_item(
        job, state=S.DONE, author_id="1", author_name="ann", author_nickname="Ann", name="ann"
    )
    story = make_story(item, caption="hi 🎉", media_count=2, kind="carousel")
    make_artifact(story, content=b"first", labels=["watermarked"], width=1080, height=1920)
    make_artifact(story, content=b"second")
    make_artifact(story, content=b"poster", role=Role.POSTER, position=1)
    make_artifact(story, content=b"zip", role=Role.ZIP, position=0, content_type="application/zip")
    return job


# --- who is asking ---


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Bearer sk_wrong", "Basic YTpi", "é"]
)
def test_without_a_token_nothing(client: Client, header: str | None) -> None:
    headers = {"Authorization": header} if header is not None else {}
    for method, path in (("GET", "/jobs"), ("POST", "/jobs"), ("GET", "/me"), ("GET", "/files/x")):
        response = client.generic(method, f"/api/v1{path}", headers=headers)
        assert fault(response, 401)["code"] == "unauthorized"
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_session_is_no_token(client: Client) -> None:
    client.force_login(make_user("alice"))
    assert client.get("/api/v1/me").status_code == 401


def test_a_blocked_user_is_out(alice: Script) -> None:
    alice.user.is_active = False
    alice.user.save()
    fault(alice.call("GET", "/me"), 401)


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
        assert fault(response, 403)["code"] == "read_only_token"
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
    error = fault(response, 429)
    assert error["code"] == "too_many_requests"
    assert error["retryable"]
    assert response.headers["Retry-After"] == response.headers["RateLimit-Reset"]
    assert bob.call("GET", "/me").status_code == 200
    set_env(api_rate=0)
    response = alice.call("GET", "/me")
    assert response.status_code == 200
    assert "RateLimit-Limit" not in response.headers


def test_me(alice: Script) -> None:
    job = make_full_job(alice.user)
    make_item(job)
    make_item(job, created_at=timezone.now() - timedelta(days=2))
    make_full_job(make_user("bob"))
    found = alice.call("GET", "/me").json()
    assert found == {
        "user": {"name": "alice"},
        "quota": {"active_items": None, "items_per_day": None, "stored_bytes": None},
        "usage": {"active_items": 2, "items_per_day": 2, "stored_bytes": 20},
    }


def test_me_tells_limits_and_a_refusal_says_which(
    alice: Script, set_env: Callable[..., None]
) -> None:
    set_env(quota_active=2, quota_bytes=5000)
    assert alice.call("GET", "/me").json()["quota"] == {
        "active_items": 2,
        "items_per_day": None,
        "stored_bytes": 5000,
    }
    never = fault(alice.call("POST", "/jobs", {"lines": ["a1", "b1", "c1"]}), 422)
    assert (never["code"], never["retryable"]) == ("quota_exceeded", False)
    assert never["retry_after_s"] is None
    alice.call("POST", "/jobs", {"lines": ["a1"]})
    response = alice.call("POST", "/jobs", {"lines": ["b1", "c1"]})
    error = fault(response, 429)
    assert error["code"] == "quota_exceeded"
    assert "2 lines in the works" in error["message"]
    assert response.headers["Retry-After"] == str(error["retry_after_s"])


# --- POST /jobs ---


def test_submitting_lines(alice: Script) -> None:
    response = alice.call(
        "POST",
        "/jobs",
        {
            "lines": ["@ann", " ", "no name at all!"],
            "note": "why",
            "options": {"prefer": "highest", "posts": True, "audio": "mp3"},
        },
    )
    assert response.status_code == 202
    found = response.json()
    job = Job.objects.get()
    assert response.headers["Location"] == f"/api/v1/jobs/{job.pk}"
    assert (found["id"], found["note"], found["state"]) == (str(job.pk), "why", "queued")
    assert [item["line"] for item in found["items"]] == ["@ann", "no name at all!"]
    assert found["items"][1]["state"] == "failed"
    assert found["items"][1]["error"]["code"] == "not_understood"
    assert (job.owner, job.prefer, job.posts, job.audio) == (
        alice.user,
        Prefer.HIGHEST,
        True,
        Audio.MP3,
    )


def test_submitting_text(alice: Script) -> None:
    body = {"text": "@ann\nhttps://www.tiktok.com/@bea and @cem"}
    found = alice.call("POST", "/jobs", body).json()
    assert len(found["items"]) >= 2
    assert found["items"][0]["line"] == "@ann"


def test_the_same_key_makes_one_job(alice: Script, bob: Script) -> None:
    body = {"lines": ["@ann"]}
    first = alice.call("POST", "/jobs", body, Idempotency_Key="k1").json()
    again = alice.call("POST", "/jobs", body, Idempotency_Key="k1").json()
    other = alice.call("POST", "/jobs", body, Idempotency_Key="k2").json()
    theirs = bob.call("POST", "/jobs", body, Idempotency_Key="k1").json()
    assert first["id"] == again["id"]
    assert len({first["id"], other["id"], theirs["id"]}) == 3


@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param(b"", "body", id="nothing"),
        pytest.param(b"{", "body", id="no-json"),
        pytest.param(b"[" * 100_000, "body", id="deep"),
        pytest.param(b"\xff", "body", id="no-text"),
        pytest.param([], "body", id="list"),
        pytest.param(b"null", "body", id="null"),
        pytest.param({"note": "x"}, "lines", id="neither"),
        pytest.param({"lines": ["a"], "text": "a"}, "lines", id="both"),
        pytest.param({"lines": "a"}, "lines", id="lines-no-list"),
        pytest.param({"lines": ["a", 1]}, "lines.1", id="line-no-text"),
        pytest.param({"lines": ["a"], "note": "x" * 501}, "note", id="note-too-long"),
        pytest.param({"lines": ["a"], "nope": 1}, "nope", id="unknown-field"),
        pytest.param({"lines": ["a"], "options": {"audio": "flac"}}, "options.audio", id="audio"),
        pytest.param({"lines": ["a"], "options": {"x": 1}}, "options.x", id="unknown-option"),
        pytest.param({"lines": ["a"], "options": {"posts": "yes"}}, "options.posts", id="yes"),
        pytest.param(b'{"lines": ["\\ud800"]}', "lines.0", id="half-a-character"),
    ],
)
def test_a_body_that_is_wrong(alice: Script, body: Any, names: str) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = fault(alice.call("POST", "/jobs", raw), 422)
    assert error["code"] == "invalid_request"
    assert names in error["message"]
    assert Job.objects.count() == 0


@pytest.mark.parametrize("body", [{"lines": []}, {"lines": ["", " \n"]}, {"text": " "}])
def test_nothing_to_do(alice: Script, body: Any) -> None:
    error = fault(alice.call("POST", "/jobs", body), 422)
    assert error["code"] == "not_understood"
    assert error["message"].startswith(f"{next(iter(body))}: ")


def test_too_many_lines(alice: Script, set_env: Callable[..., None]) -> None:
    set_env(batch_max=2)
    error = fault(alice.call("POST", "/jobs", {"lines": ["@a1", "@a2", "@a3"]}), 422)
    assert error["code"] == "batch_too_long"
    assert "at most 2 lines" in error["message"]
    assert "3" in error["message"]


def test_a_nul_does_not_make_another_name(alice: Script) -> None:
    body = {"lines": ["@a\0nn", "@bea"], "note": "w\0hy"}
    found = alice.call("POST", "/jobs", body).json()
    bad, good = found["items"]
    assert (bad["line"], bad["error"]["code"]) == ("@a\ufffdnn", "not_understood")
    assert (good["state"], found["note"]) == ("queued", "w\ufffdhy")


def test_a_long_note_is_counted_in_characters(alice: Script) -> None:
    error = fault(alice.call("POST", "/jobs", {"lines": ["@ann"], "note": "x" * 501}), 422)
    assert error["message"] == "note: String should have at most 500 characters"


def test_too_large_a_body_is_not_even_read(alice: Script) -> None:
    error = fault(alice.call("POST", "/jobs", b"x" * (512 * 1024 + 1)), 413)
    assert error["code"] == "body_too_large"
    assert Job.objects.count() == 0


def test_a_body_in_chunks_is_refused_rather_than_taken_for_an_empty_one(alice: Script) -> None:
    headers = {"Authorization": f"Bearer {alice.token}", "Transfer-Encoding": "chunked"}
    response = alice.client.generic("POST", "/api/v1/jobs", b"", headers=headers)
    assert fault(response, 411)["code"] == "length_required"
    assert Job.objects.count() == 0


def test_a_long_key(alice: Script) -> None:
    response = alice.call("POST", "/jobs", {"lines": ["@a"]}, Idempotency_Key="k" * 201)
    assert "idempotency" in fault(response, 422)["message"].lower()


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
    found = fault(response, status)
    assert (found["retryable"], found["retry_after_s"]) == (True, 91)
    assert response.headers["Retry-After"] == "91"


# --- waiting ---


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleeping takes no time; what was slept is written down."""
    slept: list[float] = []
    monkeypatch.setattr(jobs_api, "_sleep", slept.append)
    return slept


def test_waiting_ends_when_the_job_settles(
    alice: Script, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            Item.objects.update(state=S.EMPTY)

    monkeypatch.setattr(jobs_api, "_sleep", nap)
    found = alice.call("POST", "/jobs?wait=30", {"lines": ["@ann"]}).json()
    assert found["state"] == "empty"
    assert naps == [0.5, 0.5, 1.0]


@pytest.mark.parametrize(("wait", "slept"), [(0, []), (1, [0.5, 0.5]), (2, [0.5, 0.5, 1.0])])
def test_waiting_ends_when_the_time_is_over(
    alice: Script, naps: list[float], wait: int, slept: list[float]
) -> None:
    response = alice.call("POST", f"/jobs?wait={wait}", {"lines": ["@ann"]})
    assert (response.status_code, response.json()["state"]) == (202, "queued")
    assert naps == slept


def test_the_longest_wait_looks_a_few_times_only(alice: Script, naps: list[float]) -> None:
    alice.call("POST", "/jobs?wait=30", {"lines": ["@ann"]})
    assert sum(naps) == 30
    assert min(naps) >= 0.5
    assert len(naps) < 20


def test_few_may_wait_at_once_and_nobody_takes_all_places(
    alice: Script, bob: Script, naps: list[float]
) -> None:
    def places(owner: object, count: int) -> list[bool]:
        return [others.enter_context(jobs_api._waiting.place(owner)) for _ in range(count)]

    with ExitStack() as others:  # of 48 threads
        assert places(alice.user.pk, 6) == [True] * 5 + [False]
        alice.call("POST", "/jobs?wait=30", {"lines": ["@ann"]})
        assert naps == []
        bob.call("POST", "/jobs?wait=1", {"lines": ["@ann"]})
        assert naps
        for owner in ("carol", "dan"):
            assert all(places(owner, 5))
        assert places("eve", 2) == [True, False]
    naps.clear()
    alice.call("POST", "/jobs?wait=1", {"lines": ["@bea"]})
    assert naps


@pytest.mark.parametrize("wait", ["31", "-1", "x", "1.5"])
def test_a_wait_that_is_none(alice: Script, wait: str) -> None:
    error = fault(alice.call("POST", f"/jobs?wait={wait}", {"lines": ["@ann"]}), 422)
    assert error["message"].startswith("wait: ")
    assert Job.objects.count() == 0


# --- GET /jobs/{id} ---


def test_the_shape_of_a_job(alice: Script) -> None:
    job = make_full_job(alice.user)
    seen = alice.call("GET", f"/jobs/{job.pk}").json()
    assert list(seen) == [
        "id", "state", "note", "created_at", "settled_at", "files_expire_at", "progress",
        "items", "bundle",
    ]  # fmt: skip
    assert list(seen["progress"]) == [
        "phase", "files_done", "files_total", "bytes_done", "bytes_total", "eta_s"
    ]  # fmt: skip
    item = seen["items"][0]
    assert list(item) == ["id", "line", "kind", "state", "error", "author", "stories"]
    assert item["author"] == {"id": "1", "name": "ann", "nickname": "Ann"}
    story = item["stories"][0]
    assert list(story) == [
        "id", "kind", "posted_at", "leaves_tiktok_at", "caption", "source_url", "state", "error",
        "files", "zip",
    ]  # fmt: skip
    assert (story["kind"], story["caption"], story["state"]) == ("carousel", "hi 🎉", "done")
    file = story["files"][0]
    assert list(file) == [
        "id", "name", "content_type", "size_bytes", "sha256", "width", "height", "duration_s",
        "has_audio", "checked", "labels", "url", "expires_at",
    ]  # fmt: skip
    by_label = {tuple(one["labels"]) for one in story["files"]}
    assert by_label == {("watermarked",), (), ("poster",)}
    assert story["zip"]["content_type"] == "application/zip"
    assert file["url"] == f"/api/v1/files/{file['id']}"
    assert alice.client.get(file["url"]).status_code == 401
    assert datetime.fromisoformat(seen["created_at"]) == job.created_at
    assert seen["created_at"].endswith("Z")


def test_a_file_that_went_is_not_listed(alice: Script) -> None:
    job = make_full_job(alice.user)
    Artifact.objects.filter(role__in=(Role.MEDIA, Role.ZIP)).update(removed_at=timezone.now())
    story = alice.call("GET", f"/jobs/{job.pk}").json()["items"][0]["stories"][0]
    assert [file["labels"] for file in story["files"]] == [["poster"]]
    assert story["zip"] is None


def test_a_line_that_waits_is_queued_with_a_reason_and_a_time(alice: Script) -> None:
    job = make_job(alice.user)
    make_item(job, error_code="challenged", not_before=timezone.now() + 5 * MINUTE)
    seen = alice.call("GET", f"/jobs/{job.pk}").json()
    assert seen["state"] == "queued"
    item = seen["items"][0]
    assert (item["state"], item["error"]["code"]) == ("queued", "challenged")
    assert item["error"]["retryable"]
    assert 290 < item["error"]["retry_after_s"] <= 300


def test_a_poll_costs_two_queries_and_answers_304(
    alice: Script, django_assert_num_queries: Callable[..., Any]
) -> None:
    job = make_full_job(alice.user)
    with django_assert_num_queries(2):
        first = alice.call("GET", f"/jobs/{job.pk}")
    tag = first.headers["ETag"]
    with django_assert_num_queries(2):
        second = alice.call("GET", f"/jobs/{job.pk}", If_None_Match=tag)
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["ETag"] == tag
    make_item(job)
    third = alice.call("GET", f"/jobs/{job.pk}", If_None_Match=tag)
    assert third.status_code == 200
    assert third.headers["ETag"] != tag
    assert third.headers["Cache-Control"] == "private, no-cache"


# --- GET /jobs ---


def test_the_list_is_mine_newest_first_in_pages(alice: Script) -> None:
    now = timezone.now()
    jobs = [make_job(alice.user, links=1, created_at=now - n * MINUTE) for n in range(5)]
    make_job(make_user("bob"), links=1)
    seen: list[str] = []
    cursor = ""
    while True:
        page = alice.call("GET", f"/jobs?limit=2{cursor}").json()
        seen += [job["id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [str(job.pk) for job in jobs]


def test_the_list_by_state(alice: Script) -> None:
    made = {state: make_job(alice.user, links=1, state=state) for state in S}
    for state, job in made.items():
        found = alice.call("GET", f"/jobs?state={state}").json()
        assert [one["id"] for one in found["jobs"]] == [str(job.pk)]
        assert found["next"] is None


def test_the_list_costs_three_queries(
    alice: Script, django_assert_num_queries: Callable[..., Any]
) -> None:
    for _ in range(3):
        make_full_job(alice.user)
    with django_assert_num_queries(3):
        assert len(alice.call("GET", "/jobs").json()["jobs"]) == 3


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=nope", "state"),
        ("cursor=nope", "cursor"),
        ("limit=0", "limit"),
        ("limit=51", "limit"),
    ],
)
def test_a_list_that_is_none(alice: Script, query: str, names: str) -> None:
    assert fault(alice.call("GET", f"/jobs?{query}"), 422)["message"].startswith(f"{names}: ")


# --- acts ---


def test_cancelling(alice: Script) -> None:
    job = make_job(alice.user, links=2)
    response = alice.call("POST", f"/jobs/{job.pk}/cancel")
    assert response.status_code == 200
    assert response.json()["state"] == "cancelled"
    assert alice.call("POST", f"/jobs/{job.pk}/cancel").json()["state"] == "cancelled"


def test_retrying(alice: Script) -> None:
    job = make_job(alice.user)
    make_item(job, state=S.FAILED, error_code="media_corrupt")
    make_item(job, state=S.FAILED, error_code="gone")
    response = alice.call("POST", f"/jobs/{job.pk}/retry")
    assert response.status_code == 202
    assert [item["state"] for item in response.json()["items"]] == ["queued", "failed"]


def test_extending(alice: Script) -> None:
    job = make_full_job(alice.user)
    Artifact.objects.update(expires_at=timezone.now() + MINUTE)
    seen = alice.call("POST", f"/jobs/{job.pk}/extend").json()
    left = datetime.fromisoformat(seen["files_expire_at"]) - timezone.now()
    assert left > timedelta(minutes=100)


def test_a_bundle_from_asking_to_taking(alice: Script) -> None:
    job = make_full_job(alice.user)
    response = alice.call("POST", f"/jobs/{job.pk}/bundle")
    assert (response.status_code, response.json()["bundle"]) == (202, None)
    assert response.json()["progress"]["phase"] == "packing"
    held = claims.claim(Package.objects.get().pk)
    assert held
    packing.run(held)
    ready = alice.call("POST", f"/jobs/{job.pk}/bundle")
    assert ready.status_code == 200
    bundle = ready.json()["bundle"]
    content = alice.client.get(bundle["url"], headers={"Authorization": f"Bearer {alice.token}"})
    assert b"".join(content).startswith(b"PK")


def test_a_bundle_of_nothing(alice: Script) -> None:
    job = make_job(alice.user, links=1)
    assert fault(alice.call("POST", f"/jobs/{job.pk}/bundle"), 409)["code"] == "nothing_to_pack"


def test_forgetting(alice: Script, artifacts: Path) -> None:
    job = make_full_job(alice.user)
    response = alice.call("DELETE", f"/jobs/{job.pk}")
    assert (response.status_code, response.content) == (204, b"")
    assert Job.objects.count() == 0
    assert not [path for path in artifacts.glob("*/*") if path.is_file()]
    fault(alice.call("DELETE", f"/jobs/{job.pk}"), 404)


# --- files ---


def test_a_file(alice: Script) -> None:
    file = make_artifact(make_full_job(alice.user).items.get().stories.get(), content=b"0123456789")
    path = f"/files/{file.pk}"
    whole = alice.call("GET", path)
    assert b"".join(whole) == b"0123456789"
    part = alice.call("GET", path, Range="bytes=2-4")
    assert (part.status_code, b"".join(part)) == (206, b"234")
    past = alice.call("GET", path, Range="bytes=10-")
    assert fault(past, 416)["code"] == "range_not_satisfiable"
    assert past.headers["Content-Range"] == "bytes */10"
    head = alice.call("HEAD", path)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "10", b"")
    assert alice.call("GET", path, If_None_Match=whole.headers["ETag"]).status_code == 304
    assert whole.headers["Content-Disposition"].startswith("attachment")
    shown = alice.call("GET", f"{path}?inline=1")
    assert shown.headers["Content-Disposition"].startswith("inline")
    assert whole.headers["Content-Security-Policy"] == shown.headers["Content-Security-Policy"]
    assert "sandbox" in whole.headers["Content-Security-Policy"]
    for response in (whole, part, shown):
        response.close()


def test_a_file_that_was_deleted(alice: Script, bob: Script) -> None:
    file = make_artifact(make_full_job(alice.user).items.get().stories.get(), content=b"x")
    Artifact.objects.filter(pk=file.pk).update(removed_at=timezone.now())
    assert fault(alice.call("GET", f"/files/{file.pk}"), 410)["code"] == "expired"
    fault(bob.call("GET", f"/files/{file.pk}"), 404)
    store.remove(file.pk)
    fault(alice.call("GET", f"/files/{file.pk}"), 410)


def test_too_many_downloads(alice: Script, set_env: Callable[..., None]) -> None:
    set_env(web_threads=4)
    file = make_artifact(make_full_job(alice.user).items.get().stories.get(), content=b"x" * 10)
    first = alice.call("GET", f"/files/{file.pk}")
    response = alice.call("GET", f"/files/{file.pk}")
    error = fault(response, 429)
    assert error["code"] == "too_many_downloads"
    assert response.headers["Retry-After"] == str(error["retry_after_s"])
    first.close()


# --- what is not there ---

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
    assert fault(alice.call("GET", path), 404)["code"] == "not_found"
    assert fault(alice.client.get(f"/api/v1{path}"), 404)["code"] == "not_found"


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
    assert fault(response, 405)["code"] == "method_not_allowed"
    assert set(response.headers["Allow"].split(", ")) == allowed


def test_a_bug_of_ours_has_an_id_and_tells_nothing(
    alice: Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(submission, "submit", crash)
    with caplog.at_level(logging.ERROR):
        response = alice.call("POST", "/jobs", {"lines": ["@target"]})
    error = fault(response, 500)
    assert (error["code"], error["retryable"]) == ("internal", True)
    assert "secret" not in response.content.decode()
    bug = error["message"].rpartition("(")[2].rstrip(")")
    said = [record.getMessage() for record in caplog.records]
    assert sum(bug in line for line in said) == 1
    assert not any("target" in line for line in said)


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(BY_CODE)


# --- the description ---


def test_openapi_describes_every_call(client: Client) -> None:
    found = client.get("/api/v1/openapi.json").json()
    calls = {
        (method.upper(), path) for path, methods in found["paths"].items() for method in methods
    }
    assert calls == {
        ("POST", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs"),
        ("GET", "/api/v1/jobs/{job_id}"),
        ("DELETE", "/api/v1/jobs/{job_id}"),
        ("POST", "/api/v1/jobs/{job_id}/cancel"),
        ("POST", "/api/v1/jobs/{job_id}/retry"),
        ("POST", "/api/v1/jobs/{job_id}/extend"),
        ("POST", "/api/v1/jobs/{job_id}/bundle"),
        ("GET", "/api/v1/files/{file_id}"),
        ("HEAD", "/api/v1/files/{file_id}"),
        ("GET", "/api/v1/me"),
    }
    assert "Bearer" in json.dumps(found["components"]["securitySchemes"])
    for methods in found["paths"].values():
        for call in methods.values():
            assert call["description"] or call["summary"]


def test_openapi_names_the_headers_as_they_are_sent(client: Client) -> None:
    found = client.get("/api/v1/openapi.json").json()
    headers = {
        parameter["name"]
        for methods in found["paths"].values()
        for call in methods.values()
        for parameter in call.get("parameters", ())
        if parameter["in"] == "header"
    }
    assert headers == {"Idempotency-Key", "If-None-Match", "Range", "If-Range"}
    for methods in found["paths"].values():
        for call in methods.values():
            names = [(one["in"], one["name"]) for one in call.get("parameters", ())]
            assert len(names) == len(set(names))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_openapi_knows_every_header_of_a_file(alice: Script, client: Client, method: str) -> None:
    told = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/files/{file_id}"]
    artifact = make_artifact(make_story(make_item(make_job(alice.user))), content=b"12345")
    for sent in ({}, {"Range": "bytes=1-2"}, {"Range": "bytes=9-"}, {"If_None_Match": "*"}):
        response = alice.call(method, f"/files/{artifact.pk}", **sent)
        described = told[method.lower()]["responses"][str(response.status_code)]["headers"]
        ours = {"ETag", "Accept-Ranges", "Content-Range", "Content-Disposition"}
        assert ours & set(response.headers) <= set(described)
        assert {name for name in described if name.startswith("RateLimit")} <= set(response.headers)
    assert "*/*" in told["get"]["responses"]["206"]["content"]


def test_openapi_knows_where_a_job_is_and_when_to_come_back(alice: Script, client: Client) -> None:
    calls = client.get("/api/v1/openapi.json").json()["paths"]
    made = alice.call("POST", "/jobs", {"lines": ["@ann"]})
    described = calls["/api/v1/jobs"]["post"]["responses"]
    assert {"ETag", "Location"} <= set(described["202"]["headers"]) & set(made.headers)
    assert "Retry-After" in described["429"]["headers"]
    assert "WWW-Authenticate" in described["401"]["headers"]


@pytest.mark.parametrize("path", ["openapi.json", "docs"])
def test_the_description_is_looked_at_only(path: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    response = browser.post(f"/api/v1/{path}")
    assert fault(response, 405)["code"] == "method_not_allowed"
    assert browser.get(f"/api/v1/{path}").status_code == 200


def test_a_condition_that_does_not_hold(alice: Script) -> None:
    job = make_job(alice.user, links=1)
    response = alice.call("GET", f"/jobs/{job.pk}", If_Match='"zzz"')
    assert fault(response, 412)["code"] == "precondition_failed"


def test_a_host_that_is_none_of_ours_is_told_so_in_json(client: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["stories.example.org"]
    response = client.get("/api/v1/me", headers={"Host": "evil.example.net"})
    assert fault(response, 400)["code"] == "bad_request"


@pytest.mark.parametrize("form", ["{%s}", "urn:uuid:%s", "%s\n"])
def test_an_id_has_one_spelling(alice: Script, form: str) -> None:
    job = make_job(alice.user, links=1)
    assert alice.call("GET", f"/jobs/{job.pk}").status_code == 200
    assert alice.call("GET", f"/jobs/{quote(form % job.pk)}").status_code == 404


@pytest.mark.parametrize("cursor", ["x", "a" * 33, "%s", "AAAA", "Ä"])
def test_a_cursor_that_is_none(alice: Script, cursor: str) -> None:
    error = fault(alice.call("GET", f"/jobs?cursor={quote(cursor)}"), 422)
    assert error["message"] == "cursor: that is not a cursor"
    assert "/api/v1/docs" in error["hint"]


def test_looking_works_while_somebody_writes_for_long(
    alice: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    ApiToken.objects.update(last_used_at=None)

    def locked(*_: Any, **__: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(QuerySet, "update", locked)
    assert alice.call("GET", "/me").status_code == 200


def test_the_docs_page_asks_nobody_else(client: Client) -> None:
    response = client.get("/api/v1/docs")
    text = response.content.decode()
    assert response.status_code == 200
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    assert "//" not in text.replace("<!--", "").replace("://", "")
    assert "http" not in text
    assert "<script>" not in text
    assert "style=" not in text
    assert re.search(r'<a class="wordmark" href="/">', text)


def test_the_description_reads_well(client: Client) -> None:
    found = client.get("/api/v1/openapi.json").json()
    calls = [call for calls in found["paths"].values() for call in calls.values()]
    assert {tag for call in calls for tag in call["tags"]} == {"Jobs", "Files", "Me"}
    summaries = {call["summary"] for call in calls}
    assert {"Save names and links", "List my jobs", "Get a file"} <= summaries
    shown = re.search(r"`(\{.*\})`", found["info"]["description"])
    assert shown
    assert set(json.loads(shown[1])["error"]) == set(ErrorOut.model_fields)


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    yield
    assert not jobs_api._waiting._held
    assert threading.active_count() < 20
