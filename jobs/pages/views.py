"""The pages people see. Decisions are made elsewhere; a view finds rows and picks a template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs.errors import BY_CODE, Expired, NothingToPack, told, words
from jobs.files import serving
from jobs.housekeeping import sweep
from jobs.models import Artifact, Item, Job, Package, Role, Story
from jobs.pages import presenter, qr
from jobs.pages.forms import SearchForm
from jobs.queries import cards, snapshot
from jobs.queries.job_view import FileView, Snapshot
from jobs.queue import resubmission, settling
from jobs.states import ItemState
from jobs.templatetags.words import size, when
from jobs.upstream import breaker
from jobs.zips import packing
from stories.errors import StoriesError

PAGE = 40
CHIPS = (
    ItemState.RUNNING,
    ItemState.DONE,
    ItemState.PARTIAL,
    ItemState.FAILED,
    ItemState.EMPTY,
    ItemState.CANCELLED,
)
"""What the history can be narrowed down to."""


def _said(error: StoriesError) -> dict[str, str]:
    message, hint = told(error)
    return {"message": message, "hint": hint, "code": error.code}


def _fresh(response: HttpResponse) -> HttpResponse:
    """Personal: nothing of it is kept, so that going back after signing out shows nothing."""
    response.headers["Cache-Control"] = "private, no-store"
    return response


# --- one job ------------------------------------------------------------------------------------


def _mine(request: HttpRequest, job_id: UUID) -> Job:
    return get_object_or_404(Job.objects.visible_to(request.user), pk=job_id)


def _snapshot(request: HttpRequest, job_id: UUID) -> Snapshot:
    found = snapshot.load(job_id, request.user)
    if found is None:
        raise Http404
    return found


@login_required
@require_safe
def job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """One job, from queued to its results."""
    seen = _snapshot(request, job_id)
    address = qr.address(request, request.path)
    context = {
        "page": presenter.present(seen, show=request.GET.get("show", "")),
        "breaker": breaker.breaker_status(),
        "address": "" if qr.is_local(address) else address,
    }
    return _fresh(render(request, "jobs/job.html", context))


@login_required
@require_safe
def job_fragment(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The part of the job's page that changes; 304 while it does not."""
    page = presenter.present(_snapshot(request, job_id), show=request.GET.get("show", ""))
    unchanged = get_conditional_response(request, etag=page.etag)
    if unchanged is not None:
        return _fresh(unchanged)
    response = render(request, "jobs/_job.html", {"page": page})
    response.headers["ETag"] = page.etag
    return _fresh(response)


