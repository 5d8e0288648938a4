"""Actions on people: role, blocking, sessions, password links, second factors.

Each asks first, on a page that lists the people and names the consequence. An action is offered in
the list of people, and as a button on the page about a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import translation
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import people, signin
from accounts.oidc import configured
from webapp import offboarding
from webapp.admin.wording import last_admin_refusal

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class PersonActions(_ModelAdmin):
    """The part of the people admin that acts on people."""

    actions = (
        "make_admin", "make_member", "block", "unblock", "sign_out", "password_link",
        "forget_factors",
    )  # fmt: skip

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The actions of the list; none about passwords where there are none."""
        actions: dict[str, Any] = super().get_actions(request)
        if configured.is_only():
            actions.pop("password_link", None)
        return actions

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The page about a person, with a button for each action that would change something."""
        person = kwargs.get("obj")
        if person is not None:
            pointless = {
                "make_admin" if person.is_superuser else "make_member",
                "block" if not person.is_active else "unblock",
                *(["password_link"] if configured.is_only() else []),
            }
            names = [name for name in PersonActions.actions if name not in pointless]
            actions = map(self.get_action, names)
            context["buttons"] = [(action[1], action[2]) for action in actions if action]
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.action(description=gettext_lazy("Make admin"))
    def make_admin(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """Give members the role of an admin, once confirmed."""
        return self._confirm_and_apply(
            request,
            users.filter(is_superuser=False),
            name="make_admin",
            title=_("Make admin"),
            consequence=_("They can then do all that you can: invite, block, delete people."),
            apply=partial(people.set_role, admin=True),
        )

    @admin.action(description=gettext_lazy("Make member"))
    def make_member(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """Take the role of an admin away, once confirmed."""
        return self._confirm_and_apply(
            request,
            users.filter(is_superuser=True),
            name="make_member",
            title=_("Make member"),
            consequence=_("They keep what they saved. The invitations they made end at once."),
            apply=partial(people.set_role, admin=False),
        )

    @admin.action(description=gettext_lazy("Block: end sessions and tokens"))
    def block(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """Block people and cancel their open lines, once confirmed; never whoever asks for it."""
        own = cast("int", request.user.pk)
        if users.filter(pk=own).exists():
            messages.warning(request, _("You cannot block yourself."))
        return self._confirm_and_apply(
            request,
            users.filter(is_active=True).exclude(pk=own),
            name="block",
            title=_("Block"),
            consequence=_(
                "Their sessions, API tokens and invitations end at once, and lines in the works "
                "are cancelled. What they saved stays."
            ),
            apply=offboarding.block,
        )

    @admin.action(description=gettext_lazy("Unblock"))
    def unblock(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """Let blocked people sign in again, once confirmed."""
        return self._confirm_and_apply(
            request,
            users.filter(is_active=False),
            name="unblock",
            title=_("Unblock"),
            consequence=_(
                "They can sign in again with the password they had; tokens have to be made anew."
            ),
            apply=people.unblock,
        )

    @admin.action(description=gettext_lazy("Sign out everywhere"))
    def sign_out(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """End every session of people, once confirmed."""
        return self._confirm_and_apply(
            request,
            users,
            name="sign_out",
            title=_("Sign out everywhere"),
            consequence=_("All their sessions end, on every device. API tokens stay."),
            apply=people.sign_out_everywhere,
        )

    @admin.action(description=gettext_lazy("Make links for a new password"))
    def password_link(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """Make links for a new password, once confirmed; shown once, for the admin to pass on."""
        links: list[str] = []

        def make_link(user: User) -> None:
            path = signin.password_reset_path(user)
            links.append(
                f"{user.get_username()}: {settings.STORYKEEP.absolute_url_for(request, path)}"
            )

        title = _("Make links for a new password")
        response = self._confirm_and_apply(
            request,
            users,
            name="password_link",
            title=title,
            consequence=_(
                "Each link lets its person choose a new password; it works once, for three days."
            ),
            apply=make_link,
        )
        if not links:
            return response
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "advice": _("Pass each link to its person alone. They are not shown again."),
            "links": links,
            "opts": self.opts,
        }
        page = TemplateResponse(request, "admin/auth/user/links.html", context)
        add_never_cache_headers(page)
        return page

    @admin.action(description=gettext_lazy("Reset two-factor and passkeys"))
    def forget_factors(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """Remove the second factors of people who lost them, once confirmed."""
        return self._confirm_and_apply(
            request,
            users,
            name="forget_factors",
            title=_("Reset two-factor and passkeys"),
            consequence=_(
                "For someone who lost their phone: their password alone signs them in again."
            ),
            apply=signin.remove_second_factors,
        )

    def _confirm_and_apply(
        self,
        request: HttpRequest,
        users: Iterable[User],
        *,
        name: str,
        title: str,
        consequence: str,
        apply: Callable[[User], object],
    ) -> HttpResponse | None:
        """The confirmation page; on its answer, apply the action to each person and log it.

        name: of the action. None leads back to the list, a redirect to the page the button is on.
        """
        chosen = list(users)
        back = None
        origin = request.POST.get("back", "")
        if origin == "people":  # the page of everyone
            back = redirect("admin:people")
        elif origin and len(chosen) == 1:  # somebody's own page
            back = redirect("admin:auth_user_change", chosen[0].pk)
        if not chosen:
            messages.warning(request, _("There is nobody to do that to."))
            return back
        if "sure" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": title,
                "consequence": consequence,
                "people": chosen,
                "action": name,
                "back": back,
                "origin": origin,
                "opts": self.opts,
            }
            return TemplateResponse(request, "admin/auth/user/sure.html", context)
        done = 0
        for user in chosen:
            try:
                apply(user)
            except people.LastAdmin:
                messages.error(request, f"{last_admin_refusal()} ({user.get_username()})")
            else:
                done += 1
                # In one language: who reads it need not speak the one of who did it.
                with translation.override("en"):
                    action = self.get_action(name)
                    self.log_change(request, user, str(action[2]) if action else name)
        if done:
            message = ngettext("%(title)s: %(n)d user.", "%(title)s: %(n)d users.", done)
            messages.success(request, message % {"title": title, "n": done})
        return back
