"""Tables of jobs, lines, stories, files and packages: what stands where, and why it failed.

Rows are made and moved by the app alone, so nothing here can be edited or added; the acts call
what the pages call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from jobs import cleanup, lifecycle, snapshot
from jobs.models import Artifact, Item, Job, Package, Story
from jobs.states import ItemState, job_state
from jobs.templatetags.words import age, size

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class ReadOnly(_ModelAdmin):
    """Looked at, not edited. Deleting goes through `cleanup`, so that no file stays behind."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows come from pasted lines only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """States move only through `lifecycle`."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A deleted row would leave its file on the disk."""
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Cancel, retry and the like: for whoever may change such rows."""
        options = self.opts
        return request.user.has_perm(f"{options.app_label}.change_{options.model_name}")


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
        return snapshot.in_state(queryset, ItemState(value)) if value in ItemState else queryset


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

    list_display = ("id", "owner", "state", "lines", "codes", "age", "bytes_here", "settled_at")
    list_filter = (JobStateFilter, "created_at", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "owner__username")
    ordering = ("-created_at",)
    actions = ("cancel", "retry", "purge_files")

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

    @admin.action(description=_("Cancel what is open"), permissions=["act"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        """Stop everything open in these jobs."""
        stopped = sum(lifecycle.cancel(job) for job in jobs)
        said = ngettext("%d line cancelled.", "%d lines cancelled.", stopped) % stopped
        messages.success(request, said)

    @admin.action(description=_("Retry what failed"), permissions=["act"])
    def retry(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        """A fresh attempt of what may work now."""
        again = sum(lifecycle.retry(job) for job in jobs)
        messages.success(request, ngettext("%d line retried.", "%d lines retried.", again) % again)

    @admin.action(description=_("Delete the files now"), permissions=["act"])
    def purge_files(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        """Delete the files; the records stay."""
        gone = sum(cleanup.delete_files(job) for job in jobs)
        messages.success(request, ngettext("%d file deleted.", "%d files deleted.", gone) % gone)


@admin.register(Item)
class ItemAdmin(ReadOnly):
    """Lines."""

    list_display = (
        "id", "owner", "state", "error_code", "kind", "attempt", "tries", "age", "not_before",
        "heartbeat_at", "files",
    )  # fmt: skip
    list_filter = ("state", "error_code", "kind", "created_at", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "owner__username", "error_code")
    ordering = ("-created_at", "job_id", "position")
    actions = ("cancel", "retry")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Item]:
        """With what its files weigh."""
        items: QuerySet[Item] = super().get_queryset(request)
        return items.annotate(
            files_count=Count("artifacts"), files_bytes=Sum("artifacts__size_bytes")
        )

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, item: Item) -> str:
        """Since it was sent."""
        return age(item.created_at)

    @admin.display(description=_("files"))
    def files(self, item: Any) -> str:
        """How many were saved, and what they weigh."""
        return f"{item.files_count} · {size(item.files_bytes)}" if item.files_count else "–"

    @admin.action(description=_("Cancel"), permissions=["act"])
    def cancel(self, request: HttpRequest, items: QuerySet[Item]) -> None:
        """Stop these lines."""
        stopped = sum(lifecycle.cancel_item(item) for item in items)
        said = ngettext("%d line cancelled.", "%d lines cancelled.", stopped) % stopped
        messages.success(request, said)

    @admin.action(description=_("Retry"), permissions=["act"])
    def retry(self, request: HttpRequest, items: QuerySet[Item]) -> None:
        """A fresh attempt of those that may work now."""
        again = sum(lifecycle.retry_item(item) for item in items)
        messages.success(request, ngettext("%d line retried.", "%d lines retried.", again) % again)


@admin.register(Story)
class StoryAdmin(ReadOnly):
    """Stories found."""

    list_display = (
        "id", "owner", "state", "error_code", "kind", "media_count", "posted_at", "leaves_at",
        "captured_at",
    )  # fmt: skip
    list_filter = ("state", "error_code", "kind", "is_story", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "item__id", "item__job__id", "owner__username")
    ordering = ("-posted_at",)


@admin.register(Artifact)
class ArtifactAdmin(ReadOnly):
    """Files, present and past."""

    list_display = (
        "id", "owner", "role", "content_type", "bytes", "checked", "age", "expires_at",
        "removed_at",
    )  # fmt: skip
    list_filter = (PresenceFilter, "role", "content_type", "checked", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "item__id", "owner__username", "sha256")
    ordering = ("-created_at",)
    actions = ("purge_files",)

    @admin.display(description=_("bytes"), ordering="size_bytes")
    def bytes(self, file: Artifact) -> str:
        """What it weighs."""
        return size(file.size_bytes)

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, file: Artifact) -> str:
        """Since it was saved."""
        return age(file.created_at)

    @admin.action(description=_("Delete the files now"), permissions=["act"])
    def purge_files(self, request: HttpRequest, files: QuerySet[Artifact]) -> None:
        """Delete these files and what was made from them."""
        gone = sum(cleanup.delete_file(file) for file in files.filter(removed_at=None))
        messages.success(request, ngettext("%d file deleted.", "%d files deleted.", gone) % gone)


@admin.register(Package)
class PackageAdmin(ReadOnly):
    """ZIPs asked for."""

    list_display = ("id", "owner", "state", "error_code", "attempt", "age", "heartbeat_at")
    list_filter = ("state", "error_code", "owner")
    list_select_related = ("owner",)
    search_fields = ("id", "job__id", "owner__username")
    ordering = ("-created_at",)

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, package: Package) -> str:
        """Since it was asked for."""
        return age(package.created_at)
