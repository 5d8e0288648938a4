"""The checks of this instance: one function for each part, in CHECKS, each of which gives findings.

A check changes nothing; to see whether it could, it writes a file that is gone again and a key in
Redis that expires, and begins a transaction. Messages name no addresses, paths and host names of
ours, for a report is pasted in public. An exception that a check raises becomes a finding.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from jobs.ephemeral import connection as redis_connection
from jobs.ephemeral import heartbeats, media_hosts
from jobs.ephemeral.connection import RedisUnavailable
from jobs.files import capacity, disk
from jobs.ops import dashboard, readiness, schema, way_rows
from jobs.ops.findings import (
    Finding,
    Verdict,
    clock_difference,
    lazy_error_words,
    lazy_size,
    short_duration,
    short_span,
)
from jobs.ops.hints import DATABASE_HINTS, DISK_WORDS, NTP_HINT, PROXY_HINT, REDIS_HINTS
from jobs.ops.library_check import check_library
from jobs.ops.protocol_check import check_protocol
from jobs.upstream import breaker, page_identity, site_clock
from stories.site_clock import WORTH_TELLING_S

if TYPE_CHECKING:
    from jobs.ops.findings import LazyStr

OWN_CLOCKS_AGREE_S: Final = 30.0
"""Seconds the clocks of this instance's own machines may differ by. Less than of TikTok's: leases
are counted by them, and a worker that is a LEASE behind looks lost."""
PROXY_TIMEOUT_S: Final = 3.0
"""Seconds a proxy may take to accept a connection."""

_PROXY_PORTS: Final = {"http": 80, "https": 443}

Check = Callable[[], Iterator[Finding]]


def check_database() -> Iterator[Finding]:
    """The database: does it answer, can it be written, is its schema as new as the code?"""
    began = time.monotonic()
    try:
        name, version = dashboard.database_version()
        schema.check()
    except schema.NewerDatabase:
        changed = _("a newer version of Storykeep has changed it")
        fix = _("Start that version or a newer one, or restore a backup that this one made.")
        yield Finding("database", Verdict.FAIL, changed, fix, reason="newer")
        return
    facts = {"name": name, "version": version, "took": short_duration(time.monotonic() - began)}
    if readiness.migrations():
        message = _("{name} {version} answers in {took}, but migrations are missing")
        yield Finding(
            "database",
            Verdict.FAIL,
            format_lazy(message, **facts),
            _("Restart with `manage.py up`, or run `manage.py migrate`."),
            reason="behind",
        )
        return
    reason = readiness.database()
    if reason:
        message = _("{name} {version} answers, but cannot be written to ({reason})")
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
        message = _("{version} answers, but cannot be written to ({reason})")
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
        hint = REDIS_HINTS["no_snapshot"]
        yield Finding("redis", Verdict.WARN, failing, hint, reason="no_snapshot")


def check_worker() -> Iterator[Finding]:
    """The workers: have as many as there should be sent a heartbeat lately?"""
    last_seen = heartbeats.last_seen()
    if not last_seen:
        redis_connection.probe_write()  # else they live and can give no sign of it
        message, hint = _("none gives a sign of life"), _("Look at the worker's log.")
        yield Finding("worker", Verdict.FAIL, message, hint)
        return
    ago = max(timedelta(), timezone.now() - max(last_seen.values()))
    alive, wanted = len(last_seen), readiness.workers_wanted()
    if alive < wanted:
        message = _("{n} of {wanted} alive, last sign of life {ago} ago")
        said = format_lazy(message, n=alive, wanted=wanted, ago=short_span(ago))
        hint = _("Look at the worker's log.")
        yield Finding("worker", Verdict.WARN, said, hint, reason="few")
        return
    message = _("{n} alive, last sign of life {ago} ago")
    yield Finding("worker", Verdict.OK, format_lazy(message, n=alive, ago=short_span(ago)))


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
    yield Finding("queue", Verdict.WARN if late else Verdict.OK, message, reason="late" * late)


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
    if late:
        redis_connection.probe_write()  # else it may have been, and could not be noted
    yield Finding(
        "scheduler",
        Verdict.FAIL if late else Verdict.OK,
        format_lazy(message, ago=short_span(now - sweep.at), n=failed),
        _("Look at the worker's log. If it says nothing, restart it.") if late else "",
    )


def check_disk() -> Iterator[Finding]:
    """The disk: is the folder there and writable, and is there room?"""
    if not settings.STORYKEEP.artifacts.is_dir():  # asking `disk` for it would make it
        hint: LazyStr = _(
            "Is STORYKEEP_DATA_DIR or STORYKEEP_ARTIFACT_DIR wrong? `manage.py up` makes it."
        )
        with suppress(DatabaseError, OSError):
            if disk.is_unmounted():
                hint = DISK_WORDS["not_mounted"][1]
        yield Finding("disk", Verdict.FAIL, _("the folder for saved files is not there"), hint)
        return
    reason = readiness.artifact_disk()
    if reason in DISK_WORDS:
        message, hint = DISK_WORDS[reason]
        yield Finding("disk", Verdict.FAIL, message, hint)
        return
    room, at_limit, near_limit = _capacity()
    hint = _("Delete files, or change STORYKEEP_DISK_MAX or STORYKEEP_DISK_MIN_FREE.")
    if reason or at_limit:
        message = format_lazy(_("{room}: too little for new work"), room=room)
        yield Finding("disk", Verdict.FAIL, message, hint, reason="full")
    elif near_limit:
        message = format_lazy(_("{room}: little is left"), room=room)
        yield Finding("disk", Verdict.WARN, message, hint, reason="near")
    else:
        yield Finding("disk", Verdict.OK, format_lazy(_("{room}, writable"), room=room))


def _capacity() -> tuple[LazyStr, bool, bool]:
    """Used and free space in words, whether new work is refused, and whether it will be soon. The
    database knows the used: while it is away, nothing is refused for that."""
    try:
        room = capacity.measure()
    except DatabaseError:
        free = disk.free_bytes()
        message = format_lazy(_("{free} free, how much is used is not known"), free=lazy_size(free))
        return message, False, False
    facts = {"used": lazy_size(room.used_bytes), "free": lazy_size(room.free_bytes)}
    if room.max_bytes:
        limited = _("{used} of {limit} used, {free} free")
        message = format_lazy(limited, limit=lazy_size(room.max_bytes), **facts)
    else:
        message = format_lazy(_("{used} used, {free} free"), **facts)
    return message, room.full, room.nearly_full


def check_clock() -> Iterator[Finding]:
    """The clock: does it agree with that of Redis?"""
    ahead = datetime.now(UTC) - redis_connection.server_info().clock
    yield clock_finding("clock", "Redis", ahead.total_seconds(), OWN_CLOCKS_AGREE_S)


def check_database_clock() -> Iterator[Finding]:
    """The clock: does it agree with that of PostgreSQL? No finding on SQLite, which has none."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        ahead = datetime.now(UTC) - cursor.fetchone()[0]
    yield clock_finding("dbclock", "PostgreSQL", ahead.total_seconds(), OWN_CLOCKS_AGREE_S)


