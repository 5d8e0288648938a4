"""Two worker processes of one instance: they share the work, and losing one loses nothing."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from jobs.ephemeral import heartbeats, progress
from jobs.housekeeping import reaper
from jobs.models import Artifact, Item, Job, Role
from jobs.queue import claims, submission
from jobs.states import ItemState
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.conftest import eventually
from tests.integration.supervised import SupervisedWorkers
from webapp.processes import specs

NAMES = [f"corner.bakery{number}" for number in range(12)]


class Pair(SupervisedWorkers):
    """Two workers under a supervisor, as `up` runs them with STORYKEEP_WORKERS=2."""

    def __init__(self, folder: Path, proxy: FakeProxy) -> None:
        env = settings.STORYKEEP.model_copy(update={"workers": 2, "item_concurrency": 3})
        super().__init__(folder, proxy, specs.workers(env))

    def ready(self) -> dict[str, int]:
        """Process id by name, of those that became ready; the last one of each name."""
        lines = re.findall(r"(worker-\d) +\|.*worker-(\d+)@\S* ready", self.output)
        return {name: int(pid) for name, pid in lines}


@pytest.fixture
def pair(transactional_db: None, tmp_path: Path, proxy: FakeProxy) -> Iterator[Pair]:
    """Two workers that take work."""
    pair = Pair(tmp_path, proxy)
    eventually(lambda: len(pair.ready()) == 2, within=40)
    yield pair
    pair.stop()
    sys.stdout.write(pair.output)  # shown when the test failed


@pytest.fixture
def job(pair: Pair, tiktok: FakeTikTok, slowly: Callable[[float], None]) -> Job:
    """A job of more lines than one worker has threads, whose transfers take a while."""
    for name in NAMES:
        tiktok.account(name).video(seconds=1)
    slowly(20_000)
    return submission.submit(make_user("alice"), [f"@{name}" for name in NAMES])


def lines_by_worker(job: Job) -> dict[str, list[str]]:
    """`worker-<process id>` -> ids of the lines it runs."""
    lines: dict[str, list[str]] = {}
    for item_id, line in progress.read_many({job.pk}).items():
        if line.worker:
            lines.setdefault(line.worker.partition("@")[0], []).append(item_id)
    return lines


def is_settled(job: Job) -> bool:
    reaper.requeue_stalled(timezone.now())  # nobody sends its message here
    job.refresh_from_db()
    return job.settled_at is not None


def test_both_give_a_sign_of_life_and_both_work(
    pair: Pair, job: Job, slowly: Callable[[float], None]
) -> None:
    names = {f"worker-{pid}" for pid in pair.ready().values()}
    assert {name.partition("@")[0] for name in heartbeats.alive()} == names
    eventually(lambda: lines_by_worker(job).keys() == names)
    assert Item.objects.filter(state=ItemState.RUNNING).count() <= 6
    slowly(0)
    eventually(lambda: is_settled(job), within=60)
    assert set(job.items.values_list("state", "attempt")) == {(ItemState.DONE, 1)}
    assert Artifact.objects.present().filter(role=Role.MEDIA).count() == len(NAMES)
    assert pair.stop() == 0


def test_of_two_workers_one_that_is_killed_loses_nothing(
    pair: Pair, job: Job, slowly: Callable[[float], None]
) -> None:
    eventually(lambda: len(lines_by_worker(job)) == 2)
    first = pair.ready()["worker-1"]
    os.kill(first, signal.SIGKILL)
    eventually(lambda: "worker-1 died (killed by SIGKILL); starting it again" in pair.output)
    assert "worker-2 died" not in pair.output
    lost = lines_by_worker(job)[f"worker-{first}"]
    assert lost
    # The lease of what it held ends in a minute; here it has.
    Item.objects.filter(pk__in=lost).update(heartbeat_at=timezone.now() - 2 * claims.LEASE)
    slowly(0)
    eventually(lambda: pair.ready()["worker-1"] != first, within=40)
    eventually(lambda: is_settled(job), within=60)
    assert set(job.items.values_list("state", flat=True)) == {ItemState.DONE}
    assert Artifact.objects.present().filter(role=Role.MEDIA).count() == len(NAMES)
    assert pair.stop() == 0
