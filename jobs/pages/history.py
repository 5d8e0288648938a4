"""The history page: a user's jobs by day, with search and filter."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from jobs.pages.forms import SearchForm
from jobs.pages.responses import uncached
from jobs.queries import cards
from jobs.states import ItemState

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
    """All jobs of the user, newest first. `?q=` searches, `?state=` filters, `?page=` turns."""
    form = SearchForm(request.GET)
    form.is_valid()  # a value that makes no sense is left out
    words, chosen = (form.cleaned_data.get(name, "") for name in ("q", "state"))
    state = ItemState(chosen) if chosen else None
    jobs = cards.search_jobs(request.user, words, state)
    page = Paginator(jobs, JOBS_PER_PAGE).get_page(request.GET.get("page"))
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
        "chosen": state,
        "states": STATE_FILTERS,
        "manage": True,
        "style": "time",
    }
    return uncached(render(request, "jobs/history.html", context))
