"""The app config of `accounts`."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Sign-in, invitations, roles and API tokens."""

    name = "accounts"
