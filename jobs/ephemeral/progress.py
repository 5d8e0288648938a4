"""How far each running item is: what pages poll. Kept in Redis, and allowed to be lost."""

from __future__ import annotations

import functools
import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, cast
from uuid import UUID

import redis
from django.conf import settings
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

Phase = Literal["queued", "waiting", "looking_up", "found", "saving", "checking", "packing"]
T = TypeVar("T")

TTL_S = 2 * 60 * 60
"""How long progress is kept after its last change."""
WRITE_EVERY_S = 0.5
"""At most this often per item, unless the phase changes."""
TIMEOUT_S = 1.0
REST_S = 2.0
"""After a failure Redis is left alone this long, so that a poll never waits for it twice."""


# --- the connection (upstream.py uses it too) ---------------------------------------------------


class RedisAway(Exception):
    """Redis did not answer. What lives there is a convenience: callers do without."""


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.STORYKEEP.redis_address,
        decode_responses=True,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # Once more at once: a pooled connection may have died with the server it led to.
        retry=Retry(NoBackoff(), 1),
        max_connections=100,
    )


class _Health:
    """Whether Redis answers, said in the log once per change."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rest_until = 0.0
        self._failing = False

    def resting(self) -> bool:
        return time.monotonic() < self._rest_until

    def failed(self, error: Exception) -> None:
        with self._lock:
            self._rest_until = time.monotonic() + REST_S
            first, self._failing = not self._failing, True
        if first:
            logger.warning("Redis is away, going on without progress: %s", type(error).__name__)

    def answered(self) -> None:
        if self._failing:
            with self._lock:
                back, self._failing = self._failing, False
            if back:
                logger.info("Redis is back")

    def reset(self) -> None:
        self._rest_until, self._failing = 0.0, False


health = _Health()


def ask(question: Callable[[redis.Redis], T]) -> T:
    """Put one question to Redis. Raises RedisAway, at once when it failed a moment ago."""
    if health.resting():
        raise RedisAway
    try:
        answer = question(_client())
    except (redis.RedisError, OSError, ValueError) as error:
        health.failed(error)
        raise RedisAway from error
    health.answered()
    return answer


def is_up() -> bool:
    """One round trip: does Redis answer?"""
    try:
        return bool(ask(lambda server: server.ping()))
    except RedisAway:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What Redis says of itself. clock: its own, for comparing."""

    version: str
    used_bytes: int
    clock: datetime


def server_facts() -> ServerFacts:
    """Version, memory and clock of the server. Raises RedisAway."""
    info = ask(lambda server: server.info())
    seconds, micros = ask(lambda server: server.time())
    return ServerFacts(
        version=str(info.get("valkey_version") or info.get("redis_version") or "?"),
        used_bytes=int(info.get("used_memory", 0)),
        clock=datetime.fromtimestamp(seconds + micros / 1e6, UTC),
    )


# --- progress -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemProgress:
    """One item's progress. bytes_total: as far as known. eta_s: None while nothing is known.

    found: stories listed, None before the list is here. files_*: media files, not extras.
    worker: which process works on it.
    """

    phase: Phase
    found: int | None = None
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    eta_s: float | None = None
    started_at: datetime | None = None
    worker: str = ""


_FIELDS = frozenset(field.name for field in fields(ItemProgress))


def _key(job_id: UUID) -> str:
    return f"storykeep:progress:{job_id}"


def read(job_id: UUID) -> Mapping[str, ItemProgress]:
    """Item id (text) → progress, in one round trip; {} when Redis is down or forgot."""
    try:
        kept = ask(lambda server: cast("dict[str, str]", server.hgetall(_key(job_id))))
    except RedisAway:
        return {}
    return {item_id: found for item_id, text in kept.items() if (found := _parse(text))}


def read_many(job_ids: Collection[UUID]) -> Mapping[str, ItemProgress]:
    """The same for several jobs at once, still in one round trip."""

    def get(server: redis.Redis) -> list[dict[str, str]]:
        with server.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.hgetall(_key(job_id))
            return cast("list[dict[str, str]]", pipeline.execute())

    try:
        answers = ask(get) if job_ids else []
    except RedisAway:
        return {}
    return {
        item_id: found
        for kept in answers
        for item_id, text in kept.items()
        if (found := _parse(text))
    }


class _Signature:
    """The name of this process, when it is a worker."""

    worker = ""


