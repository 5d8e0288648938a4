"""What the admin's overview shows of the site's other pages: problems to fix, and who uses the
disk, with its limit to change on the spot. `jobs` has the overview and knows neither.

Django loads this file wherever it renders a template, so it is not for it to load `webapp.admin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django import template

from jobs.models import Quota
from jobs.ops.problems import Problem
from webapp.env_types import written_size
from webapp.people_rows import PersonRow, people_rows
from webapp.problems import current_problems

if TYPE_CHECKING:
    from django.http import HttpRequest

register = template.Library()

PROBLEMS_SHOWN: Final = 3
PEOPLE_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class TopProblems:
    """The first problems to fix, and how many more there are."""

    first: tuple[Problem, ...]
    more: int


@dataclass(frozen=True, slots=True)
class DiskUser:
    """A person as the overview shows them. limit: their own in words of the form, "" for none."""

    row: PersonRow
    limit: str


@register.simple_tag(takes_context=True)
def top_problems(context: dict[str, Any]) -> TopProblems:
    """The problems to show on the overview; none for who may not see them."""
    request: HttpRequest = context["request"]
    found = current_problems(request) if request.user.has_perm("jobs.view_operations") else ()
    return TopProblems(found[:PROBLEMS_SHOWN], max(0, len(found) - PROBLEMS_SHOWN))


@register.simple_tag(takes_context=True)
def disk_users(context: dict[str, Any]) -> list[DiskUser]:
    """Who uses most of the disk; nobody for who may not see people."""
    if not getattr(context["request"].user, "is_superuser", False):
        return []
    return [DiskUser(row, _limit(row.quota)) for row in people_rows()[:PEOPLE_SHOWN]]


def _limit(own: Quota | None) -> str:
    """DiskUser.limit."""
    return "" if own is None or own.stored_bytes is None else written_size(own.stored_bytes)
