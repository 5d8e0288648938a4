"""The report: what each check finds, and that nothing private gets into it."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone
from pydantic import SecretStr

from jobs.ephemeral import heartbeats, progress
from jobs.files import disk, store
from jobs.ops import checks, dashboard
from jobs.ops.checks import Finding, Report, Verdict, scrubbed
from jobs.upstream import breaker
from stories.errors import InputError, NoSuchAccount, PrivateAccount, Refused, UpstreamDown
from stories.media import decoders
from stories.probe import ProbeReport, Step, StepResult
from tests.factories import make_artifact, make_item, make_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def _all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis answers, a worker lives, the clean-up came by, there is a folder."""
    now = timezone.now()
    monkeypatch.setattr(
        progress,
        "server_facts",
        lambda: progress.ServerFacts(version="7.2.4", used_bytes=1_500_000, clock=now),
    )
    monkeypatch.setattr(breaker, "standing", lambda: None)
    monkeypatch.setattr(heartbeats, "heard", lambda: {"worker-7@attic-nas": now})
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: heartbeats.Sweep(now, {"failed": 0}))


def by_part(report: Report) -> dict[str, Finding]:
    """The first of each part: PostgreSQL brings a clock of its own."""
    return {one.part: one for one in reversed(report.findings)}


@pytest.mark.usefixtures("_all_is_well")
def test_all_is_well() -> None:
    make_job(links=2, state="done")
    report = checks.run()
    assert report.ok
    found = by_part(report)
    assert list(found)[::-1] == [
        "database", "redis", "worker", "queue", "scheduler", "disk", "clock", "failures", "pause",
    ]  # fmt: skip
    assert {one.verdict for one in report.findings} == {Verdict.OK, Verdict.NOTE}
    assert "up to date" in found["database"].said
    assert found["worker"].said.startswith("1 alive")
    assert found["failures"].said == "2 lines settled within 24 h, 0 not in full"
    assert "attic-nas" not in str(report)
    assert not list((store.settings.STORYKEEP.artifacts / "work").iterdir())


def test_without_redis() -> None:
    found = by_part(checks.run())
    assert found["database"].verdict is Verdict.OK
    for part in ("redis", "worker", "scheduler", "clock", "pause"):
        assert found[part].verdict is Verdict.FAIL
    assert "manage.py up" in found["redis"].hint


@pytest.mark.usefixtures("_all_is_well")
def test_what_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = timezone.now() - timedelta(hours=3)
    make_item(asked_at=long_ago)
    make_item(state="failed", error_code="gone")
    monkeypatch.setattr(heartbeats, "heard", dict)
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: heartbeats.Sweep(long_ago, {}))
    monkeypatch.setattr(breaker, "standing", lambda: breaker.Breaker(long_ago, "refused"))
    monkeypatch.setattr(disk, "free_bytes", lambda: -1)
    monkeypatch.setattr(
        progress,
        "server_facts",
        lambda: progress.ServerFacts(version="7", used_bytes=0, clock=long_ago),
    )
    report = checks.run()
    found = by_part(report)
    assert not report.ok
    verdicts = {part: one.verdict for part, one in found.items()}
    assert verdicts == {
        "database": Verdict.OK,
        "redis": Verdict.OK,
        "worker": Verdict.FAIL,
        "queue": Verdict.WARN,
        "scheduler": Verdict.FAIL,
        "disk": Verdict.FAIL,
        "clock": Verdict.FAIL,
        "failures": Verdict.NOTE,
        "pause": Verdict.WARN,
    }
    assert "3 h ahead of that of Redis" in found["clock"].said
    assert "the oldest due for 3 h" in found["queue"].said
    assert found["failures"].said.endswith("gone 1")
    assert "too little for new work" in found["disk"].said


@pytest.mark.parametrize(("seconds", "verdict"), [(100, Verdict.OK), (185, Verdict.FAIL)])
def test_a_scheduler_that_stopped(
    monkeypatch: pytest.MonkeyPatch, seconds: int, verdict: Verdict
) -> None:
    at = timezone.now() - timedelta(seconds=seconds)
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: heartbeats.Sweep(at, {}))
    (found,) = checks.scheduler()
    assert found.verdict is verdict


@pytest.mark.usefixtures("_all_is_well")
def test_unknown_sweep_running_pause_unwritable_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError(13, "no", "/srv/secret/place")

    soon = timezone.now() + timedelta(seconds=90)
    monkeypatch.setattr(heartbeats, "last_sweep", lambda: None)
    monkeypatch.setattr(breaker, "standing", lambda: breaker.Breaker(soon, "challenged"))
    monkeypatch.setattr(disk.tempfile, "TemporaryFile", refuse)
    report = checks.run()
    found = by_part(report)
    assert found["scheduler"].verdict is Verdict.NOTE
    assert "nobody asks for another 90 s" in found["pause"].said
    assert "writing fails (PermissionError)" in found["disk"].said
    assert "secret" not in str(report)


