"""The library's adapter of providers: its requests are bounded, and it signs nobody up itself."""

from __future__ import annotations

from typing import Any

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.http import HttpRequest

from accounts.oidc.wire import BoundedSession


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # the library has no types
    """Named in SOCIALACCOUNT_ADAPTER."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Always False: accounts are made by accounts/oidc/admission.py."""
        return False

    def get_requests_session(self) -> BoundedSession:
        """The session that codes are exchanged over."""
        return BoundedSession()
