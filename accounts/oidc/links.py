"""Links between accounts here and people at the provider, by (issuer, subject) alone.

They are the library's `SocialAccount` rows: `provider` holds the issuer, so that another issuer
never takes over accounts, `uid` the subject. Tokens of the provider are not kept.
"""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from accounts.oidc import configured
from accounts.oidc.identity import Identity

PRIVATE_MODELS = tuple(
    SocialAccount._meta.apps.get_app_config("socialaccount").get_models()  # noqa: SLF001
)
"""The library's models: hidden even from admins."""


def owner(identity: Identity) -> User | None:
    """Whose account an identity is linked to."""
    row = _rows(identity).select_related("user").first()
    return row.user if row else None


def create(user: User, identity: Identity) -> None:
    """Link an identity to a new account. Raises IntegrityError when it is linked already."""
    SocialAccount.objects.create(provider=identity.issuer, uid=identity.key, user=user)


def add(user: User, identity: Identity) -> bool:
    """Link an identity to an account; False when it is another's, or they have another already."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if current(user).exclude(uid=identity.key).exists():
            return False
        row, _made = SocialAccount.objects.get_or_create(
            provider=identity.issuer, uid=identity.key, defaults={"user": user}
        )
        return bool(row.user_id == user.pk)


def note(identity: Identity) -> None:
    """Keep what the account page and a diagnosis show of the last sign-in: the name, and whether
    groups came and counted. Not their names."""
    env = settings.STORYKEEP
    row = _rows(identity).first()
    if row is None:
        return
    row.extra_data = {
        "name": identity.name,
        "groups": len(identity.groups),
        "member": env.oidc_member_group in identity.groups,
        "admin": env.oidc_admin_group in identity.groups,
    }
    row.save(update_fields=["extra_data", "last_login"])


def note_refusal(identity: Identity) -> None:
    """Keep that somebody was in none of the groups, until `note` is told otherwise."""
    row = _rows(identity).first()
    if row is not None:
        row.extra_data = {**row.extra_data, "refused": True}
        row.save(update_fields=["extra_data"])


def refused() -> set[int]:
    """The ids of people who were in none of the groups the last time."""
    rows = SocialAccount.objects.filter(provider=settings.STORYKEEP.oidc_issuer)
    return set(rows.filter(extra_data__refused=True).values_list("user_id", flat=True))


def current(user: User) -> Any:
    """The rows of a person at the provider that is set."""
    return SocialAccount.objects.filter(user=user, provider=settings.STORYKEEP.oidc_issuer)


def has(user: User) -> bool:
    """Whether a person can sign in by the provider."""
    return bool(current(user).exists())


def name_of(user: User) -> str | None:
    """What a person is called at the provider, "" when that is not known; None without a link."""
    row = current(user).first()
    return str(row.extra_data.get("name", "")) if row else None


def is_only_way_in(user: User) -> bool:
    """Whether a person could not sign in any more without their link."""
    if configured.is_only():
        return True
    keys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    return not (user.has_usable_password() or keys.exists())


def remove(user: User) -> bool:
    """Delete a person's link; False when it is their only way in, or there is none."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # nor does their password go meanwhile
        if is_only_way_in(user):
            return False
        deleted, _by_model = current(user).delete()
        return bool(deleted)


def last_seen() -> Any:
    """The row that was used last at the provider that is set; None when nobody has signed in."""
    rows = SocialAccount.objects.filter(provider=settings.STORYKEEP.oidc_issuer)
    return rows.order_by("-last_login").first()


def _rows(identity: Identity) -> Any:
    return SocialAccount.objects.filter(provider=identity.issuer, uid=identity.key)
