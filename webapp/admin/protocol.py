"""The Protocol page: which pack is in use, importing a newer one, looking for one, going back."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from typing import Any, Final, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from jobs.choices import PackOrigin
from jobs.ephemeral import leases
from jobs.ephemeral.connection import RedisUnavailable
from jobs.models import ProtocolPack
from jobs.ops.pack_reasons import in_words
from jobs.upstream import protocol, protocol_look
from jobs.upstream.protocol_look import NOTHING_NEWER, LastLook
from stories.protocol.acceptance import Differences
from stories.protocol.current import built_in
from stories.protocol.reading import PackRefused
from stories.protocol.signing import MAX_ENVELOPE_BYTES
from webapp import problems
from webapp.admin_site import AdminPage, admin_pages

logger = logging.getLogger(__name__)

LOOK_TIMEOUT_S: Final = 60.0
PLACES_SHOWN: Final = 200
WITH_DETAIL: Final = frozenset(
    {"foreign_host", "forbidden", "malformed", "newer_app", "older", "unknown_field"}
)
"""Refusals whose own words say more than those in the reader's language."""
_looking = threading.Lock()


def may_see(request: HttpRequest) -> bool:
    """Whether this reader may see and change which pack is in use: who may run a diagnosis."""
    return request.user.has_perm("jobs.run_diagnosis")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def protocol_page(request: HttpRequest) -> HttpResponse:
    """What is in use, and what else there is; a POST with a file imports it."""
    if request.method != "POST":
        return _page(request)
    upload = request.FILES.get("pack")
    if not isinstance(upload, UploadedFile):
        return _page(request, problem=_("Choose a file first."))
    try:
        pack = protocol.store(upload.read(MAX_ENVELOPE_BYTES + 1), PackOrigin.FILE)
    except PackRefused as error:
        if error.reason == "same":  # the same form, sent twice
            messages.info(request, in_words(error.reason))
            return redirect("admin:protocol")
        detail = str(error) if error.reason in WITH_DETAIL else ""
        return _page(request, problem=str(in_words(error.reason)), detail=detail)
    except protocol.PackChanged:
        return _page(request, problem=_("Another pack was imported at the same moment."))
    _note(request, f"imported {pack.version}")
    messages.success(request, _("%(version)s is in use.") % {"version": pack.version})
    return redirect("admin:protocol")


def _page(request: HttpRequest, *, problem: str = "", detail: str = "") -> HttpResponse:
    state, rows = protocol.look(at_once=True), protocol.history()
    active = next((row for row in rows if row.active), None)
    context = admin.site.each_context(request) | {
        "title": _("Protocol pack"),
        "problem": problem,
        "detail": detail,
        "state": state,
        "why_unused": in_words(state.refused.reason) if state.refused else "",
        "overtaken": state.refused is not None and state.refused.reason == "older_than_built_in",
        "origin": PackOrigin(state.origin).label if state.origin in PackOrigin else "",
        "built_in": built_in(),
        "active": active,
        "earlier": [row for row in rows if not row.active],
        "differences": _differences(active) if state.imported_at else None,
        "places_shown": PLACES_SHOWN,
        "can_look": bool(settings.STORYKEEP.protocol_url),
        "weekly": settings.STORYKEEP.protocol_updates == "weekly",
        **_last_look(),
    }
    return render(request, "admin/protocol.html", context, status=422 if problem else 200)


def _differences(active: ProtocolPack | None) -> Differences | None:
    try:
        return protocol.differences(active.envelope.encode("utf-8")) if active else None
    except PackRefused:
        return None


