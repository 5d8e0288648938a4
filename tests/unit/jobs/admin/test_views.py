"""The pages without a model: operations in every state; a right for each."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.ephemeral import connection, heartbeats
from jobs.ephemeral.orphan_files import WaitingOrphans
from jobs.errors import BY_CODE, StorageUnavailable, message_and_hint
from jobs.files import capacity, disk
from jobs.states import ItemState
from jobs.upstream import breaker, page_identity, pauses, site_clock
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
    assert "Everything is fine." in page
    assert "nothing waits for a worker" in page
    assert ">Reachable<" in page
    assert "No link was finished." in page
    assert "3 files deleted, 12.3 MB freed" in page
    assert 'bad"' not in page
    assert "Nothing in the last 7 days." in page
    assert "<h2>Versions" not in page
    assert 'href="/admin/diagnosis/"' not in page


def test_who_runs_what(redis: dict[str, Any], browser: Client) -> None:
    make_running(redis)
    page = text(browser)
    assert "12.0 MB / 30.0 MB" in page
    assert "unknown worker" in page
    assert "bob" in page
    assert "secret.name" not in page


def test_failures_by_code_and_hour(redis: dict[str, Any], browser: Client) -> None:
    make_settled(timezone.now())
    page = text(browser)
    assert "3 of 5 links failed, in whole or in part." in page
    assert "3 of 5 links failed in the last 24 hours." in page
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
    ("seconds", "word", "card"), [(240, "Paused until", "warn"), (-5, "The pause is over", None)]
)
def test_a_pause(
    redis: dict[str, Any], browser: Client, seconds: int, word: str, card: str | None
) -> None:
    until = timezone.now() + timedelta(seconds=seconds)
    redis["breaker"] = breaker.BreakerState(until, "challenged")
    page = text(browser)
    assert word in page
    assert ('class="vital warn"' in page) is (card == "warn")
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
    assert 'class="vital warn"' in page
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
    assert page.count('class="card bad"') == 3
    assert page.count('class="vital bad"') == 2
    assert "No worker is online: nothing is being saved." in page
    assert "waiting, oldest 2 h" in page
    assert "No worker online" in page
    assert "is overdue" in page
    assert "2 deletions failed" in page
    redis["sweep"] = None
    assert "None yet." in text(browser)


def test_files_left_behind_and_files_that_were_damaged(
    redis: dict[str, Any], browser: Client
) -> None:
    assert "None damaged in the last 7 days" in text(browser)
    until = timezone.now() + timedelta(minutes=9)
    redis["orphans"] = {0: WaitingOrphans(14, 11_500_000, until), 8: WaitingOrphans(1, 500, until)}
    redis["damaged"] = 2
    page = text(browser)
    assert "15 files (11.5 MB) left behind by a worker that ended; deleted at" in page
    assert "2 were damaged on the disk in the last 7 days and removed: check the disk." in page


def test_a_disk_that_cannot_be_written_is_said_first(
    redis: dict[str, Any], browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise StorageUnavailable("the disk answers EROFS")

    monkeypatch.setattr(disk, "probe_write", refuse)
    page = text(browser)
    assert "The disk cannot be written to: nothing is being saved." in page
    assert "It cannot be written to." in page


@pytest.mark.parametrize(
    ("seconds", "said", "late"),
    [
        (10, "Next at", False),
        (70, "The next is due.", False),  # one may be on its way, or behind other work
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
    assert ('class="vital bad"' in page) is late


def test_without_redis_and_disk(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise FileNotFoundError

    monkeypatch.setattr(capacity, "measure", away)
    page = text(browser)
    assert page.count("Redis does not answer, so nobody knows.") == 5
    assert page.count('class="vital warn"') == 3  # what is not known is not in order
    assert "Redis does not answer: nothing new is being saved." in page
    assert "Reachable" not in page
    assert "None yet." not in page
    assert "The folder for saved files cannot be found." in page


def test_while_redis_takes_nothing_no_worker_is_called_dead(
    browser: Client, redis: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise connection.RedisUnavailable("NOREPLICAS")

    redis["heard"] = {}
    monkeypatch.setattr(connection, "probe_write", refuse)
    page = text(browser)
    assert "Redis cannot be written to, so nobody knows." in page
    assert "No worker" not in page


@pytest.mark.usefixtures("redis")
def test_redis_going_away_between_two_questions(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise connection.RedisUnavailable

    monkeypatch.setattr(breaker, "shared_state", away)
    page = text(browser)
    assert page.count("Redis does not answer, so nobody knows.") == 5


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
    with django_assert_max_num_queries(11):
        again = browser.get(NOW, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    make_item()
    assert browser.get(NOW, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


REASON = re.compile(
    r'<th scope="row"><a href="([^"]+)">([^<]+)</a>.*</th><td>(\d+|–)</td><td>(\d+)</td>'
)
"""A row of What failed: its list, what happened, lines of 24 hours and of 7 days."""


@pytest.mark.usefixtures("redis")
def test_each_reason_leads_to_its_lines(browser: Client) -> None:
    """By one link, whose name is the reason; as many as it says of the last 7 days."""
    make_settled(timezone.now())
    make_item(state="empty", error_code="gone", settled_at=timezone.now())
    make_item(state="failed", error_code="gone", settled_at=timezone.now() - timedelta(days=30))
    rows = REASON.findall(unescape(text(browser)))
    assert [row[1:] for row in rows] == [
        (str(message_and_hint("gone")[0]), "2", "3"),
        (str(message_and_hint("upstream_down")[0]), "1", "1"),
    ]
    for url, _message, _day, number in rows:
        listed = browser.get(url)
        assert listed.status_code == 200
        assert listed.context["cl"].result_count == int(number), url


@pytest.mark.usefixtures("redis")
def test_a_reason_counts_the_lines_its_list_shows_whatever_became_of_them(browser: Client) -> None:
    """Skipped, tried again, waiting, cancelled, saved in part, of yesterday or of a clock that was
    set back since: a line is counted and listed, or neither."""
    choose, now = random.Random(7), timezone.now()
    codes = [*choose.sample(sorted(BY_CODE), 12), "gone", "not_a_story", "of_another_version", ""]
    for _ in range(150):
        state = choose.choice(list(ItemState))
        hours = choose.choice([-30, -2, 0, 0, 5, 23, 24, 25, 100, 24 * 7 - 1, 24 * 7 + 1, 999])
        make_item(
            state=state,
            error_code=choose.choice(codes),
            settled_at=now - timedelta(hours=hours),  # also where it was queued again since
        )
    page = unescape(text(browser))
    rows = REASON.findall(page)
    assert len(rows) > 10
    for url, _message, _day, number in rows:
        assert browser.get(url).context["cl"].result_count == int(number), url
    day = [int(number) for _url, _message, number, _week in rows if number != "–"]
    assert f"{sum(day)} of " in page, "the sentence above is about the same lines"
    assert not any("not_a_story" in row[0] and "failed" in row[0] for row in rows)


@pytest.mark.usefixtures("redis")
def test_what_may_not_be_opened_is_no_link() -> None:
    make_settled(timezone.now())
    client = Client()
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_operations"))
    client.force_login(clerk)
    assert "/admin/jobs/" not in text(client)


@pytest.mark.parametrize(
    ("rights", "offered"),
    [
        (["view_operations"], False),
        (["view_operations", "cancel_item"], False),
        (["view_operations", "view_item"], False),
        (["view_operations", "view_item", "cancel_item"], True),
    ],
)
def test_what_runs_is_cancelled_from_its_row(
    redis: dict[str, Any], rights: list[str], *, offered: bool
) -> None:
    line, *_others = make_running(redis)
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(clerk)
    page = text(client)
    assert (f'name="_selected_action" value="{line.pk}"' in page) is offered
    assert ('id="cancel"' in page) is offered
    if offered:
        sent = {"action": "cancel", "back": "overview", "_selected_action": str(line.pk)}
        asked = client.post("/admin/jobs/item/", sent).content.decode()
        assert "1 open line will stop for good." in asked
        assert f'href="{PAGE}"' in asked
        done = client.post("/admin/jobs/item/", sent | {"confirmed": "yes"})
        assert done.headers["Location"] == PAGE
        line.refresh_from_db()
        assert line.state == "cancelled"


@pytest.mark.usefixtures("redis")
def test_pauses_are_in_the_chart_and_read_out(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    pause = pauses.Pause(
        since=now - timedelta(hours=3), until=now - timedelta(hours=2), code="challenged", waited=4
    )
    monkeypatch.setattr(pauses, "recent", lambda since, until: (pause,))
    page = text(browser)
    assert page.count('<rect class="pause"') == 1
    assert "TikTok slowed us down once" in page
    assert "4 links waited and went on." in page


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
