"""The admin's look at people: role, what they use, when they were last here; block and delete.

It stands here and not in `accounts` because what someone uses is known to `jobs`. Nobody is added
here: people come by invitation. Only admins see it, whatever permissions a member may have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import Group, User
from django.db.models import Count, DateTimeField, F, Max, Model, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import formats, timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import people, signin
from accounts.absolute_urls import full
from accounts.models import ApiToken
from jobs.admin.safe_lookups import SafeLookupsAdmin
from jobs.models import Artifact, Job, Quota
from jobs.queue import quotas
from jobs.templatetags.words import size
from webapp import offboarding
from webapp.forms import PersonForm, QuotaForm

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _Inline = admin.StackedInline[Quota, User]
else:
    _Inline = admin.StackedInline

ROLES = [("member", gettext_lazy("member")), ("admin", gettext_lazy("admin"))]


def _last() -> str:
    return _("This is the only admin, and someone has to run this instance.")


class QuotaInline(_Inline):
    """Limits, beside the person."""

    model = Quota
    form = QuotaForm
    template = "admin/auth/user/quota.html"
    fieldsets = (
        (
            None,
            {
                "fields": QuotaForm.Meta.fields,
                "description": gettext_lazy(
                    "Empty: as for everyone on this instance. 0: no limit."
                ),
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees people may limit them."""
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As above."""
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As above."""
        return True

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Empty fields say as much, and the row also counts what is forgotten."""
        return False


class WithUsage(ChangeList):
    """A page of people, each with what they use of what they may: four queries for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        """As usual, then the usage."""
        super().get_results(request)
        found = quotas.usages([user.pk for user in self.result_list])
        for user in self.result_list:
            user.usage = found[user.pk]


def _of(use: quotas.Use, words: Callable[[int], str] = str) -> str:
    said = words(use.used)
    if use.limit is None:
        return said
    return _("%(used)s of %(limit)s") % {"used": said, "limit": words(use.limit)}


