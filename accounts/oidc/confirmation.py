"""Confirming who is at a signed-in browser, by signing in at the provider once more.

For people who have nothing else to confirm with the library would ask for nothing.
"""

from __future__ import annotations

import time
from typing import Final

from allauth.account import app_settings
from allauth.account.internal.flows import login, reauthentication
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase, QueryDict

from accounts.oidc import links
from accounts.oidc.identity import Identity

METHOD: Final = "provider"
LATENESS_S: Final = 5 * 60
"""How long ago somebody may have shown at the provider who they are, clocks included."""


def is_missing(request: HttpRequest) -> bool:
    """Whether somebody whose only way in is the provider has not been there within the library's
    time; False for everyone else, whom the library asks."""
    user = request.user
    if not isinstance(user, User) or reauthentication.get_reauthentication_flows(user):
        return False
    return links.has(user) and not _is_recent(request, user)


def is_needed(request: HttpRequest) -> bool:
    """Whether whoever is at the browser has to confirm it before what is sensitive."""
    try:
        needed: bool = reauthentication.is_reauthentication_required(request, app="")
    except ReauthenticationRequired:
        return True
    return needed


def is_fresh(identity: Identity) -> bool:
    """Whether somebody has just shown at the provider who they are.

    A provider that tells no time has been asked for it, and is believed.
    """
    at = identity.authenticated_at
    return at is None or time.time() - at <= LATENESS_S


def note(request: HttpRequest, user: User, *, freshly: bool = False) -> None:
    """Note a sign-in by the provider. freshly: as a confirmation."""
    more = {"reauthenticated": True} if freshly else {}
    login.record_authentication(request, user, method=METHOD, **more)


def by_provider(request: HttpRequest) -> bool:
    """Whether the session began at the provider."""
    records = login.get_authentication_records(request, request.user)
    return any(record.get("method") == METHOD for record in records)


def resume(request: HttpRequest, next_url: str) -> HttpResponseBase | None:
    """The answer to what somebody was about to do when they were asked to confirm."""
    query = QueryDict(mutable=True)
    query["next"] = next_url
    request.GET = query  # type: ignore[assignment]
    answer: HttpResponseBase | None = reauthentication.resume_request(request)
    return answer


def _is_recent(request: HttpRequest, user: User) -> bool:
    times = [
        record["at"]
        for record in login.get_authentication_records(request, user)
        if record.get("reauthenticated")
    ]
    return bool(times) and time.time() - times[-1] < app_settings.REAUTHENTICATION_TIMEOUT
