"""Quotas: each user's limits on this instance, their usage, and the refusal of more.

Counted from rows each time, so nothing has to be kept in step; only items that were forgotten are
remembered as a number until their day is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Count, Min, OuterRef, QuerySet, Subquery, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.errors import NeverFits, QuotaExceeded
from jobs.files import capacity
from jobs.models import Artifact, Item, Quota
from jobs.wording import size

SOON_S: Final = 60.0
"""Seconds until the next try where only running lines stand in the way."""


@dataclass(frozen=True, slots=True)
class Use:
    """The usage of one resource. limit: None = no limit."""

    used: int
    limit: int | None

    @property
    def left(self) -> int | None:
        """The amount that may still be used; None = no limit."""
        return None if self.limit is None else max(0, self.limit - self.used)

    def holds(self, more: int) -> bool:
        """Whether there is room for so many more."""
        return self.limit is None or self.used + more <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One user's limits and what they use of them.

    active_items: lines queued or running. items_per_day: lines sent since midnight UTC, refused
    ones not counted. stored_bytes: of files that were not deleted yet, previews included, which
    may go beyond the limit. day_ends_at: when the day's count begins anew.
    """

    active_items: Use
    items_per_day: Use
    stored_bytes: Use
    day_ends_at: datetime

    @property
    def limited(self) -> bool:
        """Whether any limit is worth showing."""
        uses = (self.active_items, self.items_per_day, self.stored_bytes)
        return any(use.limit is not None for use in uses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """One user's limits; None = no limit."""

    active_items: int | None
    items_per_day: int | None
    stored_bytes: int | None


def limits(quota: Quota | None) -> Limits:
    """A user's own limits where their quota row has some, this instance's for the rest."""
    env = settings.STORYKEEP

    def chosen(own: int | None, usual: int) -> int | None:
        # 0, whoever says it, means no limit.
        return (usual if own is None else own) or None

    return Limits(
        active_items=chosen(quota.active_items if quota else None, env.quota_active),
        items_per_day=chosen(quota.items_per_day if quota else None, env.quota_daily),
        stored_bytes=chosen(quota.stored_bytes if quota else None, env.quota_bytes),
    )


def max_stored_bytes(owner_id: Any) -> int | None:
    """The bytes of saved files this user may have; None = no limit. One query."""
    return limits(Quota.objects.filter(owner_id=owner_id).first()).stored_bytes


def usage(user: AbstractBaseUser | AnonymousUser) -> Usage:
    """One user's limits and usage. Four small queries."""
    return usages([user.pk])[user.pk]


def usages(user_ids: Iterable[Any], now: datetime | None = None) -> Mapping[Any, Usage]:
    """User id → limits and usage, for many users in as many queries as for one."""
    ids = list(user_ids)
    today = _today(now or timezone.now())
    quotas = {quota.owner_id: quota for quota in Quota.objects.filter(owner__in=ids)}
    items = Item.objects.kept().filter(owner__in=ids)
    active = _count(items.open())
    sent = _count(items.filter(created_at__gte=today).exclude(key=""))
    files = Artifact.objects.kept().filter(owner__in=ids, removed_at=None).order_by()
    stored = dict(files.values_list("owner").annotate(total=Sum("size_bytes")))
    by_user = {}
    for user_id in ids:
        quota = quotas.get(user_id)
        limit = limits(quota)
        forgotten = quota.forgotten_items if quota and quota.forgotten_on == today.date() else 0
        by_user[user_id] = Usage(
            active_items=Use(active.get(user_id, 0), limit.active_items),
            items_per_day=Use(sent.get(user_id, 0) + forgotten, limit.items_per_day),
            stored_bytes=Use(stored.get(user_id, 0), limit.stored_bytes),
            day_ends_at=today + timedelta(days=1),
        )
    return by_user


def _today(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _count(items: QuerySet[Item]) -> dict[Any, int]:
    return dict(items.order_by().values_list("owner").annotate(count=Count("pk")))


def admit(owner: AbstractBaseUser, items: int) -> None:
    """Let a user queue so many more items, or raise QuotaExceeded, which says why and until when.

    Call it in the transaction that makes them: of two submissions at once the second one waits,
    and then counts the first.
    """
    now = timezone.now()
    usage = _locked_usage(owner.pk, now)
    day, active = usage.items_per_day, usage.active_items
    for use, limit in ((day, _a_day), (active, _at_once)):
        if use.limit is not None and items > use.limit:
            raise _never(use, limit(use), items)
    if not day.holds(items):
        raise _too_many_today(usage, now)
    if not active.holds(items):
        raise _too_many_at_once(active)
    if usage.stored_bytes.left == 0:
        raise _too_much_stored(owner.pk, usage.stored_bytes)


def admit_retry(owner_id: Any, items: int) -> int:
    """The number, of so many settled items, that a user may queue again now.

    They count for the day they were sent. Raises QuotaExceeded when there is room for none. Call it
    in the transaction that queues them.
    """
    usage = _locked_usage(owner_id, timezone.now())
    if usage.stored_bytes.left == 0:
        raise _too_much_stored(owner_id, usage.stored_bytes)
    left = usage.active_items.left
    if left == 0:
        raise _too_many_at_once(usage.active_items)
    return items if left is None else min(items, left)


def own_stored_bytes() -> Subquery:
    """The limit for saved files in the quota row of an item's owner, null without one: an
    expression over the item's row."""
    rows = Quota.objects.filter(owner=OuterRef("owner"))
    return Subquery(rows.values("stored_bytes")[:1])


def stored_bytes_limit(own: int | None) -> int | None:
    """The bytes of saved files a user may have; None = no limit. own: as `own_stored_bytes`."""
    return limits(Quota(stored_bytes=own)).stored_bytes


def require_stored_bytes_fit(owner_id: Any, limit: int | None) -> None:
    """Raise QuotaExceeded when a user's saved files, previews aside, take more than `limit`.

    limit: as `max_stored_bytes` or `stored_bytes_limit` have it in this transaction.
    Call it in the transaction that wrote their rows, or a part of it, which is then rolled back:
    every worker process reserves for itself, and what another one stored meanwhile is only seen
    here. Of two at once the second waits, and counts the files of the first. No query without a
    limit.
    """
    if limit is None:
        return
    _lock(owner_id)
    used = capacity.used_bytes(owner_id)
    if used > limit:
        raise _too_much_stored(owner_id, Use(used, limit))


def _locked_usage(owner_id: Any, now: datetime) -> Usage:
    """A user's usage, with the user's row locked until the transaction ends."""
    _lock(owner_id)
    return usages([owner_id], now)[owner_id]


def _lock(owner_id: Any) -> None:
    """Lock a user's row until the transaction ends; after the job's row, where that is locked too.

    SQLite has one writer at a time anyway.
    """
    users = get_user_model()._default_manager  # noqa: SLF001  # its name depends on the model
    list(users.select_for_update(no_key=True).filter(pk=owner_id).values_list("pk"))


def _a_day(use: Use) -> str:
    return ngettext(
        "You may send %(limit)d line a day.", "You may send %(limit)d lines a day.", use.limit or 0
    ) % {"limit": use.limit}


def _at_once(use: Use) -> str:
    return ngettext(
        "You may have %(limit)d line in the works at once.",
        "You may have %(limit)d lines in the works at once.",
        use.limit or 0,
    ) % {"limit": use.limit}


def _never(use: Use, limit: str, items: int) -> NeverFits:
    these = _("You sent %(count)d.") % {"count": items}
    return NeverFits(
        f"{items} at once, and the limit is {use.limit}",
        said=f"{limit} {these}",
        hint_said=_("Split the list and send it in parts."),
    )


def _too_many_today(usage: Usage, now: datetime) -> QuotaExceeded:
    use = usage.items_per_day
    left = use.left or 0
    more = ngettext(
        "%(left)d is left today.", "%(left)d are left today.", left
    ) % {"left": left}  # fmt: skip
    return QuotaExceeded(
        f"items_per_day: {use.used} of {use.limit}",
        retry_after_s=(usage.day_ends_at - now).total_seconds(),
        said=f"{_a_day(use)} {more}",
        hint_said=_("The count begins anew at midnight, UTC."),
    )


def _too_many_at_once(use: Use) -> QuotaExceeded:
    left = use.left or 0
    more = ngettext(
        "There is room for %(left)d more.", "There is room for %(left)d more.", left
    ) % {"left": left}  # fmt: skip
    return QuotaExceeded(
        f"active_items: {use.used} of {use.limit}",
        retry_after_s=SOON_S,
        said=f"{_at_once(use)} {more}",
        hint_said=_("Wait until some have finished, or cancel what you no longer need."),
    )


def _too_much_stored(owner_id: Any, use: Use) -> QuotaExceeded:
    """The refusal to save more, until the first of the user's files expires."""
    files = Artifact.objects.kept().filter(owner_id=owner_id, removed_at=None)
    soonest = files.aggregate(at=Min("expires_at"))["at"]
    wait_s = (soonest - timezone.now()).total_seconds() if soonest else 0.0
    return QuotaExceeded(
        f"stored_bytes: {use.used} of {use.limit}",
        # On top, the sweep has to come by as well.
        retry_after_s=max(0.0, wait_s) + SOON_S,
        said=_("Your files may take %(limit)s, and they take %(used)s.")
        % {"limit": size(use.limit), "used": size(use.used)},
        hint_said=_("Room comes back as files expire; deleting some now helps at once."),
    )


def carry_over(job_id: UUID) -> None:
    """Keep today's items of a job counted though their rows are about to be deleted.

    Call it in the transaction that deletes them.
    """
    today = _today(timezone.now())
    sent = _count(Item.objects.filter(job_id=job_id, created_at__gte=today).exclude(key=""))
    for owner_id, count in sent.items():
        _lock(owner_id)  # or a submission counts neither these items nor the number they become
        quota, _made = Quota.objects.select_for_update().get_or_create(owner_id=owner_id)
        before = quota.forgotten_items if quota.forgotten_on == today.date() else 0
        quota.forgotten_on, quota.forgotten_items = today.date(), before + count
        quota.save(update_fields=["forgotten_on", "forgotten_items"])
