"""The admin's page that has all watching rest, and go on; it asks before, as it says what follows.

Who may pause watches of others sees it.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from jobs.watching import overview, permission
from webapp.admin_site import AdminPage, admin_pages

logger = logging.getLogger(__name__)


def may_pause(request: HttpRequest) -> bool:
    """Whether this reader may have all watching rest."""
    return request.user.has_perm("jobs.pause_watch")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def watching_page(request: HttpRequest) -> HttpResponse:
    """What watching costs, and whether it rests. A POST has it go on (`pause` is 0), or rest (1),
    which is asked first unless it is `confirmed`; what it does already it goes on doing. 404 where
    watching is off."""
    if not permission.is_on():
        raise Http404
    if request.method == "POST":
        wanted = {"1": True, "0": False}.get(request.POST.get("pause", ""))
        if wanted is None:
            raise Http404
        if wanted and request.POST.get("confirmed") != "yes":
            return render(request, "admin/watching_pause.html", _context(request))
        if permission.set_paused(paused=wanted):
            _log(request, paused=wanted)
        said = _("All watching is paused.") if wanted else _("Watching goes on.")
        messages.success(request, said)
        return redirect("admin:watching")
    context = _context(request) | {"title": _("Watching"), "pause": permission.pause()}
    return render(request, "admin/watching.html", context)


def _context(request: HttpRequest) -> dict[str, Any]:
    numbers = overview.of_instance(timezone.now())
    return admin.site.each_context(request) | {"title": _("Pause all watching"), "numbers": numbers}


def _log(request: HttpRequest, *, paused: bool) -> None:
    """Put into the admin's log who did it."""
    what = "paused" if paused else "resumed"
    LogEntry.objects.create(
        user=cast("User", request.user),
        action_time=timezone.now(),
        action_flag=CHANGE,
        object_repr="All watching",
        change_message=what,
    )
    logger.info("all watching %s by user %s", what, request.user.pk)


admin_pages.register(
    AdminPage(
        name="watching",
        route="watching/",
        view=watching_page,
        allowed=may_pause,
        section="system",
    )
)
