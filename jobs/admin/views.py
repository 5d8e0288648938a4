"""Two admin pages without a table behind them: operations, and the diagnosis."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
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

from jobs.ops import dashboard
from jobs.ops.dashboard import Dashboard, HourlyOutcomes

View = Callable[[HttpRequest], HttpResponseBase]

EVERY_MS: Final = 3000
"""How often the operations page asks, at most."""
DIAGNOSIS_S: Final = 120.0
LONGEST_NAME: Final = 300


def _for(permission: str, view: View) -> Any:
    """The view, for staff who may do this."""
    return admin.site.admin_view(permission_required(permission, raise_exception=True)(view))


# --- operations ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour of the chart. Whole numbers in the drawing's units, y from the top."""

    hour: HourlyOutcomes
    x: int
    fine_y: int
    fine_height: int
    failed_y: int
    failed_height: int


BAR: Final = 10
HEIGHT: Final = 64


def scale(hours: Sequence[HourlyOutcomes]) -> int:
    """How many lines the chart's full height stands for: a round number that holds the fullest
    hour, and at least 5, for one failure in a quiet night is no mountain."""
    most = max((hour.succeeded + hour.failed for hour in hours), default=0)
    power = 1
    while 10 * power < most:
        power *= 10
    return next(top for top in (5, 10, 2 * power, 5 * power, 10 * power) if top >= most)


def bars(hours: Sequence[HourlyOutcomes]) -> list[Bar]:
    """The chart's columns: what failed stands at the bottom, what went well on top of it."""
    top = scale(hours)

    def units(count: int) -> int:
        # Whatever happened is to be seen, be it one line in a thousand.
        return max(2, round(count / top * HEIGHT)) if count else 0

    drawn = []
    for number, hour in enumerate(hours):
        failed = units(hour.failed)
        fine = min(units(hour.succeeded), HEIGHT - failed)
        drawn.append(
            Bar(
                hour=hour,
                x=number * BAR,
                fine_y=HEIGHT - failed - fine,
                fine_height=fine,
                failed_y=HEIGHT - failed,
                failed_height=failed,
            )
        )
    return drawn


def _percent(part: int, whole: int) -> int:
    """0 to 100; never 0 for something."""
    return min(100, max(1, round(part / whole * 100))) if part and whole else 0


def _picture(shown: Dashboard) -> dict[str, Any]:
    disk = shown.disk
    # Against the limit where there is one, else against what the file system could give.
    whole = (disk.max_bytes or disk.used_bytes + disk.free_bytes) if disk else 0
    most = max((count for _code, count in shown.outcomes.codes), default=0) or 1
    return {
        "dashboard": shown,
        "bars": bars(shown.outcomes.hours),
        "chart_top": scale(shown.outcomes.hours),
        "chart_width": len(shown.outcomes.hours) * BAR,
        "chart_height": HEIGHT,
        "codes": [(code, count, _percent(count, most)) for code, count in shown.outcomes.codes],
        "disk_percent": _percent(disk.used_bytes, whole) if disk else 0,
        "versions": dashboard.versions(),
        "every_ms": EVERY_MS,
    }


def _now(request: HttpRequest) -> str:
    """The picture as HTML."""
    context = _picture(dashboard.read_dashboard(timezone.now()))
    return render_to_string("admin/jobs/_operations.html", context, request)


@require_safe
def operations_page(request: HttpRequest) -> HttpResponse:
    """Everything at a glance."""
    context = admin.site.each_context(request) | {
        "title": _("Operations"),
        "picture": _now(request),
    }
    return render(request, "admin/jobs/operations.html", context)


@require_safe
def operations_fragment(request: HttpRequest) -> HttpResponse:
    """What of it changes, for the page to fetch."""
    html = _now(request)
    tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:24]}"'
    unchanged = get_conditional_response(request, etag=tag)
    response = unchanged or HttpResponse(html)
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


# --- diagnosis ----------------------------------------------------------------------------------

_one_at_a_time = threading.Lock()


class NoDiagnosis(Exception):
    """There is no report; str() says why, in the reader's language."""


def diagnose(name: str) -> dict[str, Any]:
    """What `manage.py diagnose` finds. Raises NoDiagnosis.

    In a process of its own: it asks TikTok as a worker does, with libraries this process does
    without, and a part that hangs takes no more than it down.
    """
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "diagnose", "--json"]
    argv += ["--language", get_language() or settings.LANGUAGE_CODE]
    if name:
        argv += ["--", name]
    if not _one_at_a_time.acquire(blocking=False):
        raise NoDiagnosis(_("A diagnosis is running already. Try again in a minute."))
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=DIAGNOSIS_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NoDiagnosis(_("The diagnosis took too long and was stopped.")) from error
    finally:
        _one_at_a_time.release()
    if done.returncode == 2:
        raise NoDiagnosis(_("That names no account. Write it as @name, or leave it empty."))
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise NoDiagnosis(_("The diagnosis did not come about; the log says why.")) from error
    return report


@require_http_methods(["GET", "HEAD", "POST"])
def diagnosis_page(request: HttpRequest) -> HttpResponse:
    """A form; and what was found, once it was sent."""
    context = admin.site.each_context(request) | {"title": _("Diagnosis"), "name": ""}
    if request.method == "POST":
        name = request.POST.get("name", "").replace("\0", "").strip()[:LONGEST_NAME]
        context["name"] = name
        try:
            context["report"] = diagnose(name)
        except NoDiagnosis as error:
            context["trouble"] = str(error)
    return render(request, "admin/jobs/diagnosis.html", context)


urlpatterns = [
    path("operations/", _for("jobs.view_operations", operations_page), name="operations"),
    path(
        "operations/now/", _for("jobs.view_operations", operations_fragment), name="operations_now"
    ),
    path("diagnosis/", _for("jobs.run_diagnosis", diagnosis_page), name="diagnosis"),
]
