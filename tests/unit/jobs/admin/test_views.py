"""The pages without a model: operations in every state, and the diagnosis; a right for each."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from jobs.admin import views
from jobs.ephemeral import connection, heartbeats
from jobs.files import capacity, disk
from jobs.upstream import breaker, page_identity, site_clock
from tests.factories import make_artifact, make_item, make_story, make_user
from tests.unit.jobs.ops.instances import make_running, make_settled, stand_in_for_redis

pytestmark = pytest.mark.django_db

PAGE, NOW, DIAGNOSIS = "/admin/", "/admin/operations/now/", "/admin/diagnosis/"


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Redis says: change the dictionary."""
    return stand_in_for_redis(monkeypatch)


def text(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode().replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.usefixtures("redis")
def test_nothing_to_tell(browser: Client) -> None:
    page = text(browser)
    assert "nothing waits for a worker" in page
    assert "TikTok is being asked." in page
    assert "0 of 0 lines failed" in page
    assert "3 expired files went, 12.3 MB freed" in page
    assert 'class="card bad"' not in page
    assert "Storykeep <b>0." in page


def test_who_runs_what(redis: dict[str, Any], browser: Client) -> None:
    make_running(redis)
    page = text(browser)
    assert "12.0 MB / 30.0 MB" in page
    assert "whose is not known" in page
    assert "bob" in page
    assert "secret.name" not in page


def test_failures_by_code_and_hour(redis: dict[str, Any], browser: Client) -> None:
    make_settled(timezone.now())
    page = text(browser)
    assert "3 of 5 lines failed, in whole or in part." in page
    assert "?error_code=upstream_down" in page
    assert '<span class="scale" aria-hidden="true"><span>5</span><span>0</span></span>' in page
    assert page.count("1 fine, 2 failed</li>") == 1
    assert page.count(" failed</li>") == 2  # quiet hours are not read out
    assert "style=" not in page


def test_no_limit_is_named_where_none_is_set(
    redis: dict[str, Any], browser: Client, set_env: Callable[..., None]
) -> None:
    set_env(disk_min_free=0)
    assert "new work is refused" not in text(browser)
    set_env(disk_min_free=2_000_000_000)
    assert "free; below 2.0 GB new work is refused" in text(browser)


@pytest.mark.parametrize(
    ("seconds", "word", "card"), [(240, "paused", "warn"), (-5, "trying", None)]
)
def test_a_pause(
    redis: dict[str, Any], browser: Client, seconds: int, word: str, card: str | None
) -> None:
    until = timezone.now() + timedelta(seconds=seconds)
    redis["breaker"] = breaker.BreakerState(until, "challenged")
    page = text(browser)
    assert f">{word}<" in page
    assert ('class="card warn"' in page) is (card == "warn")
    assert "challenged" in page


@pytest.mark.usefixtures("redis")
def test_a_clock_that_is_off_and_who_tiktok_is_asked_as(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_clock, "ahead_s", lambda: 172_800.0)
    monkeypatch.setattr(page_identity, "in_use", lambda: "chrome146+referer")
    page = text(browser)
    assert "clock is 2 days ahead of TikTok" in page
    assert "Asked as <code>chrome146+referer</code>" in page
    assert 'class="card warn"' in page
    monkeypatch.setattr(site_clock, "ahead_s", lambda: 12.0)
    assert "clock is" not in text(browser)


def test_what_needs_a_hand(
    redis: dict[str, Any], browser: Client, set_env: Callable[..., None]
) -> None:
    long_ago = timezone.now() - timedelta(hours=2)
    make_item(asked_at=long_ago)
    make_artifact(make_story(), size_bytes=500)
    set_env(disk_max=500)
    redis["heard"] = {}
    redis["sweep"] = heartbeats.Sweep(long_ago, {"expired": 0, "freed_bytes": 0, "failed": 2})
    page = text(browser)
    assert page.count('class="card bad"') == 4
    assert "due, the oldest for 2 h" in page
    assert "None gives a sign of life" in page
    assert "is overdue" in page
    assert "2 deletions failed" in page
    redis["sweep"] = None
    assert "None is known of yet." in text(browser)


@pytest.mark.parametrize(
    ("seconds", "said", "late"),
    [
        (10, "last; the next at", False),
        (70, "last; the next is due", False),  # one may be on its way, or behind other work
        (185, "is overdue", True),
    ],
)
def test_a_clean_up_is_late_when_two_did_not_come(
    redis: dict[str, Any], browser: Client, seconds: int, said: str, *, late: bool
) -> None:
    at = timezone.now() - timedelta(seconds=seconds)
    redis["sweep"] = heartbeats.Sweep(at, {"expired": 0, "freed_bytes": 0, "failed": 0})
    page = text(browser)
    assert said in page
    assert ('class="card bad"' in page) is late


def test_without_redis_and_disk(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise FileNotFoundError

    monkeypatch.setattr(capacity, "measure", away)
    page = text(browser)
    assert page.count("Redis does not answer, so nobody knows.") == 4
    assert page.count('class="card warn"') == 2  # what is not known is not in order
    assert "TikTok is being asked." not in page
    assert "None is known of yet." not in page
    assert "The folder for saved files does not answer." in page


@pytest.mark.usefixtures("redis")
def test_redis_going_away_between_two_questions(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise connection.RedisUnavailable

    monkeypatch.setattr(breaker, "shared_state", away)
    page = text(browser)
    assert page.count("Redis does not answer, so nobody knows.") == 4


@pytest.mark.usefixtures("redis")
def test_it_refreshes(
    browser: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda: 10**12)  # others write to this disk, too
    first = browser.get(NOW)
    assert 'id="operations"' in first.content.decode()
    assert "<html" not in first.content.decode()
    with django_assert_max_num_queries(8):
        again = browser.get(NOW, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    make_item()
    assert browser.get(NOW, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


# --- who may ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "right"), [(NOW, "view_operations"), (DIAGNOSIS, "run_diagnosis")]
)
def test_each_page_needs_its_right(address: str, right: str) -> None:
    client = Client()
    assert client.get(address).status_code == 302
    member = make_user("member")
    client.force_login(member)
    assert client.get(address).status_code == 302
    clerk = make_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert client.get(address).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename=right))
    assert client.get(address).status_code == 200


@pytest.mark.usefixtures("redis")
def test_the_first_page_is_the_overview_for_those_who_may_see_it() -> None:
    client = Client()
    assert client.get(PAGE).status_code == 302
    client.force_login(make_user("member"))
    assert client.get(PAGE).status_code == 302
    clerk = make_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert 'id="operations"' not in text(client)
    clerk.user_permissions.add(Permission.objects.get(codename="view_operations"))
    assert 'id="operations"' in text(client)
    assert client.get("/admin/operations/").headers["Location"] == PAGE


# --- diagnosis ----------------------------------------------------------------------------------

REPORT = {
    "ok": False,
    "text": "Storykeep 0.1.0\nfail  redis",
    "findings": [
        {
            "part": "redis",
            "title": "Redis",
            "verdict": "fail",
            "judged": "failed",
            "said": "does not answer",
            "hint": "<b>",
        },
    ],
}


class Process:
    """Stands in for the command. answer: stdout, exit code."""

    def __init__(self) -> None:
        self.argv: list[str] = []
        self.answer: tuple[str, int] | Exception = (json.dumps(REPORT), 1)

    def run(self, argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.argv = argv
        if isinstance(self.answer, Exception):
            raise self.answer
        return subprocess.CompletedProcess(argv, self.answer[1], self.answer[0], "")


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    stand_in = Process()
    monkeypatch.setattr(subprocess, "run", stand_in.run)
    return stand_in


def test_the_diagnosis_page(browser: Client, process: Process) -> None:
    assert "Look now" in text(browser, DIAGNOSIS)
    assert process.argv == []
    page = browser.post(DIAGNOSIS, {"name": " --help\0 "}).content.decode()
    assert process.argv[2:] == ["diagnose", "--json", "--language", "en", "--", "--help"]
    assert "Something failed" in page
    assert 'value="--help"' in page
    assert "&lt;b&gt;" in page
    assert "fail  redis" in page
    assert 'data-copy="text"' in page
    assert "/static/copy.js" in page
    browser.cookies["django_language"] = "de"
    with translation.override("en"):  # a request leaves its language behind
        browser.post(DIAGNOSIS, {})
    assert process.argv[2:] == ["diagnose", "--json", "--language", "de"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (("", 2), "That names no account."),
        (("Traceback", 1), "did not come about"),
        (subprocess.TimeoutExpired("x", 1), "took too long"),
    ],
)
def test_a_diagnosis_that_does_not_come(
    browser: Client, process: Process, answer: Any, said: str
) -> None:
    process.answer = answer
    page = browser.post(DIAGNOSIS, {"name": "x"}).content.decode()
    assert said in page
    assert "Traceback" not in page


@pytest.mark.usefixtures("process")
def test_one_diagnosis_at_a_time(browser: Client) -> None:
    with views._diagnosis_lock:
        assert "running already" in browser.post(DIAGNOSIS, {}).content.decode()
    assert "running already" not in browser.post(DIAGNOSIS, {}).content.decode()
