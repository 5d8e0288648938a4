"""The ModelAdmins of jobs, lines, stories, files and packages: state, age, and why a row failed.

Rows are made and changed by the app alone, so nothing can be edited or added.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.admin.actions import (
    CANCEL_ITEMS,
    CANCEL_JOBS,
    PURGE_FILES,
    PURGE_ITEMS,
    PURGE_JOBS,
    REQUEUE_ITEMS,
    REQUEUE_JOBS,
    RETRY_ITEMS,
    RETRY_JOBS,
)
from jobs.admin.list_filters import (
    ErrorCodeFilter,
    JobStateFilter,
    LeftOutFilter,
    OnDiskFilter,
)
from jobs.admin.read_only import ReadOnlyAdmin
from jobs.errors import message_and_hint, state_label
from jobs.left_out import short
from jobs.models import Artifact, Item, Job, Package, Story
from jobs.ops import reasons, timeline
from jobs.ops.reasons import Reason
from jobs.ops.timeline import TimelineEntry
from jobs.queries.cards import left_out_of
from jobs.states import job_state
from jobs.wording import age, size
from stories.left_out import stored


def _on_disk(owning: str) -> dict[str, Subquery]:
    """Annotations of a row's files on disk: present_count and present_bytes, None without any.

    owning: the column of a file that names the row. As subqueries, which counting the rows of a
    list leaves out; joined, every file of the instance would be read for that.
    """
    present = (
        Artifact.objects.filter(removed_at=None, **{owning: OuterRef("pk")})
        .order_by()
        .values(owning)
    )
    return {
        "present_count": Subquery(present.annotate(n=Count("pk")).values("n")),
        "present_bytes": Subquery(present.annotate(b=Sum("size_bytes")).values("b")),
    }


MAX_LINES: Final = 200
"""Lines that a job's own page tells of; the list beside it has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A line as its job's page tells of it. url: of its own page, "" for who may not open it.
    target: what was typed; "" where it is masked."""

    position: int
    url: str
    state: str
    target: str
    reason: Reason | None


class ExplainedAdmin(ReadOnlyAdmin):
    """Rows with a code of their own: the list says it in words."""

    @admin.display(description=_("what went wrong"), ordering="error_code")
    def why(self, row: Any) -> str:
        """The reason it waits or failed, in words."""
        return message_and_hint(row.error_code)[0] if row.error_code else "–"


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs: submissions of lines."""

    list_display = (
        "short_id",
        "owner",
        "state",
        "reasons",
        "lines",
        "stories_left_out",
        "age",
        "size_on_disk",
        "settled_at",
    )
    list_filter = (JobStateFilter, "created_at", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "owner__username")
    related_target_fields = ("items__line", "items__author_name", "items__author_nickname")
    ordering = ("-created_at",)
    revealable = True
    confirmed_actions = {
        "cancel": CANCEL_JOBS,
        "retry": RETRY_JOBS,
        "requeue": REQUEUE_JOBS,
        "purge_files": PURGE_JOBS,
    }
    actions = tuple(confirmed_actions)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """Jobs with their items, for state and codes, and the files on disk: count and bytes."""
        jobs: QuerySet[Job] = super().get_queryset(request)
        return jobs.prefetch_related("items").annotate(**_on_disk("job"))

    @admin.display(description=_("state"))
    def state(self, job: Job) -> str:
        """The job's state, computed from its items."""
        states = [item.state for item in job.items.all()]
        return str(job_state(states).label) if states else "–"

    @admin.display(description=_("lines"))
    def lines(self, job: Job) -> int:
        """The number of lines."""
        return len(job.items.all())

    @admin.display(description=_("what went wrong"))
    def reasons(self, job: Job) -> str:
        """The most frequent reason of lines that wait or failed, and how many other ones."""
        codes = Counter(item.error_code for item in job.items.all() if item.error_code)
        del codes["cancelled"]  # which the state says
        if not codes:
            return "–"
        message, _hint = message_and_hint(codes.most_common(1)[0][0])
        others = len(codes) - 1
        return f"{message} +{others}" if others else message

    @admin.display(description=_("left out"))
    def stories_left_out(self, job: Job) -> str:
        """The number of stories that the lists of its settled lines leave out, at least."""
        return str(left_out_of(job.items.all()) or "–")

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, job: Job) -> str:
        """The time since it was sent."""
        return age(job.created_at)

    @admin.display(description=_("on disk"))
    def size_on_disk(self, job: Any) -> str:
        """Number and size of files on disk, posters included."""
        return f"{job.present_count} · {size(job.present_bytes)}" if job.present_count else "–"

    def related_tables(self) -> tuple[str, ...]:
        """Lines, files and ZIPs."""
        return ("item", "artifact", "package")

    def timeline_entries(self, row: Any) -> list[TimelineEntry]:
        """The job's timeline."""
        return timeline.of_job(row, timezone.now())

    def lines_of(self, request: HttpRequest, row: Any) -> list[JobLine]:
        """The job's lines, those that went wrong first; MAX_LINES of them."""
        now = timezone.now()
        items = sorted(row.items.all(), key=lambda item: (not item.error_code, item.position))
        may_open = request.user.has_perm("jobs.view_item")
        return [
            JobLine(
                position=item.position,
                url=reverse("admin:jobs_item_change", args=[item.pk]) if may_open else "",
                state=state_label(item.state, item.error_code),
                target=item.line if row.is_shown else "",
                reason=reasons.of_item(item, now),
            )
            for item in items[:MAX_LINES]
        ]

    @admin.action(description=CANCEL_JOBS.title, permissions=["cancel"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        """Stop everything open in these jobs."""
        return self.confirm_or_run(request, jobs, "cancel")

    @admin.action(description=RETRY_JOBS.title, permissions=["retry"])
    def retry(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        """Try again what a retry may help."""
        return self.confirm_or_run(request, jobs, "retry")

    @admin.action(description=REQUEUE_JOBS.title, permissions=["requeue"])
    def requeue(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        """Queue again, whatever stands in the way."""
        return self.confirm_or_run(request, jobs, "requeue")

    @admin.action(description=PURGE_JOBS.title, permissions=["purge"])
    def purge_files(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        """Delete the files; the records stay."""
        return self.confirm_or_run(request, jobs, "purge_files")


@admin.register(Item)
class ItemAdmin(ExplainedAdmin):
    """Lines of jobs."""

    list_display = (
        "short_id", "owner", "state", "why", "stories_left_out", "age", "size_on_disk",
        "settled_at",
    )  # fmt: skip
    list_filter = (
        "state", ErrorCodeFilter, LeftOutFilter, "kind", "settled_at", "created_at", "owner",
    )  # fmt: skip
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "owner__username", "error_code")
    ordering = ("-created_at", "job_id", "position")
    confirmed_actions = {
        "cancel": CANCEL_ITEMS,
        "retry": RETRY_ITEMS,
        "requeue": REQUEUE_ITEMS,
        "purge_files": PURGE_ITEMS,
    }
    actions = tuple(confirmed_actions)
    target_field = "line"
    revealable = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Item]:
        """Lines with their files on disk: count and bytes."""
        items: QuerySet[Item] = super().get_queryset(request)
        return items.annotate(**_on_disk("item"))

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, item: Item) -> str:
        """The time since it was sent."""
        return age(item.created_at)

    @admin.display(description=_("on disk"))
    def size_on_disk(self, item: Any) -> str:
        """Number and size of files on disk, posters included."""
        return f"{item.present_count} · {size(item.present_bytes)}" if item.present_count else "–"

    @admin.display(description=_("left out"))
    def stories_left_out(self, item: Item) -> str:
        """What the line's list leaves out: each reason with its number."""
        return short(stored(item.left_out)) or "–"

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """The fields, with what is left out in words and not as JSON."""
        names = super().get_fields(request, obj)
        return ["stories_left_out" if name == "left_out" else name for name in names]

    def related_tables(self) -> tuple[str, ...]:
        """Stories and files."""
        return ("story", "artifact")

    def timeline_entries(self, row: Any) -> list[TimelineEntry]:
        """The line's timeline."""
        return timeline.of_item(row, timezone.now())

    def reason(self, row: Any) -> Reason | None:
        """Why the line waits or failed."""
        return reasons.of_item(row, timezone.now())

    @admin.action(description=CANCEL_ITEMS.title, permissions=["cancel"])
    def cancel(self, request: HttpRequest, items: QuerySet[Item]) -> HttpResponse | None:
        """Stop these lines."""
        return self.confirm_or_run(request, items, "cancel")

    @admin.action(description=RETRY_ITEMS.title, permissions=["retry"])
    def retry(self, request: HttpRequest, items: QuerySet[Item]) -> HttpResponse | None:
        """Try again those a retry may help."""
        return self.confirm_or_run(request, items, "retry")

    @admin.action(description=REQUEUE_ITEMS.title, permissions=["requeue"])
    def requeue(self, request: HttpRequest, items: QuerySet[Item]) -> HttpResponse | None:
        """Queue again, whatever stands in the way."""
        return self.confirm_or_run(request, items, "requeue")

    @admin.action(description=PURGE_ITEMS.title, permissions=["purge"])
    def purge_files(self, request: HttpRequest, items: QuerySet[Item]) -> HttpResponse | None:
        """Delete their files; the records stay."""
        return self.confirm_or_run(request, items, "purge_files")


@admin.register(Story)
class StoryAdmin(ExplainedAdmin):
    """Stories of lines."""

    list_display = (
        "short_id", "owner", "state", "why", "kind", "media_count", "posted_at", "leaves_at",
        "captured_at",
    )  # fmt: skip
    list_filter = ("state", ErrorCodeFilter, "kind", "is_story", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "item__id", "item__job__id", "owner__username")
    related_target_fields = ("item__line", "item__author_name", "item__author_nickname")
    ordering = ("-posted_at",)
    target_field = "source_url"

    def reason(self, row: Any) -> Reason | None:
        """Why the story is not, or not all, here."""
        return reasons.of_story(row)


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    """Files, on disk or removed."""

    list_display = (
        "short_id", "owner", "role", "content_type", "file_size", "checked", "age", "expires_at",
        "removed_at",
    )  # fmt: skip
    list_filter = (OnDiskFilter, "role", "content_type", "checked", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "item__id", "owner__username")
    related_target_fields = ("item__line", "item__author_name", "item__author_nickname")
    ordering = ("-created_at",)
    confirmed_actions = {
        "purge_files": PURGE_FILES,
    }
    actions = tuple(confirmed_actions)
    target_field = "name"

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """The fields, with size and labels in words."""
        told = {"size_bytes": "file_size", "labels": "file_labels"}
        names = super().get_fields(request, obj)
        return [told.get(name, name) if isinstance(name, str) else name for name in names]

    @admin.display(description=_("size"), ordering="size_bytes")
    def file_size(self, file: Artifact) -> str:
        """The size in words."""
        return size(file.size_bytes)

    @admin.display(description=_("labels"))
    def file_labels(self, file: Artifact) -> str:
        """The labels, as the API has them."""
        return ", ".join(file.labels) or "–"

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, file: Artifact) -> str:
        """The time since it was saved."""
        return age(file.created_at)

    @admin.action(description=PURGE_FILES.title, permissions=["purge"])
    def purge_files(self, request: HttpRequest, files: QuerySet[Artifact]) -> HttpResponse | None:
        """Delete these files and what was made from them."""
        return self.confirm_or_run(request, files, "purge_files")


@admin.register(Package)
class PackageAdmin(ExplainedAdmin):
    """ZIPs that were asked for."""

    list_display = ("short_id", "owner", "state", "why", "attempt", "age", "heartbeat_at")
    list_filter = ("state", ErrorCodeFilter, "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "owner__username")
    ordering = ("-created_at",)

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, package: Package) -> str:
        """The time since it was asked for."""
        return age(package.created_at)

    def reason(self, row: Any) -> Reason | None:
        """Why the ZIP was not packed."""
        return reasons.of_package(row)
