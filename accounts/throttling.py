"""The page for a request over one of django-allauth's rate limits, and how long to wait."""

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

TOO_MANY_ATTEMPTS = gettext_lazy("Too many wrong attempts. Wait five minutes, then try again.")
"""Words of the sign-in page, whether or not the name exists. A test compares the five minutes with
the library's longest limit on wrong passwords and codes."""


def is_shut_out(request: HttpRequest, subject: str, rate: str) -> bool:
    """Whether a client has guessed too often: see `count_wrong_guess`."""
    return not _use(request, subject, rate, dry_run=True)


def count_wrong_guess(request: HttpRequest, subject: str, rate: str) -> None:
    """Count a wrong guess at a secret that belongs to no account, by the client's address.

    subject: of the secret, in a word. rate: as `10/m/ip`.
    """
    _use(request, subject, rate)


def _use(request: HttpRequest, subject: str, rate: str, *, dry_run: bool = False) -> bool:
    return bool(
        ratelimit.consume(
            request,
            app="storykeep",
            action=subject,
            config={subject: rate},
            dry_run=dry_run,
            limit_get=True,
        )
    )


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """The 429 page, with Retry-After in seconds and the wait in whole minutes."""
    seconds = retry_after_s(request)
    # In whole minutes for people, never less than it takes.
    context = {"wait": timedelta(minutes=math.ceil(seconds / MINUTE_S))}
    response = render(request, "429.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def retry_after_s(request: HttpRequest) -> int:
    """Seconds until every limit this client has exhausted allows a request again.

    A minute when none is exhausted: the library does not say which limit it was.
    """
    now = time.time()
    free_at = [
        history[-1] + rate.duration
        for rate, history in _rate_histories(request)
        if len(history) >= rate.amount
    ]
    # To the millisecond: what is five minutes but for rounding is not six.
    left_s = round(max(free_at, default=0.0) - now, 3)
    return math.ceil(left_s) if left_s > 0 else MINUTE_S


def _rate_histories(request: HttpRequest) -> list[tuple[ratelimit.Rate, list[float]]]:
    """Each limit that may concern a request, and the times (Unix) it was used, newest first."""
    match = request.resolver_match
    is_reset = match is not None and match.url_name == "account_reset_password"
    histories = []
    for app in APPS:
        config = ratelimit.import_string(f"{app}.app_settings.RATE_LIMITS")
        for action in config:
            key = request.POST.get("email", "").strip().lower() if is_reset else ""
            for rate in ratelimit.get_rates(app=app, action=action, config=config):
                if rate.per == "key" and not (key and action == "reset_password"):
                    continue
                if rate.per == "user" and not request.user.is_authenticated:
                    continue
                name = ratelimit.get_cache_key(request, app=app, action=action, rate=rate, key=key)
                histories.append((rate, cache.get(name, [])))
    return histories
