"""A job's JSON: what the schemas describe, letter for letter; kept only while it is right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from accounts import tokens
from accounts.models import ApiToken
from jobs.api import job_json, routes
from jobs.api.schemas import JobList, JobOut
from jobs.models import Artifact, Item, Role
from jobs.queries import snapshot
from jobs.queries.job_view import ItemView, Snapshot
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.api.scripts import Script, error_of, make_full_job
from tests.unit.jobs.queries.random_jobs import make_random_job

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The jobs whose rows were loaded for an answer."""
    loaded: list[object] = []

    def load(job_id: Any, *rest: Any, **facts: Any) -> Snapshot | None:
        """Note the job, and load it."""
        loaded.append(job_id)
        return snapshot.load_snapshot(job_id, *rest, **facts)

    monkeypatch.setattr(routes, "load_snapshot", load)
    return loaded


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_the_schemas_would_write(seed: int, language: str) -> None:
    alice = make_user("alice")
    job = make_random_job(alice, seed)
    with translation.override(language):
        found = snapshot.load_snapshot(job.pk, alice)
        assert found
        body = job_json.encoded_job(found)
        assert JobOut.model_validate_json(body).model_dump_json().encode() == body
        assert job_json.encoded_job(found, lambda _item, make: make()) == body
        listed = job_json.encoded_list([found], "next")
        assert JobList.model_validate_json(listed).model_dump_json().encode() == listed


