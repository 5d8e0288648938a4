"""A worker on another host that cannot reach the database takes no line from those that can."""

from __future__ import annotations

from jobs.queue import submission
from tests.factories import make_user
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually


def test_others_fetch_what_it_cannot(start_worker: Start, tiktok: FakeTikTok) -> None:
    names = [f"corner.bakery{number}" for number in range(6)]
    for name in names:
        tiktok.account(name).photo()
    astray = start_worker(
        threads=4, STORYKEEP_DATABASE_URL="postgres://storykeep@127.0.0.1:1/storykeep"
    )
    eventually(lambda: " ready." in astray.output, 60)
    job = submission.submit(make_user("alice"), [f"@{name}" for name in names])
    eventually(lambda: "lines are passed on" in astray.output)
    start_worker(threads=2)

    def settled() -> bool:
        job.refresh_from_db()
        return job.settled_at is not None

    eventually(settled, 25)  # nobody sends a message again: there is no reaper here
    assert astray.output.count("lines are passed on") == 1
    assert "Traceback" not in astray.output
