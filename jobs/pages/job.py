"""One job's page, and its fragment: the part that changes, of which a page gets what it lacks."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from jobs.files import disk
from jobs.models import Story
from jobs.pages import contact_sheet, keeping, presenter, qr, saving, watching
from jobs.pages.addresses import file_address
from jobs.pages.folding import FEW_LINES
from jobs.pages.packed import shareable
from jobs.pages.presenter import JobPage
from jobs.pages.rendering import LineRenderer, Reader, held_tags
from jobs.pages.responses import uncached
from jobs.pages.tab import tab_of
from jobs.pages.wish import Wish
from jobs.queries import fingerprint
from jobs.queries.fingerprint import Fingerprint
from jobs.queries.snapshot import load_snapshot
from jobs.upstream import breaker

_NO_JOB: Final = "no such job"
_FOREVER: Final = 10**12
_MOMENT: Final = re.compile(r"[0-9]{1,13}")
"""The second part of the page's tag. Python reads no number of thousands of digits."""


def _wish(request: HttpRequest, job_id: UUID) -> Wish:
    """What the request asks for; `?story=`, the id of a story, opens the line it belongs to."""
    wish = Wish.of(request.GET)
    if "story" not in request.GET:
        return wish
    return replace(wish, opened=wish.opened | _line_of(request, job_id, request.GET["story"]))


def _line_of(request: HttpRequest, job_id: UUID, story_id: str) -> frozenset[int]:
    """The position of the line a story belongs to; nothing for one that is not in this job."""
    try:
        key = UUID(story_id)
    except ValueError:
        return frozenset()
    stories = Story.objects.visible_to(request.user).filter(pk=key, item__job_id=job_id)
    return frozenset(stories.values_list("item__position", flat=True))


def _fingerprint(request: HttpRequest, job_id: UUID) -> Fingerprint:
    taken = fingerprint.take(job_id, request.user)
    if taken is None:
        raise Http404(_NO_JOB)
    return taken


def _found(wish: Wish, page: JobPage) -> Wish:
    """The wish without what this job has not: looks of no line, lines that fold nothing."""
    rows = wish.has_rows(len(page.lines))
    opened = frozenset(
        line.item.position
        for line in page.lines
        if (line.item.position in wish.opened and line.item.stories if rows else line.opened)
    )
    many = len(page.lines) > FEW_LINES
    return Wish(
        show=page.shown_look,
        opened=opened,
        leaving=wish.leaving and many,
        grid=wish.grid and many,
    )


def _state_of(taken: Fingerprint, reader: Reader, wish: Wish) -> str:
    """The first part of the page's tag: a digest of what it shows, but for clocks that run out."""
    content = repr((taken.etag, reader, wish)).encode()
    return blake2b(content, digest_size=16).hexdigest()


def _etag(state: str, page: JobPage) -> str:
    """A weak entity tag: the state, and the moment from which the same state looks different."""
    until = page.next_leaves_at
    return f'W/"{state}-{math.ceil(until.timestamp()) if until else _FOREVER}"'


def _unchanged(request: HttpRequest, state: str, taken: Fingerprint) -> HttpResponse | None:
    """304 where the request names a tag of this state whose moment has not come.

    So nothing is loaded to find out, and no query is made.
    """
    for etag in parse_etags(request.headers.get("If-None-Match", "")):
        named, _, until = etag.removeprefix("W/").strip('"').partition("-")
        if named != state or not _MOMENT.fullmatch(until):
            continue
        if taken.now.timestamp() < int(until):
            response: HttpResponse | None = get_conditional_response(request, etag=etag)
            if response is not None:
                response.headers["ETag"] = etag
            return response
    return None


@login_required
@require_safe
def job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The page of a job, from queued to its results.

    `?show=` filters its lines by look. A line with very many stories shows some of them, unless
    `?all=` has its position or `?story=` the id of one of them.
    """
    wish = _wish(request, job_id)
    taken = _fingerprint(request, job_id)
    reader = Reader.of(request, job_id)
    address = settings.STORYKEEP.absolute_url_for(request, request.path)
    context = _context(request, job_id, taken, reader, wish) | {
        "breaker": breaker.open_state(),
        "disk_away": disk.is_away(),
        "address": "" if qr.is_local(address) else address,
    }
    return uncached(render(request, "jobs/job.html", context))


@login_required
@require_safe
def job_fragment(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The part of the job's page that changes; 304 while it does not.

    Lines and tiles whose tags the request names are empty elements with `data-same`. The entity
    tag stands for the state they show together, whoever needs how much of it.
    """
    wish = _wish(request, job_id)
    taken = _fingerprint(request, job_id)
    reader = Reader.of(request, job_id)
    unchanged = _unchanged(request, _state_of(taken, reader, wish), taken)
    if unchanged is not None:
        return uncached(unchanged)
    context = _context(request, job_id, taken, reader, wish, held_tags(request))
    response = render(request, "jobs/_job.html", context)
    response.headers["ETag"] = context["etag"]
    return uncached(response)


def _context(
    request: HttpRequest,
    job_id: UUID,
    taken: Fingerprint,
    reader: Reader,
    wish: Wish,
    held: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """What `jobs/_job.html` shows. Raises Http404 when the job was forgotten since `taken`."""
    snapshot = load_snapshot(job_id, request.user, fingerprint=taken)
    if snapshot is None:
        raise Http404(_NO_JOB)
    page = presenter.present(snapshot, taken.now, show=wish.show, opened=wish.opened)
    found = _found(wish, page)
    renderer = LineRenderer(page=page, reader=reader, digests=taken.lines, held=held, wish=found)
    return {
        "page": page,
        "etag": _etag(_state_of(taken, reader, wish), page),
        "lines": renderer.lines(),
        "in_library": bool(reader.library),
        "is_copying": reader.is_copying,
        "rows": renderer.rows,
        "heroes": renderer.heroes and bool(snapshot.stories),
        "query": found.query(),
        "fragment_query": replace(found, opened=frozenset()).query(),
        "places": _places(found, page),
        "tab": tab_of(page),
        "save": saving.offer_of(page),
        "copies": json.dumps(copies) if (copies := saving.copies_of(page)) else "",
        "keep": keeping.offers(snapshot.present),
        "watch_offers": watching.offers(request, snapshot),
        "sole": page.lines[0].item if len(page.lines) == 1 else None,
        "face": contact_sheet.row_of(page.lines[0]) if len(page.lines) == 1 else None,
    }


def _places(wish: Wish, page: JobPage) -> dict[str, Any]:
    """Addresses of the same job shown otherwise: each a query, "" for the plain page."""
    return {
        "all": wish.but(show="") or "?",
        "looks": [(shown, wish.but(show=shown.look)) for shown in page.look_counts],
        "order": wish.but(leaving=not wish.leaving) or "?",
        "leaving": wish.leaving,
        "view": wish.but(grid=not wish.grid, opened=frozenset()) or "?",
        "grid": wish.grid,
    }


@login_required
@require_safe
def job_media(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Every picture and video of a job that can be downloaded, also of lines that are folded.

    JSON for a phone's Share button: {"files": [[address, bytes, story, line], …]} in the order of
    the page; story: its id, line: its position. Copies are among them: `data-copies` names those.
    """
    snapshot = load_snapshot(job_id, request.user)
    if snapshot is None:
        raise Http404(_NO_JOB)
    files = [
        (file_address(file), file.size_bytes, str(story.id), item.position)
        for item in snapshot.items
        for story in item.stories
        for file in shareable(story).values()
    ]
    return uncached(JsonResponse({"files": files}))
