"""The help page: what can be saved, every error in words, and this instance's limits."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from jobs.errors import BY_CODE, message_and_hint
from jobs.files import library_folder


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """The help page. Open to everyone."""
    context = {"codes": _error_codes()} | _limits()
    context["has_library"] = request.user.is_authenticated and library_folder.is_set()
    return render(request, "jobs/help.html", context)


def _error_codes() -> list[dict[str, Any]]:
    """{code, message, hint, retry} of every error."""
    rows = []
    for code, cls in BY_CODE.items():
        message, hint = message_and_hint(code)
        rows.append({"code": code, "message": message, "hint": hint, "retry": cls.retryable})
    return rows


def _limits() -> dict[str, Any]:
    env = settings.STORYKEEP
    return {
        "ttl": env.artifact_ttl,
        "ttl_max": env.artifact_ttl_max,
        "retention": env.job_retention,
        "limit": env.batch_max,
        "watch_keep": env.watch_keep,
        "immich": env.immich_url is not None,
    }
