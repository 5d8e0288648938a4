"""What `/metrics` tells: every part, each of which may be away, read now and then."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.utils import timezone

from jobs.ops import measures
from tests.memory import redis_stays_away
from webapp import instance_facts
from webapp.backups import kept as backups
from webapp.instance_facts import Kept

pytestmark = pytest.mark.django_db


def test_without_redis_the_rest_is_known() -> None:
    redis_stays_away()
    backups.record("manual")
    facts = instance_facts.read(timezone.now())
    assert facts.work is not None
    assert facts.store is not None
    assert facts.ways is not None
    assert facts.backup_at is not None
    assert facts.resident_bytes is not None
    assert (facts.processes, facts.times) == (None, {})


def test_a_database_and_a_disk_may_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object) -> None:
        raise OperationalError

    def unplugged() -> None:
        raise FileNotFoundError

    redis_stays_away()
    for name in ("work", "ways"):
        monkeypatch.setattr(measures, name, locked)
    monkeypatch.setattr(measures, "store", unplugged)
    facts = instance_facts.read(timezone.now())
    assert (facts.work, facts.store, facts.ways) == (None, None, None)


def test_what_was_read_is_told_again_for_a_while() -> None:
    redis_stays_away()
    kept = Kept()
    first = kept.facts()
    assert kept.facts() is first
    kept._read_at = float("-inf")
    assert kept.facts() is not first
