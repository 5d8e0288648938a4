"""The admin pages that show no model: the overview, and the diagnosis."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import path
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.generic import RedirectView

from jobs.admin import chart
from jobs.ephemeral import leases
from jobs.errors import SKIPPED_CODES, message_and_hint
from jobs.ops import dashboard
from jobs.ops.dashboard import Dashboard
from jobs.ops.headline import headline
from jobs.ops.way_rows import TITLES
from jobs.upstream.ways import ALWAYS, NAMES
from jobs.watching import overview, permission
from jobs.wording import iso

View = Callable[[HttpRequest], HttpResponseBase]

REFRESH_MS: Final = 3000
"""Milliseconds between two requests of the operations page for its fragment, at least."""
DIAGNOSIS_TIMEOUT_S: Final = 120.0
MAX_NAME_LENGTH: Final = 300
SAMPLE_FILE: Final = "tiktok-sample.json"


def _staff_view(permission: str, view: View) -> Any:
    """The view, for staff who have the permission."""
    return admin.site.admin_view(permission_required(permission, raise_exception=True)(view))


# --- the overview ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FailureRow:
    """A reason for failures: its code, words for it, and lines of the last 24 hours and 7 days.

    states: of those lines, as the list of lines is asked for them.
    """

    code: str
    message: str
    hint: str
    day: int
    week: int
    states: str


def _failure_rows(now: Dashboard) -> list[FailureRow]:
    """The reasons of the last 7 days, those of the last 24 hours first."""
    day, week = dict(now.outcomes.codes), dict(now.week)
    codes = sorted({*day, *week}, key=lambda code: (-day.get(code, 0), -week.get(code, 0), code))
    return [
        FailureRow(
            code,
            *message_and_hint(code),
            day.get(code, 0),
            week.get(code, 0),
            "partial" if code in SKIPPED_CODES else "failed,partial",
        )
        for code in codes
    ]


def _may_cancel(request: HttpRequest) -> bool:
    """Whether the reader may cancel lines of others; the question before it is on their list."""
    return request.user.has_perms(["jobs.view_item", "jobs.cancel_item"])


def _overview_context(request: HttpRequest, now: Dashboard) -> dict[str, Any]:
    """The template's variables."""
    disk, outcomes = now.disk, now.outcomes
    # Against the limit where there is one, else against what the file system could give.
    whole = (disk.max_bytes or disk.used_bytes + disk.free_bytes) if disk else 0
    places = admin.site.each_context(request).get("places", ())
    return {
        "dashboard": now,
        "headline": headline(
            now,
            sum(place.count for place in places),
            next((place.worst for place in places if place.worst), ""),
        ),
        "bars": chart.bars(outcomes.hours),
        "bands": chart.bands(now.pauses, outcomes.hours),
        "draw_chart": chart.is_worth_drawing(outcomes.hours, now.pauses),
        "quiet_until": chart.quiet_until(outcomes.hours),
        "chart_top": chart.axis_maximum(outcomes.hours),
        "chart_width": len(outcomes.hours) * chart.HOUR_WIDTH,
        "chart_height": chart.HEIGHT,
        "hour_width": chart.HOUR_WIDTH,
        "bar_width": chart.BAR_WIDTH,
        "labels": outcomes.hours[:: chart.LABEL_EVERY],
        "failures": _failure_rows(now),
        "since_week": iso(dashboard.week_begin(outcomes)),
        "until": iso(outcomes.until),
        "disk_percent": chart.percent(disk.used_bytes, whole) if disk else 0,
        "may_cancel": _may_cancel(request),
        "numbers": overview.of_instance(timezone.now()) if permission.is_on() else None,
        "watching_paused": permission.is_on() and permission.is_paused(),
        "refresh_ms": REFRESH_MS,
    }


def _render_overview(request: HttpRequest) -> str:
    """The dashboard's fragment as HTML."""
    context = _overview_context(request, dashboard.read_dashboard(timezone.now()))
    return render_to_string("admin/jobs/_overview.html", context, request)


@require_safe
def overview_page(request: HttpRequest) -> HttpResponse:
    """The dashboard, in a page that keeps it fresh; the tables for staff who may not see it."""
    if not request.user.has_perm("jobs.view_operations"):
        return admin.site.index(request)
    context = admin.site.each_context(request) | {
        "title": _("Overview"),
        "may_cancel": _may_cancel(request),
        "fragment": _render_overview(request),
    }
    return render(request, "admin/jobs/overview.html", context)


