"""The checks: what each finds, and that nothing private gets into it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from jobs.ephemeral import connection as redis_connection
from jobs.ephemeral import heartbeats, media_hosts
from jobs.ephemeral.connection import RedisUnavailable, ServerInfo
from jobs.files import disk, marks
from jobs.ops import checks, dashboard, diagnostics, readiness, schema
from jobs.ops.findings import PARTS, Finding, Report, Verdict
from jobs.states import ItemState
from jobs.upstream import breaker, page_identity, site_clock
from tests.factories import make_artifact, make_item, make_job
from tests.unit.jobs.ops.instances import clocks_of_servers, make_healthy

pytestmark = pytest.mark.django_db


@pytest.fixture
def _all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    make_healthy(monkeypatch)


def by_part(report: Report) -> dict[str, Finding]:
    """The findings by part, in the order of the report."""
    assert len({finding.part for finding in report.findings}) == len(report.findings)
    return {finding.part: finding for finding in report.findings}


@pytest.mark.usefixtures("_all_is_well")
def test_all_is_well() -> None:
    make_job(links=2, state=ItemState.DONE)
    report = diagnostics.run()
    assert report.ok
    found = by_part(report)
    assert list(found) == [
        "database", "redis", "worker", "queue", "scheduler", "disk", *clocks_of_servers(),
        "failures", "pause", "protocol", "ways", "hosts",
    ]  # fmt: skip
    assert {finding.verdict for finding in report.findings} == {Verdict.OK, Verdict.NOTE}
    assert "up to date" in found["database"].message
    assert found["worker"].message.startswith("1 alive")
    assert found["failures"].message == "2 lines settled within 24 h, 0 not in full"
    assert "attic-nas" not in str(report)
    assert not list((settings.STORYKEEP.artifacts / "work").iterdir())


@pytest.mark.usefixtures("_all_is_well")
def test_one_worker_of_two(set_env: Callable[..., None]) -> None:
    make_job(links=2, state=ItemState.DONE)
    set_env(workers=2)
    found = by_part(diagnostics.run())
    assert found["worker"].verdict is Verdict.WARN
    assert found["worker"].message.startswith("1 of 2 alive")


def test_without_redis() -> None:
    found = by_part(diagnostics.run())
    assert found["database"].verdict is Verdict.OK
    for part in ("redis", "worker", "scheduler", "clock", "pause", "hosts"):
        assert found[part].verdict is Verdict.FAIL
    assert "manage.py up" in found["redis"].hint


@pytest.mark.usefixtures("_all_is_well")
def test_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = timezone.now() - timedelta(hours=3)
    make_item(asked_at=long_ago)
    make_item(state="failed", error_code="gone")
    monkeypatch.setattr(heartbeats, "last_seen", dict)
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: heartbeats.Sweep(long_ago, {}))
    monkeypatch.setattr(breaker, "shared_state", lambda: breaker.BreakerState(long_ago, "refused"))
    monkeypatch.setattr(disk, "free_bytes", lambda: -1)
    hosts = dict.fromkeys(("v16.cdn.example", "p16.cdn.example"), long_ago)
    monkeypatch.setattr(media_hosts, "recent", lambda: hosts)
    monkeypatch.setattr(
        redis_connection,
        "server_info",
        lambda: ServerInfo(version="7", used_bytes=0, clock=long_ago),
    )
    report = diagnostics.run()
    found = by_part(report)
    assert not report.ok
    verdicts = {part: finding.verdict for part, finding in found.items()}
    assert verdicts == {
        "database": Verdict.OK,
        "redis": Verdict.OK,
        "worker": Verdict.FAIL,
        "queue": Verdict.FAIL,
        "scheduler": Verdict.FAIL,
        "disk": Verdict.FAIL,
        **dict.fromkeys(clocks_of_servers(), Verdict.OK),
        "clock": Verdict.FAIL,
        "failures": Verdict.NOTE,
        "pause": Verdict.WARN,
        "ways": Verdict.OK,
        "protocol": Verdict.OK,
        "hosts": Verdict.WARN,
    }
    assert found["hosts"].message == (
        "2 unknown hosts, last met 3 h ago: v16.cdn.example, p16.cdn.example"
    )
    assert found["clock"].message == "This server's clock is 3 h ahead of Redis's"
    assert "the oldest due for 3 h, and no worker takes it" in found["queue"].message
    assert found["failures"].message.endswith("gone 1")
    assert "too little for new work" in found["disk"].message


@pytest.mark.usefixtures("_all_is_well")
@pytest.mark.parametrize(("seconds", "verdict"), [(100, Verdict.OK), (185, Verdict.FAIL)])
def test_a_scheduler_that_stopped(
    monkeypatch: pytest.MonkeyPatch, seconds: int, verdict: Verdict
) -> None:
    at = timezone.now() - timedelta(seconds=seconds)
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: heartbeats.Sweep(at, {}))
    (finding,) = checks.check_scheduler()
    assert finding.verdict is verdict


@pytest.mark.usefixtures("_all_is_well")
def test_unknown_sweep_running_pause_unwritable_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError(13, "no", "/srv/secret/place")

    soon = timezone.now() + timedelta(seconds=90)
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: None)
    monkeypatch.setattr(breaker, "shared_state", lambda: breaker.BreakerState(soon, "challenged"))
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    report = diagnostics.run()
    found = by_part(report)
    assert found["scheduler"].verdict is Verdict.NOTE
    assert re.search(r"nobody asks for another \d+ s$", str(found["pause"].message))
    assert found["disk"].message == "no file can be written"
    assert "read-only" in found["disk"].hint
    assert "secret" not in str(report)


@pytest.mark.usefixtures("_all_is_well")
def test_a_database_that_is_away_says_no_more_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise DatabaseError("password authentication failed for user hunter2 at db.example")

    monkeypatch.setattr(dashboard, "database_version", away)
    report = diagnostics.run()
    assert by_part(report)["database"].message == "does not answer (DatabaseError)"
    assert "hunter2" not in str(report)


@pytest.mark.usefixtures("_all_is_well")
def test_each_part_is_judged_by_itself_while_the_database_is_away() -> None:
    def away(*_: Any) -> None:
        raise OperationalError("no")

    with connection.execute_wrapper(away):
        found = by_part(diagnostics.run())
    assert {part: finding.verdict.value for part, finding in found.items()} == {
        **dict.fromkeys(
            ("database", "queue", "failures", "ways", "protocol", *clocks_of_servers()), "fail"
        ),
        **dict.fromkeys(("redis", "worker", "scheduler", "disk", "clock", "pause", "hosts"), "ok"),
    }
    assert found["database"].message == "does not answer (OperationalError)"
    for part in ("queue", "failures", "ways", "protocol"):
        assert found[part].message == "not known while the database does not answer"
    assert found["disk"].message.endswith("free, how much is used is not known, writable")


def test_a_folder_that_is_not_there_is_not_made(artifacts: Path) -> None:
    shutil.rmtree(artifacts)
    (finding,) = checks.check_disk()
    assert finding.verdict is Verdict.FAIL
    assert "STORYKEEP_DATA_DIR" in finding.hint
    assert not artifacts.exists()


def test_a_folder_that_is_away_is_told_as_one_that_is_not_mounted(artifacts: Path) -> None:
    make_artifact()
    shutil.rmtree(artifacts)
    (finding,) = checks.check_disk()
    assert finding.verdict is Verdict.FAIL
    assert "mounted" in finding.hint
    assert "manage.py up" not in finding.hint, "it would not make it"


def test_a_folder_that_is_not_the_one_files_are_in(artifacts: Path) -> None:
    make_artifact()
    (artifacts / marks.SENTINEL).unlink()
    (finding,) = checks.check_disk()
    assert finding.verdict is Verdict.FAIL
    assert marks.SENTINEL in finding.hint


def test_a_schema_that_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness.migrations, "done", False)
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [1, 2])
    (finding,) = checks.check_database()
    assert (finding.verdict, "migrations are missing" in finding.message) == (Verdict.FAIL, True)


@pytest.mark.parametrize(
    "reason",
    ["not_mounted", "full", "not_writable", "no_more_files", "store_away", "store_refuses",
     "store_missing", "store_full", "store_is_another"],
)  # fmt: skip
def test_a_disk_that_is_not_ready_is_no_better_in_a_diagnosis(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(readiness, "artifact_disk", lambda: reason)
    (finding,) = checks.check_disk()
    assert (finding.part, finding.verdict) == ("disk", Verdict.FAIL)
    assert finding.hint


def test_exactly_as_little_room_as_is_kept_free_is_too_little_for_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda: settings.STORYKEEP.disk_min_free)
    assert readiness.artifact_disk() == "full"
    (finding,) = checks.check_disk()
    assert "too little for new work" in finding.message


def test_at_the_limit_for_saved_files_new_work_is_refused_and_the_instance_is_ready(
    set_env: Callable[..., None],
) -> None:
    """Pages and downloads work, and files go by themselves."""
    make_artifact(content=b"full house")
    set_env(disk_max=10)
    assert readiness.artifact_disk() == ""
    (finding,) = checks.check_disk()
    assert finding.verdict is Verdict.FAIL
    assert "10 B of 10 B used" in finding.message
    assert "STORYKEEP_DISK_MAX" in finding.hint


def test_the_disk_is_judged_while_the_database_is_away(artifacts: Path) -> None:
    """Whether the folder is the right one is not known then."""

    def away(*_: Any) -> None:
        raise OperationalError("no")

    (artifacts / marks.SENTINEL).unlink(missing_ok=True)
    with connection.execute_wrapper(away):
        assert readiness.artifact_disk() == ""


@pytest.mark.parametrize(("behind_s", "verdict"), [(25, Verdict.OK), (35, Verdict.FAIL)])
def test_a_clock_of_our_own_machines_may_differ_by_less(
    monkeypatch: pytest.MonkeyPatch, behind_s: int, verdict: Verdict
) -> None:
    theirs = datetime.now(UTC) + timedelta(seconds=behind_s)
    info = ServerInfo(version="7", used_bytes=0, clock=theirs)
    monkeypatch.setattr(redis_connection, "server_info", lambda: info)
    (finding,) = checks.check_clock()
    assert finding.verdict is verdict


def test_the_clocks_of_redis_and_the_database_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL has one, SQLite has none."""
    monkeypatch.setattr(
        redis_connection,
        "server_info",
        lambda: ServerInfo(version="7", used_bytes=0, clock=datetime.now(UTC)),
    )
    found = [*checks.check_clock(), *checks.check_database_clock()]
    compared = [(finding.part, finding.verdict) for finding in found]
    assert compared == [(part, Verdict.OK) for part in clocks_of_servers()]


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "message"),
    [
        (170.0, Verdict.OK, "agrees with this server's"),
        (-170.0, Verdict.OK, "agrees with this server's"),
        (2 * 86_400.0, Verdict.FAIL, "This server's clock is 2 days ahead of TikTok's"),
        (-2 * 86_400.0, Verdict.FAIL, "This server's clock is 2 days behind TikTok's"),
        (7_300.0, Verdict.FAIL, "This server's clock is 2 h ahead of TikTok's"),
        (-400.0, Verdict.FAIL, "This server's clock is 6 min behind TikTok's"),
    ],
)
def test_what_a_worker_learnt_of_the_clock_is_told(
    monkeypatch: pytest.MonkeyPatch, ahead_s: float, verdict: Verdict, message: str
) -> None:
    monkeypatch.setattr(site_clock, "ahead_s", lambda: ahead_s)
    (finding,) = checks.check_site_clock()
    assert (finding.part, finding.verdict, str(finding.message)) == ("siteclock", verdict, message)
    assert bool(finding.hint) is (verdict is Verdict.FAIL)


