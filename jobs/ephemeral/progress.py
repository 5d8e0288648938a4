"""The progress of each running item, and of each ZIP that is being packed, polled by pages.

One hash per job, id of the item or package → JSON, for about two hours after its last change.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, cast, get_args
from uuid import UUID

import redis
from django.utils import timezone

from jobs.ephemeral import values
from jobs.ephemeral.connection import RedisUnavailable, execute, write

logger = logging.getLogger(__name__)

Phase = Literal["queued", "waiting", "looking_up", "found", "saving", "checking", "packing"]

TTL_S = 2 * 60 * 60
"""Seconds progress is kept after its last change; up to RENEW_S less."""
RENEW_S = 10 * 60
"""Seconds between two renewals of that time, each a second command."""
WRITE_EVERY_S = 0.5
"""Seconds between two writes per item, at least: whoever looks does so less often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemProgress:
    """One running item's progress.

    found: stories listed; None before the list is here. files_*: media files, without posters and
    other extras. bytes_total: as far as known. eta_s: seconds left, None while nothing is known.
    share: how much of the work is done, 0 to 1; it never falls before a retry. asked_at: of the
    item; a retry, which begins anew, has another. worker: name of the process that has the item.
    """

    phase: Phase
    found: int | None = None
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    eta_s: float | None = None
    share: float = 0.0
    started_at: datetime | None = None
    asked_at: datetime | None = None
    worker: str = ""

    @property
    def percent(self) -> int:
        """The share in hundredths, rounded down."""
        return int(100 * self.share)


LOOKED_UP: Final = 0.1
"""The share of the work that is done once the list is here."""
ALL_SAVED: Final = 0.97
"""The share once the last file is saved: what ends an item is still to come."""


def share_of(phase: str, saved: float) -> float:
    """How much of an item's work is done, 0 to ALL_SAVED. saved: how much of its files, 0 to 1."""
    if phase in {"queued", "waiting"}:
        return 0.0
    if phase == "looking_up":
        return LOOKED_UP / 3
    return LOOKED_UP + (ALL_SAVED - LOOKED_UP) * min(max(saved, 0.0), 1.0)


ALL_PACKED: Final = 0.99
"""The share of a ZIP that is written and not yet there to be taken."""

_PHASES: Final = get_args(Phase)
_COUNTS: Final = ("files_done", "files_total", "bytes_done", "bytes_total")
_MOST: Final = 2**53
_LONGEST: Final = 300
_FIELDS = frozenset(field.name for field in fields(ItemProgress))


def _key(job_id: UUID) -> str:
    return f"storykeep:progress:{job_id}"


def read(job_id: UUID) -> Mapping[str, ItemProgress]:
    """Item or package id (text) → progress of a job, in one round trip; {} while Redis is away."""
    try:
        kept = execute(lambda server: cast("dict[str, str]", server.hgetall(_key(job_id))))
    except RedisUnavailable:
        return {}
    return {item_id: progress for item_id, text in kept.items() if (progress := _parse(text))}


def read_many(job_ids: Collection[UUID]) -> Mapping[str, ItemProgress]:
    """Item id (text) → progress of several jobs' items, in one round trip; {} without Redis."""

    def get(server: redis.Redis) -> list[dict[str, str]]:
        with server.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hgetall(_key(job_id))
            return cast("list[dict[str, str]]", pipeline.execute())

    try:
        answers = execute(get) if job_ids else []
    except RedisUnavailable:
        return {}
    return {
        item_id: progress
        for kept in answers
        for item_id, text in kept.items()
        if (progress := _parse(text))
    }


class _Process:
    """The name of this process, when it is a worker."""

    worker = ""


def set_worker_name(worker: str) -> None:
    """Have all progress this process reports from now on bear its name."""
    _Process.worker = worker


def erase(job_id: UUID) -> None:
    """Drop a job's progress at once."""
    with suppress(RedisUnavailable):  # it goes by itself
        execute(lambda server: server.delete(_key(job_id)))