@pytest.mark.usefixtures("_all_is_well")
def test_a_database_that_is_away_says_no_more_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise DatabaseError("password authentication failed for user hunter2 at db.example")

    monkeypatch.setattr(dashboard, "database_version", away)
    report = checks.run()
    assert by_part(report)["database"].said == "does not answer (DatabaseError)"
    assert "hunter2" not in str(report)


@pytest.mark.usefixtures("_all_is_well")
def test_each_part_is_judged_by_itself_while_the_database_is_away() -> None:
    def away(*_: Any) -> None:
        raise OperationalError("no")

    with connection.execute_wrapper(away):
        found = by_part(checks.run())
    assert {part: one.verdict.value for part, one in found.items()} == {
        **dict.fromkeys(("database", "queue", "failures"), "fail"),
        **dict.fromkeys(("redis", "worker", "scheduler", "disk", "clock", "pause"), "ok"),
    }
    assert found["database"].said == "does not answer (OperationalError)"
    for part in ("queue", "failures"):
        assert found[part].said == "not known while the database does not answer"
    assert found["disk"].said.endswith("free, how much is used is not known, writable")


def test_a_folder_that_is_not_there_is_not_made(artifacts: Path) -> None:
    shutil.rmtree(artifacts)
    (found,) = checks.disk()
    assert found.verdict is Verdict.FAIL
    assert "STORYKEEP_DATA_DIR" in found.hint
    assert not artifacts.exists()


def test_a_folder_that_is_not_the_one_files_are_in(artifacts: Path) -> None:
    make_artifact()
    (artifacts / disk.MARK).unlink()
    (found,) = checks.disk()
    assert found.verdict is Verdict.FAIL
    assert disk.MARK in found.hint


def test_a_schema_that_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.MigrationExecutor, "migration_plan", lambda *_: [1, 2])
    (found,) = checks.database()
    assert (found.verdict, "2 migrations" in found.said) == (Verdict.FAIL, True)


# --- TikTok -------------------------------------------------------------------------------------


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`seen(step, …)`: what a look at TikTok finds."""

    def set_up(*steps: StepResult, ahead: float | None = None) -> None:
        async def look(_: Any) -> ProbeReport:
            return ProbeReport(steps=steps, clock_ahead_s=ahead)

        monkeypatch.setattr(checks, "_look", look)

    return set_up


def test_a_look_that_works(seen: Callable[..., None]) -> None:
    seen(
        StepResult(step=Step.PROFILE, took_s=0.42),
        StepResult(step=Step.LIST, took_s=0.1, stories=3),
        StepResult(
            step=Step.MEDIA, took_s=12, sample_bytes=1024, file_format="an MP4 file", mirror=2
        ),
        ahead=-3600,
    )
    assert [str(one.said) for one in checks.look(checks.account("@Some.One"))] == [
        "@some.one found in 420 ms",
        "3 active stories listed in 100 ms",
        "1024 bytes of an MP4 file in 12 s, from address 2",
        "60 min behind that of TikTok",
    ]


def test_a_look_that_fails(seen: Callable[..., None]) -> None:
    error = Refused("www.tiktok.com/@some.one: status 403")
    seen(StepResult(step=Step.PROFILE, took_s=0.2, error=error))
    (found,) = checks.look(checks.account("some.one"))
    assert found.verdict is Verdict.FAIL
    assert found.said == ("@some.one: refused after 200 ms (www.tiktok.com/@some.one: status 403)")
    assert "refuses this server" in found.hint


@pytest.fixture
def proxy(set_env: Callable[..., None]) -> Iterator[socket.socket]:
    """Something that takes connections, until it is closed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        set_env(proxy=SecretStr(f"http://someone:hunter2@127.0.0.1:{port}"))
        yield server


def test_a_proxy_that_is_down_is_not_tiktoks_fault(
    proxy: socket.socket, seen: Callable[..., None]
) -> None:
    seen(StepResult(step=Step.PROFILE, took_s=0))
    (found,) = checks.proxy()
    assert found.verdict is Verdict.OK
    assert [one.part for one in checks.look(checks.account("some.one"))] == ["profile"]
    proxy.close()
    (found,) = checks.proxy()
    assert (found.verdict, found.said) == (
        Verdict.FAIL, "takes no connection (ConnectionRefusedError)",
    )  # fmt: skip
    (found,) = checks.look(checks.account("some.one"))
    assert found.said == "cannot be asked: the proxy takes no connection"
    assert "STORYKEEP_PROXY" in found.hint


def test_what_a_proxy_refuses_is_not_tiktoks_fault(seen: Callable[..., None]) -> None:
    error = UpstreamDown("www.tiktok.com/@some.one: ProxyError")
    error.__cause__ = type("ProxyError", (Exception,), {})()
    seen(StepResult(step=Step.PROFILE, took_s=0.2, error=error))
    (found,) = checks.look(checks.account("some.one"))
    assert "STORYKEEP_PROXY" in found.hint
    assert "TikTok" not in found.hint


