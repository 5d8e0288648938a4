"""The list of watches in the admin: counts, states and holes; whom they watch is masked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.contrib import admin
from django.db.models import Count, Exists, Model, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from jobs.admin import masking, reveal
from jobs.admin.confirmed_actions import ConfirmedAction, ConfirmedActionsAdmin, for_each
from jobs.admin.model_admins import ExplainedAdmin
from jobs.models import Watch, WatchGap, WatchingPause, WatchState
from jobs.templatetags.words import when
from jobs.watching import watches
from jobs.watching.coverage import STRIP_DAYS, open_gap
from jobs.wording import span


def _running(rows: QuerySet[Watch]) -> QuerySet[Watch]:
    return rows.filter(next_at__isnull=False)


def _preview_pause(rows: QuerySet[Watch]) -> str:
    count = _running(rows).count()
    text = ngettext(
        "%(n)d watch will rest until its owner resumes it. What is missed then is shown as a gap.",
        "%(n)d watches will rest until their owners resume them. What is missed then is shown as "
        "gaps.",
        count,
    )
    return text % {"n": count} if count else ""


def _pause(row: Watch) -> int:
    if row.next_at is None:
        return 0
    watches.pause(row)
    return 1


def _paused(count: int) -> str:
    return ngettext("%d watch paused.", "%d watches paused.", count) % count


PAUSE_WATCHES: Final = ConfirmedAction(
    title=_("Pause"), preview=_preview_pause, run=for_each(_pause), outcome=_paused
)


@admin.register(Watch)
class WatchAdmin(ExplainedAdmin):
    """Watches: who watches how often, and how well that goes."""

    list_display = (
        "short_id", "whom", "standing", "holes", "next_look", "covered_until", "why", "rhythm",
        "owner",
    )  # fmt: skip
    list_filter = ("state", "created_at", "owner")
    list_select_related = ("owner", "account")
    search_fields = ("id", "owner__username", "error_code")
    related_target_fields = ("account__name", "account__nickname", "account__tiktok_id")
    ordering = ("-created_at",)
    revealable = True
    confirmed_actions = {"pause": PAUSE_WATCHES}
    actions = tuple(confirmed_actions)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Watch]:
        """Watches with `week_gaps`: how many gaps of theirs end within the last week; `rests`:
        whether all watching is paused."""
        since = timezone.now() - timedelta(days=STRIP_DAYS)
        gaps = WatchGap.objects.filter(watch=OuterRef("pk"), ends_at__gt=since).order_by()
        rows: QuerySet[Watch] = super(ConfirmedActionsAdmin, self).get_queryset(request)
        counted = gaps.values("watch").annotate(n=Count("pk")).values("n")
        return rows.select_related("account").annotate(
            week_gaps=Subquery(counted), rests=Exists(WatchingPause.objects.all())
        )

    def has_pause_permission(self, request: HttpRequest) -> bool:
        """Permission to have watches of others rest."""
        return self._has_permission(request, "pause")

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns, with the account, masked where the watch is not the reader's."""

        def whom(row: Any) -> str:
            shown = masking.targets_shown() or reveal.is_own(request, row)
            return f"@{row.account.name}" if shown else masking.MASK

        whom.__name__ = "whom_column"
        column = admin.display(description=_("watched account"))(whom)
        return [column if name == "whom" else name for name in super().get_list_display(request)]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """All fields that are neither masked nor empty; the account by its name."""
        fields = super().get_fields(request, obj)
        return ["whom" if field == "account" else field for field in fields]

    @admin.display(description=_("watched account"))
    def whom(self, row: Any) -> str:
        """The account's name, where this reader may see it."""
        return f"@{row.account.name}" if getattr(row, "is_shown", False) else masking.MASK

    @admin.display(description=_("state"), ordering="state")
    def standing(self, row: Any) -> str:
        """Its state; for one that would be looked at, that all watching is paused."""
        running = row.state in {WatchState.CHECKING, WatchState.ACTIVE}
        return str(_("paused by an admin") if row.rests and running else row.get_state_display())

    @admin.display(description=_("next look"), ordering="next_at")
    def next_look(self, row: Any) -> SafeString | str:
        """When it is looked at next; none while all watching is paused."""
        return ("" if row.rests else when(row.next_at)) or "–"

    @admin.display(description=_("how often"), ordering="every_s")
    def rhythm(self, row: Watch) -> str:
        """The time between two looks."""
        return span(timedelta(seconds=row.every_s))

    @admin.display(description=_("gaps in 7 days"))
    def holes(self, row: Any) -> int:
        """The gaps of the last week, the open one included."""
        return (row.week_gaps or 0) + (open_gap(row, timezone.now()) is not None)

    @admin.action(description=PAUSE_WATCHES.title, permissions=["pause"])
    def pause(self, request: HttpRequest, rows: QuerySet[Watch]) -> HttpResponse | None:
        """Have these watches rest."""
        return self.confirm_or_run(request, rows, "pause")
