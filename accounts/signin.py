"""Signing in, passwords, sessions, second factors: django-allauth's views under our addresses.

Only what we use has an address: no sign-up, and nothing about mail where none can be sent. Its
templates are ours (templates/account, mfa, usersessions); `login`, `logout` and `password_change`
are the names the rest of the site uses.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from allauth.account import views
from allauth.account.decorators import reauthentication_required, secure_admin_login
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from allauth.usersessions.views import list_usersessions
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db import transaction
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import include, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from accounts.mail import only_with_mail

_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])

PRIVATE = (Authenticator, EmailAddress, UserSession)
"""Keys of second factors, addresses of sessions: nobody's to look at, not even an admin's."""

our_sign_in = secure_admin_login
"""Makes the admin's own sign-in page ours, with its rates and second factors."""

asks_again: Callable[[_View], _View] = reauthentication_required(allow_get=True)
"""For acts that must not be open to whoever finds a signed-in browser: asks who it is, unless that
was answered in the last five minutes."""


@receiver(user_logged_in)
def _begin(sender: object, request: HttpRequest, **_more: object) -> None:
    """A session that was short while nobody was known to be behind it is one like any other now.

    And the devices of sessions that are gone are forgotten, addresses and all. Those of a session
    that began just now may not have it stored yet.
    """
    request.session.set_expiry(None)
    stored = Session.objects.values("session_key")
    long_ago = timezone.now() - timedelta(days=1)
    UserSession.objects.filter(created_at__lt=long_ago).exclude(session_key__in=stored).delete()


def enter(request: HttpRequest, user: User) -> None:
    """Sign in someone who has just chosen their password, and list the device like any other."""
    login(request, user)
    UserSession.objects.create_from_request(request)


def password_path(user: User) -> str:
    """The path of a link that lets this person choose a new password; it works for three days, or
    until they sign in or change it."""
    key = default_token_generator.make_token(user)
    return reverse("account_reset_password_from_key", args=[user_pk_to_url_str(user), key])


def is_taken(email: str, user: User) -> bool:
    """Has someone else here shown that this address is theirs?"""
    proven = EmailAddress.objects.filter(email=email.lower(), verified=True)
    return bool(email) and proven.exclude(user=user).exists()


def set_address(user: User, email: str) -> None:
    """Where links for a new password go, on an admin's word; "" is nowhere. Not a taken one."""
    email = email.lower()
    with transaction.atomic():
        EmailAddress.objects.filter(user=user).delete()
        if email:
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        User.objects.filter(pk=user.pk).update(email=email)
    user.email = email


def forget_second_factors(user: User) -> int:
    """For someone who lost their phone: how many factors are gone; the password alone will do."""
    gone, _each = Authenticator.objects.filter(user=user).delete()
    return int(gone)


@login_required
@require_POST
def session_end(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign out one of my devices; this one, too."""
    session = UserSession.objects.filter(user=request.user, pk=session_id).first()
    if session is None:
        raise Http404
    if session.session_key == request.session.session_key:
        session.delete()
        logout(request)
        return redirect("login")
    session.end()
    messages.success(request, _("That device is signed out."))
    return redirect("usersessions_list")


_address = never_cache(only_with_mail(login_required(asks_again(views.email))))
_reset = never_cache(views.password_reset_from_key)

urlpatterns = [
    path("login/", views.login, name="login"),
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="logout"),
    path("logout/", views.logout, name="account_logout"),
    path("account/blocked/", views.account_inactive, name="account_inactive"),
    path("account/confirm/", views.reauthenticate, name="account_reauthenticate"),
    path("account/password/", views.password_change, name="password_change"),
    path("account/password/", views.password_change, name="account_change_password"),
    path("account/password/set/", views.password_set, name="account_set_password"),
    path(
        "account/password/changed/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("password/", only_with_mail(views.password_reset), name="account_reset_password"),
    path(
        "password/sent/",
        only_with_mail(views.password_reset_done),
        name="account_reset_password_done",
    ),
    path("account/email/", _address, name="account_email"),
    path(
        "account/email/<str:key>/",
        never_cache(only_with_mail(views.confirm_email)),
        name="account_confirm_email",
    ),
    path("password/<str:uidb36>/<str:key>/", _reset, name="account_reset_password_from_key"),
    path("account/sessions/", list_usersessions, name="usersessions_list"),
    path("account/sessions/<int:session_id>/end/", session_end, name="session_end"),
    # After a change to one key: to the page that shows them all.
    path(
        "account/security/webauthn/",
        RedirectView.as_view(pattern_name="mfa_index"),
        name="mfa_list_webauthn",
    ),
    path("account/security/", include("allauth.mfa.urls")),
]
