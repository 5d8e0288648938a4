"""The accounts' part of the pictures: what each page shows, and how to get there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page

from accounts import invitations, people, signin, tokens
from accounts.models import Scope
from jobs.library import choices
from jobs.models import LibraryMode
from tests import factories

Shoot = Callable[..., bool]
Take = Callable[..., None]


def prepare(alice: User) -> None:
    """Something to see: tokens, and someone with a second step."""
    TOTP.activate(factories.make_user("careful"), "JBSWY3DPEHPK3PXP")
    choices.choose(alice.pk, LibraryMode.ASK)
    tokens.create(alice, "Backup script", timezone.now() - timedelta(days=1))
    tokens.create(alice, "Newsroom dashboard", scope=Scope.READ)


def inside(page: Page, tail: str, shoot: Shoot, take: Take) -> None:
    """Pages of someone who is signed in, first a member, then an admin."""
    alice = User.objects.get(username="alice")
    shoot("devices", "/account/sessions/", full=False)
    shoot("names", "/account/names/")
    shoot("names-wrong", "/account/names/?template={author}/{date}")
    shoot("notifications", "/account/notifications/")
    shoot("library", "/account/library/")
    shoot("feed-off", "/account/feed/")
    if shoot("feed-fresh", "/account/feed/"):
        page.click("main form.card button")
        take(page, f"feed-fresh-{tail}")
        shoot("feed-on", "/account/feed/")
        page.click("main form.card button.danger")
    shoot("tokens", "/account/tokens/")
    if shoot("token-fresh", "/account/tokens/"):
        page.fill("#id_name", "iPhone shortcut")
        page.click("main form.card button")
        take(page, f"token-fresh-{tail}")
    if shoot("confirm", "/account/security/totp/activate/", full=False):
        page.fill("#id_password", "alicealice")
        page.click("main form button.primary")
        page.wait_for_url("**/activate/")
        take(page, f"app-{tail}")
        shoot("passkey-add", "/account/security/webauthn/add/", full=False)
    shoot("security", "/account/security/")
    shoot("data", "/account/data/")
    people.set_role(alice, admin=True)
    shoot("account-admin", "/account/")
    shoot("invitations", "/account/invitations/")
    if shoot("invitation-fresh", "/account/invitations/"):
        page.fill("#id_whom", "Grandma")
        page.click("main form.card button")
        take(page, f"invitation-fresh-{tail}")
    shoot("admin-people", "/admin/auth/user/", full=False)
    shoot("admin-person", f"/admin/auth/user/{alice.pk}/change/")
    shoot("admin-delete", f"/admin/auth/user/{alice.pk}/delete/", full=False)
    User.objects.filter(pk=alice.pk).update(is_staff=False, is_superuser=False)


def at_the_door(page: Page, tail: str, shoot: Shoot, take: Take) -> None:
    """Pages of someone who is not."""
    shoot("join", f"/join/{invitations.create(None, days=1)}/")
    shoot("join-over", "/join/used-up/", full=False)
    shoot("password-link", signin.password_reset_path(User.objects.get(username="alice")))
    if shoot("second-step", "/login/", full=False):
        page.fill("#id_username", "careful")
        page.fill("#id_password", "carefulcareful")
        page.click("main button")
        page.wait_for_url("**/authenticate/**")
        take(page, f"second-step-{tail}", full=False)
        page.context.clear_cookies()
