"""The app config of `accounts`."""

from django.apps import AppConfig

from accounts.deferred import defer


class AccountsConfig(AppConfig):
    """Sign-in, invitations, roles and API tokens."""

    name = "accounts"

    def ready(self) -> None:
        """Put off what only passkeys need: with all of cryptography behind it, some 10 MiB."""
        defer("allauth.mfa.webauthn.internal.auth")
