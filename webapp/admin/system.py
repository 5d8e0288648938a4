"""The System page: what runs and since when, what is new, settings, room, log, backup, upgrade.

Staff who may see how the instance is doing see it; settings, log and backup are for admins alone.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Final, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.signin import requires_recent_sign_in_to_open
from jobs import VERSION
from jobs.ephemeral import heartbeats, log_lines, processes
from jobs.ephemeral.connection import RedisUnavailable
from jobs.files import capacity
from jobs.ops import dashboard
from webapp import backup, changelog, problems, settings_in_force, upkeep
from webapp.admin_site import AdminPage, admin_pages

logger = logging.getLogger(__name__)

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
        "backed_up_at": backup.last_at(),
        "is_admin": is_admin(request),
    }
    if is_admin(request):
        context |= {"settings_in_force": settings_in_force.settings_in_force(), "log": _log()}
    return render(request, "admin/system.html", context)


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


# --- backup -------------------------------------------------------------------------------------


@never_cache
@requires_recent_sign_in_to_open
@require_http_methods(["GET", "HEAD", "POST"])
def backup_page(request: HttpRequest) -> HttpResponseBase:
    """How to back up and restore; a POST downloads the backup, where the database is a file."""
    if request.method != "POST":
        return _backup_page(request)
    now = timezone.now()
    try:
        made = backup.make(now)
    except backup.BackupFailed as error:
        logger.warning("no backup was made: %s", error.reason)
        return _backup_page(request, problem=_why(error.reason), status=503)
    _log_backup(request, now, "download begun: database and secret key")
    response = StreamingHttpResponse(made, content_type="application/x-tar")
    response.headers["Content-Length"] = str(made.size_bytes)
    response.headers["Content-Disposition"] = f'attachment; filename="{made.name}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _backup_page(request: HttpRequest, *, problem: str = "", status: int = 200) -> HttpResponse:
    context = admin.site.each_context(request) | {
        "title": _("Back up"),
        "problem": problem,
        "possible": backup.is_possible(),
        "expected_bytes": backup.expected_bytes(),
        "dump": [] if backup.is_possible() else upkeep.dump_commands(),
        "restore": [] if backup.is_possible() else upkeep.restore_commands(),
        "backed_up_at": backup.last_at(),
        "in_container": upkeep.in_container(),
    }
    return render(request, "admin/backup.html", context, status=status)


def _why(reason: str) -> str:
    """Why there is no backup, in words."""
    words = {
        "busy": _("A backup is being made already. Try again in a minute."),
        "no_room": _("There is too little room in the data folder for a copy of the database."),
        "other_database": _("This database is backed up by its own tools."),
    }
    return words.get(reason) or _("The database could not be copied (%(kind)s).") % {"kind": reason}


@require_POST
def backup_done(request: HttpRequest) -> HttpResponse:
    """Note that somebody has just backed up in their own way."""
    backup.record()
    problems.memory.forget()
    _log_backup(request, timezone.now(), "noted: made in another way")
    messages.success(request, _("Noted: backed up just now."))
    return redirect("admin:system")


def _log_backup(request: HttpRequest, now: datetime, what: str) -> None:
    """Put into the admin's log who backed up, and when."""
    LogEntry.objects.create(
        user=cast("User", request.user),
        action_time=now,
        action_flag=CHANGE,
        object_repr="Backup",
        change_message=what,
    )
    logger.info("backup %s, by user %s", what, request.user.pk)


for _page in (
    AdminPage(
        name="system",
        route="system/",
        view=system_page,
        allowed=may_see,
        title=gettext_lazy("System"),
    ),
    AdminPage(
        name="backup",
        route="system/backup/",
        view=backup_page,
        allowed=is_admin,
        section="system",
    ),
    AdminPage(
        name="backup_done",
        route="system/backup/done/",
        view=backup_done,
        allowed=is_admin,
        section="system",
    ),
):
    admin_pages.register(_page)