def test_a_clock_nobody_has_compared_is_not_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(checks.check_site_clock()) == []  # no Redis
    monkeypatch.setattr(site_clock, "ahead_s", lambda: None)
    assert list(checks.check_site_clock()) == []


def test_every_clock_has_a_name_of_its_own() -> None:
    titles = [str(PARTS[part]) for part in ("clock", "dbclock", "siteclock")]
    assert len(set(titles)) == 3


@pytest.mark.parametrize(
    ("name", "verdict"), [("chrome150", Verdict.OK), ("chrome146+referer", Verdict.NOTE)]
)
def test_who_tiktok_is_asked_as(
    monkeypatch: pytest.MonkeyPatch, name: str, verdict: Verdict, set_env: Callable[..., None]
) -> None:
    set_env(page_transport="curl")
    assert list(checks.check_identity()) == []  # no Redis
    monkeypatch.setattr(page_identity, "in_use", lambda: name)
    (finding,) = checks.check_identity()
    assert (finding.part, finding.verdict) == ("identity", verdict)
    assert name in str(finding.message)


@pytest.mark.parametrize(
    ("reason", "verdict", "words", "hint"),
    [
        ("MISCONF", Verdict.FAIL, "cannot be written to (no_snapshot)", "disk of Redis"),
        ("READONLY", Verdict.FAIL, "cannot be written to (read_only)", "the primary"),
        ("OOM", Verdict.FAIL, "cannot be written to (full)", "maxmemory"),
        ("NOPERM", Verdict.FAIL, "cannot be written to (refuses)", "min-replicas-to-write"),
    ],
)
@pytest.mark.usefixtures("_all_is_well")
def test_a_redis_that_answers_and_refuses_to_be_written(
    monkeypatch: pytest.MonkeyPatch, reason: str, verdict: Verdict, words: str, hint: str
) -> None:
    def refuse() -> None:
        raise RedisUnavailable(reason)

    monkeypatch.setattr(redis_connection, "probe_write", refuse)
    (finding,) = checks.check_redis()
    assert finding.verdict is verdict
    assert words in finding.message
    assert hint in finding.hint


