"""How Django knows this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Sign-in, the set-up link and API tokens."""

    name = "accounts"
