"""The form of those who forgot their password."""

from __future__ import annotations

from allauth.account.forms import ResetPasswordForm
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User


class ForgottenPasswordForm(ResetPasswordForm):  # type: ignore[misc]  # the library has no types
    """Whose mail address it is."""

    users: list[User]

    def clean_email(self) -> str:
        """Leaves only people who have shown that mail to this address reaches them: a link to an
        address with a typing mistake would hand the account to whoever reads it."""
        email: str = super().clean_email()
        shown = EmailAddress.objects.filter(email=email.lower(), verified=True, user__in=self.users)
        self.users = [one.user for one in shown.select_related("user")]
        return email
