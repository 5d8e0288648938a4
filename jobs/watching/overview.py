"""Watches as their owner sees them: each with its last week, its gaps, and what it found last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Sum, Value
from django.utils import timezone

from jobs.models import Item, Job, Watch, WatchGap, WatchState
from jobs.states import OPEN, ItemState
from jobs.watching import coverage
from jobs.watching.coverage import STRIP_DAYS, Gap
from jobs.watching.rhythm import STORY_LIFE
from jobs.watching.watches import CHECK_EVERY

RENEW_OFFERED: Final = timedelta(days=7)
"""So long before a watch ends its page offers to renew it."""
_WAITED_FOR: Final = timedelta(minutes=10)
"""So long a page looks again by itself for what comes of a look that somebody asked for."""
_A_LOOK: Final = timedelta(minutes=5)
"""No look takes longer."""
_SLOW: Final = timedelta(minutes=2)
"""A look that somebody waits for longer than this takes longer than usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """The last job a watch made. stories: how many new ones; saving: it is not settled. unsaved,
    partly: once it is, how many of them are not saved, and how many only in part."""

    job_id: UUID
    at: datetime
    stories: int
    saving: bool
    unsaved: int = 0
    partly: int = 0

    @property
    def short(self) -> bool:
        """Whether it settled without all that was found."""
        return bool(self.unsaved or self.partly)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayView:
    """A day of the strip, up to `ends_at`. covered: None before the watch began. holes: the gaps
    that touch it."""

    ends_at: datetime
    covered: bool | None
    holes: Sequence[Gap]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchView:
    """A watch at one moment. gaps: newest first, the open one included."""

    watch: Watch
    now: datetime
    days: Sequence[DayView]
    gaps: Sequence[Gap]
    find: Find | None

    @property
    def name(self) -> str:
        """The account's name, without "@"."""
        return self.watch.known_name

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self.watch.state == WatchState.ENDED

    @property
    def refused(self) -> bool:
        """Whether it ended before it began: its first look found that there is nothing to watch."""
        return self.ended and not self.watch.name

    @property
    def troubled(self) -> bool:
        """Whether its owner should see it before the others: it has ended, its last look failed, or
        it is not covered now. One that rests by its owner's wish is not, nor one refused."""
        if self.refused or self.watch.state == WatchState.PAUSED:
            return False
        return self.ended or bool(self.watch.error_code or any(not g.ends_at for g in self.gaps))

    @property
    def beginning(self) -> bool:
        """Whether its first look is to come, or runs; not one that failed and is tried again."""
        return self.watch.state == WatchState.CHECKING and not self.watch.error_code

    @property
    def waiting(self) -> bool:
        """Whether a look is waited for whose outcome is all there is to say."""
        return self.beginning or (self.watch.state == WatchState.ACTIVE and self.busy)

    @property
    def slow(self) -> bool:
        """Whether the look that is to be made now has been for longer than one takes."""
        return self.watch.next_at is not None and self.now - self.watch.next_at > _SLOW

    @property
    def found_last(self) -> bool:
        """Whether its last look found something new."""
        looked_at = self.watch.looked_at
        return self.find is not None and (looked_at is None or self.find.at >= looked_at)

    @property
    def find_told(self) -> bool:
        """Whether what it found last is what there is to say of it now."""
        watch = self.watch
        if watch.state != WatchState.ACTIVE or watch.error_code or self.busy or self.find is None:
            return False
        return self.find.saving or self.nothing_new_at is None

    @property
    def nothing_new_at(self) -> datetime | None:
        """When its last look ended, where that found nothing after an earlier one had, or after its
        owner had asked for it; None where that is no news."""
        looked_at, asked_at = self.watch.looked_at, self.watch.checked_at
        if looked_at is None or self.found_last:
            return None
        is_news = self.find is not None or (asked_at is not None and asked_at <= looked_at)
        return looked_at if is_news else None

    @property
    def with_holes(self) -> bool:
        """Whether a day of its strip is not covered."""
        return any(day.covered is False for day in self.days)

    @property
    def looked_since(self) -> datetime | None:
        """When its last look ended, where that did not cover it: else `covered_until` says it."""
        watch = self.watch
        if watch.looked_at is None or self.refused:
            return None
        if watch.covered_until is None or watch.looked_at - watch.covered_until > _A_LOOK:
            return watch.looked_at
        return None

    @property
    def due(self) -> bool:
        """Whether its next look is to be made now."""
        return self.watch.next_at is not None and self.watch.next_at <= self.now

    @property
    def busy(self) -> bool:
        """Whether its owner is waiting for a look that has not ended."""
        watch = self.watch
        if watch.next_at is None:
            return False
        asked_at = watch.checked_at
        if watch.state == WatchState.CHECKING:
            asked_at = max(watch.created_at, asked_at or watch.created_at)
        elif asked_at is None or (watch.looked_at is not None and watch.looked_at >= asked_at):
            return False
        return abs(self.now - asked_at) < _WAITED_FOR

    @property
    def check_at(self) -> datetime | None:
        """From when on its owner may ask for a look again; None for now."""
        if self.watch.checked_at is None:
            return None
        free_at = self.watch.checked_at + CHECK_EVERY
        return free_at if self.now < free_at <= self.now + CHECK_EVERY else None

    @property
    def renew_offered(self) -> bool:
        """Whether it ends soon unless it is renewed."""
        return not self.ended and self.watch.renew_by - self.now < RENEW_OFFERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a person may watch: how many accounts they do, and at most."""

    used: int
    limit: int

    @property
    def over(self) -> bool:
        """Whether they are more than they may be: fewer are allowed than were."""
        return self.used > self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNumbers:
    """with_holes: watches that were not covered at some time of the last week. looks_a_day: at
    most; one look may serve several people."""

    watches: int
    with_holes: int
    looks_a_day: int


def of_owner(owner_id: Any, now: datetime | None = None) -> list[WatchView]:
    """A person's watches; three queries, and one where something was found.

    Those that need their owner come first, those that were refused last; else as they are named.
    One that has ended is left out where the account of that name is watched anew.
    """
    now = now or timezone.now()
    watches = list(_with_all(Watch.objects.filter(owner_id=owner_id)).order_by("-created_at", "pk"))
    anew = {watch.known_name for watch in watches if watch.state != WatchState.ENDED}
    watches = [
        watch
        for watch in watches
        if watch.state != WatchState.ENDED or watch.known_name not in anew
    ]
    finds = _finds(watches)
    views = [_view(watch, finds.get(watch.pk), now) for watch in watches]
    return sorted(views, key=_place)


def _place(view: WatchView) -> tuple[bool, bool, str, str]:
    heading = view.watch.nickname or view.name
    return view.refused, not view.troubled, heading.casefold(), view.name


def limits(views: Iterable[WatchView]) -> Limits:
    """The limits of whoever owns all of these."""
    running = sum(not view.ended for view in views)
    return Limits(used=running, limit=settings.STORYKEEP.watches_per_member)


def of_instance(now: datetime) -> InstanceNumbers:
    """The watches of everybody that have not ended, in numbers; one query."""
    week = WatchGap.objects.filter(
        watch=OuterRef("pk"), ends_at__gt=now - timedelta(days=STRIP_DAYS)
    )
    uncovered = Q(covered_until__lt=now - STORY_LIFE)
    counted = Watch.objects.exclude(state=WatchState.ENDED).aggregate(
        watches=Count("pk"),
        with_holes=Count("pk", filter=uncovered | Q(Exists(week))),
        looks=Sum(Value(86400.0) / F("every_s"), filter=Q(next_at__isnull=False)),
    )
    return InstanceNumbers(
        watches=counted["watches"],
        with_holes=counted["with_holes"],
        looks_a_day=round(counted["looks"] or 0),
    )


def gaps_of(watch: Watch, now: datetime | None = None) -> list[Gap]:
    """The gaps of a watch, newest first, the open one included."""
    gaps = [Gap(gap.begins_at, gap.ends_at) for gap in watch.gaps.all()]
    going_on = coverage.open_gap(watch, now or timezone.now())
    if going_on is not None:
        gaps.append(going_on)
    return sorted(gaps, key=lambda gap: gap.begins_at, reverse=True)


def watched_accounts(owner_id: Any) -> set[str]:
    """TikTok's ids, and "@" with the names, of the accounts a person watches now; one query."""
    own = Watch.objects.filter(owner_id=owner_id).exclude(state=WatchState.ENDED)
    watches = own.select_related("account").only("name", "account__tiktok_id", "account__name")
    known: set[str] = set()
    for watch in watches:
        known |= {watch.account.tiktok_id, f"@{watch.known_name}"} - {""}
    return known


