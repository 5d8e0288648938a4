"""What works on this instance and what does not, in lines that are safe to paste in public.

Each check gives a finding and none makes anything but the file it tries to write. Nothing secret or
private goes into one: no addresses, paths, host names, cookies or signatures, and no account's name
but the one that was given. Words are lazy: the same report can be told in two languages.
"""

from __future__ import annotations

import asyncio
import platform
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone, translation
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from jobs import VERSION
from jobs.ephemeral import heartbeats, progress
from jobs.ephemeral.progress import RedisAway
from jobs.errors import words
from jobs.fetching import bridge
from jobs.files import capacity
from jobs.files import disk as artifact_disk
from jobs.ops import dashboard
from jobs.templatetags.words import size
from jobs.upstream import breaker
from stories.client import StoryClient
from stories.errors import AccessError, NotUnderstood, StoriesError
from stories.probe import ProbeReport, Step, StepResult, probe
from stories.structures import Target, TargetKind
from stories.targets import parse_line

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Words = str | _StrPromise

CLOCK_S: Final = 30.0
"""Clocks further apart than this are worth a word: stories live by them."""
LONGEST_DETAIL: Final = 160
PROXY_S: Final = 3.0
"""How long a proxy may take to accept a connection."""


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
    said: Words
    hint: Words = ""

    def as_plain(self) -> dict[str, str]:
        """For JSON, in the language of the moment. title, judged: part and verdict in words."""
        return {
            "part": self.part,
            "title": str(PARTS.get(self.part, self.part)),
            "verdict": self.verdict.value,
            "judged": str(VERDICTS[self.verdict]),
            "said": str(self.said),
            "hint": str(self.hint),
        }


PARTS: Final[dict[str, Words]] = {
    "database": _("database"),
    "redis": "Redis",
    "worker": _("worker"),
    "queue": _("queue"),
    "scheduler": _("scheduler"),
    "disk": _("disk"),
    "clock": _("clock"),
    "failures": _("failures"),
    "proxy": _("proxy"),
    "pause": _("pause"),
    "tiktok": "TikTok",
    "profile": _("profile"),
    "list": _("list"),
    "media": _("media"),
}
FORMS: Final[dict[str, Words]] = {
    "a JPEG picture": _("a JPEG picture"),
    "a PNG picture": _("a PNG picture"),
    "a WebP picture": _("a WebP picture"),
    "an AVIF picture": _("an AVIF picture"),
    "a HEIC picture": _("a HEIC picture"),
    "an MP4 file": _("an MP4 file"),
    "an M4A file": _("an M4A file"),
}
"""What `stories` calls the forms a file can have."""
VERDICTS: Final[dict[Verdict, Words]] = {
    Verdict.OK: pgettext_lazy("verdict", "ok"),
    Verdict.WARN: pgettext_lazy("verdict", "warning"),
    Verdict.FAIL: pgettext_lazy("verdict", "failed"),
    Verdict.NOTE: pgettext_lazy("verdict", "note"),
}


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

    def as_plain(self, language: str | None = None) -> dict[str, Any]:
        """For JSON. language: of the findings; the text, to be pasted, is in the process's own."""
        with translation.override(language or translation.get_language()):
            findings = [one.as_plain() for one in self.findings]
        return {
            "at": self.at.isoformat(timespec="seconds"),
            "about": self.about,
            "ok": self.ok,
            "findings": findings,
            "text": str(self),
        }


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
        yield Finding(part, Verdict.FAIL, _("not known while Redis does not answer"))
    except DatabaseError as error:
        if check is database:
            hint = _("Is it running, and is STORYKEEP_DATA_DIR or STORYKEEP_DATABASE_URL right?")
            yield Finding(part, Verdict.FAIL, _silent(error), hint)
        else:
            said = _("not known while the database does not answer")
            yield Finding(part, Verdict.FAIL, said)
    except OSError as error:
        yield Finding(part, Verdict.FAIL, _silent(error))


