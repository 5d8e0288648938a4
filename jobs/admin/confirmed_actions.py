"""Admin actions on rows of others: a page says what will happen, then it happens and is logged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.admin import reveal
from jobs.admin.safe_lookups import SafeLookupsAdmin

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

FORMER_ADMIN: Final = "deleted user"
"""Name of the row that has the log entries of admins who left (accounts/admin_log.py)."""
MAX_ROWS: Final = 500
"""Rows of one action: the confirmation names each, and a form has its limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedAction:
    """An admin action that is confirmed first.

    title: as an order. preview: what will happen to the rows, with the count; "" for nothing.
    run: does it; how often it did so to which row, by primary key. outcome: the result in words,
    for a count. destructive: cannot be undone, so its button warns.
    """

    title: StrPromise
    preview: Callable[[QuerySet[Any]], str]
    run: Callable[[QuerySet[Any]], Mapping[Any, int]]
    outcome: Callable[[int], str]
    destructive: bool = False

    def log_message(self, count: int) -> str:
        """Title and outcome in one line, in the active language."""
        return f"{self.title}: {self.outcome(count)}"


def for_each(run: Callable[[Any], int]) -> Callable[[QuerySet[Any]], dict[Any, int]]:
    """`ConfirmedAction.run` from a function of a single row that returns a count."""

    def run_all(rows: QuerySet[Any]) -> dict[Any, int]:
        return {row.pk: int(run(row)) for row in rows}

    return run_all


@dataclass(frozen=True, slots=True)
class ActionLogEntry:
    """An action an admin took on a row. admin: a username. text: in the reader's language."""

    at: datetime
    admin: str
    text: str


def _shown_name(admin: AbstractBaseUser) -> str:
    """An admin's name; of those who left, words in the reader's language."""
    name = admin.get_username()
    return _("deleted user") if name == FORMER_ADMIN else name


class ConfirmedActionsAdmin(SafeLookupsAdmin):
    """A ModelAdmin whose actions are confirmed and logged.

    confirmed_actions: by the name of their admin action; a row's own page offers them, too.
    """

    confirmed_actions: Mapping[str, ConfirmedAction] = MappingProxyType({})

    def _has_permission(self, request: HttpRequest, verb: str) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.{verb}_{self.opts.model_name}")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Permission to stop open lines."""
        return self._has_permission(request, "cancel")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Permission to try failed lines again."""
        return self._has_permission(request, "retry")

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Permission to queue lines again whatever they wait for."""
        return self._has_permission(request, "requeue")

    def has_purge_permission(self, request: HttpRequest) -> bool:
        """Permission to delete files."""
        return self._has_permission(request, "purge")

    # --- running ---

    def confirm_or_run(
        self, request: HttpRequest, rows: QuerySet[Any], name: str
    ) -> HttpResponse | None:
        """The confirmation page; once it was confirmed, run the action and log it.

        None leads back to the list, as for every admin action.
        """
        action = self.confirmed_actions[name]
        ids = list(rows.values_list("pk", flat=True)[: MAX_ROWS + 1])
        if len(ids) > MAX_ROWS:
            text = _("That is too much at once. Choose at most %(n)d rows.") % {"n": MAX_ROWS}
            messages.error(request, text)
            return None
        chosen = self._rows(ids)
        if request.POST.get("confirmed") != "yes":
            return self._confirmation_page(request, chosen, name, action)
        counts = {pk: count for pk, count in action.run(chosen).items() if count}
        if counts:
            messages.success(request, action.outcome(sum(counts.values())))
            self._log(request, action, counts)
        else:
            messages.warning(request, _("There was nothing left to do."))
        if request.POST.get("back") == "overview":
            return HttpResponseRedirect(reverse("overview"))
        if request.POST.get("back") == "row" and len(ids) == 1:
            return HttpResponseRedirect(self._url("change", ids[0]))
        return None

    def _confirmation_page(
        self, request: HttpRequest, chosen: QuerySet[Any], name: str, action: ConfirmedAction
    ) -> HttpResponse:
        ids = [str(pk) for pk in chosen.values_list("pk", flat=True)]
        count = ngettext("%(n)d row chosen.", "%(n)d rows chosen.", len(ids)) % {"n": len(ids)}
        back = request.POST.get("back", "")
        context = self.admin_site.each_context(request) | {
            "title": action.title,
            "opts": self.opts,
            "action": action,
            "action_name": name,
            "ids": ids,
            "count": count,
            "preview": action.preview(chosen),
            "back": back,
            "checkbox": ACTION_CHECKBOX_NAME,
            "back_url": self._back_url(back, ids),
        }
        return TemplateResponse(request, "admin/jobs/confirm.html", context)

    def _back_url(self, back: str, ids: Sequence[str]) -> str:
        """Where the question was asked from; "" for the list itself."""
        if back == "overview":
            return reverse("overview")
        return self._url("change", ids[0]) if back == "row" and ids else ""

    def _rows(self, ids: Sequence[Any]) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.model.objects.filter(pk__in=ids)
        return rows

    def _url(self, kind: str, *args: Any) -> str:
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{kind}"
        return reverse(name, args=args)

    def available_actions(self, request: HttpRequest, row: Model) -> list[tuple[str, str]]:
        """(name, title) of the actions that are permitted and would change this row."""
        rows = self._rows([row.pk])
        useful = {name for name, action in self.confirmed_actions.items() if action.preview(rows)}
        permitted = self.get_actions(request)
        return [
            (name, str(action[2]))
            for name, action in permitted.items()
            if action and name in useful
        ]

    # --- the log ---

    def _log(
        self, request: HttpRequest, action: ConfirmedAction, counts: Mapping[Any, int]
    ) -> None:
        admin_id = request.user.pk
        if admin_id is None:
            return
        for count in sorted(set(counts.values())):
            rows = self._rows([pk for pk, times in counts.items() if times == count])
            # Stored in English, for readers have languages of their own; see _translated.
            with translation.override("en"):
                message = action.log_message(count)
            LogEntry.objects.log_actions(admin_id, rows, CHANGE, message)

    def action_log(self, row: Model) -> list[ActionLogEntry]:
        """The actions admins took on a row, oldest first."""
        entries = (
            LogEntry.objects.filter(
                content_type__app_label=self.opts.app_label,
                content_type__model=self.opts.model_name,
                object_id=str(row.pk),
            )
            .select_related("user")
            .order_by("action_time", "pk")
        )
        return [
            ActionLogEntry(entry.action_time, _shown_name(entry.user), self._translated(entry))
            for entry in entries
        ]

    def _translated(self, entry: LogEntry) -> str:
        """An entry in the reader's language; as it stands when `_log` did not write it."""
        text = reveal.translated(entry.get_change_message())
        number = re.search(r"\d+", text)
        if number is None:
            return text
        count = int(number[0])
        with translation.override("en"):
            matching = [
                action
                for action in self.confirmed_actions.values()
                if action.log_message(count) == text
            ]
        return matching[0].log_message(count) if matching else text
