"""What works on this instance and what does not, in lines that are safe to paste in public.

Each check gives a finding. Nothing secret or private goes into one: no addresses, paths, host
names, cookies or signatures, and no account's name but the one that was given.
"""

from __future__ import annotations

import asyncio
import platform
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import django
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from jobs import VERSION, engine, operations, progress, storage, upstream, workers
from jobs.errors import words
from jobs.progress import RedisAway
from jobs.templatetags.words import size
from stories.client import StoryClient
from stories.errors import AccessError, NotUnderstood, StoriesError
from stories.glimpse import Glimpse, Step, Tried, glimpse
from stories.structures import Target, TargetKind
from stories.targets import parse_line

CLOCK_S: Final = 30.0
"""Clocks further apart than this are worth a word: stories live by them."""
LONGEST_DETAIL: Final = 160


class Verdict(StrEnum):
    """How a check came out. NOTE: nothing to judge."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. part: what was looked at. hint: what to try, "" when there is nothing to do."""

    part: str
    verdict: Verdict
    said: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings. about: versions, and how requests leave."""

    at: datetime
    about: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return all(one.verdict is not Verdict.FAIL for one in self.findings)

    def __str__(self) -> str:
        lines = [self.about]
        for one in self.findings:
            lines.append(f"{one.verdict:<5} {one.part:<9} {one.said}")
            if one.hint:
                lines.append(f"{'':<15} {one.hint}")
        return "\n".join(lines)

    def as_plain(self) -> dict[str, Any]:
        """For JSON."""
        told = {"at": self.at.isoformat(timespec="seconds"), "ok": self.ok, "text": str(self)}
        return asdict(self) | told


def account(line: str) -> Target:
    """The account a line names. Raises an InputError when it names none, or something else."""
    target = parse_line(line)
    if target.kind is not TargetKind.USER or target.name is None:
        raise NotUnderstood("name an account, such as @name")
    return target


def run(target: Target | None = None) -> Report:
    """Look at every part and, when an account is given, once at TikTok through it."""
    findings = [one for check in CHECKS for one in _tried(check)]
    if target is not None:
        findings += look(target)
    return Report(at=timezone.now(), about=_about(), findings=tuple(findings))


Check = Callable[[], Iterator[Finding]]


def _tried(check: Check) -> Iterator[Finding]:
    """A check's findings; what it raises is one, too, by its kind alone: words may name places."""
    part = check.__name__
    try:
        yield from check()
    except RedisAway:
        yield Finding(part, Verdict.FAIL, "not known while Redis does not answer")
    except (DatabaseError, OSError) as error:
        yield Finding(part, Verdict.FAIL, f"does not answer ({type(error).__name__})")


def _about() -> str:
    env = settings.STORYKEEP
    route = ["pages by " + ("curl" if env.page_transport == "curl" else "httpx")]
    route.append("through a proxy" if env.proxy else "no proxy")
    if env.ca_bundle:
        route.append("an extra authority")
    return (
        f"Storykeep {VERSION}, Python {platform.python_version()}, Django {django.__version__}, "
        f"{platform.system()} {platform.machine()}; {', '.join(route)}"
    )


# --- this instance ------------------------------------------------------------------------------


def database() -> Iterator[Finding]:
    """Does it answer, and is it as new as the code?"""
    began = time.monotonic()
    name, version = operations.database_version()
    took = _ms(time.monotonic() - began)
    executor = MigrationExecutor(connection)
    behind = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if behind:
        yield Finding(
            "database",
            Verdict.FAIL,
            f"{name} {version} answers in {took}, but {behind} migrations are missing",
            "Restart with `manage.py up`, or run `manage.py migrate`.",
        )
    else:
        yield Finding("database", Verdict.OK, f"{name} {version} answers in {took}, up to date")


def redis() -> Iterator[Finding]:
    """Does it answer?"""
    began = time.monotonic()
    try:
        facts = progress.server_facts()
    except RedisAway:
        yield Finding(
            "redis",
            Verdict.FAIL,
            "does not answer",
            "Is Storykeep running (`manage.py up`), or is STORYKEEP_REDIS_URL wrong?",
        )
        return
    took = _ms(time.monotonic() - began)
    kind = "embedded" if settings.STORYKEEP.embedded_redis else "external"
    yield Finding(
        "redis",
        Verdict.OK,
        f"{facts.version} ({kind}) answers in {took}, holds {_size(facts.used_bytes)}",
    )


def worker() -> Iterator[Finding]:
    """Is there one, and does it get on?"""
    now = timezone.now()
    heard = workers.heard()
    queue = operations.queue(now)
    if not heard:
        yield Finding(
            "worker", Verdict.FAIL, "none gives a sign of life", "Look at the worker's log."
        )
    else:
        last = round((now - max(heard.values())).total_seconds())
        yield Finding(
            "worker", Verdict.OK, f"{len(heard)} alive, last sign of life {max(0, last)} s ago"
        )
    said = f"{queue.running} lines running, {queue.due} due, {queue.waiting} asked to wait"
    if queue.oldest_since:
        said += f", the oldest due for {_span(now - queue.oldest_since)}"
    late = queue.oldest_since is not None and now - queue.oldest_since > operations.LATE
    yield Finding("queue", Verdict.WARN if late else Verdict.OK, said)


def scheduler() -> Iterator[Finding]:
    """Does the clean-up come by?"""
    now = timezone.now()
    sweep = workers.last_sweep()
    if sweep is None:
        yield Finding("scheduler", Verdict.NOTE, "no clean-up is known of yet")
        return
    late, ago = sweep.late(now), _span(now - sweep.at)
    yield Finding(
        "scheduler",
        Verdict.FAIL if late else Verdict.OK,
        f"last clean-up {ago} ago, {sweep.counts.get('failed', 0)} deletions failed",
        "Look at the logs of scheduler and worker." if late else "",
    )


