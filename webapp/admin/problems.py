"""The Problems page: what is wrong with this instance, each with its one fix."""

from __future__ import annotations

import logging
from typing import cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from jobs.ephemeral import hidden_problems
from webapp.admin_site import AdminPage, admin_pages
from webapp.problems import current_problems, find_problems

logger = logging.getLogger(__name__)


def count(request: HttpRequest) -> int:
    """How many problems there are to fix, for the header; at most a minute old."""
    return len(current_problems(request))


def worst(request: HttpRequest) -> str:
    """The first problem with which something does not work, as a sentence; "" for none."""
    failing = (problem for problem in current_problems(request) if problem.failing)
    return next((f"{problem.title}." for problem in failing), "")


def may_see(request: HttpRequest) -> bool:
    """Whether this reader may see the problems: who may see how the instance is doing."""
    return request.user.has_perm("jobs.view_operations")


def may_hide(request: HttpRequest) -> bool:
    """Whether this reader may hide problems from everyone: admins alone."""
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


@require_safe
def problems_page(request: HttpRequest) -> HttpResponse:
    """Every problem there is now, and those hidden."""
    found = find_problems(request, fresh=True)
    context = admin.site.each_context(request) | {
        "title": _("Problems"),
        "problems": found.shown,
        "hidden": found.hidden,
        "may_hide": may_hide(request),
        "days": hidden_problems.HIDDEN_FOR.days,
    }
    return render(request, "admin/problems.html", context)


@require_POST
def hide_problem(request: HttpRequest, code: str) -> HttpResponse:
    """Hide a problem for a while, or (`show` sent along) show it again; the admin log notes who."""
    found = find_problems(request)
    hideable = {problem.code: problem for problem in (*found.shown, *found.hidden)}
    problem = hideable.get(code)
    if problem is None or not problem.may_hide:
        raise Http404
    again = "show" in request.POST
    done = hidden_problems.show(code) if again else hidden_problems.hide(code)
    if not done:
        messages.error(request, _("Redis does not answer, so this cannot be remembered."))
        return redirect("admin:problems")
    with translation.override("en"):  # who reads the log need not speak the language of who did it
        what = "shown again" if again else f"hidden for {hidden_problems.HIDDEN_FOR.days} days"
        title = str(problem.title)
    LogEntry.objects.create(
        user=cast("User", request.user),
        action_flag=CHANGE,
        object_repr=f"Problem: {title}"[:200],
        change_message=what,
    )
    logger.info("problem %s %s by user %s", code, what, request.user.pk)
    return redirect("admin:problems")


admin_pages.register(
    AdminPage(
        name="problems",
        route="problems/",
        view=problems_page,
        allowed=may_see,
        title=gettext_lazy("Problems"),
        count=count,
        worst=worst,
    )
)
admin_pages.register(
    AdminPage(
        name="problem_hide",
        route="problems/<slug:code>/hide/",
        view=hide_problem,
        allowed=may_hide,
        section="problems",
    )
)