def check_site_clock() -> Iterator[Finding]:
    """The clock: does it agree with TikTok's? No finding before a worker has learnt that."""
    with suppress(RedisUnavailable):
        ahead_s = site_clock.ahead_s()
        if ahead_s is not None:
            yield clock_finding("siteclock", "TikTok", ahead_s)


def clock_finding(
    part: str, whose: str, ahead_s: float, agrees_s: float = WORTH_TELLING_S
) -> Finding:
    """A comparison of this server's clock with another, as `findings.clock_difference` words it."""
    difference = clock_difference(ahead_s, whose, agrees_s)
    if difference is None:
        return Finding(part, Verdict.OK, _("agrees with this server's"))
    return Finding(part, Verdict.FAIL, difference, NTP_HINT)


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


def check_ways() -> Iterator[Finding]:
    """The ways of asking TikTok: which are on, and does one hide that another is dead?"""
    now = timezone.now()
    yield way_rows.finding(way_rows.read(now), now)


def check_media_hosts() -> Iterator[Finding]:
    """Media hosts: were files listed on hosts that are on no list of ours? Names them."""
    hosts = media_hosts.recent()
    if not hosts:
        yield Finding("hosts", Verdict.OK, _("all known"))
        return
    last_seen = timezone.now() - next(iter(hosts.values()))
    yield unknown_hosts_finding(list(hosts), max(timedelta(), last_seen))


def unknown_hosts_finding(names: Sequence[str], last_seen: timedelta = timedelta()) -> Finding:
    """The finding that files were listed on these hosts, the last of them so long ago."""
    message = ngettext_lazy(
        "{n} unknown host, last met {ago} ago: {names}",
        "{n} unknown hosts, last met {ago} ago: {names}",
        len(names),
    )
    return Finding(
        "hosts",
        Verdict.WARN,
        format_lazy(message, n=len(names), ago=short_span(last_seen), names=", ".join(names)),
        _("Files there are not fetched. Report the names, so that an update can add TikTok's own."),
    )


CHECKS: Final[Mapping[str, Check]] = {
    "database": check_database,
    "redis": check_redis,
    "worker": check_worker,
    "queue": check_queue,
    "scheduler": check_scheduler,
    "disk": check_disk,
    "library": check_library,
    "clock": check_clock,
    "dbclock": check_database_clock,
    "siteclock": check_site_clock,
    "failures": check_failures,
    "proxy": check_proxy,
    "pause": check_pause,
    "protocol": check_protocol,
    "identity": check_identity,
    "ways": check_ways,
    "hosts": check_media_hosts,
}
"""The checks in the order of the report, by the part they look at: a key of `findings.PARTS`."""


def run_checks(parts: Iterable[str]) -> Iterator[Finding]:
    """The findings of these checks, keys of CHECKS; for an exception, one with its type alone: its
    words may name places."""
    for part in parts:
        try:
            yield from CHECKS[part]()
        except RedisUnavailable:
            message = _("not known while Redis does not work")
            yield Finding(part, Verdict.FAIL, message, known=False)
        except DatabaseError as error:
            if part == "database":
                yield Finding(part, Verdict.FAIL, _no_answer(error), DATABASE_HINTS["away"])
            else:
                message = _("not known while the database does not answer")
                yield Finding(part, Verdict.FAIL, message, known=False)
        except OSError as error:
            yield Finding(part, Verdict.FAIL, _no_answer(error))


def _no_answer(error: Exception) -> LazyStr:
    return format_lazy(_("does not answer ({kind})"), kind=type(error).__name__)
