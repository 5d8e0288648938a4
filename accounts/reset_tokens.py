"""The keys in links that let someone choose a new password."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator


class LinkKeys(PasswordResetTokenGenerator):
    """Django's, which die with the next sign-in, password or mail address; ours also when their
    person is blocked."""

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{user.is_active}"
