"""The numbers in the words of Prometheus, read back by its own parser."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from jobs.ephemeral.request_times import Series, Times
from jobs.files.capacity import Capacity
from jobs.ops import measures
from jobs.ops.measures import Processes, Store
from jobs.ops.way_rows import WayRow
from jobs.upstream.breaker import BreakerState
from jobs.upstream.ways import WayRecord
from tests.factories import make_artifact, make_item, make_job, make_user
from webapp import exposition
from webapp.instance_facts import Facts

pytestmark = pytest.mark.django_db
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def facts(now: datetime, **more: Any) -> Facts:
    times = Times.none()
    for seconds in (0.005, 0.02, 0.2):
        times.add(seconds)
    known: dict[str, Any] = {
        "now": now,
        "work": measures.work(now),
        "store": Store(
            capacity=Capacity(used_bytes=5, max_bytes=10, free_bytes=20, min_free_bytes=1), files=2
        ),
        "processes": Processes(
            workers=1,
            resident_bytes={"worker": 100},
            swept_at=now - timedelta(seconds=30),
            breaker=BreakerState(now + timedelta(seconds=90), "refused"),
        ),
        "ways": (WayRow(record=WayRecord(name="direct", served=7, refused=1)),),
        "backup_at": now - timedelta(days=1),
        "resident_bytes": 50,
        "times": {Series("home", "2xx"): times},
    }
    return Facts(**known | more)


def families(body: bytes, parse: Any = text_string_to_metric_families) -> list[Metric]:
    """What the library's own parser reads."""
    return list(parse(body.decode()))


def samples(told: Facts) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    body, content_type = exposition.render(told, "")
    assert content_type.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(body)
        for sample in family.samples
    }


def test_numbers_are_read_back() -> None:
    now = timezone.now()
    make_item(asked_at=now - timedelta(minutes=2))
    found = samples(facts(now))

    def of(name: str, **labels: str) -> float:
        return found[f"storykeep_{name}", tuple(sorted(labels.items()))]

    assert of("lines", state="queued", code="") == 1
    assert of("queue_oldest_seconds") == pytest.approx(120)
    assert of("saved_files") == 2
    assert of("breaker_open") == 1
    assert of("breaker_seconds") == pytest.approx(90)
    assert of("way_state", way="direct", state="on") == 1
    assert of("way_state", way="direct", state="off") == 0
    assert of("way_answers_last_day", way="direct", outcome="served") == 7
    assert of("process_resident_bytes", process="worker") == 100
    assert of("process_resident_bytes", process="web") == 50
    assert of("backup_age_seconds") == 24 * 60 * 60
    assert of("sweep_age_seconds") == 30
    home = {"route": "home", "status": "2xx"}
    assert of("request_seconds_bucket", **home, le="0.01") == 1
    assert of("request_seconds_bucket", **home, le="+Inf") == 3
    assert of("request_seconds_count", **home) == 3
    assert of("request_seconds_sum", **home) == pytest.approx(0.225)


def test_it_is_openmetrics_for_who_asks_for_that() -> None:
    body, content_type = exposition.render(facts(timezone.now()), OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    names = {family.name for family in families(body, openmetrics_families)}
    assert "storykeep_queue_due_lines" in names


def test_every_family_has_words_and_a_name_of_ours() -> None:
    body, _ = exposition.render(facts(timezone.now()), "")
    told = families(body)
    assert all(family.documentation.endswith(".") for family in told)
    assert all(family.name.startswith("storykeep_") for family in told)
    assert len({family.name for family in told}) == len(told) > 25


def test_no_name_and_no_id_is_told() -> None:
    now = timezone.now()
    job = make_job(owner=make_user("carla"), note="a secret note")
    item = make_item(job, name="somebody", author_id="7530123456789", author_name="somebody")
    make_item(job, state="failed", error_code="gone", error_detail="somebody is gone")
    artifact = make_artifact(name="somebody_2026.jpg")
    body = exposition.render(facts(now), "")[0].decode()
    said = ("carla", "somebody", "secret", "7530123456789")
    for word in (*said, str(job.pk), str(item.pk), str(artifact.pk)):
        assert word not in body


def test_what_is_not_known_is_left_out() -> None:
    now = timezone.now()
    unknown = dict.fromkeys(
        ("work", "store", "processes", "ways", "backup_at", "resident_bytes"), None
    )
    found = {name for name, _ in samples(facts(now, **unknown, times={}))}
    assert found == {"storykeep_info", "storykeep_up", "storykeep_workers_wanted"}


def test_labels_have_few_values(set_env: Callable[..., None]) -> None:
    """Twice the people, jobs and files are as many series."""
    now = timezone.now()

    def fill(name: str) -> int:
        for _ in range(3):
            make_item(make_job(owner=make_user(name)))
            make_artifact()
        return len(samples(facts(now)))

    assert fill("first") == fill("second")


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_finds_nothing_to_say() -> None:
    body, _ = exposition.render(facts(timezone.now()), "")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
