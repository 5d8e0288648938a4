"""What is wrong with this instance at the moment: the facts of `jobs.ops.problems`, gathered.

They are kept in this process for a minute, so that the number in the admin's header costs nothing.
It works without Redis, for that may be what is wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Min
from django.http import HttpRequest
from django.utils import timezone

from accounts import mail, people
from jobs import VERSION
from jobs.ephemeral import damaged_files, heartbeats, hidden_problems, processes
from jobs.ephemeral.backups import Told, last_failed
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ops import checks, dashboard, way_rows
from jobs.ops.problems import CHECKED_PARTS, LOOPBACK, Facts, Problem, problems
from jobs.upstream import breaker
from webapp.backups import kept

FRESH_S: Final = 60.0
"""Seconds for which the facts are taken to be as they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownProblems:
    """The problems there are: those to be shown, and those an admin has hidden for a while."""

    shown: tuple[Problem, ...]
    hidden: tuple[Problem, ...]


def gather() -> Facts:
    """The facts of this moment, but for those a request alone knows (`Facts.secure`)."""
    refused = None
    try:
        refused = breaker.shared_state()
        other_versions = _other_versions()
    except RedisUnavailable:  # the checks say so
        other_versions = ()
    try:
        begun_at = people.admins().aggregate(at=Min("date_joined"))["at"]
        unreadable, missing = dashboard.unreadable_answers(timezone.now() - timedelta(days=1))
    except DatabaseError:
        begun_at, unreadable, missing = None, 0, ""
    now = timezone.now()
    return Facts(
        now=now,
        findings=tuple(checks.run_checks(CHECKED_PARTS)),
        public_url=settings.STORYKEEP.public_url,
        refused_since=refused.since if refused else None,
        refusal_code=refused.code if refused else "",
        begun_at=begun_at,
        backed_up_at=kept.last_at(),
        backup_failed=_failed_backup(),
        version=VERSION,
        other_versions=other_versions,
        mail_failed_at=mail.failed_at() if mail.is_configured() else None,
        damaged=damaged_files.count(now),
        dead_ways=_dead_ways(now),
        unreadable=unreadable,
        missing=missing,
    )


def _failed_backup() -> Told | None:
    """The daily backup that failed; None once daily backups are switched off."""
    if not settings.STORYKEEP.backup_daily:
        return None
    try:
        return last_failed()
    except RedisUnavailable:  # the checks say so
        return None


def _dead_ways(now: datetime) -> tuple[way_rows.DeadWay, ...]:
    try:
        return way_rows.dead(way_rows.read(now).rows, now)
    except DatabaseError:  # the checks say so
        return ()


def _other_versions() -> tuple[tuple[str, str], ...]:
    """Name and version of processes that run another one than this; "" for those that do not tell
    theirs, as none did before 0.2. Raises RedisUnavailable."""
    told = {process.name: process.version for process in processes.running()}
    versions = dict.fromkeys(heartbeats.alive(), "") | told
    return tuple((name, version) for name, version in versions.items() if version != VERSION)


class Memory:
    """The facts as this process saw them last. gather: how to see them anew."""

    def __init__(self, gather: Callable[[], Facts]) -> None:
        self._gather = gather
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        self._gathered_at = 0.0

    def facts(self, *, fresh: bool) -> Facts:
        """The facts of the last minute, or those of now. Of several readers one asks."""
        with self._lock:
            age = time.monotonic() - self._gathered_at
            if self._facts is None or fresh or age > FRESH_S:
                self._facts, self._gathered_at = self._gather(), time.monotonic()
            return self._facts

    def forget(self) -> None:
        """See anew the next time somebody asks."""
        with self._lock:
            self._facts = None


memory = Memory(gather)


def find_problems(request: HttpRequest, *, fresh: bool = False) -> ShownProblems:
    """The problems as this reader meets them; fresh: of now, not of the last minute."""
    host = urlsplit(f"//{request.get_host()}").hostname
    facts = memory.facts(fresh=fresh)
    secure = request.is_secure() or host in LOOPBACK
    found = problems(replace(facts, secure=secure))
    hidden = hidden_problems.hidden([problem.code for problem in found if problem.may_hide])
    return ShownProblems(
        shown=tuple(problem for problem in found if problem.code not in hidden),
        hidden=tuple(problem for problem in found if problem.code in hidden),
    )


def current_problems(request: HttpRequest) -> tuple[Problem, ...]:
    """What there is to fix, failures first; at most a minute old. For other pages to show."""
    return find_problems(request).shown
