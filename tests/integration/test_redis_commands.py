"""What a line costs Redis: commands of clients as its MONITOR shows them, the broker's included.

Counted are those that a line is the reason for; signs of life, the clock's leases and a worker's
waiting for messages come with the time. Commands within a script run without another round trip,
and count as the one that runs it.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence

import pytest

from jobs.models import Job
from jobs.queue import submission
from jobs.states import ItemState
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import RedisServer, Start, eventually
from tests.integration.redis_monitor import monitored

pytestmark = pytest.mark.timeout(400)

MOST = 15
"""Commands a line of one small file may cost."""
ALONE = 3
TOGETHER = 12


def save(names: Sequence[str]) -> None:
    job = submission.submit(make_user("alice"), [f"@{name}" for name in names])
    eventually(Job.objects.filter(pk=job.pk, settled_at__isnull=False).exists, within=120)
    assert set(job.items.values_list("state", flat=True)) == {ItemState.DONE}


def test_a_line_of_one_small_file_costs_redis_few_commands(
    start_worker: Start, tiktok: FakeTikTok, redis_server: RedisServer
) -> None:
    """One at a time, so that nothing is shared, and with a rate limit, which asks once a request;
    then many of one job."""
    names = [f"corner.bakery{number}" for number in range(1 + ALONE + TOGETHER)]
    for name in names:
        tiktok.account(name).photo(size=(270, 480))
    start_worker(STORYKEEP_LIST_RATE="500", STORYKEEP_LIST_BURST="500").ready()
    save(names[:1])  # connections are made, the client is loaded
    with monitored(redis_server) as monitor:
        costs = []
        for name in names[1 : 1 + ALONE]:
            before = monitor.position()
            save([name])
            costs.append(monitor.about_lines(before, monitor.position()))
        before = monitor.position()
        save(names[1 + ALONE :])
        many = monitor.about_lines(before, monitor.position())
    sys.stdout.write(f"alone: {costs}\ntogether: {many}\n")  # shown when the test failed
    # On a machine that is busy with something else, a line that takes seconds tells more of itself.
    assert statistics.median(cost.total() for cost in costs) <= MOST
    assert many.total() / TOGETHER <= MOST