@pytest.mark.usefixtures("_all_is_well")
def test_nobody_is_called_dead_who_can_give_no_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise RedisUnavailable("NOREPLICAS")

    long_ago = timezone.now() - timedelta(hours=3)
    monkeypatch.setattr(redis_connection, "probe_write", refuse)
    monkeypatch.setattr(heartbeats, "last_seen", dict)
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: heartbeats.Sweep(long_ago, {}))
    found = list(checks.run_checks(("redis", "worker", "scheduler")))
    assert [finding.known for finding in found] == [True, False, False]


def test_a_redis_that_does_not_take_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RedisUnavailable("WRONGPASS")

    monkeypatch.setattr(redis_connection, "server_info", refuse)
    (finding,) = checks.check_redis()
    assert finding.message == "does not accept the password"
    assert "password in STORYKEEP_REDIS_URL" in finding.hint


@pytest.mark.usefixtures("_all_is_well")
def test_a_redis_that_goes_on_without_its_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    info = ServerInfo(version="7", used_bytes=0, clock=timezone.now(), saves=False)
    monkeypatch.setattr(redis_connection, "server_info", lambda: info)
    (finding,) = checks.check_redis()
    assert finding.verdict is Verdict.WARN
    assert finding.message.endswith("but cannot write its snapshot")


