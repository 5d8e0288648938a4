"""The history page: a user's jobs by day, with search and filter, and what to do with several."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from jobs.files import disk
from jobs.library import forgetting
from jobs.models import Job
from jobs.pages.forms import SearchForm
from jobs.pages.responses import error_words, uncached
from jobs.queries import cards
from jobs.queue import erasure, resubmission
from jobs.states import ItemState
from stories.errors import StoriesError

JOBS_PER_PAGE: Final = 40
STATE_FILTERS: Final = (
    ItemState.RUNNING,
    ItemState.DONE,
    ItemState.PARTIAL,
    ItemState.FAILED,
    ItemState.EMPTY,
    ItemState.CANCELLED,
)


@login_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """All jobs of the user, newest first. `?q=` searches, `?state=` filters, by `found` for
    what watches found, `?page=` turns."""
    form = SearchForm(request.GET)
    form.is_valid()  # a value that makes no sense is left out
    words, chosen = (form.cleaned_data.get(name, "") for name in ("q", "state"))
    found = chosen == SearchForm.FOUND
    state = ItemState(chosen) if chosen and not found else None
    jobs = cards.search_jobs(request.user, words, state, from_watch=found)
    page = Paginator(jobs, JOBS_PER_PAGE).get_page(request.GET.get("page"))
    listed = [job.pk for job in page.object_list]
    days = [
        list(cards_of_day)
        for _day, cards_of_day in groupby(
            cards.job_cards(page.object_list), key=lambda card: timezone.localdate(card.created_at)
        )
    ]
    context = {
        "days": days,
        "page": page,
        "sought": words,
        "chosen": chosen,
        "states": STATE_FILTERS,
        "manage": True,
        "in_library": forgetting.jobs_with_copies(int(request.user.pk or 0), listed),
        "style": "time",
        "disk_away": disk.is_away(),
    }
    return uncached(render(request, "jobs/history.html", context))


@login_required
@require_POST
def chosen(request: HttpRequest) -> HttpResponse:
    """Forget the jobs that were ticked, or fetch them again: `what` is `forget` or `again`.

    Without `sure` it asks first whether to forget. With `quiet` the answer is 204 and no page.
    """
    ids = [job_id for job_id in map(_uuid, request.POST.getlist("job")) if job_id]
    jobs = list(Job.objects.visible_to(request.user).filter(pk__in=ids[:JOBS_PER_PAGE]))
    if request.POST.get("what") == "again":
        _fetch_again(request, jobs)
    elif jobs and "sure" not in request.POST:
        return forget_page(request, jobs, reverse("history"))
    else:
        for job in jobs:
            forget(request, job)
        if "quiet" in request.POST:
            return HttpResponse(status=204, content_type="text/plain")
        said = ngettext("%(n)d job forgotten.", "%(n)d jobs forgotten.", len(jobs))
        messages.success(request, said % {"n": len(jobs)})
    return redirect("history")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _fetch_again(request: HttpRequest, jobs: Sequence[Job]) -> None:
    """A new job for each one that has something to fetch again; stops at the first refusal."""
    made, refused = 0, False
    for job in jobs:
        try:
            made += resubmission.refetch(job) is not None
        except StoriesError as error:
            words = error_words(error)
            messages.error(request, " ".join(filter(None, (words["message"], words["hint"]))))
            refused = True
            break
    if made:
        said = ngettext("Fetching %(n)d job again.", "Fetching %(n)d jobs again.", made)
        messages.success(request, said % {"n": made})
    elif jobs and not refused:
        messages.info(request, _("There is nothing to fetch again in these jobs."))


def forget(request: HttpRequest, job: Job) -> None:
    """Erase a job, with its files in the library where the form says so.

    Both in one moment: what the library holds is told by the job's stories, and a job whose stories
    are missing there may be put into it by itself.
    """

    def from_library(job_id: UUID) -> None:
        forgetting.forget(job.owner_id, [job_id])

    erasure.erase(job, beside=from_library if "library" in request.POST else None)


def forget_page(request: HttpRequest, jobs: Sequence[Job], back: str) -> HttpResponse:
    """The page that asks whether to forget these jobs. back: where "Keep" leads."""
    found = cards.job_cards(jobs)
    context = {
        "cards": found,
        "files": sum(card.files for card in found),
        "size_bytes": sum(card.size_bytes for card in found),
        "back": back,
        "library_copies": forgetting.count(int(request.user.pk or 0), [job.pk for job in jobs]),
    }
    return uncached(render(request, "jobs/forget.html", context))
