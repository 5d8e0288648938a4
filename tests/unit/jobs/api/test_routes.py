"""The calls of the JSON API: submitting, looking, acting, taking files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone

from jobs.files import capacity, serving, store
from jobs.models import Artifact, Audio, Job, Package, Prefer
from jobs.queue import erasure
from jobs.states import ItemState
from jobs.zips import claims, packing
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.api.scripts import Script, error_of, make_full_job

pytestmark = pytest.mark.django_db

S = ItemState
MINUTE = timedelta(minutes=1)


# --- me ---


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
    never = error_of(alice.call("POST", "/jobs", {"lines": ["a1", "b1", "c1"]}), 422)
    assert (never["code"], never["retryable"]) == ("quota_exceeded", False)
    assert never["retry_after_s"] is None
    alice.call("POST", "/jobs", {"lines": ["a1"]})
    response = alice.call("POST", "/jobs", {"lines": ["b1", "c1"]})
    error = error_of(response, 429)
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


def test_the_same_key_with_another_body_is_refused(alice: Script) -> None:
    assert alice.call("POST", "/jobs", {"lines": ["@ann"]}, Idempotency_Key="k").status_code == 202
    other = alice.call("POST", "/jobs", {"lines": ["@bea"]}, Idempotency_Key="k")
    assert error_of(other, 422)["code"] == "idempotency_mismatch"


def test_the_same_request_written_otherwise_is_the_same(alice: Script) -> None:
    bodies: list[Any] = [
        b'{"lines": ["@ann", "@bea"], "note": "x"}',
        b'{ "note":"x", "options": {"audio": "none"}, "lines": [ "@ann","@bea" ] }',
        {"text": "@ann\n@bea", "note": "x"},
    ]
    answers = [alice.call("POST", "/jobs", body, Idempotency_Key="k") for body in bodies]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_the_same_key_while_its_first_request_is_being_taken(
    alice: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, meanwhile = {"lines": ["@ann"]}, []

    def send_once_more() -> None:
        monkeypatch.setattr(capacity, "require_room", lambda: None)
        meanwhile.append(alice.call("POST", "/jobs", body, Idempotency_Key="k"))

    monkeypatch.setattr(capacity, "require_room", send_once_more)
    assert alice.call("POST", "/jobs", body, Idempotency_Key="k").status_code == 202
    error = error_of(meanwhile[0], 409)
    assert (error["code"], error["retryable"]) == ("idempotency_in_progress", True)
    assert meanwhile[0].headers["Retry-After"] == "1"


@pytest.mark.parametrize("key", ["é" * 200, "\x01\x7f", "' OR 1=1 --", "\u202egnp.exe", "日" * 66])
def test_hostile_keys_are_taken_as_they_are(alice: Script, key: str) -> None:
    answers = [
        alice.call("POST", "/jobs", {"lines": ["@ann"]}, Idempotency_Key=sent)
        for sent in (key, key, f"{key[1:]}.")
    ]
    first, again, other = [answer.json()["id"] for answer in answers]
    assert first == again != other


def test_too_many_lines(alice: Script, set_env: Callable[..., None]) -> None:
    set_env(batch_max=2)
    error = error_of(alice.call("POST", "/jobs", {"lines": ["@a1", "@a2", "@a3"]}), 422)
    assert error["code"] == "batch_too_long"
    assert "at most 2 lines" in error["message"]
    assert "3" in error["message"]


def test_a_long_key(alice: Script) -> None:
    response = alice.call("POST", "/jobs", {"lines": ["@a"]}, Idempotency_Key="k" * 201)
    assert "idempotency" in error_of(response, 422)["message"].lower()


# --- GET /jobs/{id} ---


def test_a_large_forgotten_job_is_gone_for_those_who_know_it(
    alice: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "LARGE", 0)
    job = make_job(alice.user)
    make_artifact(make_story(make_item(job, state=ItemState.DONE)))
    tag = alice.call("GET", f"/jobs/{job.pk}").headers["ETag"]
    erasure.erase(job)
    assert Job.with_erased.filter(pk=job.pk).exists(), "its rows go in the background"
    assert alice.call("GET", f"/jobs/{job.pk}", If_None_Match=tag).status_code == 404
    assert alice.call("GET", f"/jobs/{job.pk}").status_code == 404


def test_a_first_poll_costs_six_queries_and_an_unchanged_one_two(
    alice: Script, django_assert_num_queries: Callable[..., Any]
) -> None:
    job = make_full_job(alice.user)
    with django_assert_num_queries(6):
        first = alice.call("GET", f"/jobs/{job.pk}")
    tag = first.headers["ETag"]
    with django_assert_num_queries(2):
        second = alice.call("GET", f"/jobs/{job.pk}", If_None_Match=tag)
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["ETag"] == tag
    with django_assert_num_queries(2):
        whole = alice.call("GET", f"/jobs/{job.pk}")
    assert (whole.status_code, whole.content) == (200, first.content)
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


def test_the_list_costs_six_queries(
    alice: Script, django_assert_num_queries: Callable[..., Any]
) -> None:
    for _ in range(3):
        make_full_job(alice.user)
    with django_assert_num_queries(6):
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
    assert error_of(alice.call("GET", f"/jobs?{query}"), 422)["message"].startswith(f"{names}: ")


# --- acts ---


@pytest.mark.parametrize("state", ["done", "partial", "empty", "failed"])
def test_cancelling_a_job_that_has_settled_returns_it_as_it_is(alice: Script, state: str) -> None:
    job = make_job(alice.user)
    make_item(job, state=state)
    before = alice.call("GET", f"/jobs/{job.pk}")
    response = alice.call("POST", f"/jobs/{job.pk}/cancel")
    assert (response.status_code, response.json()) == (200, before.json())
    assert response.headers["ETag"] == before.headers["ETag"]


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


def test_a_script_keeps_its_bundle_while_somebody_packs_one_in_german(alice: Script) -> None:
    job = make_full_job(alice.user)
    german = {"Accept_Language": "de"}

    def ask(**headers: str) -> str:
        alice.call("POST", f"/jobs/{job.pk}/bundle", **headers)
        package = Package.objects.latest("created_at")
        claim = claims.claim(package.pk)
        if claim:
            assert packing.run(claim)
        answer = alice.call("POST", f"/jobs/{job.pk}/bundle", **headers)
        assert answer.status_code == 200
        return str(answer.json()["bundle"]["id"])

    def polled(**headers: str) -> Any:
        return alice.call("GET", f"/jobs/{job.pk}", **headers).json()["bundle"]

    commas = ask()
    assert polled(**german) is None, "German spreadsheets show one column of it"
    semicolons = ask(**german)
    assert semicolons != commas
    for _ in range(2):
        assert polled()["id"] == commas
        assert polled(**german)["id"] == semicolons
        assert (ask(), ask(**german)) == (commas, semicolons)
    (listed,) = alice.call("GET", "/jobs").json()["jobs"]
    assert listed["bundle"]["id"] == commas
    assert Package.objects.count() == 2


def test_a_bundle_of_nothing(alice: Script) -> None:
    job = make_job(alice.user, links=1)
    assert error_of(alice.call("POST", f"/jobs/{job.pk}/bundle"), 409)["code"] == "nothing_to_pack"


def test_forgetting(alice: Script, artifacts: Path) -> None:
    job = make_full_job(alice.user)
    response = alice.call("DELETE", f"/jobs/{job.pk}")
    assert (response.status_code, response.content) == (204, b"")
    assert Job.objects.count() == 0
    assert not [path for path in artifacts.glob("*/*") if path.is_file()]
    error_of(alice.call("DELETE", f"/jobs/{job.pk}"), 404)


# --- files ---


def test_a_file(alice: Script) -> None:
    file = make_artifact(make_full_job(alice.user).items.get().stories.get(), content=b"0123456789")
    path = f"/files/{file.pk}"
    whole = alice.call("GET", path)
    assert b"".join(whole) == b"0123456789"
    part = alice.call("GET", path, Range="bytes=2-4")
    assert (part.status_code, b"".join(part)) == (206, b"234")
    past = alice.call("GET", path, Range="bytes=10-")
    assert error_of(past, 416)["code"] == "range_not_satisfiable"
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
    assert error_of(alice.call("GET", f"/files/{file.pk}"), 410)["code"] == "expired"
    error_of(bob.call("GET", f"/files/{file.pk}"), 404)
    store.remove(file.pk)
    error_of(alice.call("GET", f"/files/{file.pk}"), 410)


def test_too_many_downloads(alice: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "downloads_at_once", lambda: 2)
    file = make_artifact(make_full_job(alice.user).items.get().stories.get(), content=b"x" * 10)
    first = alice.call("GET", f"/files/{file.pk}")
    response = alice.call("GET", f"/files/{file.pk}")
    error = error_of(response, 429)
    assert error["code"] == "too_many_downloads"
    assert response.headers["Retry-After"] == str(error["retry_after_s"])
    first.close()


@pytest.mark.parametrize("form", ["{%s}", "urn:uuid:%s", "%s\n"])
def test_an_id_has_one_spelling(alice: Script, form: str) -> None:
    job = make_job(alice.user, links=1)
    assert alice.call("GET", f"/jobs/{job.pk}").status_code == 200
    assert alice.call("GET", f"/jobs/{quote(form % job.pk)}").status_code == 404


@pytest.mark.parametrize("cursor", ["x", "a" * 33, "%s", "AAAA", "Ä"])
def test_a_cursor_that_is_none(alice: Script, cursor: str) -> None:
    error = error_of(alice.call("GET", f"/jobs?cursor={quote(cursor)}"), 422)
    assert error["message"] == "cursor: that is not a cursor"
    assert "/api/v1/docs" in error["hint"]
