"""Health endpoints: liveness without I/O; readiness tries what the app does, and never TikTok.

Anybody may ask, and a look may take seconds where a database is locked or away: one thread looks at
a time, and who asks meanwhile is told what was seen last.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from jobs.ops.readiness import PROBES, Probe, workers_alive, workers_wanted

logger = logging.getLogger(__name__)

FRESH_S: Final = 15.0
"""What was seen last is told for so many seconds while somebody looks again. A look that takes
longer hangs at one part, and that part is called away: a disk that does not answer would otherwise
hold every thread that asks."""
_looking: Final = threading.Lock()


class _Last:
    """What was seen last, and when, by the monotonic clock. part: what is looked at now; began_at:
    since when somebody looks, `inf` while nobody does."""

    report: dict[str, Any] = {}
    seen_at = float("-inf")
    part = ""
    began_at = float("inf")


@never_cache
@require_safe
def live(_request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers. No I/O: a slow disk must not get it restarted."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """200 when every part can be used, else 503; which parts cannot, and the bare reason of each.

    `{"ok": false, "parts": {"redis": {"ok": false, "reason": "read_only"}, "disk": {"ok": true},
    …}, "workers": {"alive": 1, "wanted": 2}}`. The reasons are those of jobs/ops/readiness.py; no
    names and no addresses. alive: null while Redis is away. Fewer workers than wanted are no reason
    to send people elsewhere: what is left does all the work, and the others are started again.
    """
    report = _report()
    return JsonResponse(report, status=200 if report["ok"] else 503)


def _report() -> dict[str, Any]:
    asked_at = time.monotonic()
    if not _looking.acquire(timeout=_patience_s(asked_at)):
        is_fresh = time.monotonic() - _Last.seen_at <= FRESH_S
        return _Last.report if is_fresh else _while_it_hangs()
    try:
        if _Last.seen_at <= asked_at:  # else somebody has looked while this one waited
            _Last.began_at = time.monotonic()
            _Last.report, _Last.seen_at = _look(), time.monotonic()
        return _Last.report
    finally:
        _Last.began_at = float("inf")
        _looking.release()


def _patience_s(now: float) -> float:
    """Seconds to wait for who is looking: none while what was seen is fresh, or once they hang."""
    if now - _Last.seen_at <= FRESH_S:
        return 0.0
    return max(0.0, min(FRESH_S, _Last.began_at + FRESH_S - now))


def _while_it_hangs() -> dict[str, Any]:
    """What was seen last, and that the part which is looked at does not answer."""
    parts = dict(_Last.report.get("parts", {}))
    parts[_Last.part] = {"ok": False, "reason": "away"}
    workers = _Last.report.get("workers", {"alive": None, "wanted": settings.STORYKEEP.workers})
    return {"ok": False, "parts": parts, "workers": workers}


def _look() -> dict[str, Any]:
    reasons: dict[str, str] = {}
    for name, probe in PROBES.items():
        _Last.part = name
        # Each attempt to connect to a server that vanished takes its time, and ends as this one.
        away = name == "queue" and reasons.get("database") == "away"
        reasons[name] = "away" if away else reason_of(name, probe)
    parts = {
        name: {"ok": False, "reason": reason} if reason else {"ok": True}
        for name, reason in reasons.items()
    }
    workers = {"alive": workers_alive(), "wanted": workers_wanted()}
    return {"ok": not any(reasons.values()), "parts": parts, "workers": workers}


def reason_of(name: str, probe: Probe) -> str:
    """The reason a probe gives; "away" when it raises DatabaseError or OSError."""
    try:
        reason = probe()
    except (DatabaseError, OSError) as error:
        logger.warning("%s is not ready: %s", name, type(error).__name__)
        return "away"
    if reason:
        logger.warning("%s is not ready: %s", name, reason)
    return reason
