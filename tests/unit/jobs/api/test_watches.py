"""The calls about watched accounts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.models import Watch, WatchedAccount, WatchGap, WatchState
from tests.factories import make_user
from tests.unit.jobs.api.scripts import Script, error_of
from tests.watched import DAY, HOUR, make_watch

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _everybody_may(set_env: Callable[..., None]) -> None:
    set_env(watches="members")


def begin(script: Script, status: int = 201, **body: Any) -> Any:
    response = script.call("POST", "/watches", {"name": "nora"} | body)
    assert response.status_code == status, response.content
    return response.json()


def test_an_account_is_watched(alice: Script) -> None:
    response = alice.call("POST", "/watches", {"line": "https://www.tiktok.com/@Nora"})
    assert response.status_code == 201
    made = response.json()
    assert response.headers["Location"] == f"/api/v1/watches/{made['id']}"
    assert list(made) == [
        "id", "author", "every_s", "state", "next_at", "looked_at", "covered_until", "renew_by",
        "note", "notify", "error",
    ]  # fmt: skip
    assert made["author"] == {"id": None, "name": "nora", "nickname": ""}
    assert (made["every_s"], made["state"], made["notify"]) == (21600, "checking", True)
    assert made["next_at"].endswith("Z")
    assert (made["looked_at"], made["covered_until"], made["error"]) == (None, None, None)
    assert alice.call("GET", f"/watches/{made['id']}").json() == made


def test_one_that_is_watched_already_is_returned(alice: Script) -> None:
    watch = make_watch(alice.user, nickname="Nora")
    seen = begin(alice, 200, name="@Nora", note="other")
    assert (seen["id"], seen["note"]) == (str(watch.pk), "")
    assert seen["author"] == {"id": watch.account.tiktok_id, "name": "nora", "nickname": "Nora"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "give either line or name"),
        ({"line": "@a1", "name": "a1"}, "give either line or name"),
        ({"name": ""}, "give either line or name"),
        ({"name": "nora", "every_s": 7}, "every_s: it may be one of 10800, 21600, 43200"),
        ({"name": "nora", "every_s": "10800"}, "every_s"),
        ({"name": "nora", "every_s": 10**30}, "every_s"),
        ({"name": "nora", "note": "x" * 501}, "note"),
        ({"name": "nora", "notify": 1}, "notify"),
        ({"name": "nora", "more": 1}, "more"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_which_field(
    alice: Script, body: dict[str, Any], field: str
) -> None:
    error = error_of(alice.call("POST", "/watches", body or "{}"), 422)
    assert error["code"] == "invalid_request"
    assert field in error["message"]
    assert not Watch.objects.exists()


def test_what_names_no_account_is_not_understood(alice: Script) -> None:
    for line in ("https://www.tiktok.com/tag/cats", "x" * 9999, "\0"):
        code = error_of(alice.call("POST", "/watches", {"line": line}), 422)["code"]
        assert code in {"not_understood", "unsupported_link"}, line


def test_a_link_without_a_name_and_several_names_have_codes_of_their_own(alice: Script) -> None:
    for line, code in (
        ("https://vm.tiktok.com/ZMok1/", "hidden_name"),
        ("@nora @omar", "several_accounts"),
    ):
        assert error_of(alice.call("POST", "/watches", {"line": line}), 422)["code"] == code
    assert not Watch.objects.exists()


def test_limits_are_told(alice: Script, set_env: Callable[..., None]) -> None:
    set_env(watches_per_member=1)
    begin(alice)
    error = error_of(alice.call("POST", "/watches", {"name": "omar"}), 429)
    assert (error["code"], error["message"]) == (
        "quota_exceeded",
        "You watch 1 account already, the most allowed here.",
    )


@pytest.mark.parametrize("watches", ["off", "admins"])
def test_who_may_not_watch_is_refused(
    alice: Script, set_env: Callable[..., None], watches: str
) -> None:
    set_env(watches=watches)
    assert error_of(alice.call("GET", "/watches"), 403)["code"] == "watching_off"
    path = f"/watches/{make_watch(alice.user).pk}"
    for method, address, body in (
        ("POST", "/watches", {"name": "omar"}),
        ("PATCH", path, {"renew": True}),
        ("POST", f"{path}/check", None),
    ):
        found = error_of(alice.call(method, address, body), 403)
        assert found["code"] == "watching_off", address


@pytest.mark.parametrize("watches", ["off", "admins"])
def test_who_may_watch_no_longer_sees_theirs_and_stops_them(
    alice: Script, set_env: Callable[..., None], watches: str
) -> None:
    path = f"/watches/{make_watch(alice.user).pk}"
    set_env(watches=watches)
    assert len(alice.call("GET", "/watches").json()["watches"]) == 1
    assert alice.call("GET", path).status_code == 200
    assert alice.call("GET", f"{path}/gaps").json() == {"gaps": []}
    assert alice.call("DELETE", path).status_code == 204
    assert error_of(alice.call("GET", "/watches"), 403)["code"] == "watching_off"


def test_one_is_changed_by_what_is_given(alice: Script) -> None:
    watch = make_watch(alice.user, note="old", renew_by=timezone.now() + DAY)
    path = f"/watches/{watch.pk}"
    seen = alice.call("PATCH", path, {"every_s": 43200, "notify": False}).json()
    assert (seen["every_s"], seen["note"], seen["notify"]) == (43200, "old", False)
    assert alice.call("PATCH", path, {"note": ""}).json()["note"] == ""
    paused = alice.call("PATCH", path, {"state": "paused"}).json()
    assert (paused["state"], paused["next_at"]) == ("paused", None)
    resumed = alice.call("PATCH", path, {"state": "active"}).json()
    assert resumed["state"] == "active"
    assert resumed["next_at"] is not None
    for body in ({"every_s": 1}, {"state": "ended"}, {"looked_at": None}):
        assert error_of(alice.call("PATCH", path, body), 422)["code"] == "invalid_request"


def test_one_is_renewed(alice: Script) -> None:
    soon = timezone.now() + DAY
    watch = make_watch(alice.user, renew_by=soon)
    alice.call("PATCH", f"/watches/{watch.pk}", "{}")
    watch.refresh_from_db()
    assert watch.renew_by == soon
    alice.call("PATCH", f"/watches/{watch.pk}", {"renew": True})
    watch.refresh_from_db()
    assert watch.renew_by > soon + 28 * DAY


def test_a_look_may_be_asked_for_once_in_ten_minutes(alice: Script) -> None:
    watch = make_watch(alice.user)
    path = f"/watches/{watch.pk}/check"
    response = alice.call("POST", path)
    assert response.status_code == 202
    assert response.json()["next_at"] <= timezone.now().isoformat().replace("+00:00", "Z")
    again = alice.call("POST", path)
    assert error_of(again, 429)["code"] == "quota_exceeded"
    assert 0 < int(again.headers["Retry-After"]) <= 600


def test_one_that_has_ended_says_why(alice: Script) -> None:
    watch = make_watch(
        alice.user, state=WatchState.ENDED, next_at=None, error_code="private_account"
    )
    seen = alice.call("GET", f"/watches/{watch.pk}").json()
    assert (seen["state"], seen["next_at"]) == ("ended", None)
    assert seen["error"]["code"] == "private_account"
    assert seen["error"]["message"]


def test_gaps_come_newest_first_with_the_open_one(alice: Script) -> None:
    now = timezone.now().replace(microsecond=0)
    watch = make_watch(alice.user, covered_until=now - 26 * HOUR)
    for days in (9, 5):
        begins_at = now - timedelta(days=days)
        WatchGap.objects.create(watch=watch, begins_at=begins_at, ends_at=begins_at + HOUR)
    gaps = alice.call("GET", f"/watches/{watch.pk}/gaps").json()["gaps"]
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    assert gaps == [
        {"begins_at": (now - 26 * HOUR).strftime(stamp), "ends_at": None},
        {
            "begins_at": (now - 5 * DAY).strftime(stamp),
            "ends_at": (now - 5 * DAY + HOUR).strftime(stamp),
        },
        {
            "begins_at": (now - 9 * DAY).strftime(stamp),
            "ends_at": (now - 9 * DAY + HOUR).strftime(stamp),
        },
    ]


def test_mine_come_in_pages_newest_first(alice: Script) -> None:
    now = timezone.now()
    for number in range(3):
        make_watch(alice.user, f"account{number}", created_at=now + timedelta(seconds=number))
    make_watch(make_user("bob"), "other")
    first = alice.call("GET", "/watches?limit=2").json()
    assert [watch["author"]["name"] for watch in first["watches"]] == ["account2", "account1"]
    rest = alice.call("GET", f"/watches?limit=2&cursor={first['next']}").json()
    assert [watch["author"]["name"] for watch in rest["watches"]] == ["account0"]
    assert rest["next"] is None
    for query in ("cursor=x", "limit=0", "limit=51"):
        assert error_of(alice.call("GET", f"/watches?{query}"), 422)["code"] == "invalid_request"


def test_anothers_and_an_unknown_one_are_not_told_apart(alice: Script, bob: Script) -> None:
    watch = make_watch(alice.user)
    answers = []
    for key in (watch.pk, uuid4(), "x", str(watch.pk).replace("-", "")):
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"renew": True}),
            ("DELETE", "", None),
            ("POST", "/check", None),
            ("GET", "/gaps", None),
        ):
            answers.append(bob.call(method, f"/watches/{key}{path}", body))
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (404, answers[0].content)
    }
    assert bob.call("GET", "/watches").json()["watches"] == []


def test_two_who_watch_one_account_see_their_own_times(alice: Script, bob: Script) -> None:
    make_watch(alice.user)
    make_watch(bob.user, looked_at=None, covered_until=None)
    (seen,) = bob.call("GET", "/watches").json()["watches"]
    assert (seen["looked_at"], seen["covered_until"]) == (None, None)


def test_one_is_deleted_with_what_nobody_else_needs(alice: Script, bob: Script) -> None:
    watch, other = make_watch(alice.user), make_watch(bob.user)
    assert alice.call("DELETE", f"/watches/{watch.pk}").status_code == 204
    assert alice.call("GET", f"/watches/{watch.pk}").status_code == 404
    assert WatchedAccount.objects.exists()
    bob.call("DELETE", f"/watches/{other.pk}")
    assert not WatchedAccount.objects.exists()
