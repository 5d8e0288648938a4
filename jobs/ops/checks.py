"""The checks of this instance: one function for each part, in CHECKS, each of which gives findings.

A check changes nothing; to see whether it could, it writes a file that is gone again and a key in
Redis that expires, and begins a transaction. Messages name no addresses, paths and host names of
ours, for a report is pasted in public. An exception that a check raises becomes a finding in
`diagnostics`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from jobs.ephemeral import connection as redis_connection
from jobs.ephemeral import heartbeats, media_hosts
from jobs.ephemeral.connection import RedisUnavailable
from jobs.files import capacity, disk
from jobs.ops import dashboard, readiness
from jobs.ops.findings import (
    Finding,
    Verdict,
    clock_difference,
    lazy_error_words,
    lazy_size,
    short_duration,
    short_span,
)
from jobs.upstream import breaker, page_identity, site_clock
from stories.errors import StoriesError
from stories.site_clock import WORTH_TELLING_S

if TYPE_CHECKING:
    from jobs.ops.findings import LazyStr

MAX_CLOCK_DIFFERENCE_S: Final = 30.0
"""Clocks further apart than this fail the check: stories live by them."""
PROXY_TIMEOUT_S: Final = 3.0
"""Seconds a proxy may take to accept a connection."""

PROXY_HINT: Final = _("Is the proxy running, and is STORYKEEP_PROXY right?")
NTP_HINT: Final = _("Have the machine set its clock over the network (NTP).")
REDIS_HINTS: Final[Mapping[str, LazyStr]] = {
    "away": _("Is Storykeep running (`manage.py up`), or is STORYKEEP_REDIS_URL wrong?"),
    "password": _("Is the password in STORYKEEP_REDIS_URL right?"),
    "loading": _("It has just started. Wait a moment."),
    "read_only": _("It is a replica. STORYKEEP_REDIS_URL has to name the primary."),
    "no_snapshot": _("Is the disk of Redis full, or its folder gone?"),
    "full": _("Its memory is full. Raise its maxmemory, or let nothing else use it."),
}
"""Hints by the reason `readiness.redis` gives."""
DATABASE_HINTS: Final[Mapping[str, LazyStr]] = {
    "busy": _("Something holds it, such as a backup. If that lasts, end what holds it."),
    "read_only": _("Is it a replica, or are its file and folder read-only?"),
    "full": _("Make room on its disk."),
}
"""Hints by the reason `readiness.database` gives."""
_PROXY_PORTS: Final = {"http": 80, "https": 443}

Check = Callable[[], Iterator[Finding]]


def check_database() -> Iterator[Finding]:
    """The database: does it answer, can it be written, is its schema as new as the code?"""
    began = time.monotonic()
    name, version = dashboard.database_version()
    facts = {"name": name, "version": version, "took": short_duration(time.monotonic() - began)}
    executor = MigrationExecutor(connection)
    behind = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if behind:
        message = ngettext_lazy(
            "{name} {version} answers in {took}, but {n} migration is missing",
            "{name} {version} answers in {took}, but {n} migrations are missing",
            behind,
        )
        yield Finding(
            "database",
            Verdict.FAIL,
            format_lazy(message, n=behind, **facts),
            _("Restart with `manage.py up`, or run `manage.py migrate`."),
        )
        return
    reason = readiness.database()
    if reason:
        message = _("{name} {version} answers, but cannot be written ({reason})")
        hint = DATABASE_HINTS.get(reason, "")
        yield Finding("database", Verdict.FAIL, format_lazy(message, reason=reason, **facts), hint)
        return
    message = _("{name} {version} answers in {took}, up to date")
    yield Finding("database", Verdict.OK, format_lazy(message, **facts))


def check_redis() -> Iterator[Finding]:
    """Redis: does it answer, does it take what is written, and how much memory does it use?"""
    began = time.monotonic()
    try:
        facts = redis_connection.server_info()
    except RedisUnavailable as error:
        password = _("does not accept the password")
        wrong_password = error.reason == "WRONGPASS"
        yield Finding(
            "redis",
            Verdict.FAIL,
            password if wrong_password else _("does not answer"),
            REDIS_HINTS["password" if wrong_password else "away"],
        )
        return
    reason = readiness.redis()
    if reason:
        message = _("{version} answers, but refuses to be written ({reason})")
        yield Finding(
            "redis",
            Verdict.FAIL,
            format_lazy(message, version=facts.version, reason=reason),
            REDIS_HINTS.get(reason, ""),
        )
        return
    kind = _("embedded") if settings.STORYKEEP.embedded_redis else _("external")
    message = format_lazy(
        _("{version} ({kind}) answers in {took}, holds {size}"),
        version=facts.version,
        kind=kind,
        took=short_duration(time.monotonic() - began),
        size=lazy_size(facts.used_bytes),
    )
    if facts.saves:
        yield Finding("redis", Verdict.OK, message)
    else:
        failing = format_lazy(_("{facts}, but cannot write its snapshot"), facts=message)
        yield Finding("redis", Verdict.WARN, failing, REDIS_HINTS["no_snapshot"])


def check_worker() -> Iterator[Finding]:
    """The workers: has any sent a heartbeat lately?"""
    last_seen = heartbeats.last_seen()
    if not last_seen:
        message, hint = _("none gives a sign of life"), _("Look at the worker's log.")
        yield Finding("worker", Verdict.FAIL, message, hint)
        return
    ago = max(timedelta(), timezone.now() - max(last_seen.values()))
    message = _("{n} alive, last sign of life {ago} ago")
    yield Finding("worker", Verdict.OK, format_lazy(message, n=len(last_seen), ago=short_span(ago)))


def check_queue() -> Iterator[Finding]:
    """The queue: is a line due for too long, or does nobody take it?"""
    now = timezone.now()
    depth = dashboard.queue_depth(now)
    message: LazyStr = format_lazy(
        _("{running} lines running, {due} due, {waiting} asked to wait"),
        running=depth.running,
        due=depth.due,
        waiting=depth.waiting,
    )
    late = False
    if depth.oldest_due_since:
        since = now - depth.oldest_due_since
        late = since > dashboard.QUEUE_LATE_AFTER
        message = format_lazy(
            _("{all}, the oldest due for {age}"), all=message, age=short_span(since)
        )
    if readiness.queue():
        message = format_lazy(_("{all}, and no worker takes it"), all=message)
        hint = _("Look at the worker's log. If it says nothing, restart it.")
        yield Finding("queue", Verdict.FAIL, message, hint)
        return
    yield Finding("queue", Verdict.WARN if late else Verdict.OK, message)


def check_scheduler() -> Iterator[Finding]:
    """The scheduler: was there a clean-up lately?"""
    now = timezone.now()
    sweep = heartbeats.last_sweep()
    if sweep is None:
        yield Finding("scheduler", Verdict.NOTE, _("no clean-up is known of yet"))
        return
    failed = sweep.counts.get("failed", 0)
    message = ngettext_lazy(
        "last clean-up {ago} ago, {n} deletion failed",
        "last clean-up {ago} ago, {n} deletions failed",
        failed,
    )
    late = sweep.is_late(now)
    yield Finding(
        "scheduler",
        Verdict.FAIL if late else Verdict.OK,
        format_lazy(message, ago=short_span(now - sweep.at), n=failed),
        _("Look at the logs of scheduler and worker.") if late else "",
    )


def check_disk() -> Iterator[Finding]:
    """The disk: is the folder there and writable, and is there room?"""
    if not settings.STORYKEEP.artifacts.is_dir():  # asking `disk` for it would make it
        yield Finding(
            "disk",
            Verdict.FAIL,
            _("the folder for saved files is not there"),
            _("Is STORYKEEP_DATA_DIR or STORYKEEP_ARTIFACT_DIR wrong? `manage.py up` makes it."),
        )
        return
    if _is_not_mounted():
        yield Finding(
            "disk",
            Verdict.FAIL,
            _("this is not the folder the saved files are in"),
            _(
                "Is its disk mounted? If you emptied or changed it on purpose, put an empty file "
                "named .storykeep into it."
            ),
        )
        return
    message, full = _capacity()
    try:
        disk.probe_write()
    except (OSError, StoriesError) as error:
        failing = _("{room}; writing fails ({kind})")
        message = format_lazy(failing, room=message, kind=type(error).__name__)
        yield Finding("disk", Verdict.FAIL, message)
        return
    if full:
        yield Finding(
            "disk",
            Verdict.FAIL,
            format_lazy(_("{room}: too little for new work"), room=message),
            _("Delete files, or change STORYKEEP_DISK_MAX or STORYKEEP_DISK_MIN_FREE."),
        )
    else:
        yield Finding("disk", Verdict.OK, format_lazy(_("{room}, writable"), room=message))


def _is_not_mounted() -> bool:
    try:
        return disk.is_unmounted()
    except DatabaseError:  # whether files should be there, the database knows
        return False


def _capacity() -> tuple[LazyStr, bool]:
    """Used and free space in words, and whether it is too little. The database knows the used."""
    try:
        room = capacity.measure()
    except DatabaseError:
        free = disk.free_bytes()
        message = format_lazy(_("{free} free, how much is used is not known"), free=lazy_size(free))
        return message, free <= settings.STORYKEEP.disk_min_free
    facts = {"used": lazy_size(room.used_bytes), "free": lazy_size(room.free_bytes)}
    if room.max_bytes:
        limited = _("{used} of {limit} used, {free} free")
        return format_lazy(limited, limit=lazy_size(room.max_bytes), **facts), room.full
    return format_lazy(_("{used} used, {free} free"), **facts), room.full


def check_clock() -> Iterator[Finding]:
    """The clock: does it agree with those of Redis and PostgreSQL?"""
    now = datetime.now(UTC)
    yield clock_finding("Redis", (now - redis_connection.server_info().clock).total_seconds())
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            theirs = cursor.fetchone()[0]
        ahead_s = (datetime.now(UTC) - theirs).total_seconds()
        yield clock_finding("PostgreSQL", ahead_s, part="dbclock")


def check_site_clock() -> Iterator[Finding]:
    """The clock: does it agree with TikTok's? No finding before a worker has learnt that."""
    with suppress(RedisUnavailable):
        ahead_s = site_clock.ahead_s()
        if ahead_s is not None:
            yield site_clock_finding(ahead_s)


