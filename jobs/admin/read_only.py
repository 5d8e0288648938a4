"""A ModelAdmin to look at rows: nothing is edited, and what was fetched is masked.

Rows of the reader are not masked, nor those of others that the reader revealed (`reveal.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, DateTimeField, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from jobs.admin import masking, reveal
from jobs.admin.confirmed_actions import ConfirmedActionsAdmin
from jobs.models import Item
from jobs.ops.reasons import Reason
from jobs.ops.timeline import TimelineEntry
from jobs.templatetags.words import when


def moment_column(model: type[Model], name: str) -> Callable[[Any], SafeString | str]:
    """The display of a time, as the site shows times and in the reader's zone; "–" for none."""
    field = model._meta.get_field(name)  # noqa: SLF001  # public by documentation

    def column(row: Any) -> SafeString | str:
        return when(getattr(row, name)) or "–"

    column.__name__ = name
    return admin.display(description=getattr(field, "verbose_name", name), ordering=name)(column)


def told_column(model: type[Model], name: str) -> Any:
    """The display of a field: times as the site says them, yes and no in words, else its name."""
    field = model._meta.get_field(name)  # noqa: SLF001  # public by documentation
    if isinstance(field, DateTimeField):
        return moment_column(model, name)
    return _word_column(field) if isinstance(field, BooleanField) else name


def _word_column(field: Any) -> Callable[[Any], str]:
    """The display of a yes or no; Django's red cross would look like a failure."""

    def column(row: Any) -> str:
        return _("yes") if getattr(row, field.name) else _("no")

    column.__name__ = field.name
    return admin.display(description=field.verbose_name, ordering=field.name)(column)


def containing(fields: Sequence[str], words: str) -> Q:
    """Rows of which each word is in one of the fields, in whatever case."""
    found = Q()
    for word in words.split():
        found &= Q(*((f"{field}__icontains", word) for field in fields), _connector=Q.OR)
    return found


class RowList(ChangeList):
    """A list that tells how many were found, and offers all, only where it was narrowed."""

    def get_results(self, request: HttpRequest) -> None:
        """The rows of this page; all there are is counted as found while nothing narrows them."""
        super().get_results(request)
        if not (self.query or self.get_filters_params()):
            self.full_result_count = self.result_count


