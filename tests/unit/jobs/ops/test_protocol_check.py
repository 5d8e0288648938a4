"""What a diagnosis says of the protocol pack."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.choices import PackOrigin
from jobs.models import ProtocolPack
from jobs.ops.findings import Finding, Verdict
from jobs.ops.problems import Facts, found_by_checks
from jobs.ops.protocol_check import check_protocol
from jobs.upstream import protocol, protocol_look
from jobs.upstream.protocol_look import NONE_YET, LastLook
from tests import packs
from tests.memory import redis_stays_away

pytestmark = pytest.mark.django_db


def finding() -> Finding:
    (found,) = check_protocol()
    return found


@pytest.fixture(autouse=True)
def _trusting(set_env: Callable[..., None]) -> None:
    set_env(protocol_key=packs.PUBLIC_TEXT)


def made_days_ago(days: int) -> bytes:
    at = timezone.now() - timedelta(days=days, minutes=5)
    return packs.signed(lambda facts: facts.update(made_at=f"{at:%Y-%m-%dT%H:%M:%SZ}"))


def test_the_built_in_pack_has_a_version_and_an_age() -> None:
    found = finding()
    assert found.verdict is Verdict.OK
    assert str(found.message).startswith("2026-11-30.1, built in, ")


@pytest.mark.parametrize(
    ("days", "age"), [(0, "0 days"), (1, "1 day"), (40, "40 days"), (-3, "0 days")]
)
def test_so_has_one_that_was_imported(days: int, age: str) -> None:
    protocol.store(made_days_ago(days), PackOrigin.FILE)
    assert str(finding().message) == f"{packs.NEWER}, imported, {age} old"


def test_one_that_cannot_be_used_is_a_problem(set_env: Callable[..., None]) -> None:
    protocol.store(packs.signed(), PackOrigin.FILE)
    protocol.in_use.forget()
    set_env(protocol_key=None)
    found = finding()
    assert (found.verdict, found.reason) == (Verdict.WARN, "unused")
    assert packs.NEWER in str(found.message)
    assert "not trusted here" in str(found.message)
    (problem,) = found_by_checks(Facts(now=timezone.now(), findings=(found,)))
    assert (problem.code, str(problem.title)) == (
        "protocol_unused",
        "A protocol pack that was imported is not used",
    )
    assert str(problem.detail).endswith("trusted here.")


def test_one_that_an_upgrade_has_overtaken_is_none() -> None:
    ProtocolPack.objects.create(
        version="2020-01-01.1",
        envelope=packs.signed(version="2020-01-01.1").decode(),
        how="file",
        active=True,
    )
    assert finding().verdict is Verdict.OK


@pytest.mark.parametrize(("days", "problem"), [(13, False), (15, True)])
def test_looks_that_fail_for_two_weeks_are_a_problem(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None], days: int, *, problem: bool
) -> None:
    set_env(protocol_updates="weekly", protocol_url="https://packs.example.org/p")
    now = timezone.now()
    look = LastLook(
        at=now,
        next_at=now,
        failing_since=now - timedelta(days=days, minutes=1),
        reason="unavailable",
        said="status 404 of /secret/place",
    )
    monkeypatch.setattr(protocol_look, "last", lambda: look)
    found = finding()
    assert (found.reason == "look") is problem
    assert "secret" not in str(found.message)
    if problem:
        assert "15 days: The address does not answer" in str(found.message)
        (told,) = found_by_checks(Facts(now=now, findings=(found,)))
        assert str(told.title) == "Looking for newer protocol packs fails"
    set_env(protocol_updates="off")
    assert finding().verdict is Verdict.OK


def test_without_looks_or_without_redis_all_is_well(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    set_env(protocol_updates="weekly", protocol_url="https://packs.example.org/p")
    redis_stays_away()
    assert finding().verdict is Verdict.OK
    monkeypatch.setattr(protocol_look, "last", lambda: NONE_YET)
    assert finding().verdict is Verdict.OK
