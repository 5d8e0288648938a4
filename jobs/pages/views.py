"""The buttons of a job's page. Decisions are made elsewhere; a view finds rows and a template.

Views are named as their addresses in `jobs.pages.urls`. A job of another user is a 404.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from jobs.files import deletion, lifetime
from jobs.files.bundles import Amount, amount_of
from jobs.models import Artifact, Item, Job, Story
from jobs.pages import folding, history, keeping, presenter, qr
from jobs.pages.packed import packed
from jobs.pages.responses import error_words, uncached
from jobs.queries.job_view import Snapshot
from jobs.queries.snapshot import load_snapshot
from jobs.queue import actions, resubmission
from jobs.templatetags.words import when
from jobs.wording import size
from stories.errors import StoriesError


def _owned_job(request: HttpRequest, job_id: UUID) -> Job:
    return get_object_or_404(Job.objects.visible_to(request.user), pk=job_id)


def _owned_item(request: HttpRequest, item_id: UUID) -> Item:
    items = Item.objects.visible_to(request.user).select_related("job")
    return get_object_or_404(items, pk=item_id)


def _owned_story(request: HttpRequest, story_id: UUID) -> Story:
    stories = Story.objects.visible_to(request.user).select_related("item__job")
    return get_object_or_404(stories, pk=story_id)


def _snapshot(request: HttpRequest, job_id: UUID) -> Snapshot:
    snapshot = load_snapshot(job_id, request.user)
    if snapshot is None:
        raise Http404
    return snapshot


# --- its QR code ---------------------------------------------------------------------------------


@login_required
@require_safe
def job_code(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The job's address as a QR code in SVG: whoever scans it still has to sign in."""
    job = _owned_job(request, job_id)
    svg = qr.svg(settings.STORYKEEP.absolute_url_for(request, reverse("job", args=[job.pk])))
    return uncached(HttpResponse(svg, content_type="image/svg+xml"))


# --- its buttons --------------------------------------------------------------------------------


def _act(
    request: HttpRequest, job_id: UUID, act: Callable[[], object], anchor: str = ""
) -> HttpResponse:
    """Call `act`, then redirect to the job's page, which shows the words of an error it raised."""
    try:
        act()
    except StoriesError as error:
        words = error_words(error)
        messages.error(request, " ".join(filter(None, (words["message"], words["hint"]))))
    return redirect(reverse("job", args=[job_id]) + anchor)


@login_required
@require_POST
def job_cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Cancel what is open; saved files stay. A job that has finished stays as it is and says so."""
    job = _owned_job(request, job_id)

    def act() -> None:
        if not actions.cancel(job):
            messages.info(request, _("Nothing was cancelled: this job had already ended."))

    return _act(request, job_id, act)


@login_required
@require_POST
def job_retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Retry every line a retry may help."""
    job = _owned_job(request, job_id)
    return _act(request, job_id, lambda: actions.retry(job))


@login_required
@require_POST
def item_retry(request: HttpRequest, item_id: UUID) -> HttpResponse:
    """Retry one line."""
    item = _owned_item(request, item_id)
    return _act(request, item.job_id, lambda: actions.retry_item(item), f"#line-{item.pk}")


@login_required
@require_POST
def job_extend(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Extend the expiry of the job's files by `hours`, else by one lifetime, and say until when;
    then redirect to the job."""
    by = keeping.asked_hours(request.POST.get("hours", ""))
    extension = lifetime.extend(_owned_job(request, job_id), by)
    if extension is None:
        messages.info(request, _("There are no files here to keep any longer."))
    else:
        sentence = (
            _("Files are kept until {at}, as long as this instance allows.")
            if extension.longest
            else _("Files are kept until {at}.")
        )
        messages.success(request, format_html(sentence, at=when(extension.until)))
    return redirect("job", job_id)


# --- fetching again -----------------------------------------------------------------------------


@login_required
@require_POST
def item_again(request: HttpRequest, item_id: UUID) -> HttpResponse:
    """A new job for one line; with `posts`, ordinary posts are saved, too."""
    item = _owned_item(request, item_id)
    old, posts = item.job, item.job.posts or "posts" in request.POST
    return _resubmit(request, old, lambda: resubmission.resubmit(old, [item.line], posts=posts))


@login_required
@require_POST
def story_again(request: HttpRequest, story_id: UUID) -> HttpResponse:
    """A new job for one story whose files are gone."""
    story = _owned_story(request, story_id)
    old, posts = story.item.job, not story.is_story
    lines = [story.source_url]
    return _resubmit(request, old, lambda: resubmission.resubmit(old, lines, posts=posts))


@login_required
@require_POST
def job_again(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """A new job for all refetchable lines: cancelled ones, and those whose files are gone."""
    job = _owned_job(request, job_id)
    return _resubmit(request, job, lambda: resubmission.refetch(job))


def _resubmit(request: HttpRequest, old: Job, make: Callable[[], Job | None]) -> HttpResponse:
    """Redirect to the job `make` returns; to the old one, with a message, when there is none."""
    new: Job | None = None

    def act() -> None:
        nonlocal new
        new = make()
        if new is None:
            messages.info(request, _("There is nothing in this job to fetch again."))

    to_old = _act(request, old.pk, act)
    return redirect("job", new.pk) if new else to_old


# --- deleting -----------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def job_clean(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask first, then delete the job's files; its record stays."""
    job = _owned_job(request, job_id)
    snapshot = _snapshot(request, job_id)
    back = reverse("job", args=[job.pk])
    amount = amount_of(packed(snapshot.stories))
    return _delete_files(request, snapshot, amount, job.artifacts.all(), back=back)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def story_clean(request: HttpRequest, story_id: UUID) -> HttpResponse:
    """Ask first, then delete one story's files."""
    story = _owned_story(request, story_id)
    snapshot = _snapshot(request, story.item.job_id)
    amount = amount_of(packed(view for view in snapshot.stories if view.id == story_id))
    rows = story.artifacts.all()
    return _delete_files(request, snapshot, amount, rows, back=folding.story_address(story))


def _delete_files(
    request: HttpRequest,
    snapshot: Snapshot,
    amount: Amount,
    rows: QuerySet[Artifact],
    back: str,
) -> HttpResponse:
    """Ask whether to delete, or delete and redirect to `back`, a place on the job's page.

    amount: told in words, as elsewhere on the page; rows: those deleted, with previews and ZIPs.
    """
    if not amount.files:
        messages.info(request, _("There are no files here any more."))
    elif request.method == "POST":
        deletion.delete(rows)
        sentence = ngettext(
            "%(n)d file deleted, %(size)s.", "%(n)d files deleted, %(size)s.", amount.files
        )
        messages.success(request, sentence % {"n": amount.files, "size": size(amount.size_bytes)})
    else:
        context = {
            "title": presenter.title_of(snapshot),
            "files": amount.files,
            "size_bytes": amount.size_bytes,
            "back": back,
        }
        return uncached(render(request, "jobs/clean.html", context))
    return redirect(back)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def job_forget(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask first, then remove the job's rows, files and progress."""
    job = _owned_job(request, job_id)
    if request.method != "POST":
        return history.forget_page(request, [job], reverse("job", args=[job.pk]))
    history.forget(request, job)
    messages.success(request, _("Forgotten."))
    return redirect("history")