def _last_look() -> dict[str, Any]:
    """last_look: what came of it, None when nobody knows; last_said: that in words; last_detail:
    more of it, in English."""
    last: LastLook | None = None
    try:
        last = protocol_look.last()
    except RedisUnavailable:
        return {"last_look": None}
    if last.at is None:
        return {"last_look": None}
    fine = not last.reason or last.reason in NOTHING_NEWER
    said = _("Nothing newer.") if last.reason in NOTHING_NEWER else in_words(last.reason)
    detail = last.said if last.reason in WITH_DETAIL | {"unavailable"} else ""
    return {
        "last_look": last,
        "last_fine": fine,
        "last_said": said if last.reason else "",
        "last_detail": detail,
    }


# --- looking for a newer one ----------------------------------------------------------------------


def run_look() -> dict[str, str]:
    """What `manage.py protocol look` says: version, reason, said.

    In a process of its own: it asks the network, with libraries this process does without.
    """
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "protocol", "look", "--json"]
    failed = {"version": "", "reason": "unavailable", "said": ""}
    if not _looking.acquire(blocking=False):
        return failed | {"reason": "busy"}
    try:
        with leases.alone("protocol_look", seconds=LOOK_TIMEOUT_S + 10) as is_alone:
            if not is_alone:
                return failed | {"reason": "busy"}
            process = subprocess.run(
                argv, capture_output=True, text=True, timeout=LOOK_TIMEOUT_S, check=False
            )
        return failed | cast("dict[str, str]", json.loads(process.stdout))
    except (subprocess.TimeoutExpired, ValueError):
        return failed
    finally:
        _looking.release()


@require_POST
def look_now(request: HttpRequest) -> HttpResponse:
    """Ask the address for a newer pack, and import it when there is one."""
    outcome = run_look()
    version, reason = outcome["version"], outcome["reason"]
    if version:
        _note(request, f"looked for and imported {version}")
        messages.success(request, _("%(version)s is in use.") % {"version": version})
    elif reason == "busy":
        messages.info(request, _("Somebody is looking already. Try again in a minute."))
    elif reason in NOTHING_NEWER:
        messages.info(request, _("Nothing newer."))
    else:
        messages.error(request, in_words(reason))
    return redirect("admin:protocol")


# --- going back -----------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def revert_page(request: HttpRequest) -> HttpResponse:
    """The question whether to go back, with both versions; a POST with the version does it."""
    if request.method == "POST":
        version = request.POST.get("version", "")[:20]
        try:
            pack = protocol.revert(version)
        except protocol.PackChanged:
            messages.warning(request, _("Another pack is in use by now. Nothing was changed."))
        else:
            _note(request, f"went back from {version} to {pack.version}")
            messages.success(request, _("%(version)s is in use.") % {"version": pack.version})
        return redirect("admin:protocol")
    active = next((row for row in protocol.history() if row.active), None)
    if active is None:
        messages.info(request, _("The built-in pack is in use already."))
        return redirect("admin:protocol")
    before = protocol.previous(active)
    context = admin.site.each_context(request) | {
        "title": pgettext("to an earlier protocol pack", "Go back"),
        "active": active.version,
        "before": before.version if before else str(built_in().version),
        "to_built_in": before is None,
    }
    return render(request, "admin/protocol_revert.html", context)


def _note(request: HttpRequest, what: str) -> None:
    """Put into the admin's log who changed the pack in use, and to what."""
    problems.memory.forget()
    LogEntry.objects.create(
        user=cast("User", request.user),
        action_flag=CHANGE,
        object_repr="Protocol pack",
        change_message=what,
    )
    logger.info("protocol pack: %s, by user %s", what, request.user.pk)


for _place in (
    AdminPage(
        name="protocol",
        route="system/protocol/",
        view=protocol_page,
        allowed=may_see,
        section="system",
    ),
    AdminPage(
        name="protocol_look",
        route="system/protocol/look/",
        view=look_now,
        allowed=may_see,
        section="system",
    ),
    AdminPage(
        name="protocol_revert",
        route="system/protocol/revert/",
        view=revert_page,
        allowed=may_see,
        section="system",
    ),
):
    admin_pages.register(_place)