def _silent(error: Exception) -> Words:
    return format_lazy(_("does not answer ({kind})"), kind=type(error).__name__)


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
    name, version = dashboard.database_version()
    facts = {"name": name, "version": version, "took": _ms(time.monotonic() - began)}
    executor = MigrationExecutor(connection)
    behind = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if behind:
        said = ngettext_lazy(
            "{name} {version} answers in {took}, but {n} migration is missing",
            "{name} {version} answers in {took}, but {n} migrations are missing",
            behind,
        )
        yield Finding(
            "database",
            Verdict.FAIL,
            format_lazy(said, n=behind, **facts),
            _("Restart with `manage.py up`, or run `manage.py migrate`."),
        )
    else:
        said = _("{name} {version} answers in {took}, up to date")
        yield Finding("database", Verdict.OK, format_lazy(said, **facts))


def redis() -> Iterator[Finding]:
    """Does it answer?"""
    began = time.monotonic()
    try:
        facts = progress.server_facts()
    except RedisAway:
        yield Finding(
            "redis",
            Verdict.FAIL,
            _("does not answer"),
            _("Is Storykeep running (`manage.py up`), or is STORYKEEP_REDIS_URL wrong?"),
        )
        return
    kind = _("embedded") if settings.STORYKEEP.embedded_redis else _("external")
    said = format_lazy(
        _("{version} ({kind}) answers in {took}, holds {size}"),
        version=facts.version,
        kind=kind,
        took=_ms(time.monotonic() - began),
        size=_size(facts.used_bytes),
    )
    yield Finding("redis", Verdict.OK, said)


def worker() -> Iterator[Finding]:
    """Is there one?"""
    heard = heartbeats.heard()
    if not heard:
        said, hint = _("none gives a sign of life"), _("Look at the worker's log.")
        yield Finding("worker", Verdict.FAIL, said, hint)
        return
    ago = max(timedelta(), timezone.now() - max(heard.values()))
    said = _("{n} alive, last sign of life {ago} ago")
    yield Finding("worker", Verdict.OK, format_lazy(said, n=len(heard), ago=_span(ago)))


def queue() -> Iterator[Finding]:
    """Does it move?"""
    now = timezone.now()
    found = dashboard.queue(now)
    said: Words = format_lazy(
        _("{running} lines running, {due} due, {waiting} asked to wait"),
        running=found.running,
        due=found.due,
        waiting=found.waiting,
    )
    late = False
    if found.oldest_since:
        since = now - found.oldest_since
        late = since > dashboard.LATE
        said = format_lazy(_("{all}, the oldest due for {age}"), all=said, age=_span(since))
    yield Finding("queue", Verdict.WARN if late else Verdict.OK, said)


def scheduler() -> Iterator[Finding]:
    """Does the clean-up come by?"""
    now = timezone.now()
    sweep = heartbeats.last_sweep()
    if sweep is None:
        yield Finding("scheduler", Verdict.NOTE, _("no clean-up is known of yet"))
        return
    failed = sweep.counts.get("failed", 0)
    said = ngettext_lazy(
        "last clean-up {ago} ago, {n} deletion failed",
        "last clean-up {ago} ago, {n} deletions failed",
        failed,
    )
    late = sweep.late(now)
    yield Finding(
        "scheduler",
        Verdict.FAIL if late else Verdict.OK,
        format_lazy(said, ago=_span(now - sweep.at), n=failed),
        _("Look at the logs of scheduler and worker.") if late else "",
    )


def disk() -> Iterator[Finding]:
    """Is there room, and may we write?"""
    if not settings.STORYKEEP.artifacts.is_dir():  # whoever asked for it would make it
        yield Finding(
            "disk",
            Verdict.FAIL,
            _("the folder for saved files is not there"),
            _("Is STORYKEEP_DATA_DIR or STORYKEEP_ARTIFACT_DIR wrong? `manage.py up` makes it."),
        )
        return
    if _is_away():
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
    said, full = _room()
    try:
        artifact_disk.try_writing()
    except (OSError, StoriesError) as error:
        failing = _("{room}; writing fails ({kind})")
        said = format_lazy(failing, room=said, kind=type(error).__name__)
        yield Finding("disk", Verdict.FAIL, said)
        return
    if full:
        yield Finding(
            "disk",
            Verdict.FAIL,
            format_lazy(_("{room}: too little for new work"), room=said),
            _("Delete files, or change STORYKEEP_DISK_MAX or STORYKEEP_DISK_MIN_FREE."),
        )
    else:
        yield Finding("disk", Verdict.OK, format_lazy(_("{room}, writable"), room=said))


