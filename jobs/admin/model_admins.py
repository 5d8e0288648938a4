"""The ModelAdmins of jobs, lines, stories, files and packages: state, age, and why a row failed.

Rows are made and changed by the app alone, so nothing can be edited or added.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.admin import masking
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
from jobs.admin.confirmed_actions import ConfirmedActionsAdmin
from jobs.admin.list_filters import (
    ErrorCodeFilter,
    JobStateFilter,
    LeftOutFilter,
    OnDiskFilter,
)
from jobs.left_out import short, total
from jobs.models import Artifact, Item, Job, Package, Story
from jobs.ops import timeline
from jobs.ops.timeline import TimelineEntry
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


class ReadOnlyAdmin(ConfirmedActionsAdmin):
    """A ModelAdmin to look at rows; files are deleted by an action, so that none stays on the disk.

    Masked fields are left out unless the instance shows them. target_field: the masked field that
    stands in the list then. related_target_fields: masked fields of other tables to search by then.
    """

    list_per_page = 50
    show_full_result_count = False
    change_form_template = "admin/jobs/row.html"
    target_field = ""
    related_target_fields: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Rows of jobs that were not erased."""
        rows: Any = super().get_queryset(request)
        return rows.kept()  # type: ignore[no-any-return]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows come from pasted lines only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """States change only in `jobs.queue`."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A row deleted here would leave its file on the disk."""
        return False

    @admin.display(description=_("id"), ordering="pk")
    def short_id(self, row: Any) -> str:
        """The first characters, enough to tell rows apart; the row's own page has all."""
        return str(row.pk)[:8]

    # --- masking ---

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """All fields that are not masked; in place of `error_detail` the masked `detail`."""
        masked = () if masking.targets_shown() else masking.MASKED_FIELDS.get(self.model, ())
        names = [field.name for field in self.opts.fields if field.name not in masked]
        return ["detail" if name == "error_detail" else name for name in names]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """All fields."""
        return self.get_fields(request, obj)

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns, with the target behind the id where it is shown."""
        first, *others = map(str, self.list_display)
        shown = [self.target_field] if self.target_field and masking.targets_shown() else []
        return [first, *shown, *others]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """Masked fields only where they are shown: a search could confirm a guess."""
        fields = [str(name) for name in self.search_fields]
        if masking.targets_shown():
            fields += [*masking.MASKED_FIELDS.get(self.model, ()), *self.related_target_fields]
        return fields

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """No filter typed into the URL reveals a masked field."""
        if masking.reveals_target(lookup) and not masking.targets_shown():
            return False
        # The type stubs know the signature of an older Django.
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description=_("detail"))
    def detail(self, row: Any) -> str:
        """The error's detail, masked."""
        item = row if isinstance(row, Item) else row.item
        target = {str(value) for value in (item.target or {}).values() if value}
        known = {item.line, item.author_id, item.author_name, item.author_nickname, *target}
        return masking.mask_detail(row.error_code, row.error_detail, known)

    # --- a row's own page ---

    def timeline_entries(self, row: Any) -> list[TimelineEntry]:
        """The row's timeline; empty for a model without one."""
        return []

    def related_lists(self, row: Any) -> list[tuple[Any, str]]:
        """(title, URL) of the lists of rows that belong to it."""
        return []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The row's page, with its timeline, the log of actions and those available."""
        row = self.get_object(request, object_id)
        is_masked = not masking.targets_shown() and self.model in masking.MASKED_FIELDS
        context: dict[str, Any] = {"masked": is_masked}
        if row is not None and self.has_view_permission(request, row):
            context |= {
                "timeline": self.timeline_entries(row),
                "action_log": self.action_log(row),
                "available_actions": self.available_actions(request, row),
                "related_lists": self.related_lists(row),
            }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))


