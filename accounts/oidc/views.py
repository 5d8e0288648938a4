"""Pages of sign-in by a provider: leaving, coming back, linking, confirming."""

from __future__ import annotations

import logging
from typing import Final

from allauth.account.utils import get_next_redirect_url
from allauth.decorators import rate_limit
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts import signin
from accounts.oidc import admission, client, configured, confirmation, door, links
from accounts.oidc.errors import ProviderAway, Reason, Refused, Untrusted

logger = logging.getLogger(__name__)

SIGN_IN: Final = "login"
LINK: Final = "link"
CONFIRM: Final = "confirm"


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):  # `login_required` lets nobody else in
        raise Http404
    return request.user


# --- leaving --------------------------------------------------------------------------------------


@never_cache
@rate_limit(action="login")  # type: ignore[untyped-decorator]  # the library has no types
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponseBase:
    """Leave for the provider to sign in; a GET leads to the sign-in page."""
    if request.method != "POST":
        return redirect("login")
    try:
        return client.leave(
            request,
            SIGN_IN,
            next_url=get_next_redirect_url(request) or "",
            invitation=request.POST.get("invitation", "")[:200],
            set_up=request.POST.get("set_up", "")[:200],
        )
    except ProviderAway as error:
        return _away(request, error)


@never_cache
@login_required
@signin.requires_recent_sign_in_to_open
@require_GET
def account(request: HttpRequest) -> HttpResponseBase:
    """The page about one's link to the provider."""
    user, facts = _user(request), door.look()
    name = links.name_of(user)
    context = {
        "door": facts,
        "linked": name is not None,
        "their_name": name,
        "only_way": name is not None and links.is_only_way_in(user),
    }
    return door.allow(render(request, "account/provider.html", context), facts)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest) -> HttpResponseBase:
    """Leave for the provider to link the account; a GET leads to the page about it.

    So does a POST of somebody who has to confirm first. Resumed after that, it would be an answer
    to the form of that page, whose policy lets nobody go on to the provider.
    """
    if request.method != "POST" or confirmation.is_needed(request):
        return redirect("oidc_account")
    try:
        return client.leave(request, LINK, user=str(_user(request).pk))
    except ProviderAway as error:
        return _away(request, error)


@never_cache
@login_required
@signin.requires_recent_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
def unlink(request: HttpRequest) -> HttpResponseBase:
    """Delete the link, unless it is the only way in; a GET leads to the page about it."""
    if request.method == "POST":
        if links.remove(_user(request)):
            messages.success(request, _("Link removed."))
        else:
            messages.error(request, _("That is your only way to sign in."))
    return redirect("oidc_account")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponseBase:
    """Leave for the provider to confirm who is at the browser; a GET has the button for it."""
    user = _user(request)
    if not links.has(user):
        return redirect("account_reauthenticate")
    next_url = get_next_redirect_url(request) or ""
    if request.method == "POST":
        try:
            return client.leave(
                request, CONFIRM, next_url=next_url, freshly=True, user=str(user.pk)
            )
        except ProviderAway as error:
            return _away(request, error)
    facts = door.look()
    context = {"door": facts, "redirect_field_value": next_url}
    return door.allow(render(request, "account/reauthenticate_provider.html", context), facts)


# --- coming back ----------------------------------------------------------------------------------


@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponseBase:
    """Where the provider sends people back to."""
    try:
        returned = client.come_back(request)
        return _RETURNS[returned.state["process"]](request, returned)
    except client.StateLost:
        if request.user.is_authenticated:  # a second tab, or Back and Forward
            return redirect("home")
        return _trouble(
            request, 400, _("This sign-in took too long"), _("Nothing was done. Start again.")
        )
    except client.Declined as error:
        if error.code == "access_denied":
            return _trouble(
                request,
                403,
                _("You did not sign in"),
                _("%(name)s sent you back without signing you in.") % _provider(),
            )
        logger.warning("the identity provider refused a sign-in: %r", error.code)
        return _untrusted(request)
    except ProviderAway as error:
        return _away(request, error)
    except Untrusted as error:
        logger.warning("a sign-in by the identity provider was refused: %s", error)
        return _untrusted(request)
    except Refused as error:
        return refused(request, error.reason)


def _sign_in(request: HttpRequest, returned: client.Returned) -> HttpResponseBase:
    state = returned.state
    user = admission.admit(
        returned.identity, invitation=state["invitation"], set_up=state["set_up"]
    )
    # Without our own second factor: the provider has asked for what it takes.
    signin.sign_in(request, user)
    confirmation.note(request, user)
    # Not `redirect`, which would look up what has no slash as the name of a page.
    return HttpResponseRedirect(state.get("next") or reverse("home"))


def _link(request: HttpRequest, returned: client.Returned) -> HttpResponseBase:
    if str(request.user.pk) != returned.state["user"]:
        raise Untrusted("somebody else is signed in now")
    admission.check_group(returned.identity)
    if links.add(_user(request), returned.identity):
        links.note(returned.identity)
        messages.success(request, _("You can sign in with %(name)s now.") % _provider())
    else:
        messages.error(request, _("One of the two accounts is already linked to another."))
    return redirect("oidc_account")


def _confirm(request: HttpRequest, returned: client.Returned) -> HttpResponseBase:
    user = _user(request) if request.user.is_authenticated else None
    is_same = user is not None and links.owner(returned.identity) == user
    if user is None or not is_same or str(user.pk) != returned.state["user"]:
        raise Untrusted("somebody else came back to confirm")
    if not confirmation.is_fresh(returned.identity):
        raise Untrusted("the provider did not ask again to confirm")
    confirmation.note(request, user, freshly=True)
    return confirmation.resume(request, returned.state.get("next", "")) or redirect("home")


_RETURNS: Final = {SIGN_IN: _sign_in, LINK: _link, CONFIRM: _confirm}


# --- pages that say what came of it ---------------------------------------------------------------


def _provider() -> dict[str, str]:
    return {"name": configured.name()}


def _trouble(request: HttpRequest, status: int, title: str, words: str) -> HttpResponse:
    context = {"title": title, "words": words}
    response = render(request, "account/provider_trouble.html", context, status=status)
    # Our line says why; Django's would be an error, of which whoever sends a wrong code makes many.
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response


def _away(request: HttpRequest, error: ProviderAway) -> HttpResponse:
    logger.warning("the identity provider is away: %s", error)
    response = _trouble(
        request,
        503,
        _("%(name)s is not answering") % _provider(),
        _("Nothing was done. Try again in a minute."),
    )
    response.headers["Retry-After"] = "30"
    return response


def _untrusted(request: HttpRequest) -> HttpResponse:
    return _trouble(
        request,
        502,
        _("That did not work"),
        _(
            "The answer from %(name)s could not be used. Try again, or ask the person who runs this"
            " instance."
        )
        % _provider(),
    )


def refused(request: HttpRequest, reason: Reason) -> HttpResponseBase:
    """The page for somebody who is not let in."""
    if reason is Reason.BLOCKED:
        return redirect("account_inactive")
    words = {
        Reason.NOT_INVITED: _("Ask the person who runs this instance for an invitation."),
        Reason.NOT_IN_GROUP: _("Your group at %(name)s may not use this instance.") % _provider(),
    }
    titles = {
        Reason.NOT_INVITED: _("You have no account here yet"),
        Reason.NOT_IN_GROUP: _("You have no access"),
    }
    return _trouble(request, 403, titles[reason], words[reason])