def sign(worker: str) -> None:
    """From now on, what this process reports bears its name."""
    _Signature.worker = worker


def forget(job_id: UUID) -> None:
    """Drop a job's progress at once."""
    with suppress(RedisAway):  # it goes by itself
        ask(lambda server: server.delete(_key(job_id)))


def _parse(text: str) -> ItemProgress | None:
    try:
        kept: dict[str, Any] = json.loads(text)
        started = kept.get("started_at")
        kept["started_at"] = datetime.fromisoformat(started) if started else None
        return ItemProgress(**{name: kept[name] for name in kept if name in _FIELDS})
    except (ValueError, TypeError, AttributeError):
        return None  # another version wrote it


class Reporter:
    """Writes one item's progress, seldom enough to cost nothing. Used by one thread.

    Bytes are counted per file: a file's second mirror starts again without counting twice.
    """

    def __init__(self, job_id: UUID, item_id: UUID) -> None:
        self._key, self._field = _key(job_id), str(item_id)
        self._now = ItemProgress(
            phase="looking_up", started_at=timezone.now(), worker=_Signature.worker
        )
        self._written_at = float("-inf")
        self._unwritten = False
        self._saving_since: float | None = None
        self._saved_before_bytes = 0
        self._expected: dict[tuple[str, int], int] = {}
        self._arrived: dict[tuple[str, int], int] = {}
        self._write()

    def found(
        self, stories: int, expected: Mapping[tuple[str, int], int], already: Mapping[Any, int]
    ) -> None:
        """The list is here. expected: bytes per media file still to come (0 = not known);
        already: bytes per media file saved before."""
        self._expected, self._arrived = dict(expected), {}
        self._saved_before_bytes = sum(already.values())
        self._update(
            phase="found",
            found=stories,
            files_done=len(already),
            files_total=len(already) + len(expected),
        )

    def arriving(self, file: tuple[str, int], bytes_done: int, bytes_total: int | None) -> None:
        """Bytes of one file."""
        if self._saving_since is None:
            self._saving_since = time.monotonic()
        self._arrived[file] = bytes_done
        if bytes_total:
            self._expected[file] = bytes_total
        self._update(phase="saving")

    def checking(self) -> None:
        """A file is being opened; said only when it is the last thing that happens."""
        if self._now.files_done + 1 >= self._now.files_total:
            self._update(phase="checking")

    def file_done(self, file: tuple[str, int], size_bytes: int) -> None:
        """One media file is checked and kept."""
        if self._saving_since is None:
            self._saving_since = time.monotonic()
        self._arrived[file] = self._expected[file] = size_bytes
        self._update(phase="saving", files_done=self._now.files_done + 1)

    def file_failed(self, file: tuple[str, int]) -> None:
        """One media file will not come in this attempt."""
        self._arrived.pop(file, None)
        self._expected.pop(file, None)
        self._update()

    def packing(self) -> None:
        """A carousel's ZIP is being written."""
        self._update(phase="packing")

    def tick(self) -> None:
        """Time passed: write what was held back."""
        if self._unwritten and time.monotonic() - self._written_at >= WRITE_EVERY_S:
            self._write()

    def _update(self, **changes: Any) -> None:
        before = self._now
        if any(getattr(before, name) != value for name, value in changes.items()):
            self._now = replace(before, **changes)
        self._unwritten = True
        due = time.monotonic() - self._written_at >= WRITE_EVERY_S
        if due or self._now.phase != before.phase:
            self._write()

    def _eta(self, done: int, total: int) -> float | None:
        if self._saving_since is None or not done or total <= done:
            return None
        spent = time.monotonic() - self._saving_since
        return round(spent / done * (total - done), 1) if spent > 1 else None

    def _write(self) -> None:
        self._written_at, self._unwritten = time.monotonic(), False
        done = sum(self._arrived.values())
        total = sum(max(size, self._arrived.get(one, 0)) for one, size in self._expected.items())
        self._now = replace(
            self._now,
            bytes_done=self._saved_before_bytes + done,
            bytes_total=self._saved_before_bytes + total,
            eta_s=self._eta(done, total),
        )
        text = json.dumps(asdict(self._now), default=datetime.isoformat)

        def put(server: redis.Redis) -> None:
            with server.pipeline(transaction=False) as pipeline:
                pipeline.hset(self._key, self._field, text)
                pipeline.expire(self._key, TTL_S)
                pipeline.execute()

        with suppress(RedisAway):
            ask(put)