def _list_url(table: str, relation: str, row: Any) -> str:
    """The list of a table's rows that belong to this one."""
    return f"{reverse(f'admin:jobs_{table}_changelist')}?{relation}__id__exact={row.pk}"


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Jobs: submissions of lines."""

    list_display = (
        "short_id",
        "owner",
        "state",
        "lines",
        "codes",
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

    @admin.display(description=_("codes"))
    def codes(self, job: Job) -> str:
        """The error codes of lines that wait or failed."""
        return ", ".join(sorted({item.error_code for item in job.items.all() if item.error_code}))

    @admin.display(description=_("left out"))
    def stories_left_out(self, job: Job) -> str:
        """The number of stories that the lists of its lines leave out, at least."""
        counts = [total(stored(item.left_out)) for item in job.items.all()]
        return str(sum(counts) or "–")

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, job: Job) -> str:
        """The time since it was sent."""
        return age(job.created_at)

    @admin.display(description=_("on disk"))
    def size_on_disk(self, job: Any) -> str:
        """Number and size of files on disk, posters included."""
        return f"{job.present_count} · {size(job.present_bytes)}" if job.present_count else "–"

    def related_lists(self, row: Any) -> list[tuple[Any, str]]:
        """(title, URL) of the lists of the job's lines, files and ZIPs."""
        tables = ((_("Lines"), "item"), (_("Files"), "artifact"), (_("ZIPs"), "package"))
        return [(title, _list_url(table, "job", row)) for title, table in tables]

    def timeline_entries(self, row: Any) -> list[TimelineEntry]:
        """The job's timeline."""
        return timeline.of_job(row, timezone.now())

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
class ItemAdmin(ReadOnlyAdmin):
    """Lines of jobs."""

    list_display = (
        "short_id", "owner", "state", "error_code", "stories_left_out", "attempt", "age",
        "size_on_disk", "kind", "tries", "not_before", "heartbeat_at",
    )  # fmt: skip
    list_filter = ("state", ErrorCodeFilter, LeftOutFilter, "kind", "created_at", "owner")
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

    def related_lists(self, row: Any) -> list[tuple[Any, str]]:
        """(title, URL) of the lists of the line's stories and files."""
        tables = ((_("Stories"), "story"), (_("Files"), "artifact"))
        return [(title, _list_url(table, "item", row)) for title, table in tables]

    def timeline_entries(self, row: Any) -> list[TimelineEntry]:
        """The line's timeline."""
        return timeline.of_item(row, timezone.now())

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
class StoryAdmin(ReadOnlyAdmin):
    """Stories of lines."""

    list_display = (
        "short_id", "owner", "state", "error_code", "kind", "media_count", "posted_at", "leaves_at",
        "captured_at",
    )  # fmt: skip
    list_filter = ("state", ErrorCodeFilter, "kind", "is_story", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "item__id", "item__job__id", "owner__username")
    related_target_fields = ("item__line", "item__author_name", "item__author_nickname")
    ordering = ("-posted_at",)
    target_field = "source_url"


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

    @admin.display(description=_("bytes"), ordering="size_bytes")
    def file_size(self, file: Artifact) -> str:
        """The size in words."""
        return size(file.size_bytes)

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, file: Artifact) -> str:
        """The time since it was saved."""
        return age(file.created_at)

    @admin.action(description=PURGE_FILES.title, permissions=["purge"])
    def purge_files(self, request: HttpRequest, files: QuerySet[Artifact]) -> HttpResponse | None:
        """Delete these files and what was made from them."""
        return self.confirm_or_run(request, files, "purge_files")


@admin.register(Package)
class PackageAdmin(ReadOnlyAdmin):
    """ZIPs that were asked for."""

    list_display = ("short_id", "owner", "state", "error_code", "attempt", "age", "heartbeat_at")
    list_filter = ("state", ErrorCodeFilter, "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "owner__username")
    ordering = ("-created_at",)

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, package: Package) -> str:
        """The time since it was asked for."""
        return age(package.created_at)