def _is_away() -> bool:
    try:
        return artifact_disk.is_away()
    except DatabaseError:  # whether files should be there, the database knows
        return False


def _room() -> tuple[Words, bool]:
    """How much, in words, and whether it is too little. What is used, the database knows."""
    try:
        found = capacity.look()
    except DatabaseError:
        free = artifact_disk.free_bytes()
        said = format_lazy(_("{free} free, how much is used is not known"), free=_size(free))
        return said, free <= settings.STORYKEEP.disk_min_free
    facts = {"used": _size(found.used_bytes), "free": _size(found.free_bytes)}
    if found.max_bytes:
        limited = _("{used} of {limit} used, {free} free")
        return format_lazy(limited, limit=_size(found.max_bytes), **facts), found.full
    return format_lazy(_("{used} used, {free} free"), **facts), found.full


def clock() -> Iterator[Finding]:
    """Does it agree with the other clocks we can see?"""
    now = datetime.now(UTC)
    yield _clock("Redis", (now - progress.server_facts().clock).total_seconds())
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            theirs = cursor.fetchone()[0]
        yield _clock("PostgreSQL", (datetime.now(UTC) - theirs).total_seconds())


def _clock(whose: str, ahead_s: float) -> Finding:
    if abs(ahead_s) <= CLOCK_S:
        said = format_lazy(_("agrees with that of {whose}"), whose=whose)
        return Finding("clock", Verdict.OK, said)
    way = (
        _("{span} ahead of that of {whose}") if ahead_s > 0 else _("{span} behind that of {whose}")
    )
    return Finding(
        "clock",
        Verdict.FAIL,
        format_lazy(way, span=_span(timedelta(seconds=abs(ahead_s))), whose=whose),
        _("Have the machine set its clock over the network (NTP)."),
    )


def failures() -> Iterator[Finding]:
    """What went wrong lately, by code."""
    found = dashboard.failures(timezone.now())
    said: Words = format_lazy(
        ngettext_lazy(
            "{n} line settled within 24 h, {failed} not in full",
            "{n} lines settled within 24 h, {failed} not in full",
            found.settled,
        ),
        n=found.settled,
        failed=found.failed,
    )
    if found.codes:
        codes = ", ".join(f"{code or '?'} {count}" for code, count in found.codes)
        said = format_lazy("{said}: {codes}", said=said, codes=codes)
    yield Finding("failures", Verdict.NOTE, said)


def proxy() -> Iterator[Finding]:
    """Does it take connections? Nothing where there is none."""
    if not settings.STORYKEEP.proxy:
        return
    error = _proxy_error()
    if error is None:
        yield Finding("proxy", Verdict.OK, _("takes connections"))
    else:
        said = format_lazy(_("takes no connection ({kind})"), kind=error)
        yield Finding("proxy", Verdict.FAIL, said, _PROXY_HINT)


_PROXY_HINT: Final = _("Is the proxy running, and is STORYKEEP_PROXY right?")
_PROXY_PORTS: Final = {"http": 80, "https": 443}


def _proxy_error() -> str | None:
    """What kind of error a connection to the proxy ends with; None when there is none."""
    url = settings.STORYKEEP.proxy
    parts = urlsplit(url.get_secret_value() if url else "")
    place = (parts.hostname or "", parts.port or _PROXY_PORTS.get(parts.scheme, 1080))
    try:
        socket.create_connection(place, timeout=PROXY_S).close()
    except OSError as error:
        return type(error).__name__
    return None