def _parse(text: str) -> ItemProgress | None:
    """An item's progress as it is kept; None for what is none of ours, or another version's."""
    kept = values.record(text)
    if kept is None or kept.get("phase") not in _PHASES:
        return None
    try:
        times = ("started_at", "asked_at")
        moments: dict[str, Any] = {name: _moment(kept.get(name)) for name in times}
    except (ValueError, TypeError):
        return None
    read: dict[str, Any] = {name: values.whole(kept.get(name, 0), 0, _MOST) for name in _COUNTS}
    read["share"] = values.number(kept.get("share", 0.0), 0.0, 1.0)
    read["worker"] = values.text(kept.get("worker", ""), _LONGEST)
    if None in read.values():
        return None
    found = values.whole(kept.get("found"), 0, _MOST)
    eta = values.number(kept.get("eta_s"), 0, _MOST)
    return ItemProgress(phase=kept["phase"], found=found, eta_s=eta, **read, **moments)


def _moment(text: str | None) -> datetime | None:
    """A time with its zone. Raises ValueError and TypeError."""
    moment = datetime.fromisoformat(text) if text else None
    if moment and moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment


class Reporter:
    """Writes one item's progress to Redis, at most every `WRITE_EVERY_S`. For one thread.

    A file is known by (story id, position). Bytes are counted per file, so that a file that starts
    again from its second mirror does not count twice.
    """

    def __init__(
        self,
        job_id: UUID,
        item_id: UUID,
        *,
        asked_at: datetime | None = None,
        is_first: bool = True,
    ) -> None:
        """asked_at: of the item. is_first: no earlier attempt can have reported anything."""
        self._key, self._field = _key(job_id), str(item_id)
        self._now = ItemProgress(
            phase="looking_up",
            share=0.0 if is_first else self._earlier_share(asked_at),
            started_at=timezone.now(),
            asked_at=asked_at,
            worker=_Process.worker,
        )
        self._written_at = self._renewed_at = float("-inf")
        self._unwritten = False
        self._saving_since: float | None = None
        self._saved_before_bytes = 0
        self._saved_before = self._failed = 0
        self._expected: dict[tuple[str, int], int] = {}
        self._arrived: dict[tuple[str, int], int] = {}
        self._write()

    def found(
        self, stories: int, expected: Mapping[tuple[str, int], int], already: Mapping[Any, int]
    ) -> None:
        """Record that the list is here.

        expected: bytes of each media file still to come (0 = not known). already: bytes of each
        media file saved by an earlier attempt.
        """
        self._expected, self._arrived = dict(expected), {}
        self._saved_before_bytes = sum(already.values())
        self._saved_before, self._failed = len(already), 0
        self._update(
            phase="found",
            found=stories,
            files_done=len(already),
            files_total=len(already) + len(expected),
        )

    def arriving(self, file: tuple[str, int], bytes_done: int, bytes_total: int | None) -> None:
        """Record how many bytes of a file have arrived, and how many there will be."""
        if self._saving_since is None:
            self._saving_since = time.monotonic()
        self._arrived[file] = bytes_done
        if bytes_total:
            self._expected[file] = bytes_total
        self._update(phase="saving")

    def checking(self) -> None:
        """Record that a file is being verified; shown only when no other file is outstanding."""
        if self._now.files_done + 1 >= self._now.files_total:
            self._update(phase="checking")

    def file_done(self, file: tuple[str, int], size_bytes: int) -> None:
        """Record that a media file is verified and saved."""
        if self._saving_since is None:
            self._saving_since = time.monotonic()
        self._arrived[file] = self._expected[file] = size_bytes
        self._update(phase="saving", files_done=self._now.files_done + 1)

    def file_failed(self, file: tuple[str, int]) -> None:
        """Record that a media file will not come in this attempt."""
        self._arrived.pop(file, None)
        if self._expected.pop(file, None) is not None:
            self._failed += 1
        self._update()

    def packing(self) -> None:
        """Record that a carousel's ZIP is being written; shown only when no file is outstanding."""
        if self._now.files_done >= self._now.files_total:
            self._update(phase="packing")

    def tick(self) -> None:
        """Write what was held back, once it is due."""
        if self._unwritten and time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self._write()

    def _update(self, **changes: Any) -> None:
        before = self._now
        if any(getattr(before, name) != value for name, value in changes.items()):
            self._now = replace(before, **changes)
        self._unwritten = True
        self.tick()

    def _earlier_share(self, asked_at: datetime | None) -> float:
        """The share an earlier attempt at the same reached; 0 after a retry, or without Redis."""
        try:
            text = execute(lambda server: cast("str | None", server.hget(self._key, self._field)))
        except RedisUnavailable:
            return 0.0
        earlier = _parse(text) if text else None
        return earlier.share if earlier and earlier.asked_at == asked_at else 0.0

    def _saved(self) -> float:
        """How much of the files is here, 0 to 1; each counts by its bytes, as far as known.

        One that will not come counts as done: nobody waits for it any more.
        """
        known = [size for size in self._expected.values() if size > 0]
        usual = sum(known) / len(known) if known else 1.0
        done = total = (self._saved_before + self._failed) * usual
        for file, size in self._expected.items():
            arrived = self._arrived.get(file, 0)
            total += size or usual
            done += min(arrived, size) if size else 0
        return done / total if total else 0.0

    def _eta(self, done: int, total: int) -> float | None:
        if self._saving_since is None or not done or total <= done:
            return None
        spent = time.monotonic() - self._saving_since
        return round(spent / done * (total - done), 1) if spent > 1 else None

    def _write(self) -> None:
        self._written_at, self._unwritten = time.monotonic(), False
        done = sum(self._arrived.values())
        total = sum(max(size, self._arrived.get(file, 0)) for file, size in self._expected.items())
        self._now = replace(
            self._now,
            bytes_done=self._saved_before_bytes + done,
            bytes_total=self._saved_before_bytes + total,
            eta_s=self._eta(done, total),
            # Totals grow while files are found out about; what was shown does not shrink.
            share=max(self._now.share, share_of(self._now.phase, self._saved())),
        )
        values = {name: getattr(self._now, name) for name in _FIELDS}
        text = json.dumps(values, default=datetime.isoformat)
        try:
            write(partial(self._put, text))
        except RedisUnavailable:
            self._renewed_at = float("-inf")

    def _put(self, text: str, server: redis.Redis) -> None:
        if self._written_at - self._renewed_at >= RENEW_S:
            _put_for_a_while(server, self._key, self._field, text)
        # A field that is new may be the first of its key: Redis has lost the one before.
        elif server.hset(self._key, self._field, text):
            server.expire(self._key, TTL_S)
        else:
            return
        self._renewed_at = self._written_at


def _put_for_a_while(server: redis.Redis, key: str, field: str, text: str) -> None:
    """Write a field, and keep its key for TTL_S.

    Sent together: a Redis that hangs carries out later what it was sent, and by then nobody would
    send the second command.
    """
    with server.pipeline(transaction=False) as pipeline:
        pipeline.hset(key, field, text)
        pipeline.expire(key, TTL_S)
        pipeline.execute()


class PackingReporter:
    """Writes how much of a ZIP is packed, at most every `WRITE_EVERY_S`. For one thread."""

    def __init__(self, job_id: UUID, package_id: UUID, steps: int) -> None:
        """steps: how often `step` will be called, about."""
        self._key, self._field = _key(job_id), str(package_id)
        self._done, self._steps = 0, max(1, steps)
        self._written_at = float("-inf")

    def step(self) -> None:
        """Record that one more step is done."""
        self._done += 1
        now = time.monotonic()
        if now - self._written_at < WRITE_EVERY_S:
            return
        self._written_at = now
        kept = {"phase": "packing", "share": min(self._done / self._steps, ALL_PACKED)}
        text = json.dumps(kept)
        with suppress(RedisUnavailable):
            write(lambda server: _put_for_a_while(server, self._key, self._field, text))
