"""Idempotency keys: the same request again, another one with the same key, and two at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from jobs.errors import IdempotencyInProgress, IdempotencyMismatch
from jobs.files import capacity
from jobs.models import Audio, Job, Prefer
from jobs.queue import idempotency
from jobs.queue.submission import NothingUnderstood, Options, submit
from tests.factories import make_user

pytestmark = pytest.mark.django_db
KEY = "3f1c"


@pytest.mark.parametrize(
    "other",
    [
        {"lines": ["@two"]},
        {"lines": ["@one", "@two"]},
        {"lines": ["@two", "@one"]},
        {"lines": ["@one", "???"]},
        {"note": "for the archive"},
        {"options": Options(prefer=Prefer.HIGHEST)},
        {"options": Options(posts=True)},
        {"options": Options(audio=Audio.MP3)},
    ],
    ids=str,
)
def test_a_key_used_again_with_another_request_is_refused(other: dict[str, Any]) -> None:
    alice = make_user()
    submit(alice, ["@one"], idempotency_key=KEY)
    with pytest.raises(IdempotencyMismatch):
        submit(alice, **({"lines": ["@one"]} | other), idempotency_key=KEY)
    assert Job.objects.count() == 1


def test_a_request_that_could_not_make_a_job_is_told_of_the_key_first() -> None:
    alice = make_user()
    submit(alice, ["@one"], idempotency_key=KEY)
    with pytest.raises(IdempotencyMismatch):
        submit(alice, ["???"], idempotency_key=KEY)


def test_half_a_surrogate_makes_another_request_and_no_crash() -> None:
    alice = make_user()
    job = submit(alice, ["@one", "\ud800"], idempotency_key=KEY)
    assert submit(alice, ["@one", "\ud800"], idempotency_key=KEY) == job
    with pytest.raises(IdempotencyMismatch):
        submit(alice, ["@one", "?"], idempotency_key=KEY)


def test_the_key_of_a_job_from_before_fingerprints_answers_as_it_did() -> None:
    alice = make_user()
    job = submit(alice, ["@one"], idempotency_key=KEY)
    Job.objects.update(idempotency_fingerprint="")
    assert submit(alice, ["@two"], idempotency_key=KEY) == job


def test_a_job_without_a_key_has_no_fingerprint() -> None:
    assert submit(make_user(), ["@one"]).idempotency_fingerprint == ""


def test_a_forgotten_job_frees_its_key() -> None:
    alice = make_user()
    submit(alice, ["@one"], idempotency_key=KEY).delete()
    submit(alice, ["@two"], idempotency_key=KEY)


@pytest.fixture
def during_the_first(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Calls made while a first request is being taken, and what came of them."""
    calls: list[Any] = []

    def check() -> None:
        monkeypatch.setattr(capacity, "require_room", lambda: None)
        for index, call in enumerate(calls):
            try:
                calls[index] = call()
            except IdempotencyInProgress as error:
                calls[index] = error

    monkeypatch.setattr(capacity, "require_room", check)
    return calls


def test_a_second_request_while_the_first_is_being_taken_is_told_to_come_again(
    during_the_first: list[Any],
) -> None:
    alice, bob = make_user("alice"), make_user("bob")

    def send(owner: Any, key: str) -> Job:
        return submit(owner, ["@one"], idempotency_key=key, refuse_double=True)

    during_the_first += [
        lambda: send(alice, KEY),
        lambda: submit(alice, ["@two"], idempotency_key=KEY, refuse_double=True),
        lambda: send(alice, "another"),
        lambda: send(bob, KEY),
    ]
    first = send(alice, KEY)
    for refusal in during_the_first[:2]:
        assert isinstance(refusal, IdempotencyInProgress)
        assert refusal.retryable
        assert refusal.retry_after_s == idempotency.RETRY_S
    assert len({first, *during_the_first[2:]}) == 3
    assert send(alice, KEY) == first


def test_a_double_tap_on_the_page_is_not_refused_but_gets_the_same_job(
    during_the_first: list[Any],
) -> None:
    alice = make_user()

    def tap() -> Job:
        return submit(alice, ["@one"], idempotency_key=KEY)

    during_the_first += [tap]
    assert tap() == during_the_first[0]
    assert Job.objects.count() == 1


def test_a_first_request_that_failed_holds_its_key_no_longer() -> None:
    alice = make_user()
    with pytest.raises(NothingUnderstood):
        submit(alice, ["???"], idempotency_key=KEY, refuse_double=True)
    submit(alice, ["@one"], idempotency_key=KEY, refuse_double=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("refuse_double", [True, False])
def test_of_requests_at_once_a_single_job_is_made(refuse_double: bool) -> None:
    alice = make_user()
    start = threading.Barrier(6)
    answers: list[Any] = []

    def send() -> None:
        start.wait(20)
        try:
            answers.append(
                submit(alice, ["@one"], idempotency_key=KEY, refuse_double=refuse_double).pk
            )
        except IdempotencyInProgress as error:
            answers.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job = Job.objects.get()
    assert len(answers) == 6
    assert job.pk in answers
    allowed = {job.pk, "idempotency_in_progress"} if refuse_double else {job.pk}
    assert set(answers) <= allowed