def test_nothing_to_try_a_file_on(seen: Callable[..., None]) -> None:
    seen(StepResult(step=Step.MEDIA, took_s=0, skipped=True))
    (found,) = checks.look(checks.account("some.one"))
    assert found.verdict is Verdict.NOTE


def test_an_authority_that_cannot_be_read(set_env: Callable[..., None]) -> None:
    set_env(ca_bundle="/srv/secret/place.pem")
    (found,) = checks.look(checks.account("some.one"))
    assert found.said == "cannot be asked (FileNotFoundError)"


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("www.tiktok.com/@given: status 403", "www.tiktok.com/@given: status 403"),
        ("www.tiktok.com/@other.one: 429", "www.tiktok.com/@…: 429"),
        ("v16-webapp-prime.tiktok.com: status 403", "v16-webapp-prime.tiktok.com: status 403"),
        ("p16-common-sign-useastred.tiktokcdn.com: empty", None),
        ("got /video?expire=1&signature=abc= there", "got /video?… there"),
        ("http://user:hunter2@proxy.example: no", "http://…@…: no"),
        ("item 7441111111111111111 is gone", "item … is gone"),
        ("ttwid=1%7CAbCdEfGhIjKlMnOpQrStUv", "…"),
        ("userInfo.user.id is missing", "userInfo.user.id is missing"),
        ("x " * 200, ("x " * 80)),
    ],
)
def test_a_detail_is_safe(detail: str, said: str | None) -> None:
    assert scrubbed(detail, "given") == (detail if said is None else said)


@pytest.mark.parametrize("line", ["https://vm.tiktok.com/ZMabcdef1/", "", "x y", "#tag"])
def test_only_an_account_will_do(line: str) -> None:
    with pytest.raises(InputError):
        checks.account(line)


@pytest.mark.parametrize("error", [PrivateAccount("real.name"), NoSuchAccount("status 404")])
def test_no_other_name_is_told(seen: Callable[..., None], error: Any) -> None:
    seen(StepResult(step=Step.PROFILE, took_s=0, error=error))
    (found,) = checks.look(checks.account("@given"))
    assert "real.name" not in found.said


# --- the command --------------------------------------------------------------------------------


def run(*typed: str) -> tuple[int, str]:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("diagnose", *typed, stdout=out)
    return int(str(ended.value.code)), out.getvalue()


@pytest.mark.usefixtures("_all_is_well")
def test_the_command() -> None:
    code, text = run()
    assert code == 0
    assert text.startswith("Storykeep 0.")
    assert "\nok    database" in text
    code, text = run("--json")
    told = json.loads(text)
    assert (code, told["ok"]) == (0, True)
    assert told["findings"][0]["verdict"] == "ok"
    assert datetime.fromisoformat(told["at"]).tzinfo == UTC


@pytest.mark.usefixtures("_all_is_well")
def test_findings_in_the_readers_language_and_the_text_in_ours() -> None:
    make_item(state="failed", error_code="gone")
    _code, text = run("--json", "--language", "de")
    told = json.loads(text)
    found = {one["part"]: one for one in told["findings"]}
    assert found["worker"]["said"].startswith("1 am Leben, letztes Lebenszeichen vor ")
    assert (found["database"]["title"], found["database"]["judged"]) == ("Datenbank", "gut")
    assert found["failures"]["said"] == (
        "1 Zeile binnen 24 h erledigt, 1 davon nicht vollständig: gone 1"
    )
    assert "\nok    worker    1 alive" in told["text"]
    assert found["database"]["verdict"] == "ok"


def test_every_part_and_form_has_a_name() -> None:
    forms = [one for one in vars(decoders).values() if isinstance(one, decoders.FileFormat)]
    sampled = {one.description for one in forms if one.family in {"picture", "mp4"}}
    assert sampled == set(checks.FORMS)
    named = {one.__name__ for one in checks.CHECKS} | {str(step) for step in Step}
    assert named | {"tiktok"} == set(checks.PARTS)


def test_the_command_fails_when_something_does() -> None:
    code, text = run()
    assert code == 1
    assert "fail  redis" in text
    assert "                Is Storykeep running" in text


def test_the_command_with_nonsense() -> None:
    with pytest.raises(CommandError) as caught:
        call_command("diagnose", "https://vm.tiktok.com/ZMabcdef1/")
    assert caught.value.returncode == 2


def test_a_clock_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL there is one more to compare with."""
    monkeypatch.setattr(
        progress,
        "server_facts",
        lambda: progress.ServerFacts(version="7", used_bytes=0, clock=datetime.now(UTC)),
    )
    clocks = 2 if connection.vendor == "postgresql" else 1
    assert [one.verdict for one in checks.clock()] == [Verdict.OK] * clocks
