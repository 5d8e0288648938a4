"""Forms about passwords: to change one, and for those who forgot theirs."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ChangePasswordForm, ResetPasswordForm, ResetPasswordKeyForm
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

_LABELS = {
    "oldpassword": _("Current password"),
    "password1": _("New password"),
    "password2": _("New password once more"),
}


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


class ChangedPasswordForm(ChangePasswordForm):  # type: ignore[misc]  # as above
    """A new password of someone who knows the old one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _label(self.fields)


class NewPasswordForm(ResetPasswordKeyForm):  # type: ignore[misc]  # as above
    """A new password of someone who came by a link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _label(self.fields)


def _label(fields: dict[str, Any]) -> None:
    """In our words."""
    for name, label in _LABELS.items():
        if name in fields:
            fields[name].label = label
