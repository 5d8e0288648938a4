"""The admin of accounts: the list of people, the page about a person, who may open them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts import signin
from jobs.admin.safe_lookups import SafeLookupsAdmin
from webapp.admin.actions import PersonActions
from webapp.admin.columns import PersonColumns
from webapp.admin.deletion import PersonDeletion
from webapp.admin.filters import RoleFilter
from webapp.admin.forms import PersonForm
from webapp.admin.quota import QuotaInline


class PersonAdmin(PersonColumns, PersonActions, PersonDeletion, SafeLookupsAdmin):
    """Everyone who has an account. Admins alone may open it, and nobody is added here."""

    form = PersonForm
    list_display = (
        "username", "role", "at_once", "today", "size_on_disk", "jobs_count", "tokens",
        "last_active", "joined",
    )  # fmt: skip
    list_filter = (RoleFilter,)
    search_fields = ("username", "email")
    ordering = ("username",)
    readonly_fields = (
        "role", "at_once", "today", "size_on_disk", "jobs_count", "tokens", "last_active",
        "joined",
    )  # fmt: skip
    inlines = (QuotaInline,)
    change_form_template = "admin/auth/user/person.html"
    list_per_page = 50

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, under its own name and not under Django's order to choose from it."""
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, title | (extra_context or {}))

    def get_action_choices(self, request: HttpRequest, default_choices: Any = None) -> Any:
        """The actions, under a word and not under dashes."""
        return super().get_action_choices(request, default_choices or [("", _("Choose"))])

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Whether a filter in the URL is one of those shown.

        Any other would reveal any field of an account, guess by guess, even the password's hash.
        """
        return lookup == RoleFilter.parameter_name

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Permission for admins alone: whoever may change people can make themselves anything."""
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Permission to view people, for admins alone."""
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Permission to change people, for admins alone."""
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Permission to delete people, for admins alone."""
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Always False: people come by invitation."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        """Save the name; a changed mail address goes through `accounts`, which has rows for it."""
        if "email" not in form.changed_data:
            obj.email = User.objects.values_list("email", flat=True).get(pk=obj.pk)
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            signin.set_email(obj, obj.email)
