"""Codes of authenticator apps: each is taken once, however long it would be valid.

django-allauth remembers a used code for one period of 30 seconds and takes codes of the periods
before and after as well (`MFA_TOTP_TOLERANCE`), so that one seen over a shoulder could be sent
again. RFC 6238 (5.2) forbids that. Here the row of the app keeps the last period whose code was
used, and no code of that period or an earlier one is taken again, in whichever process.
"""

from __future__ import annotations

from typing import Final

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.base import forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from allauth.mfa.utils import decrypt
from django.db import transaction

_LAST_PERIOD: Final = "last_period"
"""Key in `Authenticator.data`: the number of the period (Unix seconds // 30) of the last code."""


def use(authenticator_id: int, code: str) -> bool:
    """Note a code as used; False when it is wrong, was used, or is older than one that was.

    Of two requests with the same code at once, one gets True: the row is locked.
    """
    with transaction.atomic():
        row = (
            Authenticator.objects.select_for_update()
            .filter(pk=authenticator_id, type=Authenticator.Type.TOTP)
            .first()
        )
        if row is None:
            return False
        periods = list(auth.yield_hotp_counters_from_time())
        last = row.data.get(_LAST_PERIOD, 0)
        if last > periods[-1]:  # the clock was set back: what it knew then says nothing now
            last = 0
        secret = decrypt(row.data["secret"])
        for period in periods:
            expected = auth.format_hotp_value(auth.hotp_value(secret, period))
            if period > last and compare_user_code(actual=code, expected=expected):
                row.data[_LAST_PERIOD] = period
                row.save(update_fields=["data"])
                return True
    return False


class _EachCodeOnce:
    """Mixin: a code of an authenticator app that was used before is a wrong one."""

    authenticator: Authenticator

    def clean_code(self) -> str:
        """The code. Raises ValidationError."""
        code: str = super().clean_code()  # type: ignore[misc]  # of the form beside it
        is_app = self.authenticator.type == Authenticator.Type.TOTP
        if is_app and not use(self.authenticator.pk, code):
            raise forms.get_adapter().validation_error("incorrect_code")
        return code


class SecondStepForm(_EachCodeOnce, forms.AuthenticateForm):  # type: ignore[misc]  # no types there
    """A code as the second step after the password."""


class ConfirmForm(_EachCodeOnce, forms.ReauthenticateForm):  # type: ignore[misc]  # no types there
    """A code to confirm who is at a signed-in browser."""
