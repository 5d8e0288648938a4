"""The operations page: every state it can be in, and that it tells nothing about targets."""

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
from jobs.ephemeral import heartbeats, progress
from jobs.ephemeral.progress import ItemProgress
from jobs.files import capacity
from jobs.models import Package
from jobs.ops import dashboard
from jobs.ops.dashboard import HourlyOutcomes
from jobs.upstream import breaker
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db

PAGE, NOW, DIAGNOSIS = "/admin/operations/", "/admin/operations/now/", "/admin/diagnosis/"


@pytest.fixture
def browser() -> Client:
    """The admin's."""
    client = Client()
    client.force_login(make_user("admin", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Redis says: change the dictionary."""
    now = timezone.now()
    told: dict[str, Any] = {
        "heard": {"worker-1@nas": now, "worker-2@nas": now},
        "sweep": heartbeats.Sweep(now, {"expired": 3, "freed_bytes": 12_300_000, "failed": 0}),
        "progress": {},
        "breaker": None,
    }
    monkeypatch.setattr(heartbeats, "heard", lambda: told["heard"])
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: told["sweep"])
    monkeypatch.setattr(progress, "read_many", lambda _: told["progress"])
    monkeypatch.setattr(breaker, "standing", lambda: told["breaker"])
    return told


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


def test_the_queue() -> None:
    now = timezone.now()
    job = make_job()
    make_item(job, asked_at=now - timedelta(minutes=9))
    retried = now - timedelta(minutes=20)
    make_item(job, asked_at=now - timedelta(days=1), not_before=retried)
    make_item(job, not_before=now + timedelta(minutes=1), error_code="refused")
    make_item(job, not_before=now + timedelta(minutes=1), error_code="upstream_down")
    make_item(job, state="running")
    make_item(job, state="done")
    Package.objects.create(job=job, owner=job.owner)
    found = dashboard.queue_depth(now)
    assert (found.due, found.waiting, found.waiting_for_tiktok, found.running, found.packages) == (
        2, 2, 1, 1, 1,
    )  # fmt: skip
    assert found.oldest_due_since == retried


def test_who_runs_what(redis: dict[str, Any], browser: Client) -> None:
    job = make_job(make_user("bob"))
    mine, lost, late = (make_item(job, name="secret.name", state="running") for _ in range(3))
    redis["progress"] = {
        str(mine.pk): ItemProgress(
            phase="saving", files_done=2, files_total=5, bytes_done=12_000_000,
            bytes_total=30_000_000, worker="worker-2@nas",
        ),
        str(lost.pk): ItemProgress(phase="found", worker="worker-9@gone"),
    }  # fmt: skip
    found = dashboard.read_dashboard(timezone.now())
    assert found.workers is not None
    assert [
        (worker.name, [line.item_id for line in worker.running]) for worker in found.workers
    ] == [
        ("worker-1@nas", []),
        ("worker-2@nas", [mine.pk]),
        ("", [lost.pk, late.pk]),
    ]
    assert found.workers_alive == 2
    page = text(browser)
    assert "12.0 MB / 30.0 MB" in page
    assert "whose is not known" in page
    assert "bob" in page
    assert "secret.name" not in page


def test_failures_by_code_and_hour(redis: dict[str, Any], browser: Client) -> None:
    now = timezone.now()
    for code, hours, state in (
        ("gone", 0, "failed"), ("gone", 3, "failed"), ("upstream_down", 3, "partial"),
        ("gone", 30, "failed"), ("cancelled", 0, "cancelled"), ("", 3, "done"), ("", 0, "empty"),
    ):  # fmt: skip
        at = now - timedelta(hours=hours)
        make_item(state=state, error_code=code, settled_at=at)
    found = dashboard.recent_outcomes(now)
    assert (found.settled, found.failed) == (5, 3)
    assert found.codes == (("gone", 2), ("upstream_down", 1))
    assert len(found.hours) == dashboard.WINDOW_HOURS
    assert [(hour.succeeded, hour.failed) for hour in found.hours[-4:]] == [
        (1, 2),
        (0, 0),
        (0, 0),
        (1, 1),
    ]
    page = text(browser)
    assert "3 of 5 lines failed, in whole or in part." in page
    assert "?error_code=upstream_down" in page
    assert '<span class="scale" aria-hidden="true"><span>5</span><span>0</span></span>' in page
    assert page.count("1 fine, 2 failed</li>") == 1
    assert page.count(" failed</li>") == 2  # quiet hours are not read out
    assert "style=" not in page


def test_the_chart_fits() -> None:
    now = timezone.now()
    drawn = views.bars(
        [
            HourlyOutcomes(at=now, succeeded=0, failed=0),
            HourlyOutcomes(at=now, succeeded=1999, failed=1),
        ]
    )
    empty, full = drawn
    assert (empty.fine_height, empty.failed_height) == (0, 0)
    assert full.failed_height == 2  # one in a thousand is seen
    assert full.fine_y == 0
    assert full.fine_height + full.failed_height == views.HEIGHT


@pytest.mark.parametrize(
    ("most", "top"), [(0, 5), (1, 5), (6, 10), (11, 20), (66, 100), (100, 100), (201, 500)]
)
def test_the_chart_has_a_round_scale(most: int, top: int) -> None:
    now = timezone.now()
    hours = [
        HourlyOutcomes(at=now, succeeded=most, failed=0),
        HourlyOutcomes(at=now, succeeded=0, failed=0),
    ]
    assert views.scale(hours) == top
    assert views.bars(hours)[0].fine_height == round(most / top * views.HEIGHT)


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
    redis["breaker"] = breaker.Breaker(until, "challenged")
    page = text(browser)
    assert f">{word}<" in page
    assert ('class="card warn"' in page) is (card == "warn")
    assert "challenged" in page


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

    monkeypatch.setattr(capacity, "look", away)
    page = text(browser)
    assert page.count("Redis does not answer, so nobody knows.") == 4
    assert page.count('class="card warn"') == 2  # what is not known is not in order
    assert "TikTok is being asked." not in page
    assert "None is known of yet." not in page
    assert "The folder for saved files does not answer." in page
    found = dashboard.read_dashboard(timezone.now())
    assert (found.workers, found.sweep, found.disk, found.workers_alive) == (None, None, None, 0)


@pytest.mark.usefixtures("redis")
def test_redis_going_away_between_two_questions(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise progress.RedisAway

    monkeypatch.setattr(breaker, "standing", away)
    page = text(browser)
    assert page.count("Redis does not answer, so nobody knows.") == 4


@pytest.mark.usefixtures("redis")
def test_it_refreshes(
    browser: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    first = browser.get(NOW)
    assert 'id="operations"' in first.content.decode()
    assert "<html" not in first.content.decode()
    with django_assert_max_num_queries(8):
        again = browser.get(NOW, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    make_item()
    assert browser.get(NOW, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_read_many(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()

    class Server:
        """Answers a pipeline."""

        def __enter__(self) -> Server:
            return self

        def __exit__(self, *_: object) -> None: ...

        def pipeline(self, *, transaction: bool) -> Server:
            assert not transaction
            return self

        def hgetall(self, _key: str) -> None: ...

        def execute(self) -> list[dict[str, str]]:
            return [{"a": json.dumps({"phase": "found", "worker": "w"}), "b": "nonsense"}]

    monkeypatch.setattr(progress, "ask", lambda question: question(Server()))
    assert progress.read_many([job.pk]) == {"a": ItemProgress(phase="found", worker="w")}
    assert progress.read_many([]) == {}

    def away(_: Any) -> None:
        raise progress.RedisAway

    monkeypatch.setattr(progress, "ask", away)
    assert progress.read_many([job.pk]) == {}


# --- who may ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "right"),
    [(PAGE, "view_operations"), (NOW, "view_operations"), (DIAGNOSIS, "run_diagnosis")],
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
    assert right not in client.get("/admin/").content.decode()
    clerk.user_permissions.add(Permission.objects.get(codename=right))
    assert client.get(address).status_code == 200
    shown = client.get("/admin/").content.decode()
    assert f'href="{DIAGNOSIS if right == "run_diagnosis" else PAGE}"' in shown


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
    found = Process()
    monkeypatch.setattr(views.subprocess, "run", found.run)
    return found


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
    with views._one_at_a_time:
        assert "running already" in browser.post(DIAGNOSIS, {}).content.decode()
    assert "running already" not in browser.post(DIAGNOSIS, {}).content.decode()
