"""What an admin does to rows of others: ask first and say how many, then do it and note it."""

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
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.admin.safe_lookups import PlausibleIds

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise

MOST: Final = 500
"""So many rows at once: what was confirmed is named one by one, and a form has its limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that can be done. title: as an order. promise: what will happen to these rows, with
    the count, and "" when nothing would. do: does it; how often it did so to which row, by id.
    said: what came of it, in words, for such a count."""

    title: StrPromise
    promise: Callable[[QuerySet[Any]], str]
    do: Callable[[QuerySet[Any]], Mapping[Any, int]]
    said: Callable[[int], str]
    destructive: bool = False

    def told(self, count: int) -> str:
        """Title and outcome in one line."""
        return f"{self.title}: {self.said(count)}"


def each(do: Callable[[Any], int]) -> Callable[[QuerySet[Any]], dict[Any, int]]:
    """The same for many rows, one after the other."""

    def all_of_them(rows: QuerySet[Any]) -> dict[Any, int]:
        return {row.pk: int(do(row)) for row in rows}

    return all_of_them


@dataclass(frozen=True, slots=True)
class Noted:
    """What an admin did to a row."""

    at: datetime
    who: str
    said: str


class Acting(PlausibleIds):
    """An admin whose actions are confirmed. acts: by the name of their action; all are offered on a
    row's own page, too."""

    acts: Mapping[str, Act] = MappingProxyType({})

    def may(self, request: HttpRequest, act: str) -> bool:
        """Has this person the right by that name?"""
        return request.user.has_perm(f"{self.opts.app_label}.{act}_{self.opts.model_name}")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Stop what is open."""
        return self.may(request, "cancel")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Try again what may work now."""
        return self.may(request, "retry")

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Try again whatever stands in the way."""
        return self.may(request, "requeue")

    def has_purge_permission(self, request: HttpRequest) -> bool:
        """Delete files."""
        return self.may(request, "purge")

    def asked(self, request: HttpRequest, rows: QuerySet[Any], name: str) -> HttpResponse | None:
        """The first time a page that says what will happen; the second time it happens."""
        act = self.acts[name]
        ids = list(rows.values_list("pk", flat=True)[: MOST + 1])
        if len(ids) > MOST:
            said = _("That is too much at once. Choose at most %(n)d rows.") % {"n": MOST}
            messages.error(request, said)
            return None
        chosen = self._rows(ids)
        if request.POST.get("confirmed") != "yes":
            return self._ask(request, chosen, name, act)
        done = {pk: count for pk, count in act.do(chosen).items() if count}
        if done:
            messages.success(request, act.said(sum(done.values())))
            self._note(request, act, done)
        else:
            messages.warning(request, _("There was nothing left to do."))
        if request.POST.get("back") == "row" and len(ids) == 1:
            return HttpResponseRedirect(self._address("change", ids[0]))
        return None

    def _note(self, request: HttpRequest, act: Act, done: Mapping[Any, int]) -> None:
        who = request.user.pk
        if who is None:
            return
        for count in sorted(set(done.values())):
            rows = self._rows([pk for pk, times in done.items() if times == count])
            # Readers have languages of their own; see _retold.
            with translation.override("en"):
                note = act.told(count)
            LogEntry.objects.log_actions(who, rows, CHANGE, note)

    def _ask(
        self, request: HttpRequest, chosen: QuerySet[Any], name: str, act: Act
    ) -> HttpResponse:
        ids = [str(pk) for pk in chosen.values_list("pk", flat=True)]
        count = ngettext("%(n)d row chosen.", "%(n)d rows chosen.", len(ids)) % {"n": len(ids)}
        back = request.POST.get("back", "")
        context = self.admin_site.each_context(request) | {
            "title": act.title,
            "opts": self.opts,
            "act": act,
            "name": name,
            "ids": ids,
            "count": count,
            "promise": act.promise(chosen),
            "back": back,
            "checkbox": ACTION_CHECKBOX_NAME,
            "leave": self._address("change", ids[0]) if back == "row" and ids else "",
        }
        return TemplateResponse(request, "admin/jobs/confirm.html", context)

    def _rows(self, ids: Sequence[Any]) -> QuerySet[Any]:
        found: QuerySet[Any] = self.model.objects.filter(pk__in=ids)
        return found

    def _address(self, kind: str, *args: Any) -> str:
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{kind}"
        return reverse(name, args=args)

    def buttons(self, request: HttpRequest, row: Model) -> list[tuple[str, str]]:
        """(name, title) of what may be done from a row's own page, and would change anything."""
        allowed = self.get_actions(request)
        this = self._rows([row.pk])
        found = [(name, allowed.get(name)) for name, act in self.acts.items() if act.promise(this)]
        return [(name, str(action[2])) for name, action in found if action]

    def noted(self, row: Model) -> list[Noted]:
        """What admins did to a row, oldest first."""
        found = LogEntry.objects.filter(
            content_type__app_label=self.opts.app_label,
            content_type__model=self.opts.model_name,
            object_id=str(row.pk),
        )
        entries = found.select_related("user").order_by("action_time", "pk")
        return [
            Noted(entry.action_time, entry.user.get_username(), self._retold(entry))
            for entry in entries
        ]

    def _retold(self, entry: LogEntry) -> str:
        """An entry in the reader's language; as it stands when it is not one of `_note`'s."""
        text = entry.get_change_message()
        number = re.search(r"\d+", text)
        if number:
            count = int(number[0])
            with translation.override("en"):
                found = [act for act in self.acts.values() if act.told(count) == text]
            if found:
                return found[0].told(count)
        return text
