"""The numbers of `/metrics` in the words of Prometheus: names, labels, formats.

Loaded when somebody who may ask does. Labels have few values, all of them known: states, codes,
reasons, ways, routes. The library's own registry, with numbers of this one process, is not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from django.conf import settings
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from jobs import VERSION
from jobs.ephemeral.request_times import BOUNDS_S
from jobs.ops.way_rows import WayState

if TYPE_CHECKING:
    from webapp.instance_facts import Facts

Samples = Iterable[tuple[tuple[str, ...], float]]
_BOUNDS: Final = (*(f"{bound:g}" for bound in BOUNDS_S[:-1]), "+Inf")


def render(facts: Facts, accept: str) -> tuple[bytes, str]:
    """(Body, content type). accept: the request's header."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(facts))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Told(Collector):
    """The facts as families of metrics."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        """Every family; those of a part that does not answer are left out."""
        yield _gauge("info", "The version that runs.", [((VERSION,), 1)], "version")
        yield from _up(self._facts)
        yield from _work(self._facts)
        yield from _store(self._facts)
        yield from _parts(self._facts)
        yield from _ways(self._facts)
        yield from _ages(self._facts)
        yield _requests(self._facts)


def _gauge(name: str, about: str, samples: Samples, *labels: str) -> Metric:
    family = GaugeMetricFamily(f"storykeep_{name}", about, labels=labels)
    for of, value in sorted(samples):
        family.add_metric(of, value)
    return family


def _plain(name: str, about: str, value: float) -> Metric:
    return _gauge(name, about, [((), value)])


def _counted(name: str, about: str, counts: Mapping[str, int], label: str) -> Metric:
    return _gauge(name, about, (((str(of),), count) for of, count in counts.items()), label)


def _up(facts: Facts) -> Iterator[Metric]:
    answers = {
        "database": facts.work is not None,
        "disk": facts.store is not None,
        "redis": facts.processes is not None,
    }
    yield _counted("up", "Whether a part answers.", answers, "part")


def _work(facts: Facts) -> Iterator[Metric]:
    work = facts.work
    if work is None:
        return
    lines = (((str(state), code), count) for (state, code), count in work.open_lines.items())
    about = "Lines that are not settled; code: why they wait."
    yield _gauge("lines", about, lines, "state", "code")
    yield _counted("jobs", "Jobs that are not settled.", work.open_jobs, "state")
    queue = work.queue
    yield _plain("queue_due_lines", "Lines that could start now.", queue.due)
    yield _plain("queue_waiting_lines", "Lines that wait for a time to come.", queue.waiting)
    due_since = queue.oldest_due_since
    age_s = max(0.0, (facts.now - due_since).total_seconds()) if due_since else 0.0
    yield _plain("queue_oldest_seconds", "How long the oldest due line could have started.", age_s)
    yield _plain("packages_open", "ZIPs that are not packed.", queue.packages)
    settled = (((str(state), code), n) for (state, code), n in work.settled_lines.items())
    about = "Lines settled within the last hour."
    yield _gauge("lines_settled_last_hour", about, settled, "state", "code")
    about = "Jobs settled within the last hour."
    yield _counted("jobs_settled_last_hour", about, work.settled_jobs, "state")
    about = "Lists of accounts received, for lines settled within the last hour."
    yield _plain("lists_last_hour", about, work.lists)
    about = "Stories that those lists name or promise, and do not hand over."
    yield _counted("left_out_last_hour", about, work.left_out, "reason")


def _store(facts: Facts) -> Iterator[Metric]:
    store = facts.store
    if store is None:
        return
    room = store.capacity
    yield _plain("saved_files", "Saved files that are present.", store.files)
    yield _plain("saved_bytes", "Bytes of saved files on the disk.", room.used_bytes)
    yield _plain("saved_limit_bytes", "Most bytes of saved files; 0 = no limit.", room.max_bytes)
    yield _plain("disk_free_bytes", "Free bytes on the disk of saved files.", room.free_bytes)
    about = "Free bytes below which new work is refused."
    yield _plain("disk_min_free_bytes", about, room.min_free_bytes)


def _parts(facts: Facts) -> Iterator[Metric]:
    yield _plain("workers_wanted", "Workers that should run.", settings.STORYKEEP.workers)
    resident = {} if facts.resident_bytes is None else {"web": facts.resident_bytes}
    parts = facts.processes
    if parts is not None:
        yield _plain("workers_alive", "Workers that gave a sign of life lately.", parts.workers)
        until = parts.breaker.until if parts.breaker else facts.now
        left_s = max(0.0, (until - facts.now).total_seconds())
        yield _plain("breaker_open", "1 while TikTok is not asked.", left_s > 0)
        yield _plain("breaker_seconds", "Seconds until TikTok is asked again.", left_s)
        resident |= parts.resident_bytes
    about = "Memory of the workers together, and of the web process that answers."
    yield _counted("process_resident_bytes", about, resident, "process")


def _ways(facts: Facts) -> Iterator[Metric]:
    rows = facts.ways
    if rows is None:
        return
    states = {(row.name, str(state)): row.state == state for row in rows for state in WayState}
    yield _gauge("way_state", "1 for the state a way is in.", states.items(), "way", "state")
    answers = {
        (row.name, outcome): getattr(row.record, outcome)
        for row in rows
        for outcome in ("served", "refused", "failed")
    }
    about = "Look-ups by a way within 24 hours."
    yield _gauge("way_answers_last_day", about, answers.items(), "way", "outcome")
    rests = {
        (row.name,): max(0.0, (row.record.resting_until - facts.now).total_seconds())
        if row.record.resting_until
        else 0.0
        for row in rows
    }
    yield _gauge("way_rest_seconds", "Seconds a way is left alone.", rests.items(), "way")


def _ages(facts: Facts) -> Iterator[Metric]:
    if facts.backup_at is not None:
        age_s = (facts.now - facts.backup_at).total_seconds()
        yield _plain("backup_age_seconds", "Since the last backup was made.", age_s)
    if facts.processes is not None and facts.processes.swept_at is not None:
        age_s = (facts.now - facts.processes.swept_at).total_seconds()
        yield _plain("sweep_age_seconds", "Since the last clean-up ended.", age_s)


def _requests(facts: Facts) -> Metric:
    about = "How long requests took until their answer began, by the name of the view."
    family = HistogramMetricFamily("storykeep_request_seconds", about, labels=("route", "status"))
    for series, times in facts.times.items():
        buckets = list(zip(_BOUNDS, map(float, accumulate(times.counts)), strict=True))
        family.add_metric((series.route, series.status), buckets, times.total_s)
    return family
