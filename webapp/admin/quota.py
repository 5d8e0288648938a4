"""A person's own limits, edited on the page about that person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from jobs.models import Quota
from webapp.admin.forms import QuotaForm

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _StackedInline = admin.StackedInline[Quota, User]
else:
    _StackedInline = admin.StackedInline


class QuotaInline(_StackedInline):
    """The quota row of a person. It is emptied, never deleted: it also counts deleted lines."""

    model = Quota
    form = QuotaForm
    template = "admin/auth/user/quota.html"
    fieldsets = (
        (
            None,
            {
                "fields": QuotaForm.Meta.fields,
                "description": gettext_lazy(
                    "Empty: as for everyone on this instance. 0: no limit."
                ),
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Always True: access to the page about the person is access to their limits."""
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Always True: access to the page about the person is access to their limits."""
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Always True: access to the page about the person is access to their limits."""
        return True

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Always False: empty fields mean the same, and the counts in the row are still needed."""
        return False
