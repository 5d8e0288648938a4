"""The rows of the People page: everyone's usage of their limits, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, Max

from accounts import admin_log
from accounts.models import ApiToken
from jobs.models import Job, Quota
from jobs.queue import quotas
from jobs.queue.quotas import Usage, Use

SORTS: Final = ("disk", "today", "seen", "name")
"""Orders of the page; the first is the usual one."""


@dataclass(frozen=True, slots=True)
class Share:
    """A bar: what somebody uses of a whole. percent: 0 to 100, at least 1 for anything at all.

    of_limit: the whole is a limit of theirs, not merely what there is.
    """

    use: Use
    percent: int
    of_limit: bool

    @property
    def level(self) -> str:
        """`bad` at a limit, `warn` above four fifths of it; "" below, and where none is set."""
        if not self.of_limit or self.percent < 80:
            return ""
        return "bad" if self.use.left == 0 else "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """A person with usage and own limits. quota: their row of limits; None without one.

    today: lines sent since midnight UTC; disk: bytes of their saved files. seen_at: their last
    sign-in, job or use of a token; None for never.
    """

    user: User
    usage: Usage
    today: Share
    disk: Share
    quota: Quota | None
    jobs: int
    seen_at: datetime | None

    @property
    def limited(self) -> bool:
        """Whether they have limits of their own."""
        own = self.quota
        values = (own.active_items, own.items_per_day, own.stored_bytes) if own else ()
        return any(value is not None for value in values)


def share(use: Use, whole: int) -> Share:
    """A bar against somebody's limit or, without one, against `whole`."""
    total = use.limit if use.limit is not None else whole
    percent = min(100, round(100 * use.used / total)) if total else 0
    return Share(use, max(1, percent) if use.used else 0, use.limit is not None)


def people_rows(query: str = "", sort: str = SORTS[0]) -> list[PersonRow]:
    """Everyone whose name or mail address contains `query`, sorted by one of SORTS.

    Eight queries, however many people there are; saved files are summed from an index alone.
    """
    users = User.objects.exclude(username=admin_log.FORMER).order_by("username")
    if query:
        users = users.filter(username__icontains=query) | users.filter(email__icontains=query)
    found = list(users)
    ids = [user.pk for user in found]
    usages = quotas.usages(ids)
    own = {quota.owner_id: quota for quota in Quota.objects.filter(owner__in=ids)}
    jobs = _by_owner(Job.objects.filter(owner__in=ids), n=Count("pk"), at=Max("created_at"))
    tokens = _by_owner(ApiToken.objects.filter(owner__in=ids), at=Max("last_used_at"))
    stored = [usage.stored_bytes.used for usage in usages.values()]
    whole = int(settings.STORYKEEP.disk_max) or sum(stored)
    busiest = max((usage.items_per_day.used for usage in usages.values()), default=0)
    rows = []
    for user in found:
        job, token, usage = jobs.get(user.pk, {}), tokens.get(user.pk, {}), usages[user.pk]
        seen = [at for at in (user.last_login, job.get("at"), token.get("at")) if at]
        rows.append(
            PersonRow(
                user=user,
                usage=usage,
                today=share(usage.items_per_day, busiest),
                disk=share(usage.stored_bytes, whole),
                quota=own.get(user.pk),
                jobs=job.get("n", 0),
                seen_at=max(seen, default=None),
            )
        )
    return _sorted(rows, sort)


def _by_owner(rows: Any, **aggregates: Any) -> dict[int, dict[str, Any]]:
    grouped = rows.order_by().values("owner").annotate(**aggregates)
    return {row["owner"]: row for row in grouped}


def _sorted(rows: Sequence[PersonRow], sort: str) -> list[PersonRow]:
    """The rows, largest or latest first, by name where they are alike."""
    keys = {
        "disk": lambda row: -row.usage.stored_bytes.used,
        "today": lambda row: -row.usage.items_per_day.used,
        "seen": lambda row: -(row.seen_at.timestamp() if row.seen_at else 0.0),
        "name": lambda row: row.user.username.casefold(),
    }
    return sorted(rows, key=keys.get(sort, keys[SORTS[0]]))
