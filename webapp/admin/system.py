"""The System page: what runs and since when, what is new, settings, room, log, upgrade.

Staff who may see how the instance is doing see it; settings and log are for admins alone.
"""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from jobs import VERSION
from jobs.ephemeral import heartbeats, log_lines, processes
from jobs.ephemeral.connection import RedisUnavailable
from jobs.files import capacity
from jobs.ops import dashboard
from jobs.watching import permission
from notices.models import Channel
from webapp import changelog, settings_in_force, upkeep
from webapp.admin_site import AdminPage, admin_pages
from webapp.backups import kept

NEWS_SHOWN: Final = 5
"""Lines of the changelog that are not folded away."""


def may_see(request: HttpRequest) -> bool:
    """Whether this reader may see how the instance is doing."""
    return request.user.has_perm("jobs.view_operations")


def is_admin(request: HttpRequest) -> bool:
    """Whether this reader is an admin: settings, log and backup name places and people."""
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


@never_cache
@require_safe
def system_page(request: HttpRequest) -> HttpResponse:
    """Everything about the instance as a program that somebody keeps alive."""
    release = changelog.this_release()
    context = admin.site.each_context(request) | {
        "title": _("System"),
        "version": VERSION,
        "release": release,
        "news_shown": NEWS_SHOWN,
        "parts": _parts(),
        "libraries": dashboard.versions()[1:],
        "room": _room(),
        "database_bytes": upkeep.database_bytes(),
        "upgrade": upkeep.upgrade_commands(),
        "backed_up_at": kept.last_at(),
        "newest_backup": next(iter(kept.kept()), None),
        "is_admin": is_admin(request),
        "may_pause": permission.is_on() and request.user.has_perm("jobs.pause_watch"),
        "may_channels": _may_see_channels(request),
    }
    if is_admin(request):
        context |= {"settings_in_force": settings_in_force.settings_in_force(), "log": _log()}
    return render(request, "admin/system.html", context)


def _may_see_channels(request: HttpRequest) -> bool:
    registered = admin.site.get_model_admin(Channel)
    return registered.has_module_permission(request)


def _parts() -> list[dict[str, Any]]:
    """What runs: name, version, started_at, other (another version than this one's).

    version and started_at: None for a worker that does not tell them.
    """
    web = {"name": _("Web server"), "version": VERSION, "started_at": processes.STARTED_AT}
    parts: list[dict[str, Any]] = [web]
    try:
        told = {process.name: process for process in processes.running()}
        names = sorted({*told, *heartbeats.alive()})
    except RedisUnavailable:
        return parts
    for name in names:
        process = told.get(name)
        parts.append(
            {
                "name": name,
                "version": process.version if process else None,
                "started_at": process.started_at if process else None,
                "other": not process or process.version != VERSION,
            }
        )
    return parts


def _room() -> capacity.Capacity | None:
    try:
        return capacity.measure()
    except OSError:
        return None


def _log() -> list[log_lines.LogLine] | None:
    try:
        return log_lines.recent()
    except RedisUnavailable:
        return None


admin_pages.register(
    AdminPage(
        name="system",
        route="system/",
        view=system_page,
        allowed=may_see,
        title=gettext_lazy("System"),
    )
)
