"""Ids and filters in an address or a form that cannot be any row's: refused, never a crash."""

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


class PlausibleIds(_ModelAdmin):
    """An admin for which what is malformed is a bad request or a missing row."""

    def _could_be(self, text: str) -> bool:
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
        """As usual, for rows that could be."""
        if not all(map(self._could_be, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise SuspiciousOperation("an action on rows with malformed ids")
        return super().changelist_view(request, extra_context)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """As usual; a filter that cannot be leads to the whole list, and there to a bad request."""
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
        """As usual; None for what could not be."""
        if from_field is None and not self._could_be(object_id):
            return None
        return super().get_object(request, object_id, from_field)


def _check_text(request: HttpRequest) -> None:
    """Raises ValueError for a NUL, which not every database can be asked for."""
    if any("\0" in value for _name, values in request.GET.lists() for value in values):
        raise ValueError("a NUL in a filter")
