"""The shapes of what comes in and goes out."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Artifact, Job, Role
from jobs.states import ItemState
from tests.factories import make_item, make_job, make_story
from tests.unit.jobs.api.scripts import Script, error_of, make_full_job

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


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
    error = error_of(alice.call("POST", "/jobs", raw), 422)
    assert error["code"] == "invalid_request"
    assert names in error["message"]
    assert Job.objects.count() == 0


def test_an_advert_is_empty_with_its_code(alice: Script) -> None:
    job = make_job(alice.user, settled_at=timezone.now())
    make_item(job, state=ItemState.DONE)
    make_item(job, name="app", state=ItemState.EMPTY, error_code="advert")
    said = alice.call("GET", f"/jobs/{job.pk}").json()
    assert said["state"] == "done"
    advert = said["items"][1]
    assert (advert["state"], advert["error"]["code"]) == ("empty", "advert")
    assert advert["error"]["message"] == "This is an ad for the app, not a story."
    assert advert["error"]["retryable"] is False


@pytest.mark.parametrize("body", [{"lines": []}, {"lines": ["", " \n"]}, {"text": " "}])
def test_nothing_to_do(alice: Script, body: Any) -> None:
    error = error_of(alice.call("POST", "/jobs", body), 422)
    assert error["code"] == "not_understood"
    assert error["message"].startswith(f"{next(iter(body))}: ")


def test_a_nul_does_not_make_another_name(alice: Script) -> None:
    body = {"lines": ["@a\0nn", "@bea"], "note": "w\0hy"}
    found = alice.call("POST", "/jobs", body).json()
    bad, good = found["items"]
    assert (bad["line"], bad["error"]["code"]) == ("@a\ufffdnn", "not_understood")
    assert (good["state"], found["note"]) == ("queued", "w\ufffdhy")


def test_a_long_note_is_counted_in_characters(alice: Script) -> None:
    error = error_of(alice.call("POST", "/jobs", {"lines": ["@ann"], "note": "x" * 501}), 422)
    assert error["message"] == "note: String should have at most 500 characters"


def test_the_shape_of_a_job(alice: Script) -> None:
    job = make_full_job(alice.user)
    seen = alice.call("GET", f"/jobs/{job.pk}").json()
    assert list(seen) == [
        "id", "state", "note", "created_at", "settled_at", "files_expire_at", "progress",
        "items", "bundle", "from_watch",
    ]  # fmt: skip
    assert list(seen["progress"]) == [
        "phase", "files_done", "files_total", "bytes_done", "bytes_total", "eta_s"
    ]  # fmt: skip
    item = seen["items"][0]
    assert list(item) == [
        "id", "line", "kind", "state", "error", "author", "stories", "left_out"
    ]  # fmt: skip
    assert item["left_out"] == []
    assert item["author"] == {"id": "1", "name": "ann", "nickname": "Ann"}
    story = item["stories"][0]
    assert list(story) == [
        "id", "kind", "posted_at", "leaves_tiktok_at", "caption", "source_url", "state", "error",
        "files", "zip", "damaged",
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


def test_a_line_says_what_its_list_left_out_and_its_tag_changes_with_it(alice: Script) -> None:
    job = make_job(alice.user)
    item = make_item(
        job, state="partial", error_code="upstream_down", left_out={"held_back": 2, "private": 1}
    )
    response = alice.call("GET", f"/jobs/{job.pk}")
    seen = response.json()["items"][0]
    assert (seen["state"], seen["error"]["code"]) == ("partial", "upstream_down")
    assert seen["left_out"] == [
        {
            "reason": "held_back",
            "count": 2,
            "code": "upstream_down",
            "message": "TikTok counts 2 more stories than it shows us.",
        },
        {
            "reason": "private",
            "count": 1,
            "code": "private_post",
            "message": "1 story is private.",
        },
    ]
    assert alice.call("GET", "/jobs").json()["jobs"][0]["items"][0]["left_out"] == seen["left_out"]
    item.left_out = {"held_back": 3, "private": 1}
    item.save()
    assert alice.call("GET", f"/jobs/{job.pk}").headers["ETag"] != response.headers["ETag"]


def test_the_error_of_an_account_of_private_stories_is_not_about_one_post(alice: Script) -> None:
    job = make_job(alice.user)
    make_item(job, state="failed", error_code="private_post", left_out={"private": 2})
    error = alice.call("GET", f"/jobs/{job.pk}").json()["items"][0]["error"]
    assert list(error) == ["code", "message", "hint", "retryable", "retry_after_s"]
    assert (error["code"], error["retryable"]) == ("private_post", False)
    assert error["message"] == "2 stories are private."
    assert error["hint"] == "Only public stories and posts can be saved."


def test_an_error_a_story_has_too_keeps_the_words_of_its_code(alice: Script) -> None:
    job = make_job(alice.user)
    item = make_item(
        job, state="partial", error_code="media_unavailable", left_out={"not_ready": 1}
    )
    make_story(item, state="failed", error_code="media_unavailable")
    seen = alice.call("GET", f"/jobs/{job.pk}").json()["items"][0]
    assert seen["error"]["message"] == seen["stories"][0]["error"]["message"]
    assert seen["left_out"][0]["message"] == "1 story was not ready on TikTok yet."
