"""Sign-in by a header of the proxy in front: whose it is, when it counts, what it does.

The header counts when the connection itself comes from one of STORYKEEP_PROXY_NETWORKS; from
everybody else it is taken off before anything sees it. A session that it began lasts as long as it
names the same person. It signs in people who have an account, by its name, and makes none: that
takes an invitation's link.
"""

from __future__ import annotations

import ipaddress
import logging
import unicodedata
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model, logout
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import signin

logger = logging.getLogger(__name__)

MAX_NAME: Final = 150
MOST_TOLD: Final = 20
"""Addresses that the log names; a stranger may send the header as well."""
OPEN_PATHS: Final = (
    "/api/",
    "/feed/",
    "/health/",
    "/static/",
    "/manifest.webmanifest",
    "/service-worker.js",
)
"""Where nobody is signed in by a session, so that the header means nothing."""


_told: set[str] = set()


class BadHeader(ValueError):
    """The header holds what is no name."""


def sign_in(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """The middleware; behind Django's own, which loads the session's user."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        try:
            name = _take(request)
        except BadHeader:
            return _refused(request)
        if request.path_info.startswith(OPEN_PATHS):
            return get_response(request)
        if name is None:
            if signin.BY_PROXY in request.session:  # past the proxy, or past its sign-in
                request.user = AnonymousUser()
            return get_response(request)
        request.proxy_user = name  # type: ignore[attr-defined]
        blocked = _follow(request, name)
        return blocked or get_response(request)

    return respond


def name_of(request: HttpRequest) -> str:
    """The name the proxy tells, "" when it tells none."""
    return getattr(request, "proxy_user", "")


def begin(request: HttpRequest, user: User, name: str) -> None:
    """Sign in the person of that name, for as long as the header names them."""
    signin.sign_in(request, user)
    request.session[signin.BY_PROXY] = name


def _take(request: HttpRequest) -> str | None:
    """The name in the header, which is taken off; None when there is none, or from a stranger.

    Raises BadHeader for a name that nobody can have, and for two of them: the server joins headers
    of one name with a comma.
    """
    key = "HTTP_" + str(settings.STORYKEEP.remote_user_header).upper().replace("-", "_")
    raw = request.META.pop(key, None)
    request.__dict__.pop("headers", None)  # what was made of META before
    if not raw:
        return None
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if not _is_proxy(peer):
        _tell_of(peer)
        return None
    try:
        # A header's bytes come as Latin-1.
        name = unicodedata.normalize("NFC", raw.strip().encode("latin-1").decode("utf-8"))
        UnicodeUsernameValidator()(name)
    except (UnicodeError, ValidationError) as error:
        raise BadHeader from error
    # Names here are in NFKC: what only becomes one by that is another person to the proxy.
    if len(name) > MAX_NAME or not unicodedata.is_normalized("NFKC", name):
        raise BadHeader
    return name


def _tell_of(peer: str) -> None:
    """Log, once for each address and for a few of them, that it is no proxy of ours: mostly it is
    one, which connects from another address than the settings say."""
    if peer in _told or len(_told) >= MOST_TOLD:
        return
    _told.add(peer)
    logger.warning(
        "%s from %s was taken off: it is not in STORYKEEP_PROXY_NETWORKS",
        settings.STORYKEEP.remote_user_header,
        peer or "a connection without an address",
    )


def _is_proxy(address: str) -> bool:
    """Whether the other end of the connection is one of our proxies."""
    try:
        peer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped:
        peer = peer.ipv4_mapped
    return any(
        peer in ipaddress.ip_network(network) for network in settings.STORYKEEP.proxy_networks
    )


def _follow(request: HttpRequest, name: str) -> HttpResponseBase | None:
    """Make the session that of the person named; a response for somebody who is blocked."""
    user = request.user
    if isinstance(user, User) and user.get_username() == name:
        if request.session.get(signin.BY_PROXY) != name:
            request.session[signin.BY_PROXY] = name
        return None
    if isinstance(user, User):
        logout(request)
    person = get_user_model().objects.filter(username=name).first()
    if person is None:
        return None
    blocked = reverse("account_inactive")
    if not person.is_active:
        return None if request.path == blocked else redirect(blocked)
    begin(request, person, name)
    return None


def _refused(request: HttpRequest) -> HttpResponseBase:
    request.user = AnonymousUser()
    context = {
        "title": _("The proxy sent no usable name"),
        "words": _("What it sends in %(header)s cannot be a username here.")
        % {"header": settings.STORYKEEP.remote_user_header},
    }
    return render(request, "account/proxy_trouble.html", context, status=403)