@pytest.mark.parametrize("reason", ["busy", "read_only", "full", "away"])
def test_a_database_that_answers_and_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(readiness, "database", lambda: reason)
    (finding,) = checks.check_database()
    assert finding.verdict is Verdict.FAIL
    assert f"cannot be written to ({reason})" in finding.message
    assert finding.hint or reason == "away"


@pytest.mark.usefixtures("_all_is_well")
@pytest.mark.parametrize(
    ("limit", "verdict", "reason"),
    [(10, Verdict.FAIL, "full"), (11, Verdict.WARN, "near"), (12, Verdict.OK, ""),
     (0, Verdict.OK, "")],
)  # fmt: skip
def test_a_disk_near_its_limit_is_a_warning(
    set_env: Callable[..., None], limit: int, verdict: Verdict, reason: str
) -> None:
    make_artifact(content=b"full house")
    set_env(disk_max=limit)
    (found,) = checks.check_disk()
    assert (found.verdict, found.reason) == (verdict, reason)


@pytest.mark.usefixtures("_all_is_well")
def test_little_free_space_is_a_warning(
    set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_env(disk_min_free=500)
    monkeypatch.setattr(disk, "free_bytes", lambda: 1000)
    assert [found.reason for found in checks.check_disk()] == ["near"]
    monkeypatch.setattr(disk, "free_bytes", lambda: 1001)
    assert [found.verdict for found in checks.check_disk()] == [Verdict.OK]


def test_what_cannot_be_known_is_no_finding_of_its_own() -> None:
    found = {finding.part: finding for finding in checks.run_checks(("redis", "worker", "clock"))}
    assert found["redis"].known
    assert not found["worker"].known
    assert not found["clock"].known


def test_a_schema_of_a_newer_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "unknown_migrations", lambda: ["jobs.9999_of_tomorrow"])
    (finding,) = checks.check_database()
    assert (finding.verdict, finding.reason) == (Verdict.FAIL, "newer")
    assert "newer version" in finding.message
