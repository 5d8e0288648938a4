"""ZIPs for a page: asked for with one click, watched while they are packed, and taken.

A form's answer is a redirect: to the file when it is there, else to a page that waits for it. A
script that asks for JSON is told the same in an answer, and starts the download itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from jobs.ephemeral import progress
from jobs.errors import Internal, NothingToPack, message_and_hint
from jobs.files.bundles import alone
from jobs.models import OPEN_PACKAGES, Artifact, Job, Package, PackageState, Story
from jobs.pages.responses import error_words, uncached
from jobs.pages.wish import positions
from jobs.zips import contents, packing
from stories.errors import StoriesError

JSON: Final = "application/json"


@login_required
@require_POST
def job_bundle(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """All files of a job as one ZIP."""
    job = get_object_or_404(Job.objects.visible_to(request.user), pk=job_id)
    return _package(request, job)


@login_required
@require_POST
def selection(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """The files of the chosen stories and lines as one ZIP, or the file itself where it is alone.

    story: ids of stories; line: positions of lines, all of whose stories are meant.
    """
    job = get_object_or_404(Job.objects.visible_to(request.user), pk=job_id)
    lines = positions(",".join(request.POST.getlist("line")))
    of_lines = Story.objects.filter(item__job=job, item__position__in=lines)
    stories: list[UUID | str] = list(of_lines.values_list("pk", flat=True))
    stories.extend(request.POST.getlist("story"))
    files = contents.files_of_stories(job, stories)
    single = alone(files)
    if single:
        return _taken(request, single)
    return _package(request, job, [file.pk for file in files])


def _package(
    request: HttpRequest, job: Job, chosen: Sequence[UUID] | None = None
) -> HttpResponseBase:
    """Ask for a ZIP. chosen: artifact ids; None for every file of the job."""
    try:
        if chosen is not None and not chosen:
            raise NothingToPack
        package = packing.request(job, chosen or ())
    except StoriesError as error:
        words = error_words(error)
        if _wants_json(request):
            return uncached(JsonResponse({"state": "failed", "words": _sentence(words)}))
        messages.error(request, _sentence(words))
        return redirect("job", job.pk)
    if package.artifact:
        return _taken(request, package.artifact)
    watch = reverse("package", args=[job.pk, package.pk])
    if _wants_json(request):
        return uncached(JsonResponse({"state": "packing", "watch": watch}, status=202))
    return redirect(watch)


@login_required
@require_safe
def package(request: HttpRequest, job_id: UUID, package_id: UUID) -> HttpResponseBase:
    """A ZIP that is being packed: a page that loads itself anew until there is a link, or JSON.

    JSON: {"state": packing|ready|failed, "address", "words", "percent"}; percent: 0 to 99 or null,
    only while it is packed. A package of somebody else, or one that was forgotten, is a 404.
    """
    packages = Package.objects.visible_to(request.user).select_related("artifact", "job")
    found = get_object_or_404(packages, pk=package_id, job_id=job_id)
    told = _told(found)
    if _wants_json(request):
        words = _sentence(told.pop("problem", {}))
        return uncached(JsonResponse(told | {"words": words}))
    context = told | {"job": found.job, "file": found.artifact}
    return uncached(render(request, "jobs/package.html", context))


def _told(found: Package) -> dict[str, Any]:
    if found.state in OPEN_PACKAGES:
        report = progress.read(found.job_id).get(str(found.pk))
        return {"state": "packing", "percent": report.percent if report else None}
    file = found.artifact
    present = file is not None and not file.removed_at and file.expires_at > timezone.now()
    if found.state == PackageState.DONE and file and present:
        return {"state": "ready", "address": reverse("file", args=[file.pk, file.name])}
    code = (
        found.error_code or (NothingToPack if found.state == PackageState.DONE else Internal).code
    )
    message, hint = message_and_hint(code)
    return {"state": "failed", "problem": {"message": message, "hint": hint, "code": code}}


def _taken(request: HttpRequest, file: Artifact) -> HttpResponseBase:
    """The way to a file that is there."""
    if not _wants_json(request):
        return redirect("file", file.pk, file.name)
    address = reverse("file", args=[file.pk, file.name])
    return uncached(JsonResponse({"state": "ready", "address": address}))


def _sentence(words: dict[str, str]) -> str:
    return " ".join(filter(None, (words.get("message", ""), words.get("hint", ""))))


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith(JSON)