@login_required
@require_safe
def job_code(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The job's address as a QR code: whoever scans it still has to sign in."""
    mine = _mine(request, job_id)
    picture = qr.svg(qr.address(request, reverse("job", args=[mine.pk])))
    return _fresh(HttpResponse(picture, content_type="image/svg+xml"))


def _act(
    request: HttpRequest, job_id: UUID, act: Callable[[], object], anchor: str = ""
) -> HttpResponse:
    """Do it, then show the job again; a refusal of ours is said on top of the page."""
    try:
        act()
    except StoriesError as error:
        said = _said(error)
        messages.error(request, " ".join(filter(None, (said["message"], said["hint"]))))
    return redirect(reverse("job", args=[job_id]) + anchor)


@login_required
@require_POST
def job_cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Stop what is open; what was saved stays."""
    mine = _mine(request, job_id)
    return _act(request, job_id, lambda: settling.cancel(mine))


@login_required
@require_POST
def job_retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Try again what failed and may work now."""
    mine = _mine(request, job_id)
    return _act(request, job_id, lambda: settling.retry(mine))


@login_required
@require_POST
def item_retry(request: HttpRequest, item_id: UUID) -> HttpResponse:
    """The same for one line."""
    item = get_object_or_404(Item.objects.visible_to(request.user), pk=item_id)
    return _act(request, item.job_id, lambda: settling.retry_item(item), f"#line-{item.pk}")


@login_required
@require_POST
def job_extend(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Keep the files for longer, and say until when: right after saving nothing else changes."""
    mine = _mine(request, job_id)
    kept = sweep.extend(mine)
    if kept is None:
        messages.info(request, _("There are no files here to keep any longer."))
    else:
        said = (
            _("Files are kept until {at}, as long as this instance allows.")
            if kept.longest
            else _("Files are kept until {at}.")
        )
        messages.success(request, format_html(said, at=when(kept.until)))
    return redirect("job", job_id)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def job_clean(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask first, then delete the job's files; its record stays."""
    mine = _mine(request, job_id)
    seen = _snapshot(request, job_id)
    return _clean(request, seen, seen.present, mine.artifacts.all())


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def story_clean(request: HttpRequest, story_id: UUID) -> HttpResponse:
    """Ask first, then delete one story's files."""
    story = get_object_or_404(
        Story.objects.visible_to(request.user).select_related("item"), pk=story_id
    )
    seen = _snapshot(request, story.item.job_id)
    here = [file for one in seen.stories if one.id == story_id for file in one.present]
    files = [file for file in here if file.role != Role.POSTER]
    return _clean(request, seen, files, story.artifacts.all(), f"#story-{story.pk}")


def _clean(
    request: HttpRequest,
    seen: Snapshot,
    files: Sequence[FileView],
    rows: QuerySet[Artifact],
    anchor: str = "",
) -> HttpResponse:
    """files: what of it is told; previews and ZIPs go with them unsaid."""
    back = reverse("job", args=[seen.id]) + anchor
    size_bytes = sum(file.size_bytes for file in files)
    if not files:
        messages.info(request, _("There are no files here any more."))
    elif request.method == "POST":
        sweep.delete(rows)
        said = ngettext(
            "%(n)d file deleted, %(size)s.", "%(n)d files deleted, %(size)s.", len(files)
        )
        messages.success(request, said % {"n": len(files), "size": size(size_bytes)})
    else:
        context = {
            "title": presenter.present(seen).title,
            "files": len(files),
            "size_bytes": size_bytes,
            "back": back,
        }
        return _fresh(render(request, "jobs/clean.html", context))
    return redirect(back)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def job_forget(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask first, then remove the job and all it left."""
    mine = _mine(request, job_id)
    if request.method != "POST":
        return _fresh(render(request, "jobs/forget.html", {"card": cards.job_cards([mine])[0]}))
    sweep.forget(mine)
    messages.success(request, _("Forgotten: the record, the files and the progress are gone."))
    return redirect("history")


# --- ZIPs ---------------------------------------------------------------------------------------


@login_required
@require_POST
def job_bundle(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """All files of a job as one ZIP when it is packed, else the job, which shows it come."""
    return _package(request, _mine(request, job_id))


@login_required
@require_POST
def selection(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The chosen tiles as one ZIP; a single file is never wrapped in one."""
    mine = _mine(request, job_id)
    files = packing.of_stories(mine, request.POST.getlist("story"))
    if len(files) == 1:
        return redirect("file", files[0].pk, files[0].name)
    return _package(request, mine, [file.pk for file in files])


def _package(request: HttpRequest, mine: Job, chosen: Sequence[UUID] | None = None) -> HttpResponse:
    package: Package | None = None

    def act() -> None:
        nonlocal package
        if chosen is not None and not chosen:
            raise NothingToPack
        package = packing.request(mine, chosen or ())

    shown = _act(request, mine.pk, act)
    ready = package.artifact if package else None
    return redirect("file", ready.pk, ready.name) if ready else shown


@login_required
@require_safe
def file(request: HttpRequest, artifact_id: UUID, name: str) -> HttpResponseBase:
    """A file's bytes. The name is for people; the id decides."""
    inline = "inline" in request.GET
    try:
        return serving.respond(request, request.user, artifact_id, inline=inline)
    except StoriesError as error:
        status = 410 if isinstance(error, Expired) else 429
        response = render(request, "jobs/no_file.html", {"problem": _said(error)}, status=status)
        if error.retry_after_s:
            response.headers["Retry-After"] = str(round(error.retry_after_s))
        return response


# --- once more ----------------------------------------------------------------------------------


@login_required
@require_POST
def item_again(request: HttpRequest, item_id: UUID) -> HttpResponse:
    """A fresh job for one line, with ordinary posts allowed when asked to."""
    item = get_object_or_404(
        Item.objects.visible_to(request.user).select_related("job"), pk=item_id
    )
    posts = item.job.posts or "posts" in request.POST
    return _anew(
        request, item.job, lambda: resubmission.resubmit(item.job, [item.line], posts=posts)
    )


@login_required
@require_POST
def story_again(request: HttpRequest, story_id: UUID) -> HttpResponse:
    """A fresh job for one story whose files were cleaned up."""
    story = get_object_or_404(
        Story.objects.visible_to(request.user).select_related("item__job"), pk=story_id
    )
    old = story.item.job
    return _anew(
        request,
        old,
        lambda: resubmission.resubmit(old, [story.source_url], posts=not story.is_story),
    )


@login_required
@require_POST
def job_again(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """A fresh job for all lines that were cancelled or cleaned up."""
    mine = _mine(request, job_id)
    return _anew(request, mine, lambda: resubmission.refetch(mine))


def _anew(request: HttpRequest, old: Job, act: Callable[[], Job | None]) -> HttpResponse:
    fresh: Job | None = None

    def ask() -> None:
        nonlocal fresh
        fresh = act()
        if fresh is None:
            messages.info(request, _("There is nothing in this job to fetch again."))

    shown = _act(request, old.pk, ask)
    return redirect("job", fresh.pk) if fresh else shown


# --- lists and words ----------------------------------------------------------------------------


@login_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """All my jobs by day, with a search and a choice of how they ended."""
    form = SearchForm(request.GET)
    form.is_valid()  # what makes no sense is left out
    sought, chosen = (form.cleaned_data.get(name, "") for name in ("q", "state"))
    state = ItemState(chosen) if chosen else None
    found = cards.search_jobs(request.user, sought, state)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    days = [
        list(of_day)
        for __, of_day in groupby(
            cards.job_cards(page.object_list), key=lambda card: timezone.localdate(card.created_at)
        )
    ]
    context = {
        "days": days,
        "page": page,
        "sought": sought,
        "chosen": state,
        "states": CHIPS,
        "manage": True,
        "style": "time",
    }
    return _fresh(render(request, "jobs/history.html", context))


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """What can be saved, every error by its words, and where files go."""
    return render(request, "jobs/help.html", {"codes": _codes()} | _facts())


def _codes() -> list[dict[str, Any]]:
    rows = []
    for code, cls in BY_CODE.items():
        message, hint = words(code)
        rows.append({"code": code, "message": message, "hint": hint, "retry": cls.retryable})
    return rows


def _facts() -> dict[str, Any]:
    env = settings.STORYKEEP
    return {
        "ttl": env.artifact_ttl,
        "ttl_max": env.artifact_ttl_max,
        "retention": env.job_retention,
        "limit": env.batch_max,
    }
