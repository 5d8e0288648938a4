"""The address of a saved file, for downloads and for `<img>` and `<video>`."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from jobs.errors import Damaged, DiskFault, Expired
from jobs.files import serving
from jobs.models import Artifact
from jobs.pages import folding
from jobs.pages.responses import error_words
from stories.errors import StoriesError

SIGNED_IN: Final = "signed-in"
"""Query parameter of a file's address after the sign-in it asked for: the file's page is shown
instead, for a download would leave the sign-in form standing there."""


@require_safe
def file(request: HttpRequest, artifact_id: UUID, name: str) -> HttpResponseBase:
    """A file's bytes; with `?inline`, for viewing. The name is for people; the id decides.

    410 when it was deleted or is damaged, 503 while the disk is away, 429 when too many downloads
    run at once. Redirects to the sign-in, and from there to the page of the file's job.
    """
    inline = "inline" in request.GET
    if not request.user.is_authenticated:
        return redirect_to_login(
            request.get_full_path() if inline else f"{request.path}?{SIGNED_IN}"
        )
    if SIGNED_IN in request.GET:
        return redirect(_page_url(request, artifact_id))
    try:
        return serving.file_response(request, request.user, artifact_id, inline=inline)
    except StoriesError as error:
        status = 503 if isinstance(error, DiskFault) else 429
        if isinstance(error, Expired | Damaged):
            status = 410
        context = {"problem": error_words(error), "back": _page_url(request, artifact_id)}
        response = render(request, "jobs/no_file.html", context, status=status)
        if error.retry_after_s:
            response.headers["Retry-After"] = str(round(error.retry_after_s))
        return response


def _page_url(request: HttpRequest, artifact_id: UUID) -> str:
    """The job's page, at the file's story. Raises Http404 for a file that is not this user's."""
    artifacts = Artifact.objects.visible_to(request.user).select_related("story__item")
    artifact = artifacts.filter(pk=artifact_id).first()
    if artifact is None:
        raise Http404
    if artifact.story is None:
        return reverse("job", args=[artifact.job_id])
    return folding.story_address(artifact.story)
