"""What one call costs."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection

from benchmarks import gauges


@pytest.mark.django_db
def test_the_statements_of_a_call_are_counted_and_those_before_it_are_not() -> None:
    def before() -> None:
        User.objects.exists()

    def act() -> int:
        User.objects.count()
        User.objects.exists()
        return 77

    cost = gauges.cost(act, before_each=before, repeat=3)
    assert (cost.statements, cost.wire_bytes, cost.ended) == (2, 77, True)
    assert cost.cpu_ms > 0


@pytest.mark.django_db
def test_a_call_without_an_end_is_broken_off_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "LIMIT_S", 0.05)

    def count_for_ever() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                " SELECT count(*) FROM n"
            )

    assert not gauges.cost(count_for_ever).ended
