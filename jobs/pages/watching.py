"""The page of watched accounts: begin to watch one, see how each does, change and stop it.

Who may not watch accounts on this instance finds nothing here, but for the watches they have from a
time when they might: they rest, and can be stopped. A watch of another person is a 404.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.messages.storage.base import Message
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from jobs.errors import explain
from jobs.models import Watch, WatchState
from jobs.pages.responses import error_words, uncached
from jobs.queries.job_view import ItemView, Snapshot
from jobs.states import ItemState
from jobs.text import isolated
from jobs.upstream import breaker
from jobs.watch import NOTE_LENGTH
from jobs.watching import overview, permission, watches
from jobs.watching.watches import BadRhythm
from notices import outbox
from stories.errors import StoriesError

_LINE_LENGTH = 500


def _require_right(request: HttpRequest) -> None:
    """Raise Http404 for who may not watch: there is no such page then."""
    if not permission.may_watch(request.user):
        raise Http404


def _own_watch(request: HttpRequest, watch_id: UUID) -> Watch:
    own = Watch.objects.filter(owner_id=request.user.pk).select_related("account", "owner")
    return get_object_or_404(own, pk=watch_id)


def _address(watch: Watch) -> str:
    return f"{reverse('watching')}#{_anchor(watch)}"


def _anchor(watch: Watch) -> str:
    """The id of a watch's card, and the tag of messages that are shown in it."""
    return f"watch-{watch.pk}"


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def watching(request: HttpRequest) -> HttpResponse:
    """The user's watches. A POST begins to watch the account of `line`, every `every` seconds, and
    redirects to its place on the page; 422 where it cannot."""
    if request.method != "POST":
        if not permission.may_see(request.user):
            raise Http404
        return _page(request)
    _require_right(request)
    line = request.POST.get("line", "")[: 2 * _LINE_LENGTH]
    try:
        watch = watches.begin(_owner(request), line, every=_seconds(request.POST.get("every", "")))
    except BadRhythm:
        problem = {"message": _("Choose how often to look."), "hint": ""}
        return _page(request, line=line, problem=problem, status=422)
    except StoriesError as error:
        return _page(request, line=line, problem=error_words(error), status=422)
    if watch.state != WatchState.CHECKING:
        name = isolated(f"@{watch.known_name}")
        said = _("You already watch %(name)s.") % {"name": name}
        messages.info(request, said, extra_tags=_anchor(watch))
    return redirect(_address(watch))


@login_required
@require_POST
def watching_all(request: HttpRequest) -> HttpResponse:
    """Pause all of the user's watches, or with `what=resume` resume them."""
    _require_right(request)
    if request.POST.get("what") == "resume":
        count = watches.resume_all(request.user.pk)
        sentence = ngettext("%(n)d watch resumed.", "%(n)d watches resumed.", count)
    else:
        count = watches.pause_all(request.user.pk)
        sentence = ngettext("%(n)d watch paused.", "%(n)d watches paused.", count)
    messages.success(request, sentence % {"n": count})
    return redirect("watching")


@login_required
@require_POST
def watch(request: HttpRequest, watch_id: UUID) -> HttpResponse:
    """Do `what` to a watch: change (`every`, `note`, `notify`), check, pause, resume, renew, or
    remove, which is for one that has ended. Anything else is a 404."""
    row = _own_watch(request, watch_id)
    what = request.POST.get("what", "")
    acts: dict[str, tuple[Callable[[], object], str]] = {
        "change": (lambda: _change(request, row), _("Saved.")),
        "check": (lambda: watches.check(row), ""),
        "pause": (lambda: watches.pause(row), ""),
        "resume": (lambda: watches.resume(row), ""),
        "renew": (lambda: watches.renew(row), _("Renewed.")),
    }
    if what == "remove" and row.state == WatchState.ENDED:
        watches.delete(row)
        return _back(request)
    _require_right(request)
    if what not in acts:
        raise Http404
    act, said = acts[what]
    if row.state == WatchState.ENDED:  # a page from before it did
        words = _("Nothing was changed: this watch has ended.")
        messages.error(request, words, extra_tags=_anchor(row))
        return redirect(_address(row))
    try:
        act()
    except BadRhythm:
        messages.error(request, _("Choose how often to look."), extra_tags=_anchor(row))
    except StoriesError as error:
        words = " ".join(filter(None, explain(error)))
        messages.error(request, words, extra_tags=_anchor(row))
    else:
        if said:
            messages.success(request, said, extra_tags=_anchor(row))
    return redirect(_address(row))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def watch_stop(request: HttpRequest, watch_id: UUID) -> HttpResponse:
    """Ask first, then delete a watch; what it found stays."""
    row = _own_watch(request, watch_id)
    if request.method == "POST":
        watches.delete(row)
        name = isolated(f"@{row.known_name}")
        messages.success(request, _("You no longer watch %(name)s.") % {"name": name})
        return _back(request)
    return uncached(render(request, "jobs/watch_stop.html", {"watch": row}))


