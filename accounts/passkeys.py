"""Forms for passkeys that take any nonsense for a wrong answer, not for a reason to crash."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms
from django.core.exceptions import ValidationError


class _Patient:
    """The library's parsers stumble in many ways over what no browser would send."""

    def clean_credential(self) -> Any:
        """The key that answered."""
        try:
            return super().clean_credential()  # type: ignore[misc]  # of the form beside it
        except ValidationError:
            raise
        except Exception as error:
            raise get_adapter().validation_error("incorrect_code") from error


class SignInForm(_Patient, forms.LoginWebAuthnForm):  # type: ignore[misc]  # no types there
    """Instead of a password."""


class SecondStepForm(_Patient, forms.AuthenticateWebAuthnForm):  # type: ignore[misc]  # as above
    """After the password."""


class ConfirmForm(_Patient, forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]  # as above
    """Is it still you?"""


class AddForm(forms.AddWebAuthnForm):  # type: ignore[misc]  # as above
    """One more key."""

    def clean(self) -> Any:
        """The key that was made."""
        try:
            return super().clean()
        except ValidationError:
            raise
        except Exception as error:
            raise get_adapter().validation_error("incorrect_code") from error
