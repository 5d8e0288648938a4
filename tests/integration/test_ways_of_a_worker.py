"""A real worker whose own requests are refused, and a browser that is served: what is remembered,
shown and switched."""

from __future__ import annotations

import pytest

from jobs.models import Job
from jobs.ops import way_rows
from jobs.queue import submission
from jobs.states import ItemState
from jobs.upstream import breaker, browser_budget, way_switches, ways
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually


def submit(line: str) -> Job:
    return submission.submit(make_user(line.strip("@")), [line], options=submission.Options())


def test_a_job_is_saved_by_the_browser_and_the_table_says_so(
    start_worker: Start, tiktok: FakeTikTok, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("corner.bakery", "night.trains", "quiet.owl"):
        tiktok.account(name).photo()
    tiktok.fault("any", "script_wall")
    start_worker(STORYKEEP_BROWSER="local").ready()
    job = submit("@corner.bakery")
    eventually(lambda: Job.objects.get(pk=job.pk).settled_at, within=60)
    assert job.items.get().state == ItemState.DONE
    assert breaker.open_state() is None, "nobody had to pause"

    known = ways.records()
    assert (known["direct"].tries, known["browser"].tries) == ("r", "s")
    assert known["direct"].refused_code == "challenged"
    assert known["direct"].resting_until
    assert browser_budget.left() == browser_budget.per_hour() - 1

    # It rests: the browser is asked first, and our own requests not at all.
    job = submit("@night.trains")
    eventually(lambda: Job.objects.get(pk=job.pk).settled_at, within=60)
    known = ways.records()
    assert (known["direct"].refused, known["browser"].served) == (1, 2)

    # Switched off, it is not asked: the line waits, as nobody else is served.
    monkeypatch.setattr(way_switches, "set_up", lambda: frozenset({"direct", "browser"}))
    way_switches.switch("browser", off=True, by=None)
    job = submit("@quiet.owl")
    eventually(breaker.open_state, within=60)
    assert ways.records()["browser"].served == 2
    assert not Job.objects.get(pk=job.pk).settled_at
    table = way_rows.read(job.created_at)
    assert [row.state.value for row in table.rows] == ["resting", "off", "not_set_up"]