def _back(request: HttpRequest) -> HttpResponse:
    """To the page of watches, or home for whom there is none any more."""
    return redirect("watching" if permission.may_see(request.user) else "home")


def _change(request: HttpRequest, row: Watch) -> None:
    watches.change(
        row,
        every=_seconds(request.POST.get("every", "")),
        note=request.POST.get("note", "")[:NOTE_LENGTH],
        notify="notify" in request.POST,
    )


def _owner(request: HttpRequest) -> Any:
    return request.user


def _seconds(text: str) -> timedelta | None:
    """A rhythm as a form sends it; None where it sends none. Raises BadRhythm for no number."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise BadRhythm(watches.rhythms())
    return timedelta(seconds=int(text))


def _page(
    request: HttpRequest,
    *,
    line: str = "",
    problem: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    views = overview.of_owner(request.user.pk)
    rows = [view.watch for view in views]
    allowed = permission.may_watch(request.user)
    paused = permission.is_paused()
    said = _messages_by_place(request, {_anchor(row) for row in rows})
    context = {
        "cards": [(view, said[_anchor(view.watch)]) for view in views],
        "messages": said[""],
        "allowed": allowed,
        "line": line,
        "line_length": _LINE_LENGTH,
        "note_length": NOTE_LENGTH,
        "problem": problem,
        "rhythms": watches.rhythms(),
        "default_every": watches.default_rhythm(),
        "told": not views or bool(outbox.told_members([_owner(request).pk])),
        "limits": overview.limits(views),
        "looks": watches.looks_a_day(rows),
        "looked_at": sum(row.next_at is not None for row in rows),
        "pausable": allowed and sum(row.next_at is not None for row in rows) > 1,
        "resumable": allowed and sum(row.state == WatchState.PAUSED for row in rows) > 1,
        "busy": allowed and not paused and any(view.busy for view in views),
        "all_paused": paused,
        "breaker": breaker.open_state(),
    }
    return uncached(render(request, "jobs/watching.html", context, status=status))


def _messages_by_place(request: HttpRequest, anchors: set[str]) -> dict[str, list[Message]]:
    """The messages to show, by the card they are about; "" for those of the page's top."""
    places: dict[str, list[Message]] = defaultdict(list)
    for message in messages.get_messages(request):
        tag = message.extra_tags or ""
        places[tag if tag in anchors else ""].append(message)
    return places


# --- on a job's page ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOffer:
    """An account of a job that may be watched. name: with "@"; watched: it is already."""

    name: str
    watched: bool


def offers(request: HttpRequest, snapshot: Snapshot) -> list[WatchOffer]:
    """The accounts of a settled job, each once, for who may watch them; one query."""
    if not snapshot.settled or not permission.may_watch(request.user):
        return []
    lines = {f"@{item.name.lower()}": item for item in snapshot.items if _is_watchable(item)}
    if not lines:
        return []
    known = overview.watched_accounts(request.user.pk)
    return [
        WatchOffer(name=name, watched=name in known or _account_id(item) in known)
        for name, item in lines.items()
    ]


def _is_watchable(item: ItemView) -> bool:
    """Whether its account was there and told what it shows."""
    told = item.state in {ItemState.DONE, ItemState.PARTIAL, ItemState.EMPTY}
    return told and bool(item.name)


def _account_id(item: ItemView) -> str:
    return item.author.id if item.author else ""