def disk() -> Iterator[Finding]:
    """Is there room, and may we write?"""
    found = storage.disk()
    limit = f" of {_size(found.max_bytes)}" if found.max_bytes else ""
    said = f"{_size(found.used_bytes)}{limit} used, {_size(found.free_bytes)} free"
    try:
        with storage.Workspace("diagnosis.0") as workspace:
            _, file = workspace.create()
            file.write(b"x")
            file.flush()
    except (OSError, StoriesError) as error:
        yield Finding("disk", Verdict.FAIL, f"{said}; writing fails ({type(error).__name__})")
        return
    if found.full:
        yield Finding(
            "disk",
            Verdict.FAIL,
            f"{said}: too little for new work",
            "Delete files, or change STORYKEEP_DISK_MAX or STORYKEEP_DISK_MIN_FREE.",
        )
    else:
        yield Finding("disk", Verdict.OK, f"{said}, writable")


def clock() -> Iterator[Finding]:
    """Does it agree with the other clocks we can see?"""
    now = datetime.now(UTC)
    yield _clock("Redis", (now - progress.server_facts().clock).total_seconds())
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            theirs = cursor.fetchone()[0]
        yield _clock("the database", (datetime.now(UTC) - theirs).total_seconds())


def _clock(whose: str, ahead_s: float) -> Finding:
    if abs(ahead_s) <= CLOCK_S:
        return Finding("clock", Verdict.OK, f"agrees with that of {whose}")
    way = "ahead of" if ahead_s > 0 else "behind"
    return Finding(
        "clock",
        Verdict.FAIL,
        f"{_span(timedelta(seconds=abs(ahead_s)))} {way} that of {whose}",
        "Have the machine set its clock over the network (NTP).",
    )


def failures() -> Iterator[Finding]:
    """What went wrong lately, by code."""
    found = operations.failures(timezone.now())
    said = f"{found.settled} lines settled within 24 h, {found.failed} not in full"
    if found.codes:
        said += ": " + ", ".join(f"{code or '?'} {count}" for code, count in found.codes)
    yield Finding("failures", Verdict.NOTE, said)


def pause() -> Iterator[Finding]:
    """Does TikTok refuse this server?"""
    breaker = upstream.standing()
    if breaker is None:
        yield Finding("pause", Verdict.OK, "TikTok is being asked")
        return
    left = breaker.until - timezone.now()
    when = f"for another {_span(left)}" if left > timedelta() else "until one line has tried again"
    yield Finding(
        "pause",
        Verdict.WARN,
        f"TikTok refused this server ({breaker.code}); nobody asks {when}",
        words(breaker.code)[1],
    )


CHECKS: Final[tuple[Check, ...]] = (
    database,
    redis,
    worker,
    scheduler,
    disk,
    clock,
    failures,
    pause,
)


# --- TikTok -------------------------------------------------------------------------------------


def look(target: Target) -> list[Finding]:
    """One look through an account, over the same route and at the same pace as the worker's.

    It goes ahead while a pause runs, for that is when someone wants to know; it ends none.
    """
    try:
        seen = asyncio.run(_look(target))
    except OSError as error:
        return [Finding("tiktok", Verdict.FAIL, f"cannot be asked ({type(error).__name__})")]
    findings = [_step(one, target) for one in seen.steps]
    if seen.clock_ahead_s is not None:
        findings.append(_clock("TikTok", seen.clock_ahead_s))
    return findings


async def _look(target: Target) -> Glimpse:
    async with StoryClient(engine.client_config(), gate=upstream.turn) as client:
        return await glimpse(client, target)


def _step(tried: Tried, target: Target) -> Finding:
    part, took = tried.step.value, _ms(tried.took_s)
    if tried.error is not None:
        error = tried.error
        # What is wrong with an account needs no further word, and its own may be a name.
        told = "" if isinstance(error, AccessError) else error.detail
        detail = scrubbed(told, target.name or "")
        said = f"@{target.name}: {error.code} after {took}"
        hint = f"{words(error.code)[0]} {words(error.code)[1]}".strip()
        return Finding(part, Verdict.FAIL, f"{said} ({detail})" if detail else said, hint)
    if tried.skipped:
        said = f"@{target.name} has no active story; name an account that has one to try a file"
        return Finding(part, Verdict.NOTE, said)
    said = {
        Step.PROFILE: f"@{target.name} found in {took}",
        Step.LIST: f"{tried.stories} active stories listed in {took}",
        Step.MEDIA: f"{tried.taste_bytes} bytes of {tried.form} in {took}"
        + (f", from address {tried.mirror}" if tried.mirror > 1 else ""),
    }[tried.step]
    return Finding(part, Verdict.OK, said)


_QUERY = re.compile(r"\?\S*")
_NAME = re.compile(r"@[\w.-]+")
_LONG = re.compile(r"[\w%+/=~]{20,}|\d{12,}|MS4wLjAB\S*", re.ASCII)
_CREDENTIALS = re.compile(r"//[^/\s@]+@")


def scrubbed(text: str, name: str) -> str:
    """An error's detail without names but `name`, queries, credentials, ids and tokens."""
    text = _CREDENTIALS.sub("//…@", text)
    text = _QUERY.sub("?…", text)
    text = _NAME.sub(lambda found: found[0] if found[0][1:].lower() == name else "@…", text)
    text = _LONG.sub("…", text)
    return text[:LONGEST_DETAIL]


# --- words --------------------------------------------------------------------------------------


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.0f} s"


def _size(size_bytes: int) -> str:
    return size(size_bytes).replace("\N{NO-BREAK SPACE}", " ")


def _span(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
