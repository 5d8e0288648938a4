"""Sign-in, passwords, sessions, second factors: django-allauth's views under our URLs.

Only views in use have a URL: no sign-up, and nothing about mail where none can be sent. The
templates are ours (templates/account, mfa, usersessions); the rest of the site uses the URL names
`login`, `logout` and `password_change`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Final, TypeVar

from allauth.account import views
from allauth.account.decorators import reauthentication_required, secure_admin_login
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from allauth.mfa.webauthn.views import login_webauthn
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
from django.shortcuts import redirect, render
from django.urls import include, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from accounts import ended_sessions, totp
from accounts.mail import requires_mail
from accounts.oidc import configured as provider
from accounts.passwords import LinkUsed

_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])

PRIVATE_MODELS = (Authenticator, EmailAddress, UserSession)
"""Models with keys of second factors and IP addresses: hidden even from admins."""

BY_PROXY: Final = "signed_in_by_proxy"
"""Key in a session that a proxy's header began (accounts/proxy_signin.py): the name in it."""

requires_recent_sign_in: Callable[[_View], _View] = reauthentication_required(allow_get=True)
"""Decorates a view that must not be open to whoever finds a signed-in browser: asks for password or
passkey, unless that was given in the last five minutes."""

requires_recent_sign_in_to_open: Callable[[_View], _View] = reauthentication_required()
"""The same, for a view that shows what it is about only after that: its form is then sent without
being asked again in between."""


@never_cache
@secure_admin_login  # type: ignore[untyped-decorator]  # the library has no types
def admin_sign_in(request: HttpRequest, extra_context: object = None) -> HttpResponseBase:
    """The admin's sign-in: redirects to ours, with its limits and second factors, and whoever is
    signed in to the admin's first page. It takes no name and password of anybody."""
    return redirect("admin:index")


@receiver(user_logged_in)
def _on_signed_in(sender: object, request: HttpRequest, **_more: object) -> None:
    """Give the session its usual length, and delete rows about devices whose session has ended.

    A session is short while nobody is signed in (jobs/pages/home.py). Rows of the last day stay: a
    session that has just begun may not be stored yet.
    """
    request.session.set_expiry(None)
    stored = Session.objects.values("session_key")
    yesterday = timezone.now() - timedelta(days=1)
    UserSession.objects.filter(created_at__lt=yesterday).exclude(session_key__in=stored).delete()


@receiver(authenticator_added)
def _on_second_factor_added(
    sender: object, request: HttpRequest, authenticator: Authenticator, **_more: object
) -> None:
    """Count the code that set an authenticator app up as used."""
    if authenticator.type == Authenticator.Type.TOTP:
        totp.use(authenticator.pk, request.POST.get("code", ""))


def sign_in(request: HttpRequest, user: User) -> None:
    """Sign in a person who has just chosen a password, and list the device like any other."""
    login(request, user)
    UserSession.objects.create_from_request(request)


def password_reset_path(user: User) -> str:
    """The path of a link to choose a new password, valid for three days, or until its person signs
    in or changes the password."""
    key = default_token_generator.make_token(user)
    return reverse("account_reset_password_from_key", args=[user_pk_to_url_str(user), key])


def is_email_taken(email: str, user: User) -> bool:
    """Whether another person has confirmed this mail address."""
    confirmed = EmailAddress.objects.filter(email=email.lower(), verified=True)
    return bool(email) and confirmed.exclude(user=user).exists()


def set_email(user: User, email: str) -> None:
    """Set a person's mail address as confirmed, on an admin's word; "" removes it.

    The caller makes sure that it is not taken (`is_email_taken`).
    """
    email = email.lower()
    with transaction.atomic():
        EmailAddress.objects.filter(user=user).delete()
        if email:
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        User.objects.filter(pk=user.pk).update(email=email)
    user.email = email


def remove_second_factors(user: User) -> int:
    """Delete authenticator apps, recovery codes and passkeys of a person; how many rows."""
    deleted, _by_model = Authenticator.objects.filter(user=user).delete()
    return int(deleted)


class _SignInView(views.LoginView):  # type: ignore[misc]  # the library has no types
    """The sign-in page, with the provider's button where there is one."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse names and passwords where only the provider's word counts."""
        if request.method == "POST" and provider.is_only():
            return redirect("login")
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the page shows."""
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"door": provider_door()}

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponseBase:
        """The page, whose form may lead to the provider."""
        return open_door(super().render_to_response(context, **kwargs), context["door"])


def provider_door() -> Any:
    """What a page with the provider's button shows (accounts/oidc/door.py); None without one."""
    if not provider.is_on():
        return None
    from accounts.oidc import door

    return door.look()