def _with_all(watches: Any) -> Any:
    last = Job.objects.filter(watch=OuterRef("pk"), erased_at=None).order_by("-created_at")
    return (
        watches.select_related("account")
        .prefetch_related("gaps")
        .annotate(last_job=Subquery(last.values("pk")[:1]))
    )


def _finds(watches: Iterable[Any]) -> dict[UUID, Find]:
    by_job = {watch.last_job: watch.pk for watch in watches if watch.last_job}
    if not by_job:
        return {}
    whole, partly = (
        Count("stories", filter=Q(stories__state=state))
        for state in (ItemState.DONE, ItemState.PARTIAL)
    )
    lines = Item.objects.filter(job_id__in=by_job).annotate(whole=whole, partly=partly)
    return {by_job[line.job_id]: _find(line) for line in lines}


def _find(line: Any) -> Find:
    """line: of a watch's job, with how many of its stories are saved `whole` and `partly`."""
    stories, saving = len(line.only_ids.split()), line.state in OPEN
    return Find(
        job_id=line.job_id,
        at=line.created_at,
        stories=stories,
        saving=saving,
        unsaved=0 if saving else max(0, stories - line.whole - line.partly),
        partly=0 if saving else line.partly,
    )


def _view(watch: Watch, find: Find | None, now: datetime) -> WatchView:
    gaps = gaps_of(watch, now)
    days = [
        DayView(
            ends_at=day.begins_at + timedelta(days=1),
            covered=day.covered,
            holes=[gap for gap in gaps if _touches(gap, day.begins_at)]
            if day.covered is False
            else [],
        )
        for day in coverage.strip(watch, watch.gaps.all(), now)
    ]
    week = now - timedelta(days=STRIP_DAYS)
    recent = [gap for gap in gaps if gap.ends_at is None or gap.ends_at > week]
    return WatchView(watch=watch, now=now, days=days, gaps=recent, find=find)


def _touches(gap: Gap, day: datetime) -> bool:
    return gap.begins_at < day + timedelta(days=1) and (gap.ends_at is None or gap.ends_at > day)
