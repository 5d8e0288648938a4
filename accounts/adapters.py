"""Adapters of django-allauth: no open sign-up, how guesses are counted, mail and its links."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import mail, throttling
from accounts.oidc import configured

WRONG_CODE = gettext_lazy(
    "That code is wrong, too old or already used. Your app shows a new one every 30 seconds."
)
NO_ADDRESS: Final = "::"
"""Stands for the address of whoever has none, as behind a Unix socket."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library has no types
    """The account adapter. Accounts are made by invitation alone (accounts/invitations.py)."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "enter_current_password": gettext_lazy("That is not your current password."),
        "incorrect_code": WRONG_CODE,
        "incorrect_password": gettext_lazy("That is not your password."),
        "too_many_login_attempts": throttling.TOO_MANY_ATTEMPTS,
        "username_password_mismatch": gettext_lazy("Wrong username or password."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Always False: sign-up is by invitation."""
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """The URL of the account page, where a changed password leads."""
        return reverse("account")

    def get_email_verification_redirect_url(self, email_address: EmailAddress) -> str:
        """The page about the mail address, which asks to sign in."""
        return reverse("account_email")

    def get_reset_password_from_key_url(self, key: str) -> str:
        """The link in a mail about a forgotten password. key: `<user id in base 36>-<token>`."""
        user, _dash, token = key.partition("-")
        return settings.STORYKEEP.absolute_url_for(
            self.request, reverse("account_reset_password_from_key", args=[user, token])
        )

    def get_email_confirmation_url(
        self, request: HttpRequest, emailconfirmation: EmailConfirmationHMAC
    ) -> str:
        """The link in a mail that asks to confirm an address."""
        return settings.STORYKEEP.absolute_url_for(
            request, reverse("account_confirm_email", args=[emailconfirmation.key])
        )

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Render a mail now, in the reader's language, and send it in the background."""
        headers = {"Auto-Submitted": "auto-generated"}  # so that no absence note answers
        context = {**context, "email": email}
        mail.send_in_background(self.render_mail(template_prefix, email, context, headers))

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Add a message, unless it only says that somebody has just signed in or out."""
        if message_template not in {
            "account/messages/logged_in.txt",
            "account/messages/logged_out.txt",
        }:
            super().add_message(request, level, message_template, *args, **kwargs)

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Ways to confirm who is at a browser: the library's, and the provider."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if configured.is_on() and isinstance(user, User):
            from accounts.oidc import links

            if links.has(user):
                url = reverse("oidc_confirm")
                methods.append({"id": "provider", "description": "", "url": url})
        return methods

    def is_reauthentication_required(self, *, app: str, **more: Any) -> bool:
        """Whether to ask who is at the browser. Raises ReauthenticationRequired for those whose
        only way to confirm it is the provider, of whom the library would ask nothing."""
        is_required: bool = super().is_reauthentication_required(app=app, **more)
        if is_required and configured.is_on():
            from accounts.oidc import confirmation

            if confirmation.is_missing(self.request):
                raise ReauthenticationRequired
        return is_required

    def pre_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponseBase | None:
        """What somebody is told instead of being signed in by password or passkey; None to go on.

        For those who are blocked, and for those whom the provider has refused since.
        """
        answer: HttpResponseBase | None = super().pre_login(request, user, **more)
        if answer is None and configured.is_on():
            from accounts.oidc import admission, views
            from accounts.oidc.errors import Reason

            if admission.keeps_out(user):
                return views.refused(request, Reason.NOT_IN_GROUP)
        return answer

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that guesses are counted by: that of the connection, or the one that the
        outermost of our proxies has seen.

        `X-Forwarded-For` counts from its right end, where our proxies write; whatever else is said
        of where a request comes from is a stranger's word. A header with fewer addresses than there
        are proxies did not come through them, and what is no address is none.
        """
        proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
        told = request.headers.get("X-Forwarded-For", "").split(",") if proxies else []
        seen_by_proxy = _address(told[-proxies]) if len(told) >= proxies > 0 else None
        return seen_by_proxy or _address(request.META.get("REMOTE_ADDR", "")) or NO_ADDRESS

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # allauth puts the name of the site in front. That comes from the Host header, and whoever
        # guesses passwords could send another one with every guess.
        return str(credentials.get("username", "")).lower()


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # the library has no types
    """The adapter of second factors: names of authenticators, and the words for a wrong code."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": WRONG_CODE}

    def get_totp_label(self, user: User) -> str:
        """The account's name in an authenticator app."""
        return user.get_username()

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002
        """The name of a new passkey unless its owner gives another."""
        count = Authenticator.objects.filter(user=user, type=type).count()
        return _("Passkey %(number)d") % {"number": count + 1}


def _address(text: str) -> str | None:
    """An IP address as it is counted, stored and shown; None for what is none.

    An IPv4 address in the form of IPv6 is that IPv4 address: all of those lie in one network of
    IPv6, and whoever guesses passwords from one would use up the attempts of everybody. A public
    IPv6 address is its network of 64 bits, all of which one line has; those of a house are each its
    own. The zone of a link-local address is of this machine, and no database takes it.
    """
    host = text.strip()
    if host.startswith("["):  # "[2001:db8::1]:443"
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:  # "192.0.2.1:443"
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        if address.is_global:
            return str(ipaddress.IPv6Address(int(address) >> 64 << 64))
    return str(address)
