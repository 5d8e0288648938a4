"""The columns of the list of people: role, usage of quotas, saved files, last activity."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.db.models import Count, DateTimeField, F, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import admin_log
from accounts.models import ApiToken
from jobs.models import Artifact, Job
from jobs.queue import quotas
from jobs.templatetags.words import when
from jobs.wording import size

# Only the type stubs know it as generic.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class UsageChangeList(ChangeList):
    """A page of people, each with a `usage` attribute: four queries for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page, then the usage of everyone on it."""
        super().get_results(request)
        usages = quotas.usages([user.pk for user in self.result_list])
        for user in self.result_list:
            user.usage = usages[user.pk]


def _used_of_limit(use: quotas.Use, format_number: Callable[[int], str] = str) -> str:
    """`3 of 10`, or `3` when there is no limit."""
    used = format_number(use.used)
    if use.limit is None:
        return used
    return _("%(used)s of %(limit)s") % {"used": used, "limit": format_number(use.limit)}


def _per_owner(rows: QuerySet[Any], aggregate: Any) -> Subquery:
    """An aggregate over each user's rows, without a join that would multiply the others."""
    owned = rows.filter(owner=OuterRef("pk")).order_by().values("owner")
    return Subquery(owned.annotate(aggregate=aggregate).values("aggregate"))


class PersonColumns(_ModelAdmin):
    """The part of the people admin that fetches and formats what its list shows."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """All people, with `jobs_n`, `bytes_n`, `tokens_n` and `active_at`.

        The row that stands for those who left is none of them.
        """
        saved = Artifact.objects.kept().filter(removed_at=None)
        joined = F("date_joined")
        tokens = ApiToken.objects.all()
        people: QuerySet[User] = super().get_queryset(request).exclude(username=admin_log.FORMER)
        return people.annotate(
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

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that fetches usage as well."""
        return UsageChangeList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> User | None:
        """One person, with a `usage` attribute; None when there is none by this id."""
        person: User | None = super().get_object(request, object_id, from_field)
        if person is not None:
            person.usage = quotas.usage(person)  # type: ignore[attr-defined]
        return person

    @admin.display(description=gettext_lazy("role"), ordering="is_superuser")
    def role(self, user: User) -> str:
        """Admin or member, and whether blocked."""
        name = _("admin") if user.is_superuser else _("member")
        return name if user.is_active else f"{name}, {_('blocked')}"

    @admin.display(description=gettext_lazy("lines at once"))
    def at_once(self, user: Any) -> str:
        """Lines queued or running, of the limit."""
        return _used_of_limit(user.usage.active_items)

    @admin.display(description=gettext_lazy("lines today"))
    def today(self, user: Any) -> str:
        """Lines sent since midnight UTC, of the limit."""
        return _used_of_limit(user.usage.items_per_day)

    @admin.display(description=gettext_lazy("jobs"), ordering="jobs_n")
    def jobs_count(self, user: Any) -> int:
        """The number of jobs."""
        return user.jobs_n or 0

    @admin.display(description=gettext_lazy("on disk"), ordering="bytes_n")
    def size_on_disk(self, user: Any) -> str:
        """Bytes of files not yet removed, of the limit."""
        return _used_of_limit(user.usage.stored_bytes, size)

    @admin.display(description=gettext_lazy("tokens"), ordering="tokens_n")
    def tokens(self, user: Any) -> int:
        """The number of API tokens, expired ones included."""
        return user.tokens_n or 0

    @admin.display(description=gettext_lazy("last active"), ordering="active_at")
    def last_active(self, user: Any) -> str:
        """The last sign-in, job or use of a token, whichever is latest."""
        return when(user.active_at)

    @admin.display(
        description=User._meta.get_field("date_joined").verbose_name,  # noqa: SLF001  # public by documentation
        ordering="date_joined",
    )
    def joined(self, user: User) -> str:
        """When the account was made."""
        return when(user.date_joined)