@require_safe
def overview_fragment(request: HttpRequest) -> HttpResponse:
    """The dashboard alone, for the page to fetch; 304 when it has not changed."""
    html = _render_overview(request)
    tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:24]}"'
    unchanged = get_conditional_response(request, etag=tag)
    response = unchanged or HttpResponse(html)
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


# --- diagnosis ----------------------------------------------------------------------------------

_diagnosis_lock = threading.Lock()


class DiagnosisFailed(Exception):
    """There is no report; str() says why, in the reader's language."""


def run_diagnosis(name: str, way: str = ALWAYS) -> dict[str, Any]:
    """The JSON report of `manage.py diagnose`. name: an account or "". way: one of NAMES, by
    which TikTok is asked. Raises DiagnosisFailed.

    In a process of its own: it asks TikTok as a worker does, with libraries this process does
    without, and a check that hangs takes no more than it down.
    """
    options = ["--json", "--language", get_language() or settings.LANGUAGE_CODE]
    report: dict[str, Any] = _diagnose(options, name, way)
    return report


def record_sample(name: str, way: str = ALWAYS) -> dict[str, Any]:
    """The neutral sample of `manage.py diagnose --record`. Raises DiagnosisFailed."""
    sample: dict[str, Any] = _diagnose(["--record", "-"], name, way)
    return sample


def _diagnose(options: list[str], name: str, way: str) -> Any:
    """The JSON that the command prints. Raises DiagnosisFailed."""
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "diagnose", *options]
    if name:
        argv += ["--way", way] if way != ALWAYS else []
        argv += ["--", name]
    if way != ALWAYS and not name:
        raise DiagnosisFailed(_("Name an account: this way is tried by looking at one."))
    busy = DiagnosisFailed(_("A diagnosis is running already. Try again in a minute."))
    if not _diagnosis_lock.acquire(blocking=False):
        raise busy
    try:
        with leases.alone("diagnosis", seconds=DIAGNOSIS_TIMEOUT_S + 10) as is_alone:
            if not is_alone:
                raise busy
            process = subprocess.run(
                argv, capture_output=True, text=True, timeout=DIAGNOSIS_TIMEOUT_S, check=False
            )
    except subprocess.TimeoutExpired as error:
        raise DiagnosisFailed(_("The diagnosis took too long and was stopped.")) from error
    finally:
        _diagnosis_lock.release()
    if process.returncode == 2:
        raise DiagnosisFailed(_("That names no account. Write it as @name, or leave it empty."))
    try:
        return json.loads(process.stdout)
    except ValueError as error:
        if options[0] == "--record":
            raise DiagnosisFailed(_("TikTok sent nothing that could be recorded.")) from error
        raise DiagnosisFailed(_("The diagnosis did not run; the log says why.")) from error


@require_http_methods(["GET", "HEAD", "POST"])
def diagnosis_page(request: HttpRequest) -> HttpResponse:
    """A form, and the report once it was sent; a sample as a file, on its button.

    `?way=` chooses a way beforehand.
    """
    context = admin.site.each_context(request) | {"title": _("Diagnosis"), "name": ""}
    asked = request.POST if request.method == "POST" else request.GET
    way = asked.get("way", "")
    way = way if way in NAMES else ALWAYS
    context |= {"way": way, "ways": [(name, TITLES[name]) for name in NAMES]}
    if request.method == "POST":
        name = request.POST.get("name", "").replace("\0", "").strip()[:MAX_NAME_LENGTH]
        context["name"] = name
        try:
            if "record" in request.POST:
                return _sample_file(record_sample(name, way))
            context["report"] = run_diagnosis(name, way)
        except DiagnosisFailed as error:
            context["problem"] = str(error)
    return render(request, "admin/jobs/diagnosis.html", context)


def _sample_file(sample: dict[str, Any]) -> HttpResponse:
    response = HttpResponse(json.dumps(sample, indent=1), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{SAMPLE_FILE}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


urlpatterns = [
    path("", admin.site.admin_view(overview_page), name="overview"),
    path("operations/", RedirectView.as_view(pattern_name="overview"), name="operations"),
    path(
        "operations/now/",
        _staff_view("jobs.view_operations", overview_fragment),
        name="operations_now",
    ),
    path("diagnosis/", _staff_view("jobs.run_diagnosis", diagnosis_page), name="diagnosis"),
]
