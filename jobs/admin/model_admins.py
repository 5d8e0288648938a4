"""Tables of jobs, lines, stories, files and packages: what stands where, and why it failed.

Rows are made and moved by the app alone, so nothing here can be edited or added.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Model, OuterRef, Q, QuerySet, Subquery, Sum
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
from jobs.admin.confirmed_actions import Acting
from jobs.models import Artifact, Item, Job, Package, Story
from jobs.ops import timeline
from jobs.ops.timeline import TimelineEntry
from jobs.queries import lists
from jobs.states import ItemState, job_state
from jobs.templatetags.words import age, size


class ReadOnly(Acting):
    """Looked at, not edited. Deleting goes through `cleanup`, so that no file stays behind.

    What tells what was fetched is left out while the instance masks it. target: the one such field
    that stands in the list where it is shown. targets: those of other tables to search by, then.
    """

    list_per_page = 50
    show_full_result_count = False
    change_form_template = "admin/jobs/row.html"
    target = ""
    targets: tuple[str, ...] = ()

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows come from pasted lines only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """States move only through `lifecycle`."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A deleted row would leave its file on the disk."""
        return False

    @admin.display(description=_("id"), ordering="pk")
    def short_id(self, row: Any) -> str:
        """As much of it as tells rows apart; its own page has all of it."""
        return str(row.pk)[:8]

    # --- masking ---

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """All there is, less what is masked; the detail of an error comes through a sieve."""
        masked = () if masking.shown() else masking.MASKED.get(self.model, ())
        names = [field.name for field in self.opts.fields if field.name not in masked]
        return ["detail" if name == "error_detail" else name for name in names]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """All of them."""
        return self.get_fields(request, obj)

    def get_list_display(self, request: HttpRequest) -> Any:
        """With the target behind the id, where it is shown."""
        first, *others = map(str, self.list_display)
        shown = [self.target] if self.target and masking.shown() else []
        return [first, *shown, *others]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        """By target only where it is shown: one could search for what one guesses."""
        fields = [str(name) for name in self.search_fields]
        if masking.shown():
            fields += [*masking.MASKED.get(self.model, ()), *self.targets]
        return fields

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """No filter typed into the address tells what is masked."""
        if masking.tells(lookup) and not masking.shown():
            return False
        # The type stubs know the signature of an older Django.
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description=_("detail"))
    def detail(self, row: Any) -> str:
        """What an error has to say."""
        item = row if isinstance(row, Item) else row.item
        target = {str(value) for value in (item.target or {}).values() if value}
        known = {item.line, item.author_id, item.author_name, item.author_nickname, *target}
        return masking.detail(row.error_code, row.error_detail, known)

    # --- a row's own page ---

    def happenings(self, row: Any) -> list[TimelineEntry]:
        """What happened to it; nothing where that is not told."""
        return []

    def belongings(self, row: Any) -> list[tuple[Any, str]]:
        """(words, address) of lists of what belongs to it."""
        return []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With the timeline, what admins did, and what can be done."""
        row = self.get_object(request, object_id)
        told: dict[str, Any] = {"masked": not masking.shown() and self.model in masking.MASKED}
        if row is not None and self.has_view_permission(request, row):
            told |= {
                "timeline": self.happenings(row),
                "noted": self.noted(row),
                "buttons": self.buttons(request, row),
                "belongings": self.belongings(row),
            }
        return super().change_view(request, object_id, form_url, told | (extra_context or {}))


def _list_of(table: str, of: str, row: Any) -> str:
    return f"{reverse(f'admin:jobs_{table}_changelist')}?{of}__id__exact={row.pk}"


class JobStateFilter(admin.SimpleListFilter):
    """A job's computed state, said in SQL."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Every state there is."""
        return list(ItemState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """The jobs in that state."""
        value = self.value() or ""
        return lists.in_state(queryset, ItemState(value)) if value in ItemState else queryset


class CodeFilter(admin.SimpleListFilter):
    """The codes there are, and none."""

    title = _("error code")
    parameter_name = "error_code"
    none = "-"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Those that rows have now."""
        rows = model_admin.model.objects.exclude(error_code="").order_by("error_code")
        codes = rows.values_list("error_code", flat=True).distinct()
        return [(self.none, _("none")), *((code, code) for code in codes)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with that code."""
        code = self.value()
        return queryset.filter(error_code=code.strip(self.none)) if code else queryset


class PresenceFilter(admin.SimpleListFilter):
    """Whether a file is still there."""

    title = _("on disk")
    parameter_name = "present"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Yes or no."""
        return [("yes", _("yes")), ("no", _("removed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Artifact]) -> QuerySet[Artifact]:
        """Present or removed files."""
        if self.value() == "yes":
            return queryset.filter(removed_at=None)
        return queryset.exclude(removed_at=None) if self.value() == "no" else queryset


@admin.register(Job)
class JobAdmin(ReadOnly):
    """Submissions."""

    list_display = (
        "short_id",
        "owner",
        "state",
        "lines",
        "codes",
        "age",
        "bytes_here",
        "settled_at",
    )
    list_filter = (JobStateFilter, "created_at", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "owner__username")
    targets = ("items__line", "items__author_name", "items__author_nickname")
    ordering = ("-created_at",)
    acts = {
        "cancel": CANCEL_JOBS,
        "retry": RETRY_JOBS,
        "requeue": REQUEUE_JOBS,
        "purge_files": PURGE_JOBS,
    }
    actions = tuple(acts)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """With the items, for state and codes, and what lies on the disk."""
        jobs: QuerySet[Job] = super().get_queryset(request)
        here = Artifact.objects.filter(job=OuterRef("pk"), removed_at=None).order_by().values("job")
        return jobs.prefetch_related("items").annotate(
            here_count=Subquery(here.annotate(n=Count("pk")).values("n")),
            here_bytes=Subquery(here.annotate(b=Sum("size_bytes")).values("b")),
        )

    @admin.display(description=_("state"))
    def state(self, job: Job) -> str:
        """Computed from the items."""
        states = [item.state for item in job.items.all()]
        return str(job_state(states).label) if states else "–"

    @admin.display(description=_("lines"))
    def lines(self, job: Job) -> int:
        """How many."""
        return len(job.items.all())

    @admin.display(description=_("codes"))
    def codes(self, job: Job) -> str:
        """Why lines wait or failed."""
        return ", ".join(sorted({item.error_code for item in job.items.all() if item.error_code}))

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, job: Job) -> str:
        """Since it was sent."""
        return age(job.created_at)

    @admin.display(description=_("on disk"))
    def bytes_here(self, job: Any) -> str:
        """Files still there, posters included."""
        return f"{job.here_count} · {size(job.here_bytes)}" if job.here_count else "–"

    def belongings(self, row: Any) -> list[tuple[Any, str]]:
        """Its lines, files and ZIPs."""
        tables = ((_("Lines"), "item"), (_("Files"), "artifact"), (_("ZIPs"), "package"))
        return [(words, _list_of(table, "job", row)) for words, table in tables]

    def happenings(self, row: Any) -> list[TimelineEntry]:
        """Of the whole job."""
        return timeline.of_job(row, timezone.now())

    @admin.action(description=CANCEL_JOBS.title, permissions=["cancel"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        """Stop everything open in these jobs."""
        return self.asked(request, jobs, "cancel")

    @admin.action(description=RETRY_JOBS.title, permissions=["retry"])
    def retry(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        """A fresh attempt of what may work now."""
        return self.asked(request, jobs, "retry")

    @admin.action(description=REQUEUE_JOBS.title, permissions=["requeue"])
    def requeue(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        """Whatever stands in the way."""
        return self.asked(request, jobs, "requeue")

    @admin.action(description=PURGE_JOBS.title, permissions=["purge"])
    def purge_files(self, request: HttpRequest, jobs: QuerySet[Job]) -> HttpResponse | None:
        """Delete the files; the records stay."""
        return self.asked(request, jobs, "purge_files")


@admin.register(Item)
class ItemAdmin(ReadOnly):
    """Lines."""

    list_display = (
        "short_id", "owner", "state", "error_code", "attempt", "age", "bytes_here", "kind", "tries",
        "not_before", "heartbeat_at",
    )  # fmt: skip
    list_filter = ("state", CodeFilter, "kind", "created_at", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "owner__username", "error_code")
    ordering = ("-created_at", "job_id", "position")
    acts = {
        "cancel": CANCEL_ITEMS,
        "retry": RETRY_ITEMS,
        "requeue": REQUEUE_ITEMS,
        "purge_files": PURGE_ITEMS,
    }
    actions = tuple(acts)
    target = "line"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Item]:
        """With what of its files lies on the disk."""
        items: QuerySet[Item] = super().get_queryset(request)
        here = Q(artifacts__removed_at=None)
        return items.annotate(
            here_count=Count("artifacts", filter=here),
            here_bytes=Sum("artifacts__size_bytes", filter=here),
        )

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, item: Item) -> str:
        """Since it was sent."""
        return age(item.created_at)

    @admin.display(description=_("on disk"))
    def bytes_here(self, item: Any) -> str:
        """Files still there, posters included."""
        return f"{item.here_count} · {size(item.here_bytes)}" if item.here_count else "–"

    def belongings(self, row: Any) -> list[tuple[Any, str]]:
        """Its stories and files."""
        tables = ((_("Stories"), "story"), (_("Files"), "artifact"))
        return [(words, _list_of(table, "item", row)) for words, table in tables]

    def happenings(self, row: Any) -> list[TimelineEntry]:
        """Of the line."""
        return timeline.of_item(row, timezone.now())

    @admin.action(description=CANCEL_ITEMS.title, permissions=["cancel"])
    def cancel(self, request: HttpRequest, items: QuerySet[Item]) -> HttpResponse | None:
        """Stop these lines."""
        return self.asked(request, items, "cancel")

    @admin.action(description=RETRY_ITEMS.title, permissions=["retry"])
    def retry(self, request: HttpRequest, items: QuerySet[Item]) -> HttpResponse | None:
        """A fresh attempt of those that may work now."""
        return self.asked(request, items, "retry")

    @admin.action(description=REQUEUE_ITEMS.title, permissions=["requeue"])
    def requeue(self, request: HttpRequest, items: QuerySet[Item]) -> HttpResponse | None:
        """Whatever stands in the way."""
        return self.asked(request, items, "requeue")

    @admin.action(description=PURGE_ITEMS.title, permissions=["purge"])
    def purge_files(self, request: HttpRequest, items: QuerySet[Item]) -> HttpResponse | None:
        """Delete their files; the records stay."""
        return self.asked(request, items, "purge_files")


@admin.register(Story)
class StoryAdmin(ReadOnly):
    """Stories found."""

    list_display = (
        "short_id", "owner", "state", "error_code", "kind", "media_count", "posted_at", "leaves_at",
        "captured_at",
    )  # fmt: skip
    list_filter = ("state", CodeFilter, "kind", "is_story", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "item__id", "item__job__id", "owner__username")
    targets = ("item__line", "item__author_name", "item__author_nickname")
    ordering = ("-posted_at",)
    target = "source_url"


@admin.register(Artifact)
class ArtifactAdmin(ReadOnly):
    """Files, present and past."""

    list_display = (
        "short_id", "owner", "role", "content_type", "bytes", "checked", "age", "expires_at",
        "removed_at",
    )  # fmt: skip
    list_filter = (PresenceFilter, "role", "content_type", "checked", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "item__id", "owner__username")
    targets = ("item__line", "item__author_name", "item__author_nickname")
    ordering = ("-created_at",)
    acts = {
        "purge_files": PURGE_FILES,
    }
    actions = tuple(acts)
    target = "name"

    @admin.display(description=_("bytes"), ordering="size_bytes")
    def bytes(self, file: Artifact) -> str:
        """What it weighs."""
        return size(file.size_bytes)

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, file: Artifact) -> str:
        """Since it was saved."""
        return age(file.created_at)

    @admin.action(description=PURGE_FILES.title, permissions=["purge"])
    def purge_files(self, request: HttpRequest, files: QuerySet[Artifact]) -> HttpResponse | None:
        """Delete these files and what was made from them."""
        return self.asked(request, files, "purge_files")


@admin.register(Package)
class PackageAdmin(ReadOnly):
    """ZIPs asked for."""

    list_display = ("short_id", "owner", "state", "error_code", "attempt", "age", "heartbeat_at")
    list_filter = ("state", CodeFilter, "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "owner__username")
    ordering = ("-created_at",)

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, package: Package) -> str:
        """Since it was asked for."""
        return age(package.created_at)
