"""What those who run the instance are told by themselves: TikTok refuses, the disk fills up, the
daily backup failed. Each once in a day, while it lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model

from jobs.ephemeral import backups
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ops import checks
from jobs.ops.findings import Verdict
from jobs.upstream import breaker
from notices import outbox
from notices.kinds import Kind
from notices.models import Message
from notices.outbox import News

REFUSED_FOR: Final = timedelta(hours=1)
"""TikTok refuses a server for minutes now and then; for an hour is worth a message."""
WINDOW: Final = timedelta(days=1)
"""Nothing is told twice within it."""
_RIGHT: Final = "jobs.view_operations"
_BACKEND: Final = "django.contrib.auth.backends.ModelBackend"
"""It knows of rights; those of the sign-in are not loaded in a worker."""


def tell(now: datetime) -> int:
    """Put what is wrong into the outbox of each member who may see the operations; how many
    messages. It looks for nothing where none of them has anywhere to be told."""
    if not outbox.is_used():
        return 0
    people = get_user_model().objects.with_perm(_RIGHT, backend=_BACKEND)
    told = outbox.told_members(people.values_list("pk", flat=True))
    if not told:
        return 0
    since = now - WINDOW
    lately = Message.objects.filter(created_at__gt=since, created_at__lte=now, owner__in=told)
    known = set(lately.values_list("owner_id", "kind"))
    return outbox.add_all(
        [
            News(
                owner_id=owner_id,
                kind=kind,
                # Of two workers at once, one tells it.
                key=f"{kind.value}:{owner_id}:{int(now.timestamp() // WINDOW.total_seconds())}",
                facts=facts,
                path="admin/problems/",
                topic=kind.value,
            )
            for kind, facts in _events(now)
            for owner_id in told
            if (owner_id, kind.value) not in known
        ]
    )


def _events(now: datetime) -> Iterator[tuple[Kind, Mapping[str, Any]]]:
    with suppress(RedisUnavailable):
        pause = breaker.shared_state()
        if pause and pause.since and now - pause.since >= REFUSED_FOR:
            yield Kind.REFUSED, {"since": pause.since.isoformat()}
    if any(
        finding.verdict in {Verdict.WARN, Verdict.FAIL} for finding in checks.run_checks(["disk"])
    ):
        yield Kind.DISK, {}
    if settings.STORYKEEP.backup_daily:
        with suppress(RedisUnavailable):
            if backups.last_failed() is not None:
                yield Kind.BACKUP, {}
