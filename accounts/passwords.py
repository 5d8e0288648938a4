"""Forms to change a password, to ask for a reset link by mail, and to use that link."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import (
    ChangePasswordForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
    default_token_generator,
)
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts import ended_sessions

RULES = _(
    "At least 8 characters, not only digits. Not your name, and not one that many people use."
)
"""What AUTH_PASSWORD_VALIDATORS want, in fewer words than they have for it."""
_LABELS = {
    "oldpassword": _("Current password"),
    "password1": _("New password"),
    "password2": _("New password again"),
}


class LinkUsed(Exception):
    """A reset link was used by another request while this one was looked at."""


class ForgottenPasswordForm(ResetPasswordForm):  # type: ignore[misc]  # the library has no types
    """Asking for a reset link by mail."""

    users: list[User]

    def clean_email(self) -> str:
        """The address; `users` keeps only those who have confirmed it: a link sent to an address
        with a typing mistake would hand the account to whoever reads it."""
        email: str = super().clean_email()
        confirmed = EmailAddress.objects.filter(
            email=email.lower(), verified=True, user__in=self.users
        )
        self.users = [row.user for row in confirmed.select_related("user")]
        return email


class ChangedPasswordForm(ChangePasswordForm):  # type: ignore[misc]  # the library has no types
    """Changing a password, with the current one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _set_words(self.fields)

    def save(self) -> None:
        """Set the password, which ends all other sessions, and what goes with them, at once."""
        with transaction.atomic():
            super().save()
            ended_sessions.all_ended(self.user.pk)


class NewPasswordForm(ResetPasswordKeyForm):  # type: ignore[misc]  # the library has no types
    """Choosing a new password by a reset link."""

    user: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _set_words(self.fields)

    def save(self) -> None:
        """Set the password. Raises LinkUsed: of two requests at once, the link serves one."""
        with transaction.atomic():
            user = User.objects.select_for_update().filter(pk=self.user.pk).first()
            if user is None or not default_token_generator.check_token(user, self.temp_key):
                raise LinkUsed
            self.user = user
            super().save()
            ended_sessions.all_ended(user.pk)


def _set_words(fields: dict[str, Any]) -> None:
    """Replace the library's words by ours."""
    for name, label in _LABELS.items():
        if name in fields:
            fields[name].label = label
    fields["password1"].help_text = RULES
