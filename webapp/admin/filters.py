"""The filter beside the list of people."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy


class RoleFilter(admin.SimpleListFilter):
    """People by role, or those who are blocked: `?role=member`, `admin` or `blocked`."""

    title = gettext_lazy("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices: value and label of each."""
        return [
            ("member", gettext_lazy("member")),
            ("admin", gettext_lazy("admin")),
            ("blocked", gettext_lazy("blocked")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        """The people of the chosen kind; all of them for an unknown value."""
        if self.value() == "blocked":
            return queryset.filter(is_active=False)
        if self.value() in {"member", "admin"}:
            return queryset.filter(is_superuser=self.value() == "admin")
        return queryset
