"""Where django-allauth asks us: no open sign-up, which guesses are at the same account, how mail
goes out and where its links lead."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import mail, throttling
from accounts.absolute_urls import absolute_url

WRONG_CODE = gettext_lazy("That code is not right, or not any more.")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library has no types
    """Accounts are made by invitation alone; see accounts/invitations.py."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "enter_current_password": gettext_lazy("That is not your current password."),
        "incorrect_code": WRONG_CODE,
        "incorrect_password": gettext_lazy("That is not your password."),
        "too_many_login_attempts": throttling.WRONG_TOO_OFTEN,
        "username_password_mismatch": gettext_lazy("That name and password do not go together."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Back to the account."""
        return reverse("account")

    def get_email_verification_redirect_url(self, email_address: EmailAddress) -> str:
        """To the page of the address, which is behind the sign-in."""
        return reverse("account_email")

    def get_reset_password_from_key_url(self, key: str) -> str:
        """By the configured address: a Host header says what its sender likes."""
        user, _dash, token = key.partition("-")
        return absolute_url(
            self.request, reverse("account_reset_password_from_key", args=[user, token])
        )

    def get_email_confirmation_url(
        self, request: HttpRequest, emailconfirmation: EmailConfirmationHMAC
    ) -> str:
        """As above."""
        return absolute_url(request, reverse("account_confirm_email", args=[emailconfirmation.key]))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Written now, in the reader's language; sent beside the request."""
        headers = {"Auto-Submitted": "auto-generated"}  # so that nobody's absence note answers
        context = {**context, "email": email}
        mail.post(self.render_mail(template_prefix, email, context, headers))

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Without telling people that they have just signed in or out: they can see it."""
        if message_template not in {
            "account/messages/logged_in.txt",
            "account/messages/logged_out.txt",
        }:
            super().add_message(request, level, message_template, *args, **kwargs)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # As inherited, but for the name of the site in front: that comes from the Host header, and
        # whoever guesses passwords could send another one with every guess.
        return str(credentials.get("username", "")).lower()


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # as above
    """What an authenticator app or a passkey is called, and what is wrong with a code."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": WRONG_CODE}

    def get_totp_label(self, user: User) -> str:
        """The name they sign in with."""
        return user.get_username()

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002
        """What a new key is called unless its owner says otherwise."""
        held = Authenticator.objects.filter(user=user, type=type).count()
        return _("Passkey %(number)d") % {"number": held + 1}