def site_clock_finding(ahead_s: float) -> Finding:
    """A comparison of this server's clock with TikTok's. ahead_s: negative when it is behind."""
    if abs(ahead_s) <= WORTH_TELLING_S:
        message = format_lazy(_("agrees with that of {whose}"), whose="TikTok")
        return Finding("siteclock", Verdict.OK, message)
    return Finding("siteclock", Verdict.FAIL, clock_difference(ahead_s), NTP_HINT)


def clock_finding(whose: str, ahead_s: float, *, part: str = "clock") -> Finding:
    """A comparison of this machine's clock with another. ahead_s: negative when it is behind."""
    if abs(ahead_s) <= MAX_CLOCK_DIFFERENCE_S:
        message = format_lazy(_("agrees with that of {whose}"), whose=whose)
        return Finding(part, Verdict.OK, message)
    way = (
        _("{span} ahead of that of {whose}") if ahead_s > 0 else _("{span} behind that of {whose}")
    )
    return Finding(
        part,
        Verdict.FAIL,
        format_lazy(way, span=short_span(timedelta(seconds=abs(ahead_s))), whose=whose),
        NTP_HINT,
    )


def check_failures() -> Iterator[Finding]:
    """Failed lines of the last 24 hours, by error code."""
    outcomes = dashboard.recent_outcomes(timezone.now())
    message: LazyStr = format_lazy(
        ngettext_lazy(
            "{n} line settled within 24 h, {failed} not in full",
            "{n} lines settled within 24 h, {failed} not in full",
            outcomes.settled,
        ),
        n=outcomes.settled,
        failed=outcomes.failed,
    )
    if outcomes.codes:
        codes = ", ".join(f"{code or '?'} {count}" for code, count in outcomes.codes)
        message = format_lazy("{said}: {codes}", said=message, codes=codes)
    yield Finding("failures", Verdict.NOTE, message)


