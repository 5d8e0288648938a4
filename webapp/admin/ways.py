"""The page of the ways of asking TikTok: which are on, how each does, a switch for each.

Who may run a diagnosis sees it; the switches are for admins alone, as they are everyone's.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from jobs.ephemeral.connection import RedisUnavailable
from jobs.ops import way_rows
from jobs.ops.way_rows import TITLES
from jobs.upstream import page_identity, way_switches
from jobs.upstream.way_switches import LastWay
from jobs.upstream.ways import NAMES
from webapp import problems
from webapp.admin_site import AdminPage, admin_pages

logger = logging.getLogger(__name__)


def may_see(request: HttpRequest) -> bool:
    """Whether this reader may see how each way does."""
    return request.user.has_perm("jobs.run_diagnosis")


def may_switch(request: HttpRequest) -> bool:
    """Whether this reader may switch ways on and off: admins alone."""
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


@never_cache
@require_safe
def ways_page(request: HttpRequest) -> HttpResponse:
    """Every way with its state, what it did lately, and its switch."""
    return _page(request)


def _page(request: HttpRequest, *, refused: str = "", status: int = 200) -> HttpResponse:
    now = timezone.now()
    table = way_rows.read(now)
    context = admin.site.each_context(request) | {
        "title": _("Ways to TikTok"),
        "table": table,
        "dead": {way.name for way in way_rows.dead(table.rows, now)},
        "identity": _identity(),
        "may_switch": may_switch(request),
        "refused": refused,
    }
    return render(request, "admin/ways.html", context, status=status)


def _identity() -> dict[str, Any] | None:
    """The identity the direct way asks as, and those that rest, by name; None if not known."""
    try:
        name, ends = page_identity.in_use(), page_identity.resting()
    except RedisUnavailable:
        return None
    resting = {rests: datetime.fromtimestamp(end, UTC) for rests, end in ends.items()}
    return {"name": name, "usual": page_identity.is_usual(name), "resting": resting}


@require_POST
def switch_way(request: HttpRequest, name: str) -> HttpResponse:
    """Switch a way off (`off` is 1) or on (0); what it is already it stays, so that a second tab
    undoes nothing. The admin log notes who."""
    wanted = {"1": True, "0": False}.get(request.POST.get("off", ""))
    if name not in NAMES or wanted is None:
        raise Http404
    title = str(TITLES[name])
    try:
        changed = way_switches.switch(name, off=wanted, by=request.user)
    except LastWay:
        said = _(
            "%(way)s stays on: without it nothing could ask TikTok. Have another way on first."
        )
        return _page(request, refused=said % {"way": title}, status=409)
    if changed:
        _log(request, name, timezone.now(), off=wanted)
        problems.memory.forget()
    said = _("Switched off: %(way)s") if wanted else _("Switched on: %(way)s")
    messages.success(request, said % {"way": title})
    return redirect("admin:ways")


def _log(request: HttpRequest, name: str, now: datetime, *, off: bool) -> None:
    """Put into the admin's log who switched what."""
    what = "switched off" if off else "switched on"
    LogEntry.objects.create(
        user=cast("User", request.user),
        action_time=now,
        action_flag=CHANGE,
        object_repr=f"Way to TikTok: {name}",
        change_message=what,
    )
    logger.info("way %s %s by user %s", name, what, request.user.pk)


for _page_of_ours in (
    AdminPage(
        name="ways",
        route="system/ways/",
        view=ways_page,
        allowed=may_see,
        section="system",
    ),
    AdminPage(
        name="way_switch",
        route="system/ways/<slug:name>/switch/",
        view=switch_way,
        allowed=may_switch,
        section="system",
    ),
):
    admin_pages.register(_page_of_ours)
