"""Forms for passkeys that treat a malformed credential as a wrong one, not as a crash."""

from __future__ import annotations

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn import forms
from django.core.exceptions import ValidationError
from django.forms import HiddenInput, JSONField
from django.forms.fields import InvalidJSONInput


class _Credential(JSONField):
    """JSON that may be nested as deeply, or have numbers as long, as whoever sent it liked."""

    widget = HiddenInput

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except (ValueError, RecursionError) as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except (ValueError, RecursionError):
            return InvalidJSONInput(data)


class _LenientCredential:
    """Mixin: any error of parsing a credential becomes a ValidationError."""

    def clean_credential(self) -> Any:
        """The authenticator that answered. Raises ValidationError."""
        try:
            return super().clean_credential()  # type: ignore[misc]  # of the form beside it
        except ValidationError:
            raise
        except Exception as error:
            raise get_adapter().validation_error("incorrect_code") from error


class SignInForm(_LenientCredential, forms.LoginWebAuthnForm):  # type: ignore[misc]  # no types there
    """Signing in with a passkey instead of a password."""

    credential = _Credential()


class SecondStepForm(_LenientCredential, forms.AuthenticateWebAuthnForm):  # type: ignore[misc]  # no types there
    """A passkey as the second step after the password."""

    credential = _Credential()


class ConfirmForm(_LenientCredential, forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]  # no types there
    """A passkey to confirm who is at a signed-in browser."""

    credential = _Credential()


class AddForm(forms.AddWebAuthnForm):  # type: ignore[misc]  # no types there
    """Adding a passkey."""

    credential = _Credential()

    def clean(self) -> Any:
        """The new credential. Raises ValidationError."""
        try:
            return super().clean()
        except ValidationError:
            raise
        except Exception as error:
            raise get_adapter().validation_error("incorrect_code") from error