def check_proxy() -> Iterator[Finding]:
    """The proxy: does it take connections? No finding where none is set."""
    if not settings.STORYKEEP.proxy:
        return
    error = proxy_error()
    if error is None:
        yield Finding("proxy", Verdict.OK, _("takes connections"))
    else:
        message = format_lazy(_("takes no connection ({kind})"), kind=error)
        yield Finding("proxy", Verdict.FAIL, message, PROXY_HINT)


def proxy_error() -> str | None:
    """The type of the error a connection to the proxy ends with; None when it takes one."""
    url = settings.STORYKEEP.proxy
    parts = urlsplit(url.get_secret_value() if url else "")
    address = (parts.hostname or "", parts.port or _PROXY_PORTS.get(parts.scheme, 1080))
    try:
        socket.create_connection(address, timeout=PROXY_TIMEOUT_S).close()
    except OSError as error:
        return type(error).__name__
    return None


def check_pause() -> Iterator[Finding]:
    """The pause: has TikTok refused this server, so that nothing is asked?"""
    pause = breaker.shared_state()
    if pause is None:
        yield Finding("pause", Verdict.OK, _("TikTok is being asked"))
        return
    left = pause.until - timezone.now()
    if left > timedelta():
        message = _("TikTok refused this server ({code}); nobody asks for another {span}")
    else:
        message = _(
            "TikTok refused this server ({code}); nobody asks until one line has tried again"
        )
    yield Finding(
        "pause",
        Verdict.WARN,
        format_lazy(message, code=pause.code, span=short_span(left)),
        lazy_error_words(pause.code, message=False),
    )


