"""The pictures with an identity provider: the sign-in, the account, its link, confirming."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.models import User
from playwright.sync_api import Page

from accounts import invitations
from accounts.oidc import discovery
from tests.oidc import hostile

Shoot = Callable[..., bool]


@contextmanager
def _provider(**more: object) -> Iterator[str]:
    """An instance with a provider that answers; its issuer."""
    before = settings.STORYKEEP
    with hostile.running() as provider:
        discovery.forget()
        named = hostile.settings_for(provider.issuer, oidc_name="Familie", **more)
        settings.STORYKEEP = before.model_copy(update=named)
        try:
            yield provider.issuer
        finally:
            settings.STORYKEEP = before
            discovery.forget()


def inside(page: Page, shoot: Shoot) -> None:
    """Pages of alice, who is signed in: without a link, with one, with nothing else."""
    alice = User.objects.get(username="alice")
    with _provider() as issuer:
        shoot("provider-account", "/account/")
        shoot("provider-none", "/account/provider/", full=False)
        _confirm(page)
        shoot("provider-unlinked", "/account/provider/", full=False)
        row = SocialAccount.objects.create(
            user=alice, provider=issuer, uid="1", extra_data={"name": "alice.w"}
        )
        shoot("provider-linked", "/account/provider/", full=False)
        shoot("provider-confirm", "/account/confirm/provider/", full=False)
        shoot("provider-confirm-ways", "/account/confirm/", full=False)
        row.delete()


def at_the_door(shoot: Shoot) -> None:
    """Pages of someone who is not signed in."""
    with _provider():
        shoot("provider-login", "/login/", full=False)
        shoot("provider-join", f"/join/{invitations.create(None, days=1)}/")
        shoot("provider-lost", "/login/oidc/callback/", full=False)
    with _provider(oidc_only=True):
        shoot("provider-only-login", "/login/", full=False)
        shoot("provider-only-join", f"/join/{invitations.create(None, days=1)}/")
    with _provider():
        settings.STORYKEEP = settings.STORYKEEP.model_copy(
            update={"oidc_issuer": "http://127.0.0.1:9"}
        )
        discovery.forget()
        shoot("provider-away-login", "/login/", full=False)


def _confirm(page: Page) -> None:
    page.goto("/account/provider/")
    if page.locator("#id_password").count():
        page.fill("#id_password", "alicealice")
        page.click("main form button.primary")