def pause() -> Iterator[Finding]:
    """Does TikTok refuse this server?"""
    shared = breaker.standing()
    if shared is None:
        yield Finding("pause", Verdict.OK, _("TikTok is being asked"))
        return
    left = shared.until - timezone.now()
    if left > timedelta():
        said = _("TikTok refused this server ({code}); nobody asks for another {span}")
    else:
        said = _("TikTok refused this server ({code}); nobody asks until one line has tried again")
    yield Finding(
        "pause",
        Verdict.WARN,
        format_lazy(said, code=shared.code, span=_span(left)),
        _explained(shared.code, message=False),
    )


CHECKS: Final[tuple[Check, ...]] = (
    database,
    redis,
    worker,
    queue,
    scheduler,
    disk,
    clock,
    failures,
    proxy,
    pause,
)


# --- TikTok -------------------------------------------------------------------------------------


def look(target: Target) -> list[Finding]:
    """One look through an account, over the same route and at the same pace as the worker's.

    It goes ahead while a pause runs, for that is when someone wants to know; it ends none.
    """
    if settings.STORYKEEP.proxy and _proxy_error():
        said = _("cannot be asked: the proxy takes no connection")
        return [Finding("tiktok", Verdict.FAIL, said, _PROXY_HINT)]
    try:
        seen = asyncio.run(_look(target))
    except OSError as error:
        said = format_lazy(_("cannot be asked ({kind})"), kind=type(error).__name__)
        return [Finding("tiktok", Verdict.FAIL, said)]
    findings = [_step(one, target) for one in seen.steps]
    if seen.clock_ahead_s is not None:
        findings.append(_clock("TikTok", seen.clock_ahead_s))
    return findings


async def _look(target: Target) -> ProbeReport:
    async with StoryClient(bridge.client_config(), rate_limit=breaker.turn) as client:
        return await probe(client, target)


def _step(tried: StepResult, target: Target) -> Finding:
    part = tried.step.value
    facts: dict[str, Any] = {"name": f"@{target.name}", "took": _ms(tried.took_s)}
    if tried.error is not None:
        error = tried.error
        # What is wrong with an account needs no further word, and its own may be a name.
        told = "" if isinstance(error, AccessError) else error.detail
        detail = scrubbed(told, target.name or "")
        said: Words = format_lazy(_("{name}: {code} after {took}"), code=error.code, **facts)
        if detail:
            said = format_lazy("{said} ({detail})", said=said, detail=detail)
        proxied = type(error.__cause__).__name__ == "ProxyError"  # so both transports call it
        return Finding(part, Verdict.FAIL, said, _PROXY_HINT if proxied else _explained(error.code))
    if tried.skipped:
        said = _("{name} has no active story; name an account that has one to try a file")
        return Finding(part, Verdict.NOTE, format_lazy(said, **facts))
    if tried.step is Step.PROFILE:
        said = _("{name} found in {took}")
    elif tried.step is Step.LIST:
        facts["n"] = tried.stories
        said = ngettext_lazy(
            "{n} active story listed in {took}",
            "{n} active stories listed in {took}",
            tried.stories,
        )
    elif tried.mirror > 1:
        said = _("{n} bytes of {form} in {took}, from address {mirror}")
    else:
        said = _("{n} bytes of {form} in {took}")
    if tried.step is Step.MEDIA:
        facts |= {
            "n": tried.sample_bytes,
            "form": FORMS.get(tried.file_format, tried.file_format),
            "mirror": tried.mirror,
        }
    return Finding(part, Verdict.OK, format_lazy(said, **facts))


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


def _size_now(size_bytes: int) -> str:
    return size(size_bytes).replace("\N{NO-BREAK SPACE}", " ")


def _explained_now(code: str, *, message: bool = True) -> str:
    said, hint = words(code)
    return f"{said} {hint}".strip() if message else hint


_size: Final[Callable[..., Words]] = lazy(_size_now, str)
_explained: Final[Callable[..., Words]] = lazy(_explained_now, str)


def _span(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
