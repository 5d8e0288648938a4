"""How long someone who tried too often has to wait, and the page that says so."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import Final

from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy

APPS: Final = ("allauth.account", "allauth.mfa")
MINUTE_S: Final = 60

WRONG_TOO_OFTEN = gettext_lazy("Too many wrong attempts. Wait five minutes, then try again.")
"""Of sign-in, for names that exist and names that do not. The library's longest limit on wrong
passwords and codes is as long; a test compares."""


def too_many(request: HttpRequest) -> HttpResponse:
    """The page for a request over one of the limits, with the time until it is worth repeating."""
    seconds = wait_s(request)
    # In whole minutes for people, never less than it takes.
    context = {"wait": timedelta(minutes=math.ceil(seconds / MINUTE_S))}
    response = render(request, "429.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def wait_s(request: HttpRequest) -> int:
    """Seconds until every limit that is full for whoever asks has room again; a minute when none
    is, for the library does not tell which one it was."""
    now = time.time()
    opens = [
        history[-1] + rate.duration
        for rate, history in _histories(request)
        if len(history) >= rate.amount
    ]
    left = max(opens, default=now + MINUTE_S) - now
    return math.ceil(left) if left > 0 else MINUTE_S


def _histories(request: HttpRequest) -> list[tuple[ratelimit.Rate, list[float]]]:
    """Each limit that may concern this request, and when it was drawn on: newest first."""
    match = request.resolver_match
    of_mail = match is not None and match.url_name == "account_reset_password"
    found = []
    for app in APPS:
        config = ratelimit.import_string(f"{app}.app_settings.RATE_LIMITS")
        for action in config:
            key = request.POST.get("email", "").strip().lower() if of_mail else ""
            for rate in ratelimit.get_rates(app=app, action=action, config=config):
                if rate.per == "key" and not (key and action == "reset_password"):
                    continue
                if rate.per == "user" and not request.user.is_authenticated:
                    continue
                name = ratelimit.get_cache_key(request, app=app, action=action, rate=rate, key=key)
                found.append((rate, cache.get(name, [])))
    return found