def check_identity() -> Iterator[Finding]:
    """The identity TikTok is asked as: the usual one, or another because that was refused?"""
    with suppress(RedisUnavailable):
        name = page_identity.in_use()
        if page_identity.is_usual(name):
            yield Finding("identity", Verdict.OK, format_lazy(_("asks as {name}"), name=name))
        else:
            message = _("asks as {name}, for TikTok refused the usual identity")
            yield Finding("identity", Verdict.NOTE, format_lazy(message, name=name))


def check_media_hosts() -> Iterator[Finding]:
    """Media hosts: were files listed on hosts that are on no list of ours? Names them."""
    hosts = media_hosts.recent()
    if not hosts:
        yield Finding("hosts", Verdict.OK, _("all known"))
        return
    last_seen = max(timedelta(), timezone.now() - next(iter(hosts.values())))
    message = ngettext_lazy(
        "{n} unknown host, last met {ago} ago: {names}",
        "{n} unknown hosts, last met {ago} ago: {names}",
        len(hosts),
    )
    yield Finding(
        "hosts",
        Verdict.WARN,
        format_lazy(message, n=len(hosts), ago=short_span(last_seen), names=", ".join(hosts)),
        _("Files there are not fetched. Report the names, so that an update can add TikTok's own."),
    )


CHECKS: Final[Mapping[str, Check]] = {
    "database": check_database,
    "redis": check_redis,
    "worker": check_worker,
    "queue": check_queue,
    "scheduler": check_scheduler,
    "disk": check_disk,
    "clock": check_clock,
    "siteclock": check_site_clock,
    "failures": check_failures,
    "proxy": check_proxy,
    "pause": check_pause,
    "identity": check_identity,
    "hosts": check_media_hosts,
}
"""The checks in the order of the report, by the part they look at: a key of `findings.PARTS`."""
