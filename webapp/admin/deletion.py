"""Deleting people: a summary in numbers first, their jobs and files with them, an admin left."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import people
from jobs.text import isolated
from jobs.wording import size
from webapp import offboarding
from webapp.admin.wording import last_admin_refusal
from webapp.offboarding import DeletionPreview

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


def _summary(user: User, preview: DeletionPreview) -> str:
    """`alice: 1 job, 1 file (3 kB), 1 API token`: numbers alone, names are the person's own."""
    saved = preview.saved
    parts = [
        ngettext("%(n)d job", "%(n)d jobs", saved.jobs) % {"n": saved.jobs},
        ngettext("%(n)d file (%(size)s)", "%(n)d files (%(size)s)", saved.files)
        % {"n": saved.files, "size": size(saved.size_bytes)},
        ngettext("%(n)d API token", "%(n)d API tokens", preview.tokens) % {"n": preview.tokens},
    ]
    if n := preview.invitations:
        parts.append(ngettext("%(n)d open invitation", "%(n)d open invitations", n) % {"n": n})
    if n := preview.log_entries:
        stays = ngettext(
            "%(n)d entry of the audit log stays, without the name",
            "%(n)d entries of the audit log stay, without the name",
            n,
        )
        parts.append(stays % {"n": n})
    return f"{isolated(user.get_username())}: {', '.join(parts)}"


def _counts(preview: DeletionPreview) -> Counter[str]:
    """Numbers of deleted objects, by the name of their kind."""
    return Counter(
        {
            _("users"): 1, _("jobs"): preview.saved.jobs, _("files"): preview.saved.files,
            _("API tokens"): preview.tokens, _("open invitations"): preview.invitations,
        }
    )  # fmt: skip


class PersonDeletion(_ModelAdmin):
    """The part of the people admin that deletes."""

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[Any], list[Any]]:
        """The confirmation page's summaries, counts, missing permissions and refusals."""
        summaries: list[Any] = []
        counts: Counter[str] = Counter()
        for user in objs:
            preview = offboarding.deletion_preview(user)
            summaries.append(_summary(user, preview))
            counts += _counts(preview)
        refusals = []
        if people.are_last_admins(*objs):
            several = _("No admin would be left, and someone has to run this instance.")
            refusals = [last_admin_refusal() if len(summaries) == 1 else several]
        return summaries, dict(counts), set(), refusals

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Delete a person with their jobs and files. Raises LastAdmin."""
        offboarding.delete_user(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Delete people with their jobs and files; the last admin stays, with a message."""
        for user in queryset:
            try:
                offboarding.delete_user(user)
            except people.LastAdmin:
                messages.error(request, f"{last_admin_refusal()} ({user.get_username()})")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's view; the last admin, who may have become so just now, stays, with a message."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except people.LastAdmin:
            messages.error(request, last_admin_refusal())
            return redirect("admin:auth_user_change", unquote(object_id))