class RoleFilter(admin.SimpleListFilter):
    """Members, admins, or who is blocked."""

    title = gettext_lazy("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The three kinds."""
        return [*ROLES, ("blocked", gettext_lazy("blocked"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        """Those of that kind."""
        if self.value() == "blocked":
            return queryset.filter(is_active=False)
        if self.value() in {"member", "admin"}:
            return queryset.filter(is_superuser=self.value() == "admin")
        return queryset


def _per_owner(rows: QuerySet[Any], what: Any) -> Subquery:
    """One number or time per user, without a join that would multiply the others."""
    mine = rows.filter(owner=OuterRef("pk")).order_by().values("owner")
    return Subquery(mine.annotate(found=what).values("found"))


class PersonAdmin(SafeLookupsAdmin):
    """Everyone who has an account."""

    form = PersonForm
    list_display = (
        "username", "role", "at_once", "today", "bytes_here", "jobs_count", "tokens",
        "last_active", "date_joined",
    )  # fmt: skip
    list_filter = (RoleFilter,)
    search_fields = ("username", "email")
    ordering = ("username",)
    readonly_fields = (
        "role", "at_once", "today", "bytes_here", "jobs_count", "tokens", "last_active",
        "date_joined",
    )  # fmt: skip
    inlines = (QuotaInline,)
    actions = (
        "make_admin", "make_member", "block", "unblock", "sign_out", "password_link",
        "forget_factors",
    )  # fmt: skip
    change_form_template = "admin/auth/user/person.html"
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With what each uses, and when they were last here."""
        saved = Artifact.objects.filter(removed_at=None)
        joined = F("date_joined")
        tokens = ApiToken.objects.all()
        everyone: QuerySet[User] = super().get_queryset(request)
        return everyone.annotate(
            jobs_n=_per_owner(Job.objects.all(), Count("pk")),
            bytes_n=_per_owner(saved, Sum("size_bytes")),
            tokens_n=_per_owner(tokens, Count("pk")),
            active_at=Greatest(
                Coalesce("last_login", joined),
                Coalesce(_per_owner(tokens, Max("last_used_at")), joined),
                Coalesce(_per_owner(Job.objects.all(), Max("created_at")), joined),
                output_field=DateTimeField(),
            ),
        )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters shown, and no other typed into the address: each would tell of any field of
        an account, guess by guess, of its password's hash, too."""
        return lookup == RoleFilter.parameter_name

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """One that knows usage."""
        return WithUsage

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> User | None:
        """With usage."""
        found: Any = super().get_object(request, object_id, from_field)
        if found is not None:
            found.usage = quotas.usage(found)
        return found  # type: ignore[no-any-return]

    # Who may

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Admins alone: whoever may change people can make themselves anything."""
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As above."""
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As above."""
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """As above."""
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People come by invitation."""
        return False

    # What is shown

    @admin.display(description=gettext_lazy("role"), ordering="is_superuser")
    def role(self, user: User) -> str:
        """Admin or member, and whether blocked."""
        said = _("admin") if user.is_superuser else _("member")
        return said if user.is_active else f"{said}, {_('blocked')}"

    @admin.display(description=gettext_lazy("lines at once"))
    def at_once(self, user: Any) -> str:
        """Queued or running, of so many."""
        return _of(user.usage.active_items)

    @admin.display(description=gettext_lazy("lines today"))
    def today(self, user: Any) -> str:
        """Sent since midnight UTC, of so many."""
        return _of(user.usage.items_per_day)

    @admin.display(description=gettext_lazy("jobs"), ordering="jobs_n")
    def jobs_count(self, user: Any) -> int:
        """How many they have."""
        return user.jobs_n or 0

    @admin.display(description=gettext_lazy("on disk"), ordering="bytes_n")
    def bytes_here(self, user: Any) -> str:
        """Their files that are still there, of so much."""
        return _of(user.usage.stored_bytes, size)

    @admin.display(description=gettext_lazy("tokens"), ordering="tokens_n")
    def tokens(self, user: Any) -> int:
        """How many they have."""
        return user.tokens_n or 0

    @admin.display(description=gettext_lazy("last active"), ordering="active_at")
    def last_active(self, user: Any) -> str:
        """The last sign-in, job or use of a token, whichever is latest."""
        return formats.localize(timezone.localtime(user.active_at))

    # What is done

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        """The name as usual; the address through those who know what hangs on it."""
        if "email" not in form.changed_data:
            obj.email = User.objects.values_list("email", flat=True).get(pk=obj.pk)
        super().save_model(request, obj, form, change)
        if "email" in form.changed_data:
            signin.set_address(obj, obj.email)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With a button for each act that means something for this person."""
        person = kwargs.get("obj")
        if person is not None:
            skipped = {
                "make_admin" if person.is_superuser else "make_member",
                "block" if not person.is_active else "unblock",
            }
            names = [name for name in PersonAdmin.actions if name not in skipped]
            found = map(self.get_action, names)
            context["buttons"] = [(one[1], one[2]) for one in found if one]
        return super().render_change_form(request, context, *args, **kwargs)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[Any], list[Any]]:
        """What goes with each person, in numbers: what they saved is theirs to name."""
        lines: list[Any] = []
        total: Counter[str] = Counter()
        for user in objs:
            found = offboarding.estate(user)
            saved = found.saved
            goes = [
                ngettext("%(n)d job", "%(n)d jobs", saved.jobs) % {"n": saved.jobs},
                ngettext("%(n)d file (%(size)s)", "%(n)d files (%(size)s)", saved.files)
                % {"n": saved.files, "size": size(saved.size_bytes)},
                ngettext("%(n)d API token", "%(n)d API tokens", found.tokens) % {"n": found.tokens},
            ]
            if n := found.invitations:
                goes.append(
                    ngettext("%(n)d open invitation", "%(n)d open invitations", n) % {"n": n}
                )
            if n := found.acts:
                goes.append(
                    ngettext("%(n)d entry of the log", "%(n)d entries of the log", n) % {"n": n}
                )
            lines.append(f"{user.get_username()}: {', '.join(goes)}")
            total += Counter(
                {
                    _("users"): 1, _("jobs"): saved.jobs, _("files"): saved.files,
                    _("API tokens"): found.tokens, _("open invitations"): found.invitations,
                    _("entries of the log"): found.acts,
                }
            )  # fmt: skip
        counts = dict(total)
        protected = []
        if people.are_last_admins(*objs):
            several = _("No admin would be left, and someone has to run this instance.")
            protected = [_last() if len(lines) == 1 else several]
        return lines, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """With their jobs and files."""
        offboarding.delete_user(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Each with their jobs and files; the last admin stays, even when made so just now."""
        for user in queryset:
            try:
                offboarding.delete_user(user)
            except people.LastAdmin:
                messages.error(request, f"{_last()} ({user.get_username()})")

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """As usual, except that the last admin stays."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except people.LastAdmin:
            messages.error(request, _last())
            return redirect("admin:auth_user_change", unquote(object_id))

    @admin.action(description=gettext_lazy("Make admin"))
    def make_admin(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """After a page that says who."""
        said = _("They can then do all that you can: invite, block, delete people.")
        act = partial(people.set_role, admin=True)
        members = users.filter(is_superuser=False)
        return self._act(request, members, "make_admin", _("Make admin"), said, act)

    @admin.action(description=gettext_lazy("Make member"))
    def make_member(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """After a page that says who."""
        said = _("They keep what they saved. The invitations they made end at once.")
        act = partial(people.set_role, admin=False)
        admins = users.filter(is_superuser=True)
        return self._act(request, admins, "make_member", _("Make member"), said, act)

    @admin.action(description=gettext_lazy("Block: end sessions and tokens"))
    def block(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """After a page that says who."""
        said = _(
            "Their sessions, API tokens and invitations end at once, and lines in the works are "
            "cancelled. What they saved stays."
        )
        active = users.filter(is_active=True)
        return self._act(request, active, "block", _("Block"), said, offboarding.block)

    @admin.action(description=gettext_lazy("Unblock"))
    def unblock(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """After a page that says who."""
        said = _("They can sign in again with the password they had; tokens have to be made anew.")
        blocked = users.filter(is_active=False)
        return self._act(request, blocked, "unblock", _("Unblock"), said, people.unblock)

    @admin.action(description=gettext_lazy("Sign out everywhere"))
    def sign_out(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """After a page that says who."""
        said = _("All their sessions end, on every device. API tokens stay.")
        ending = people.sign_out_everywhere
        return self._act(request, users, "sign_out", _("Sign out everywhere"), said, ending)

    @admin.action(description=gettext_lazy("Make links for a new password"))
    def password_link(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """After a page that says who; the links are shown once, for the admin to pass on."""
        links: list[str] = []

        def make(user: User) -> None:
            path = signin.password_path(user)
            links.append(f"{user.get_username()}: {full(request, path)}")

        said = _("Each link lets its person choose a new password; it works once, for three days.")
        title = _("Make links for a new password")
        answer = self._act(request, users, "password_link", title, said, make)
        if not links:
            return answer
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "said": _("Pass each link to its person alone. They are not shown again."),
            "links": links,
            "opts": self.opts,
        }
        shown = TemplateResponse(request, "admin/auth/user/links.html", context)
        add_never_cache_headers(shown)
        return shown

    @admin.action(description=gettext_lazy("Forget second step and passkeys"))
    def forget_factors(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """After a page that says who."""
        said = _("For someone who lost their phone: their password alone signs them in again.")
        title = _("Forget second step and passkeys")
        forget = signin.forget_second_factors
        return self._act(request, users, "forget_factors", title, said, forget)

    def _act(
        self,
        request: HttpRequest,
        users: Iterable[User],
        name: str,
        title: str,
        said: str,
        act: Callable[[User], object],
    ) -> HttpResponse | None:
        chosen = list(users)
        back = None
        if "back" in request.POST and len(chosen) == 1:  # from somebody's own page
            back = redirect("admin:auth_user_change", chosen[0].pk)
        if not chosen:
            messages.warning(request, _("There is nobody to do that to."))
            return None
        if "sure" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": title,
                "said": said,
                "people": chosen,
                "action": name,
                "back": back,
                "opts": self.opts,
            }
            return TemplateResponse(request, "admin/auth/user/sure.html", context)
        done = 0
        for user in chosen:
            try:
                act(user)
            except people.LastAdmin:
                messages.error(request, f"{_last()} ({user.get_username()})")
            else:
                done += 1
                # In one language: who reads it need not speak the one of who did it.
                with translation.override("en"):
                    action = self.get_action(name)
                    self.log_change(request, user, str(action[2]) if action else name)
        if done:
            words = ngettext("%(title)s: %(n)d user.", "%(title)s: %(n)d users.", done)
            messages.success(request, words % {"title": title, "n": done})
        return back


admin.site.unregister(User)
admin.site.unregister(Group)  # roles are member and admin, nothing else
admin.site.unregister(signin.PRIVATE)
admin.site.register(User, PersonAdmin)
