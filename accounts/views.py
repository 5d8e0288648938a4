"""Pages to set up the first admin, to join by invitation, to sign in by a link, and to manage
invitations and tokens."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import invitations, setup, signin_links, tokens, username_lookalikes
from accounts.forms import AccountForm, InvitationForm, TokenForm
from accounts.models import ApiToken, Scope
from accounts.oidc import configured


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):  # `login_required` lets nobody else in
        raise Http404
    return request.user


def _admin(request: HttpRequest) -> User:
    """The signed-in admin; raises Http404 for everyone else."""
    user = _user(request)
    if not user.is_superuser:
        raise Http404
    return user


def _door_page(
    request: HttpRequest, page: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A page for somebody new, with the identity provider's button where there is one."""
    from accounts import signin

    door = signin.provider_door()
    response = render(request, page, {**context, "door": door}, status=status)
    signin.open_door(response, door)
    return response


def _sign_in(request: HttpRequest, user: User) -> None:
    # Imported when needed: `manage.py up` asks this package for a URL, not for all of sign-in.
    from accounts import signin

    signin.sign_in(request, user)


# --- joining ----------------------------------------------------------------------------------


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest, token: str) -> HttpResponse:
    """The set-up link: ask for name and password, make the first admin, sign in."""
    page = "registration/setup.html"
    if not setup.is_valid(token):
        return render(request, page, {"form": None}, status=404)
    form = AccountForm(None if configured.is_only() else request.POST or None)
    if not form.is_valid():
        context = {"form": form, "set_up": token, "token": token}
        return _door_page(request, page, context, status=422 if form.is_bound else 200)
    admin = setup.make_admin(token, form.cleaned_data["username"], form.cleaned_data["password1"])
    if admin is None:
        return render(request, page, {"form": None}, status=404)
    _sign_in(request, admin)
    return redirect("home")


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """An invitation's link: ask for name and password, make the account, sign in.

    The answer is one 404 page whether the invitation is used, revoked, expired or made up.
    """
    page = "registration/join.html"
    invitation = invitations.find(token)
    if invitation is None:
        return render(request, page, {"form": None}, status=404)
    if request.user.is_authenticated:  # an admin trying the link must not lose their own session
        return render(request, page, {"form": None, "signed_in": True})
    name = getattr(request, "proxy_user", "")
    if name:
        return _join_by_proxy(request, token, name)
    form = AccountForm(None if configured.is_only() else request.POST or None)
    context = {"form": form, "invitation": invitation, "token": token}
    if not form.is_valid():
        return _door_page(request, page, context, status=422 if form.is_bound else 200)
    data = form.cleaned_data
    try:
        user = invitations.accept(token, data["username"], data["password1"])
    except IntegrityError:  # taken since the form was checked
        form.add_error("username", _("A user with that username already exists."))
        return _door_page(request, page, context, status=422)
    if user is None:
        return render(request, page, {"form": None}, status=404)
    _sign_in(request, user)
    return redirect("home")


def _join_by_proxy(request: HttpRequest, token: str, name: str) -> HttpResponse:
    """An invitation's link for somebody whom the proxy in front names: nothing to choose."""
    from accounts import proxy_signin

    page = "registration/join_by_proxy.html"
    context: dict[str, Any] = {"name": name, "wrong": ""}
    if request.method != "POST":
        return render(request, page, context)
    try:
        user = invitations.accept(token, username_lookalikes.validated(name), None)
    except IntegrityError:
        context["wrong"] = _("A user with that username already exists.")
    except ValidationError as error:
        context["wrong"] = error.messages[0]
    else:
        if user is None:
            return render(request, "registration/join.html", {"form": None}, status=404)
        proxy_signin.begin(request, user, name)
        return redirect("home")
    return render(request, page, context, status=422)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """A link of `manage.py signin-link`: a button, which signs in and uses the link up.

    A GET uses nothing up: programs that look at links before people do open them, too. The answer
    is one 404 page whether the link is used, expired or made up.
    """
    page = "registration/signin_link.html"
    is_used = request.method == "POST"
    person = signin_links.use(token) if is_used else signin_links.find(token)
    if person is None:
        return render(request, page, {"person": None}, status=404)
    if not is_used:
        return render(request, page, {"person": person})
    _sign_in(request, person)
    return redirect("home")


# --- invitations --------------------------------------------------------------------------------


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_list(request: HttpRequest) -> HttpResponse:
    """Pending invitations, and a form for one more. A new link is shown once, in the response."""
    admin = _admin(request)
    link = None
    form = InvitationForm(request.POST or None)
    if form.is_valid():
        data = form.cleaned_data
        token = invitations.create(
            admin,
            admin=data["role"] == "admin",
            days=data["days"],
            whom=data["whom"],
        )
        link = settings.STORYKEEP.absolute_url_for(request, reverse("join", args=[token]))
    status = 422 if form.is_bound and link is None else 200
    context = {
        "invitations": invitations.pending().select_related("created_by"),
        "form": InvitationForm() if link else form,
        "link": link,
    }
    return render(request, "registration/invitations.html", context, status=status)


@login_required
@require_POST
def invitation_revoke(request: HttpRequest, invitation_id: int) -> HttpResponse:
    """Revoke an invitation."""
    _admin(request)
    if not invitations.revoke(invitation_id):
        raise Http404
    messages.success(request, _("The invitation is removed."))
    return redirect("invitations")


# --- tokens -------------------------------------------------------------------------------------


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: HttpRequest) -> HttpResponse:
    """A user's API tokens, and a form for one more. A new token is shown once, in the response."""
    user = _user(request)
    fresh = None
    form = TokenForm(request.POST or None)
    if form.is_valid():
        data = form.cleaned_data
        fresh = tokens.create(user, data["name"], form.expires_at(), scope=Scope(data["scope"]))
    status = 422 if form.is_bound and fresh is None else 200
    context = {
        "tokens": ApiToken.objects.filter(owner=user).order_by("-created_at", "-pk"),
        "form": TokenForm() if fresh else form,
        "fresh": fresh,
        "docs": settings.STORYKEEP.absolute_url_for(request, reverse("api:openapi-view")),
        "api": settings.STORYKEEP.absolute_url_for(request, reverse("api:api-root")),
    }
    return render(request, "registration/tokens.html", context, status=status)


@login_required
@require_POST
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """Revoke one of the user's tokens."""
    if not tokens.revoke(_user(request), token_id):
        raise Http404
    messages.success(request, _("The token is removed."))
    return redirect("tokens")