class ReadOnlyAdmin(ConfirmedActionsAdmin):
    """A ModelAdmin to look at rows; files are deleted by an action, so that none stays on the disk.

    target_field: the masked field that stands in the list. related_target_fields: masked fields of
    other tables to search by. revealable: whether a row's own page offers to reveal it.
    """

    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_form_template = "admin/jobs/row.html"
    change_list_template = "admin/jobs/rows.html"
    target_field = ""
    related_target_fields: tuple[str, ...] = ()
    revealable = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Rows of jobs that were not erased."""
        rows: Any = super().get_queryset(request)
        return rows.kept()  # type: ignore[no-any-return]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that counts what was found."""
        return RowList

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Rows come from pasted lines only."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """States change only in `jobs.queue`."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A row deleted here would leave its file on the disk."""
        return False

    def get_action_choices(self, request: HttpRequest, default_choices: Any = None) -> Any:
        """The actions, under a word and not under dashes."""
        return super().get_action_choices(request, default_choices or [("", _("Choose"))])

    @admin.display(description=gettext_lazy("id"), ordering="pk")
    def short_id(self, row: Any) -> str:
        """The first characters, enough to tell rows apart; the row's own page has all."""
        return str(row.pk)[:8]

    # --- masking ---

    def _is_shown(self, request: HttpRequest, row: Any) -> bool:
        return self.model not in masking.MASKED_FIELDS or reveal.is_shown(request, row)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row, with `is_shown`: whether this reader sees its masked fields."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            row.is_shown = self._is_shown(request, row)
        return row

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All fields that are neither masked nor empty; the masked `detail` for `error_detail`.

        A field to which its model gives no words serves the code alone, and is left out.
        """
        shown = masking.targets_shown() if obj is None else getattr(obj, "is_shown", False)
        masked = () if shown else masking.MASKED_FIELDS.get(self.model, ())
        fields = [
            field
            for field in self.opts.fields
            if field.name not in masked
            and (field.primary_key or isinstance(field.verbose_name, Promise))
            and (obj is None or getattr(obj, field.attname) not in (None, "", {}))
        ]
        return [
            "detail" if field.name == "error_detail" else told_column(self.model, field.name)
            for field in fields
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """All fields."""
        return self.get_fields(request, obj)

    def get_list_display(self, request: HttpRequest) -> Any:
        """The columns, with the target behind the id, masked where it is the reader's neither."""
        first, *others = map(str, self.list_display)
        fields = {field.name for field in self.opts.fields}
        columns = [told_column(self.model, name) if name in fields else name for name in others]
        return [first, *self._target_column(request), *columns]

    def _target_column(self, request: HttpRequest) -> list[Any]:
        """The column of the target. Only where all are shown it sorts: an order answers guesses."""
        if not self.target_field or masking.targets_shown():
            return [self.target_field] if self.target_field else []

        def column(row: Any) -> str:
            # Not what was revealed: that is for the row's own page.
            own = reveal.is_own(request, row)
            return str(getattr(row, self.target_field)) if own else masking.MASK

        column.__name__ = "target_column"
        field: Any = self.opts.get_field(self.target_field)
        return [admin.display(description=field.verbose_name)(column)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows by id, owner and code; by what was fetched the reader's own.

        With the right to reveal all of them by what was fetched, which is logged: a search confirms
        a guess.
        """
        words = search_term.replace("\0", " ")
        if not words.strip():
            return queryset, False
        masked = masking.MASKED_FIELDS.get(self.model, ())
        own = [name for name in masked if not self.opts.get_field(name).is_relation]
        targets = [*own, *self.related_target_fields]
        # Apart from the rest: a search in the tables it belongs to may find a row several times.
        found = super().get_queryset(request).filter(containing(targets, words))
        if not masking.targets_shown():
            if targets and reveal.may_reveal(request) and reveal.tells_target(words):
                reveal.log_search(request, self.model)
            else:
                found = found.filter(owner=request.user.pk)
        plain = containing([str(name) for name in self.search_fields], words)
        by_target = Q(pk__in=found.values("pk")) if targets else Q(pk__in=[])
        return queryset.filter(plain | by_target), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """No filter typed into the URL reveals a masked field."""
        if masking.reveals_target(lookup) and not masking.targets_shown():
            return False
        # The type stubs know the signature of an older Django.
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    @admin.display(description=gettext_lazy("detail"))
    def detail(self, row: Any) -> str:
        """The error's detail, masked where the row is."""
        if getattr(row, "is_shown", False):
            return str(row.error_detail)
        item = row if isinstance(row, Item) else row.item
        target = {str(value) for value in (item.target or {}).values() if value}
        known = {item.line, item.author_id, item.author_name, item.author_nickname, *target}
        return masking.mask_detail(row.error_code, row.error_detail, known)

    # --- the list ---

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with links to the other tables of jobs that the reader may see."""
        context = {
            "title": capfirst(self.opts.verbose_name_plural),
            "tables": self._tables(request),
            "search_tells": bool(self.model in masking.MASKED_FIELDS)
            and not masking.targets_shown(),
            "may_reveal": reveal.may_reveal(request),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def _tables(self, request: HttpRequest) -> list[tuple[str, str, bool]]:
        """(title, URL, whether it is this one) of the tables of jobs the reader may see."""
        admins: list[Any] = [
            found
            for found in self.admin_site._registry.values()  # noqa: SLF001  # no other way
            if isinstance(found, ReadOnlyAdmin) and found.has_view_permission(request)
        ]
        return [
            (
                str(capfirst(found.opts.verbose_name_plural)),
                found._url("changelist"),  # noqa: SLF001  # of this very class
                found is self,
            )
            for found in admins
        ]

    # --- a row's own page ---

    def timeline_entries(self, row: Any) -> list[TimelineEntry]:
        """The row's timeline; empty for a model without one."""
        return []

    def related_tables(self) -> tuple[str, ...]:
        """Names of the tables whose rows belong to one of these; none for most."""
        return ()

    def _related_lists(self, request: HttpRequest, row: Any) -> list[tuple[str, str]]:
        """(title, URL) of the lists of rows that belong to it, of those the reader may see."""
        only_this = f"?{self.opts.model_name}__id__exact={row.pk}"
        return [
            (title, url + only_this)
            for table in self.related_tables()
            for title, url, _here in self._tables(request)
            if url == reverse(f"admin:jobs_{table}_changelist")
        ]

    def reason(self, row: Any) -> Reason | None:
        """Why the row waits or failed; None for a model that is told in its lines."""
        return None

    def lines_of(self, request: HttpRequest, row: Any) -> list[Any]:
        """The lines that the row's own page tells of, each with its reason; none for most."""
        return []

    def get_urls(self) -> Any:
        """Django's, and the one that reveals a row."""
        view = self.admin_site.admin_view(self.reveal_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_reveal"
        own = [path("<path:object_id>/reveal/", view, name=name)] if self.revealable else []
        return [*own, *super().get_urls()]

    @method_decorator(require_POST)
    def reveal_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Reveal a row for some minutes, log it, and lead back to its page."""
        row = self.get_object(request, object_id)
        if not (self.has_view_permission(request, row) and reveal.may_reveal(request)):
            raise PermissionDenied
        if row is None:
            raise Http404
        if not row.is_shown:
            reveal.reveal(request, row)
        return HttpResponseRedirect(self._url("change", row.pk))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The row's page: its reason, its timeline, the log of actions and those available."""
        row = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if row is not None and self.has_view_permission(request, row):
            can_reveal = self.revealable and not row.is_shown and reveal.may_reveal(request)
            context = {
                "masked": not row.is_shown,
                "reveal_url": self._url("reveal", row.pk) if can_reveal else "",
                "reason": self.reason(row),
                "lines": self.lines_of(request, row),
                "timeline": self.timeline_entries(row),
                "action_log": self.action_log(row),
                "available_actions": self.available_actions(request, row),
                "related_lists": self._related_lists(request, row),
            }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))
