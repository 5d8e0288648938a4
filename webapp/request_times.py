"""The middleware that takes the time of requests, for `/metrics`; not there without a token for it.

A process counts by itself and hands its counts to Redis a moment later, from a thread that lives
while there are any: no request waits for that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseBase

from jobs.ephemeral import request_times
from jobs.ephemeral.connection import RedisUnavailable
from jobs.ephemeral.request_times import Series, Times

HANDED_ON_S: Final = 5.0
"""Seconds until counts are in Redis."""


class Pending:
    """What this process has counted and not handed on. While Redis is away it grows no larger than
    the number of routes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[Series, Times] = {}
        self._timer: threading.Timer | None = None

    def add(self, series: Series, seconds: float) -> None:
        """Count a request, and have it handed on."""
        with self._lock:
            self._times.setdefault(series, Times.none()).add(seconds)
            if self._timer is None:
                self._timer = threading.Timer(HANDED_ON_S, self.hand_on)
                self._timer.daemon = True
                with suppress(RuntimeError):  # the process ends
                    self._timer.start()

    def hand_on(self) -> None:
        """Hand on what there is; what Redis does not take is kept for the next time."""
        with self._lock:
            times, self._times, self._timer = self._times, {}, None
        try:
            request_times.record(times)
        except RedisUnavailable:
            with self._lock:
                for series, taken in times.items():
                    kept = self._times.setdefault(series, Times.none())
                    kept.counts = [a + b for a, b in zip(kept.counts, taken.counts, strict=True)]
                    kept.total_s += taken.total_s


pending: Final = Pending()


def take_times(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Take the time of each request until its answer is begun: a file may be on its way for longer.

    Raises MiddlewareNotUsed where nobody may ask for metrics.
    """
    if settings.STORYKEEP.metrics_token is None:
        raise MiddlewareNotUsed

    def respond(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = get_response(request)
        match = request.resolver_match
        route = (match.view_name or "unnamed") if match else "none"
        series = Series(route, f"{response.status_code // 100}xx")
        pending.add(series, time.perf_counter() - began)
        return response

    return respond
