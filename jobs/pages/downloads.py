"""The address of a saved file, for downloads and for `<img>` and `<video>`."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from jobs.errors import Expired
from jobs.files import serving
from jobs.pages.responses import error_words
from stories.errors import StoriesError


@login_required
@require_safe
def file(request: HttpRequest, artifact_id: UUID, name: str) -> HttpResponseBase:
    """A file's bytes; with `?inline`, for viewing. The name is for people; the id decides.

    410 when it was deleted, 429 when too many downloads run at once.
    """
    inline = "inline" in request.GET
    try:
        return serving.file_response(request, request.user, artifact_id, inline=inline)
    except StoriesError as error:
        status = 410 if isinstance(error, Expired) else 429
        context = {"problem": error_words(error)}
        response = render(request, "jobs/no_file.html", context, status=status)
        if error.retry_after_s:
            response.headers["Retry-After"] = str(round(error.retry_after_s))
        return response
