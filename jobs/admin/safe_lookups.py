"""Malformed ids and filters in a URL or a form: a bad request or a missing row, never a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.http import HttpRequest, HttpResponse

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class SafeLookupsAdmin(_ModelAdmin):
    """A ModelAdmin that refuses malformed ids and filters."""

    def _is_valid_id(self, text: str) -> bool:
        key = self.opts.pk
        try:
            # The validators know how large a number this database can hold.
            key.run_validators(key.to_python(text))
        except (ValidationError, ValueError):
            return False
        return True

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, or an action on rows. Raises SuspiciousOperation for malformed ids."""
        if not all(map(self._is_valid_id, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise SuspiciousOperation("an action on rows with malformed ids")
        return super().changelist_view(request, extra_context)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The filtered list. A malformed filter redirects to the whole list, as Django's do.

        Raises SuspiciousOperation where that redirect has happened already.
        """
        try:
            _check_text(request)
            return super().get_changelist_instance(request)
        except (IncorrectLookupParameters, ValueError, OverflowError) as error:
            if ERROR_FLAG in request.GET:
                raise SuspiciousOperation("a filter that cannot be") from error
            raise IncorrectLookupParameters from error

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row with this id; None for a malformed id, as for a missing row."""
        if from_field is None and not self._is_valid_id(object_id):
            return None
        return super().get_object(request, object_id, from_field)


def _check_text(request: HttpRequest) -> None:
    """Raise ValueError for a NUL, which not every database takes in a query."""
    if any("\0" in value for _name, values in request.GET.lists() for value in values):
        raise ValueError("a NUL in a filter")
