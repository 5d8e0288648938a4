"""Whether this instance has an identity provider, and its name: known without loading the rest."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings


def is_on() -> bool:
    """Whether people can sign in by a provider."""
    return settings.STORYKEEP.oidc_issuer is not None


def is_only() -> bool:
    """Whether they can by nothing else."""
    return is_on() and settings.STORYKEEP.oidc_only


def issuer() -> str:
    """The provider, as it names itself; "" without one."""
    return settings.STORYKEEP.oidc_issuer or ""


def name() -> str:
    """Name of the provider on pages: as set, else its host name; "" without one."""
    if not is_on():
        return ""
    return settings.STORYKEEP.oidc_name or urlsplit(issuer()).hostname or ""