def open_door(response: HttpResponseBase, facts: Any) -> HttpResponseBase:
    """The response, whose forms may lead to the provider. facts: of `provider_door`."""
    if facts is None:
        return response
    from accounts.oidc import door

    return door.allow(response, facts)


def _sign_out(request: HttpRequest) -> HttpResponseBase:
    """Sign out here, and say so where the session of the provider or the proxy goes on."""
    if request.method == "POST" and request.user.is_authenticated:
        ended_sessions.session_ended(dict(request.session.items()))
    if request.method == "POST" and BY_PROXY in request.session:
        logout(request)
        return render(request, "account/signed_out.html")
    goes_on = False
    if provider.is_on() and request.method == "POST" and request.user.is_authenticated:
        from accounts.oidc import confirmation

        goes_on = confirmation.by_provider(request)
    answer: HttpResponseBase = views.logout(request)
    if goes_on:
        said = _("You are signed out here. At %(name)s you may still be signed in.")
        messages.info(request, said % {"name": provider.name()})
    return answer


def _unless_only(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Decorate a view of passwords or passkeys: 404 where only the provider's word counts."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if provider.is_only():
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@login_required
@require_POST
def session_end(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign out one of the user's devices, or the one in use."""
    session = UserSession.objects.filter(user=request.user, pk=session_id).first()
    if session is None:
        raise Http404
    if session.session_key == request.session.session_key:
        ended_sessions.session_ended(dict(request.session.items()))
        session.delete()
        logout(request)
        return redirect("login")
    if (row := Session.objects.filter(pk=session.session_key).first()) is not None:
        ended_sessions.session_ended(row.get_decoded())
    session.end()
    messages.success(request, _("That device is signed out."))
    return redirect("usersessions_list")


@never_cache
def _reset_by_link(request: HttpRequest, uidb36: str, key: str) -> HttpResponseBase:
    """The pages behind a link for a new password."""
    try:
        answer: HttpResponseBase = views.password_reset_from_key(request, uidb36=uidb36, key=key)
    except LinkUsed:
        return redirect(request.path)  # which says that the link no longer works
    return answer


_sign_in_page = _SignInView.as_view()
_first_password = login_required(requires_recent_sign_in(views.password_set))

_email_view = never_cache(requires_mail(login_required(requires_recent_sign_in(views.email))))

urlpatterns = [
    path("login/", _sign_in_page, name="login"),
    path("login/", _sign_in_page, name="account_login"),
    path("logout/", _sign_out, name="logout"),
    path("logout/", _sign_out, name="account_logout"),
    path("account/blocked/", views.account_inactive, name="account_inactive"),
    path("account/confirm/", views.reauthenticate, name="account_reauthenticate"),
    path("account/password/", views.password_change, name="password_change"),
    path("account/password/", views.password_change, name="account_change_password"),
    path("account/password/set/", _unless_only(_first_password), name="account_set_password"),
    path(
        "account/password/changed/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path(
        "password/",
        _unless_only(requires_mail(views.password_reset)),
        name="account_reset_password",
    ),
    path(
        "password/sent/",
        _unless_only(requires_mail(views.password_reset_done)),
        name="account_reset_password_done",
    ),
    path("account/email/", _email_view, name="account_email"),
    path(
        "account/email/<str:key>/",
        never_cache(requires_mail(views.confirm_email)),
        name="account_confirm_email",
    ),
    path(
        "password/<str:uidb36>/<str:key>/",
        _unless_only(_reset_by_link),
        name="account_reset_password_from_key",
    ),
    path("account/sessions/", list_usersessions, name="usersessions_list"),
    path("account/sessions/<int:session_id>/end/", session_end, name="session_end"),
    # After a change to one key: to the page that shows them all.
    path(
        "account/security/webauthn/",
        RedirectView.as_view(pattern_name="mfa_index"),
        name="mfa_list_webauthn",
    ),
    path("account/security/webauthn/login/", _unless_only(login_webauthn)),
    path("account/security/", include("allauth.mfa.urls")),
    path("", include("accounts.oidc.urls")),
]