def test_an_unchanged_job_is_not_loaded_again(alice: Script, loads: list[object]) -> None:
    job = make_full_job(alice.user)
    path = f"/jobs/{job.pk}"
    first = alice.call("GET", path)
    again = alice.call("GET", path)
    unchanged = alice.call("GET", path, If_None_Match=first.headers["ETag"])
    assert (first.content, first.headers["ETag"]) == (again.content, again.headers["ETag"])
    assert unchanged.status_code == 304
    assert loads == [job.pk]
    Artifact.objects.filter(role=Role.POSTER).update(removed_at=timezone.now())
    changed = alice.call("GET", path)
    assert len(changed.json()["items"][0]["stories"][0]["files"]) == 2
    assert loads == [job.pk] * 2


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The lines whose JSON was made for an answer."""
    lines, make = list[object](), job_json._item

    def count(item: ItemView, path: str) -> dict[str, Any]:
        lines.append(item.line)
        return make(item, path)

    monkeypatch.setattr(job_json, "_item", count)
    return lines


def test_only_lines_that_changed_are_written_anew(alice: Script, made: list[object]) -> None:
    job = make_job(alice.user, note='"items":[]')
    lines = [make_item(job, line=line, state=ItemState.DONE) for line in ("a", "b", "c")]
    make_item(job, line="at work", state=ItemState.RUNNING)
    path = f"/jobs/{job.pk}"
    alice.call("GET", path)
    assert made == ["a", "b", "c", "at work"]
    del made[:]
    make_artifact(make_story(lines[1], tiktok_id="7", caption='"items":[]'))
    answer = alice.call("GET", path)
    assert made == ["b", "at work"]
    found = snapshot.load_snapshot(job.pk, alice.user)
    assert found
    assert job_json.encoded_job(found) == answer.content
    del made[:]
    alice.call("GET", path, Accept_Language="de")
    assert made == ["a", "b", "c", "at work"]


def test_a_line_that_counts_down_is_written_each_time(alice: Script, made: list[object]) -> None:
    job = make_job(alice.user)
    waits_until = timezone.now() + HOUR
    make_item(job, line="waits", not_before=waits_until, error_code="rate_limited")
    item = make_item(job, line="done", state=ItemState.DONE)
    for number in range(2):
        make_story(item, tiktok_id=str(number))
        alice.call("GET", f"/jobs/{job.pk}")
    assert made == ["waits", "done"] * 2


def test_a_304_needs_no_kept_answer(alice: Script, loads: list[object]) -> None:
    job = make_full_job(alice.user)
    tag = alice.call("GET", f"/jobs/{job.pk}").headers["ETag"]
    routes._kept.clear()  # as in another process
    assert alice.call("GET", f"/jobs/{job.pk}", If_None_Match=tag).status_code == 304
    assert loads == [job.pk]


def test_a_kept_answer_is_nobody_elses(alice: Script, bob: Script) -> None:
    job = make_full_job(alice.user)
    path = f"/jobs/{job.pk}"
    tag = alice.call("GET", path).headers["ETag"]
    unknown = error_of(bob.call("GET", "/jobs/00000000-0000-4000-8000-000000000000"), 404)
    assert error_of(bob.call("GET", path), 404) == unknown
    assert error_of(bob.call("GET", path, If_None_Match=tag), 404) == unknown


def test_a_kept_answer_ends_with_the_token_the_person_and_the_job(alice: Script) -> None:
    job = make_full_job(alice.user)
    path = f"/jobs/{job.pk}"
    tag = alice.call("GET", path).headers["ETag"]
    ApiToken.objects.filter(owner=alice.user).update(expires_at=timezone.now())
    assert alice.call("GET", path, If_None_Match=tag).status_code == 401
    alice.token = tokens.create(alice.user, "other")
    assert alice.call("GET", path, If_None_Match=tag).status_code == 304
    alice.user.is_active = False
    alice.user.save()
    assert alice.call("GET", path).status_code == 401
    alice.user.is_active = True
    alice.user.save()
    assert alice.call("DELETE", path).status_code == 204
    error_of(alice.call("GET", path, If_None_Match=tag), 404)
    tokens.revoke(alice.user, ApiToken.objects.latest("pk").pk)
    assert alice.call("GET", path).status_code == 401


def test_what_changes_while_an_answer_is_made_is_in_the_next_one(
    alice: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_full_job(alice.user)
    story = job.items.get().stories.get()
    path = f"/jobs/{job.pk}"

    def files() -> int:
        """The number of files in an answer to a poll."""
        return len(alice.call("GET", path).json()["items"][0]["stories"][0]["files"])

    def load_late(*args: Any, **facts: Any) -> Snapshot | None:
        """Commit a change between the fingerprint and the data, and another one after them."""
        make_artifact(story, position=3)
        loaded = snapshot.load_snapshot(*args, **facts)
        make_artifact(story, position=4)
        return loaded

    with monkeypatch.context() as patch:
        patch.setattr(routes, "load_snapshot", load_late)
        assert files() == 4
    assert files() == 5
    Artifact.objects.filter(position=4).delete()
    assert files() == 4


def test_a_file_is_not_offered_after_its_time_though_no_row_changed(
    alice: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_full_job(alice.user)
    path, now = f"/jobs/{job.pk}", timezone.now()
    first = alice.call("GET", path)
    monkeypatch.setattr(timezone, "now", lambda: now + 3 * HOUR)
    over = alice.call("GET", path, If_None_Match=first.headers["ETag"])
    assert over.status_code == 200
    assert over.json()["items"][0]["stories"][0]["files"] == []
    monkeypatch.setattr(timezone, "now", lambda: now)
    assert alice.call("GET", path).content == first.content


def test_seconds_that_count_down_are_counted_anew(
    alice: Script, loads: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    job = make_job(alice.user)
    make_item(job, error_code="refused", not_before=now + HOUR)
    path, waits = f"/jobs/{job.pk}", []
    for passed_s in (0, 10):
        monkeypatch.setattr(timezone, "now", lambda: now + timedelta(seconds=passed_s))  # noqa: B023
        answer = alice.call("GET", path)
        waits.append(answer.json()["items"][0]["error"]["retry_after_s"])
    assert waits == [3600, 3590]
    unchanged = alice.call("GET", path, If_None_Match=answer.headers["ETag"])
    assert unchanged.status_code == 304
    assert loads == [job.pk] * 2


def test_one_language_does_not_get_the_answer_of_another(alice: Script) -> None:
    job = make_job(alice.user)
    make_item(job, state=ItemState.FAILED, error_code="gone")
    path = f"/jobs/{job.pk}"
    english, german = (alice.call("GET", path, Accept_Language=code) for code in ("en", "de"))
    assert english.content != german.content
    assert english.headers["ETag"] != german.headers["ETag"]
    assert alice.call("GET", path, Accept_Language="en").content == english.content
    Item.objects.filter(job=job).update(error_code="private_account")
    assert alice.call("GET", path, Accept_Language="en").content != english.content
