"""Problems: told from facts alone, each with its fix, failures first; quiet when there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jobs.ephemeral.backups import Told
from jobs.ops import problems
from jobs.ops.findings import Finding, Verdict
from jobs.ops.problems import Facts, Problem
from jobs.ops.way_rows import DeadWay

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
FINE = Facts(now=NOW, public_url="https://stories.example.org", begun_at=NOW, version="1.0")


def found(**changes: object) -> tuple[Problem, ...]:
    return problems.problems(replace(FINE, **changes))  # type: ignore[arg-type]


def codes(**changes: object) -> list[str]:
    return [problem.code for problem in found(**changes)]


def test_nothing_to_fix() -> None:
    assert found(findings=(Finding("redis", Verdict.OK, "fine"),)) == ()
    assert found(findings=(Finding("failures", Verdict.NOTE, "many"),)) == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"public_url": None}, "no_public_url"),
        ({"public_url": "http://stories.example.org"}, "plain_http"),
        ({"refused_since": NOW - timedelta(hours=24), "refusal_code": "refused"}, "refused"),
        ({"begun_at": NOW - timedelta(days=7)}, "no_backup"),
        ({"backed_up_at": NOW - timedelta(days=7)}, "no_backup"),
        ({"backup_failed": Told(at=NOW, kind="no_room", host="nas")}, "backup_failed"),
        ({"backup_failed": Told(at=NOW, kind="Odd", host="nas")}, "backup_failed"),
        ({"other_versions": (("worker-1@nas", "0.9"),)}, "other_version"),
        ({"mail_failed_at": NOW - timedelta(minutes=5)}, "mail"),
        ({"dead_ways": (DeadWay(name="gallery-dl", since=NOW, why=""),)}, "way_gallery-dl"),
        ({"unreadable": 2, "missing": "userInfo.user is missing"}, "unreadable"),
    ],
)
def test_each_problem_has_a_title_and_a_fix(changes: dict[str, object], code: str) -> None:
    (problem,) = found(**changes)
    assert problem.code == code
    assert str(problem.title)
    assert not str(problem.title).endswith(".")
    assert str(problem.fix).endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {"public_url": "http://localhost:8000"},
        {"public_url": "http://127.0.0.1"},
        {"public_url": "http://[::1]:8000"},
        {"refused_since": NOW - timedelta(hours=23, minutes=59)},
        {"begun_at": NOW - timedelta(days=6, hours=23)},
        {"begun_at": None},
        {"begun_at": NOW - timedelta(days=90), "backed_up_at": NOW - timedelta(days=6)},
    ],
)
def test_what_is_no_problem(changes: dict[str, object]) -> None:
    assert found(**changes) == ()


def test_without_a_public_address_the_readers_own_way_counts() -> None:
    assert codes(public_url=None, secure=False) == ["plain_http", "no_public_url"]
    assert codes(public_url=None, secure=True) == ["no_public_url"]
    assert codes(public_url="https://x.example", secure=False) == []


def test_what_a_check_finds_is_told_with_its_hint() -> None:
    worker = Finding("worker", Verdict.FAIL, "none", "Look at the worker's log.")
    disk = Finding("disk", Verdict.WARN, "9 of 10 GB", "Delete files.", reason="near")
    nearly, none = reversed(found(findings=(disk, worker)))
    assert (none.code, str(none.title)) == (
        "worker", "No worker is online: nothing is being saved",
    )  # fmt: skip
    assert (str(none.detail), str(none.fix), none.failing) == ("none.", worker.hint, True)
    assert (nearly.code, str(nearly.title)) == ("disk_near", "The disk is almost full")
    assert not nearly.failing


def test_without_a_hint_a_diagnosis_is_the_way() -> None:
    (problem,) = found(findings=(Finding("queue", Verdict.WARN, "late", reason="late"),))
    assert problem.page == "diagnosis"
    assert problem.fix


def test_what_could_not_be_checked_is_no_problem_of_its_own() -> None:
    """With Redis away, Redis is the one problem."""
    unknown = tuple(
        Finding(part, Verdict.FAIL, "not known", known=False) for part in ("worker", "clock")
    )
    redis = Finding("redis", Verdict.FAIL, "does not answer", "Is it running?")
    assert codes(findings=(redis, *unknown)) == ["redis"]


def test_three_clocks_that_are_off_are_one_problem() -> None:
    clocks = tuple(
        Finding(part, Verdict.FAIL, "3 h ahead", "NTP.")
        for part in ("clock", "dbclock", "siteclock")
    )
    assert codes(findings=clocks) == ["clock"]


def test_a_reason_without_a_title_has_that_of_its_part() -> None:
    (problem,) = found(findings=(Finding("disk", Verdict.FAIL, "x", "y", reason="not_mounted"),))
    assert str(problem.title) == "Files cannot be saved"


def test_failures_stand_first() -> None:
    listed = found(public_url=None, mail_failed_at=NOW, begun_at=NOW - timedelta(days=30))
    assert [problem.code for problem in listed] == ["mail", "no_backup", "no_public_url"]
    assert [problem.may_hide for problem in listed] == [False, True, True]


def test_every_part_that_is_checked_has_a_title() -> None:
    for part in problems.CHECKED_PARTS:
        assert part.endswith("clock") or (part, "") in problems.FIRST


def test_a_disk_that_has_not_kept_files_is_a_problem_one_may_hide() -> None:
    assert codes(damaged=0) == []
    (problem,) = found(damaged=3)
    assert str(problem.title) == "3 saved files were damaged on the disk"
    assert (problem.failing, problem.may_hide) == (False, True)


def test_a_way_that_was_not_there_is_told_so() -> None:
    since = NOW - timedelta(hours=3)
    way = DeadWay(name="browser", since=since, why="no Chromium on the PATH", is_missing=True)
    (problem,) = found(dead_ways=(way,))
    assert str(problem.detail) == (
        "It was needed 3 h ago, and was not there. Reason: no Chromium on the PATH."
    )


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("challenged", "TikTok is checking this server."),
        ("took more than 25 s", "Reason: took more than 25 s."),
        ("", "Reason: ?."),
    ],
)
def test_a_way_that_no_longer_works_is_named_with_its_reason(why: str, said: str) -> None:
    way = DeadWay(name="direct", since=NOW - timedelta(hours=3), why=why)
    (problem,) = found(dead_ways=(way,))
    assert (problem.verdict, problem.may_hide, problem.page) == (Verdict.WARN, True, "admin:ways")
    assert str(problem.title) == "A way to TikTok no longer works: Direct"
    assert str(problem.detail) == (
        "Its last 5 tries brought nothing, for 3 h now. Another way does the work. " + said
    )


def test_an_answer_that_cannot_be_read_is_told_with_what_it_lacks() -> None:
    (problem,) = found(unreadable=1, missing="webapp.user-detail.userInfo.user is missing")
    assert problem.title == "One of TikTok's answers cannot be read"
    assert problem.detail == "The last one: webapp.user-detail.userInfo.user is missing."
    assert problem.page == "diagnosis"
    (problem,) = found(unreadable=3, missing="")
    assert problem.title == "3 of TikTok's answers cannot be read"
    assert problem.detail == "The last one: ?."
