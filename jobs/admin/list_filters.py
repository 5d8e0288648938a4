"""Filters beside the admin's lists: a job's state, error codes, what a list left out, and whether a
file is on disk."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from jobs.left_out import LABELS
from jobs.models import Artifact, Item, Job
from jobs.queries import lists
from jobs.states import ItemState
from stories.left_out import LeftOutReason


class JobStateFilter(admin.SimpleListFilter):
    """Jobs by their computed state, in SQL."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """All states, as (value, label)."""
        return list(ItemState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """The jobs in the chosen state."""
        value = self.value() or ""
        return lists.in_state(queryset, ItemState(value)) if value in ItemState else queryset


class ErrorCodeFilter(admin.SimpleListFilter):
    """Rows by error code, or without one."""

    title = _("error code")
    parameter_name = "error_code"
    none = "-"
    """The value that stands for no code."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The codes that rows have now, as (value, label), and none."""
        rows = model_admin.model.objects.exclude(error_code="").order_by("error_code")
        codes = rows.values_list("error_code", flat=True).distinct()
        return [(self.none, _("none")), *((code, code) for code in codes)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows with the chosen code."""
        code = self.value()
        return queryset.filter(error_code=code.strip(self.none)) if code else queryset


class LeftOutFilter(admin.SimpleListFilter):
    """Lines by whether their list left stories out, and for which reason."""

    title = _("stories left out")
    parameter_name = "left_out"
    anything = "any"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Any reason, and each, as (value, label)."""
        return [
            (self.anything, _("any reason")),
            *((reason, LABELS[reason]) for reason in LeftOutReason),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Item]) -> QuerySet[Item]:
        """The lines with the chosen reason."""
        value = self.value()
        if value == self.anything:
            return queryset.exclude(left_out={})
        return queryset.filter(left_out__has_key=value) if value in set(LeftOutReason) else queryset


class OnDiskFilter(admin.SimpleListFilter):
    """Files by whether they are still on disk."""

    title = _("on disk")
    parameter_name = "present"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Present or removed, as (value, label)."""
        return [("yes", _("yes")), ("no", _("removed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Artifact]) -> QuerySet[Artifact]:
        """The present or the removed files."""
        if self.value() == "yes":
            return queryset.filter(removed_at=None)
        return queryset.exclude(removed_at=None) if self.value() == "no" else queryset
