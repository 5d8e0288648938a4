"""What the viewer shows: the pictures and videos of one line of a job in JSON, words included."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from jobs.models import StoryKind
from jobs.pages.facts import facts_of
from jobs.pages.rendering import Reader
from jobs.pages.responses import uncached
from jobs.pages.tiles import NOTES, WARNINGS, DownloadLink, Tile, ViewerItem, present_tile
from jobs.pages.wish import positions
from jobs.queries import fingerprint
from jobs.queries.job_view import FileView, ItemView, Snapshot, StoryView
from jobs.queries.snapshot import load_snapshot
from jobs.queries.titles import display_name
from jobs.templatetags.words import label_words
from jobs.wording import absolute, iso, size, time_of_day

_NO_JOB: Final = "no such job"


@login_required
@require_safe
def job_viewer(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The media of the line at `?line=`, a position; of the first that has any, without one.

    JSON: {"line", "lines": positions of lines with media, "author", "stories"}. 304 while the
    tag that the request names is the answer's.
    """
    taken = fingerprint.take(job_id, request.user)
    if taken is None:
        raise Http404(_NO_JOB)
    asked = min(positions(request.GET.get("line", "")), default=None)
    content = repr((taken.etag, Reader.of(request), asked)).encode()
    etag = f'W/"{blake2b(content, digest_size=16).hexdigest()}"'
    answer = get_conditional_response(request, etag=etag)
    if answer is None:
        snapshot = load_snapshot(job_id, request.user, fingerprint=taken)
        if snapshot is None:
            raise Http404(_NO_JOB)
        answer = JsonResponse(viewer_of(snapshot, asked, taken.now))
    answer.headers["ETag"] = etag
    return uncached(answer)  # the page holds the last answer itself, and names its tag


def viewer_of(job: Snapshot, asked: int | None, now: datetime) -> dict[str, Any]:
    """The answer for one line. asked: its position; None for the first line with media.

    A line that is not there, or has nothing to show, has no stories.
    """
    lines = [item.position for item in job.items if _has_media(item)]
    position = lines[0] if asked is None and lines else asked
    item = next((item for item in job.items if item.position == position), None)
    tiles = [present_tile(story, item, now) for story in item.stories] if item else []
    return {
        "line": position,
        "lines": lines,
        "author": _author(item) if item else None,
        "stories": [_story(job.id, tile) for tile in tiles if tile.viewer_items],
    }


def _has_media(item: ItemView) -> bool:
    return any(media.file and media.file.present for story in item.stories for media in story.media)


def _author(item: ItemView) -> dict[str, str]:
    """title: the nickname, else the name or what was pasted; handle: `@name` where it is not that.

    avatar: the address of the picture, "" without one; letter: in its place.
    """
    nickname = item.author.nickname if item.author else ""
    handle = f"@{item.name}" if item.name else ""
    title = nickname or display_name(item.name, item.line)
    return {
        "name": item.name,
        "nickname": nickname,
        "title": title,
        "handle": handle if nickname else "",
        "avatar": item.author.avatar if item.author else "",
        "letter": title.lstrip("@")[:1],
    }


def _story(job_id: UUID, tile: Tile) -> dict[str, Any]:
    story = tile.story
    back = f"{reverse('job', args=[job_id])}?story={story.id}#story-{story.id}"
    return {
        "id": str(story.id),
        "kind": story.kind,
        "caption": story.caption,
        "missing": tile.missing,
        "posted": _moment(story.posted_at),
        "spoken": time_of_day(story.posted_at),
        "leaves": _moment(story.leaves_at),
        "expires": _moment(tile.expires_at),
        "source_url": story.source_url,
        "delete_url": reverse("story_clean", args=[story.id]),
        "page_url": back,
        "media": [_media(shown, tile) for shown in tile.viewer_items],
    }


def _moment(moment: datetime | None) -> dict[str, str] | None:
    """at: for clocks; words: until a script has read it."""
    return None if moment is None else {"at": iso(moment), "words": absolute(moment)}


def _media(shown: ViewerItem, tile: Tile) -> dict[str, Any]:
    """One picture or video. facts: its dimensions, length, sound, format and size in words."""
    file = shown.file
    return {
        "position": file.position,
        "of": tile.story.media_count,
        "kind": shown.kind,
        "title": shown.title,
        "address": f"{_shown_address(shown)}?inline=1",
        "poster": f"{shown.poster_address}?inline=1" if shown.poster else "",
        "width": file.width,
        "height": file.height,
        "duration_s": file.duration_s,
        "has_audio": file.has_audio,
        "facts": list(facts_of(file)),
        "labels": _labels(file, WARNINGS),
        "checked": file.checked,
        "checked_words": _checked_words(file),
        "size": size(file.size_bytes),
        "sha256": file.sha256,
        "name": file.name,
        "download": {
            "label": _label(tile.story, shown.download),
            "address": shown.address,
            "bytes": file.size_bytes,
        },
        "more": [_link(link) for link in _others(tile, file)],
        "share": {"address": shown.share_address, "bytes": shown.share.size_bytes},
    }


def _shown_address(shown: ViewerItem) -> str:
    """Where the picture is that a browser shows: of HEIC, which few can, the JPEG made from it."""
    return shown.share_address if shown.file.content_type == "image/heic" else shown.address


def _label(story: StoryView, own: DownloadLink) -> str:
    """What the button says. In a carousel a picture's own label is only its number."""
    return _("Download image") if story.kind == StoryKind.CAROUSEL else own.label


def _labels(file: FileView, wanted: frozenset[str]) -> list[str]:
    return [capfirst(label_words(label)) for label in file.labels if label in wanted]


def _checked_words(file: FileView) -> str:
    """What was checked, and what was done to the file."""
    checked = (
        _("Complete, opened and checked")
        if file.checked
        else _("Complete and opened. Its format does not show whether something inside is damaged.")
    )
    return " · ".join([checked, *_labels(file, NOTES)])


def _others(tile: Tile, file: FileView) -> Sequence[DownloadLink]:
    """Downloads beside the file itself: of its story as a whole, or made from it."""
    links = (tile.main, *tile.more)
    return [
        link
        for link in links
        if link and link.file.id != file.id and link.file.position in {0, file.position}
    ]


def _link(link: DownloadLink) -> dict[str, str]:
    return {
        "label": link.label,
        "aria_label": link.aria_label,
        "address": link.address,
        "size": size(link.file.size_bytes),
    }
