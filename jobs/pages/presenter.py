"""A snapshot told to a reader: what the job's page says about a job, a line and a story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from jobs.errors import Cancelled, place, words
from jobs.housekeeping import sweep
from jobs.models import Role, StoryKind
from jobs.queries.job_view import ErrorView, FileView, ItemView, ProgressView, Snapshot, StoryView
from jobs.queries.titles import display_name, normalized
from jobs.queue import resubmission
from jobs.states import OPEN, ItemState
from jobs.templatetags.words import size

_NAMES: Final = 3
_FEW: Final = 6
"""More lines than these are narrowed down by how they ended, and failures take less room."""
_SUFFIXES: Final = {
    "video/mp4": "MP4",
    "image/jpeg": "JPG",
    "image/png": "PNG",
    "image/webp": "WebP",
    "image/avif": "AVIF",
    "image/heic": "HEIC",
    "audio/mp4": "M4A",
    "audio/mpeg": "MP3",
    "application/zip": "ZIP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A file to download. words: the button's; about: the same for who does not see the tile."""

    file: FileView
    words: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A file to look at in the viewer, and to take.

    share: what a phone's photo roll takes: the JPEG made from the file where there is one.
    """

    file: FileView
    share: FileView
    poster: FileView | None
    take: Take
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A story in the grid.

    cover: the picture to show, if any is here. badge: its length or number of pictures.
    sights: what the viewer shows, each to take by itself where there are several.
    main: what one most likely takes; more: everything else that is not among the sights.
    missing: names what did not arrive; error: why, unless it was cancelled. removed_at: when the
    last file went, None while any is here. coming: files are still on their way. again: TikTok may
    still have it.
    """

    story: StoryView
    cover: FileView | None
    badge: str
    title: str
    size_bytes: int
    main: Take | None
    more: tuple[Take, ...]
    sights: tuple[Sight, ...]
    labels: tuple[str, ...]
    missing: str
    error: ErrorView | None
    expires_at: datetime | None
    removed_at: datetime | None
    checked: bool
    coming: bool
    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the job. title and handle: who it is, as far as known.

    typed: what was pasted, where the title does not say it. verdict, detail, hint: why it waits
    or failed; detail says where, for codes that have more than one reason. held: it waits only
    because TikTok turns this server away, which the page says once for all lines. retry_offered:
    with a button of its own; of a line that is alone, the job's is enough. slim: its verdict takes
    a line, not a box.
    """

    item: ItemView
    title: str
    handle: str
    typed: str
    words: str
    verdict: str
    detail: str
    hint: str
    post_offered: bool
    retry_offered: bool
    held: bool
    slim: bool
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Until when the first file would be here; None where only others would gain."""

    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The job's page. step: changes only when something new begins, for screen readers.

    share: how much is done, 0 to 100; None while that cannot be told. quiet: no file is on its way.
    saved, here: files of stories ever saved, and still on disk; here_bytes: their size.
    keep: what the button to keep files longer does; None when there is nothing to gain by it.
    again: the button that asks once more for what was cancelled or cleaned up, "" for none.
    """

    job: Snapshot
    title: str
    lines: tuple[Line, ...]
    shown: tuple[Line, ...]
    chosen: ItemState | None
    chips: tuple[tuple[ItemState, int], ...]
    words: str
    step: str
    share: int | None
    quiet: bool
    saved: int
    here: int
    here_bytes: int
    removed_at: datetime | None
    again: str
    keep: Keep | None
    etag: str


def tell(job: Snapshot, now: datetime | None = None, *, show: str = "") -> Page:
    """Everything the page says about this job. show: the state of the lines to be seen, "" for all.

    A state that no line is in any longer, or never was, hides nothing.
    """
    now = now or timezone.now()
    here = job.present
    saved = sum(story.saved for story in job.stories)
    # What a clock changes is not in the snapshot's own tag.
    gone = sum(story.leaves_at is not None and story.leaves_at <= now for story in job.stories)
    lines = tuple(_line(item, now, among=len(job.items)) for item in job.items)
    narrowed = len(lines) > _FEW and show in {line.item.state for line in lines}
    shown = tuple(line for line in lines if line.item.state == show) if narrowed else lines
    removed = [
        tile.removed_at for line in lines for tile in line.tiles if tile.removed_at is not None
    ]
    return Page(
        job=job,
        title=_title(job.items),
        lines=lines,
        shown=_hints_once(shown) if len(lines) > _FEW else shown,
        chosen=ItemState(show) if narrowed else None,
        chips=_chips(lines),
        words=_job_words(job, saved, here),
        step=_step(job),
        share=_share(job.progress),
        quiet=job.state not in OPEN or job.progress.phase == "waiting",
        saved=saved,
        here=len(here),
        here_bytes=sum(file.size_bytes for file in here),
        removed_at=max(removed) if removed and not here else None,
        again=_again(job, lines, now),
        keep=_keep(here),
        etag=f'{job.etag.rstrip(chr(34))}-{gone}"',
    )


def _chips(lines: Sequence[Line]) -> tuple[tuple[ItemState, int], ...]:
    tally = Counter(line.item.state for line in lines)
    return tuple(tally.most_common()) if len(lines) > _FEW and len(tally) > 1 else ()


def _hints_once(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Among many lines, what to try is said where it comes up first."""
    seen: set[str] = set()
    said = []
    for line in lines:
        said.append(replace(line, hint="") if line.hint in seen else line)
        seen.add(line.hint)
    return tuple(said)


# --- the job ------------------------------------------------------------------------------------


def _title(items: Sequence[ItemView]) -> str:
    if len(items) == 1 and items[0].author and items[0].author.nickname:
        return items[0].author.nickname
    names = list(dict.fromkeys(display_name(item.name, item.line) for item in items))
    shown, more = ", ".join(names[:_NAMES]), len(names) - _NAMES
    if more <= 0:
        return shown
    return ngettext("%(names)s and %(n)d more", "%(names)s and %(n)d more", more) % {
        "names": shown,
        "n": more,
    }


def _share(progress: ProgressView) -> int | None:
    if _knows_bytes(progress):
        return min(100, 100 * progress.bytes_done // progress.bytes_total)
    return 100 * progress.files_done // progress.files_total if progress.files_total else None


def _knows_bytes(progress: ProgressView) -> bool:
    """False when the total was only rebuilt from what is already here."""
    unfinished = progress.files_done < progress.files_total
    return progress.bytes_total > 0 and not (
        unfinished and progress.bytes_done >= progress.bytes_total
    )


def _job_words(job: Snapshot, saved: int, here: Sequence[FileView]) -> str:
    state = job.state
    if state == ItemState.QUEUED:
        return (
            _queued(job.queue_position)
            if job.progress.phase != "waiting"
            else _("Waiting for TikTok")
        )
    if state == ItemState.RUNNING:
        running = [item for item in job.items if item.state == ItemState.RUNNING]
        if len(job.items) == 1 and running:
            return _running(running[0], running[0].progress)
        return ". ".join(filter(None, (_lines(job.items), _amounts(job.progress))))
    return _settled(job, saved, here)


def _lines(items: Sequence[ItemView]) -> str:
    """`34 of 40 lines finished, 30 failed`."""
    said = ngettext(
        "%(done)d of %(n)d line finished", "%(done)d of %(n)d lines finished", len(items)
    ) % {"done": sum(not item.open for item in items), "n": len(items)}
    failed = sum(item.state == ItemState.FAILED for item in items)
    of_them = ngettext("%(n)d failed", "%(n)d failed", failed) % {"n": failed} if failed else ""
    return ", ".join(filter(None, (said, of_them)))


def _queued(place: int | None) -> str:
    if place is None or place <= 1:
        return _("Queued, next in line")
    return _("Queued, number %(place)d in line") % {"place": place}


def _settled(job: Snapshot, saved: int, here: Sequence[FileView]) -> str:
    wanted = sum(story.media_count for story in job.stories)
    failed = sum(item.state == ItemState.FAILED for item in job.items)
    if job.state == ItemState.EMPTY:
        return _("No active story that everyone can see")
    if not saved:
        if job.state == ItemState.CANCELLED:
            return _("Cancelled before anything was saved")
        return _("Nothing could be saved")
    if saved < wanted:
        said = _files_saved(saved, wanted)
    else:
        said = ngettext("%(n)d file saved and checked", "%(n)d files saved and checked", saved) % {
            "n": saved
        }
    if here:
        said = f"{said}, {size(sum(file.size_bytes for file in here))}"
    lines = (
        ngettext("%(n)d line failed", "%(n)d lines failed", failed) % {"n": failed}
        if failed
        else ""
    )
    cancelled = _("Cancelled") if job.state == ItemState.CANCELLED else ""
    return ". ".join(filter(None, (cancelled, said, lines)))


def _step(job: Snapshot) -> str:
    if job.packing:
        return _("Packing the ZIP")
    if job.state == ItemState.QUEUED:
        return _("Waiting for TikTok") if job.progress.phase == "waiting" else _("Queued")
    if job.state != ItemState.RUNNING:
        return _settled(job, sum(story.saved for story in job.stories), job.present)
    return {
        "looking_up": _("Looking up"),
        "found": _("Found stories"),
        "saving": _("Saving"),
        "checking": _("Checking"),
        "packing": _("Packing"),
    }.get(job.progress.phase, _("Running"))


def _again(job: Snapshot, lines: Sequence[Line], now: datetime) -> str:
    wanting = [line for line in lines if is_refetchable(line.item, now)]
    tiles = [tile for line in lines for tile in line.tiles]
    # Of a story that is alone, its own button is enough.
    alone = len(tiles) == 1 and tiles[0].removed_at and tiles[0].again
    if job.state in OPEN or not wanting or alone:
        return ""
    some = any(story.saved for story in job.stories) or len(wanting) < len(lines)
    if some and all(line.item.state == ItemState.CANCELLED for line in wanting):
        said = _("Fetch the rest")
    elif tiles and not any(tile.again for tile in tiles):
        said = _("Look again")
    elif len(wanting) == 1 and len(tiles) < 2:
        said = _("Fetch again")
    else:
        said = _("Fetch all again")
    return f"{said} ({len(wanting)})" if len(wanting) > 1 else said


def is_refetchable(item: ItemView, now: datetime) -> bool:
    """`resubmission.refetchable` of a line as the snapshot has it."""
    media = [file for story in item.stories for file in story.files if file.role == Role.MEDIA]
    return resubmission.refetchable(
        item.state,
        kind=item.kind,
        saved=bool(media),
        present=any(file.present for file in media),
        on_tiktok=any(story.is_on_tiktok(now) for story in item.stories),
    )


def _keep(here: Sequence[FileView]) -> Keep | None:
    before = [file.expires_at for file in here]
    after = [sweep.prolonged(file.expires_at, file.created_at) for file in here]
    if before == after:
        return None
    return Keep(until=min(after) if min(after) > min(before) else None)


# --- a line -------------------------------------------------------------------------------------


def _line(item: ItemView, now: datetime, *, among: int) -> Line:
    handle = f"@{item.name}" if item.name else ""
    nickname = item.author.nickname if item.author else ""
    title = nickname or display_name(item.name, item.line)
    # The state says it, once for the whole line.
    error = None if _is_cancelled(item.error) else item.error
    verdict, hint = words(error.code) if error else ("", "")
    # The snapshot decides which details are fit to be read; here they get a line of their own.
    told = error is not None and error.message != verdict
    return Line(
        item=item,
        title=title,
        handle=handle if nickname else "",
        typed=item.line if normalized(item.line) not in {title, handle, item.name} else "",
        words=_item_words(item),
        verdict=verdict,
        detail=place(error.detail) if error and told else "",
        hint=hint,
        held=item.waiting and item.error is not None and item.error.is_refusal,
        post_offered=item.error is not None and item.error.code == "not_a_story",
        retry_offered=item.retryable and among > 1,
        slim=item.state == ItemState.FAILED and among > _FEW,
        tiles=tuple(_tile(story, item, now) for story in item.stories),
    )


def _is_cancelled(error: ErrorView | None) -> bool:
    return error is not None and error.code == Cancelled.code


def _item_words(item: ItemView) -> str:
    if item.state == ItemState.QUEUED:
        return _("Waiting for TikTok") if item.waiting else ""
    if item.state == ItemState.RUNNING:
        return _running(item, item.progress)
    saved = sum(story.saved for story in item.stories)
    wanted = sum(story.media_count for story in item.stories)
    if item.state == ItemState.CANCELLED:
        return _files_saved(saved, wanted) if saved else ""
    return _stories(item) if wanted else ""


def _files_saved(saved: int, wanted: int) -> str:
    return _("%(saved)d of %(wanted)d files saved") % {"saved": saved, "wanted": wanted}


def _stories(item: ItemView) -> str:
    stories = len(item.stories)
    if stories and not any(story.is_story for story in item.stories):
        return ngettext("%(n)d post", "%(n)d posts", stories) % {"n": stories}
    return ngettext("%(n)d story", "%(n)d stories", stories) % {"n": stories}


def _running(item: ItemView, progress: ProgressView) -> str:
    if progress.phase in {"queued", "looking_up"}:
        return _("Looking up %(name)s") % {"name": display_name(item.name, item.line)}
    if progress.phase == "found":
        found = item.found or 0
        return ngettext("Found %(n)d story", "Found %(n)d stories", found) % {"n": found}
    if progress.phase == "packing":
        return _("Packing")
    said = _("Checking") if progress.phase == "checking" else _("Saving")
    return ". ".join(filter(None, (said, _amounts(progress))))


def _amounts(progress: ProgressView) -> str:
    """`3 of 5 files, 12 of 30 MB, about 8 s left`."""
    if not progress.files_total:
        return ""
    parts = [
        ngettext("%(done)d of %(n)d file", "%(done)d of %(n)d files", progress.files_total)
        % {"done": progress.files_done, "n": progress.files_total}
    ]
    if _knows_bytes(progress):
        parts.append(
            _("%(done)s of %(total)s")
            % {"done": size(progress.bytes_done), "total": size(progress.bytes_total)}
        )
    if progress.eta_s:
        parts.append(_about(progress.eta_s))
    return ", ".join(parts)


def _about(eta_s: int) -> str:
    if eta_s < 100:
        return _("about %(n)d s left") % {"n": eta_s}
    return _("about %(n)d min left") % {"n": round(eta_s / 60)}


# --- a story ------------------------------------------------------------------------------------


def _tile(story: StoryView, item: ItemView, now: datetime) -> Tile:
    places = story.media
    media = [place.file for place in places if place.file]
    present = [file for file in media if file.present]
    cover = next(
        (
            file
            for place in places
            for file in (place.poster, place.file)
            if file and file.present and file.is_picture
        ),
        None,
    )
    title = _kind(story)
    takes = _takes(story, present)
    by_file = {take.file.id: take for take in takes}
    converted = {
        file.position: file for file in story.files if file.present and file.role == Role.CONVERTED
    }
    removed = [file.removed_at for file in media if file.removed_at]
    return Tile(
        story=story,
        cover=cover,
        badge=_badge(story, media),
        title=title,
        size_bytes=sum(file.size_bytes for file in present),
        main=takes[0] if takes else None,
        more=tuple(take for take in takes[1:] if len(present) == 1 or take.file.role != Role.MEDIA),
        sights=tuple(
            Sight(
                file=place.file,
                share=converted.get(place.position, place.file),
                poster=place.poster if place.poster and place.poster.present else None,
                take=by_file[place.file.id],
                title=_sight(item, title, place.position, story.media_count),
            )
            for place in places
            if place.file and place.file.present
        ),
        labels=tuple(
            dict.fromkeys(
                label
                for file in present
                for label in file.labels
                if label in {"hevc", "watermarked"}
            )
        ),
        missing=_missing(story) if media and not _coming(story, item) else "",
        error=None if _is_cancelled(story.error) else story.error,
        expires_at=min((file.expires_at for file in present), default=None),
        removed_at=max(removed) if removed and not present else None,
        checked=bool(present) and all(file.checked for file in present),
        coming=_coming(story, item),
        again=story.is_on_tiktok(now),
    )


def _coming(story: StoryView, item: ItemView) -> bool:
    return story.state == ItemState.QUEUED and item.open


def _kind(story: StoryView) -> str:
    if story.kind == StoryKind.VIDEO:
        return pgettext("a story", "Video")
    if story.kind == StoryKind.PHOTO:
        return pgettext("a story", "Photo")
    return ngettext("%(n)d photo", "%(n)d photos", story.media_count) % {"n": story.media_count}


def _badge(story: StoryView, media: Sequence[FileView]) -> str:
    if story.kind == StoryKind.CAROUSEL:
        return str(story.media_count)
    seconds = next((file.duration_s for file in media if file.duration_s is not None), None)
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _sight(item: ItemView, kind: str, position: int, count: int) -> str:
    parts = [display_name(item.name, item.line), kind]
    if count > 1:
        parts.append(f"{position}/{count}")
    return " · ".join(parts)


def _takes(story: StoryView, present: Sequence[FileView]) -> list[Take]:
    """The files of a story to take, the likeliest first."""
    takes = []
    many = story.media_count > 1
    if many and story.zip and story.zip.present:
        takes.append(_take(story.zip, _("Download ZIP"), story))
    for file in present:
        words = _("Download MP4") if file.is_video else _("Download image")
        if many:
            words = _("Image %(n)d") % {"n": file.position}
        elif not file.is_video and file.content_type != "image/jpeg":
            words = _("Download %(kind)s") % {"kind": _suffix(file)}
        takes.append(_take(file, words, story))
    takes.extend(
        _take(file, _extra_words(file, many=many), story)
        for file in story.files
        if file.present and file.role not in {Role.MEDIA, Role.POSTER, Role.ZIP}
    )
    return takes


def _extra_words(file: FileView, *, many: bool) -> str:
    if file.role == Role.CONVERTED:
        return _("Image %(n)d as JPG") % {"n": file.position} if many else _("Image as JPG")
    kind = _("Attached song") if file.role == Role.ATTACHED_SONG else _("Sound")
    return f"{kind}, {_suffix(file)}"


def _take(file: FileView, words: str, story: StoryView) -> Take:
    posted = timezone.localtime(story.posted_at).strftime("%H:%M")
    about = _("%(what)s, posted %(time)s") % {"what": words, "time": posted}
    return Take(file=file, words=words, about=about)


def _suffix(file: FileView) -> str:
    return _SUFFIXES.get(file.content_type, file.content_type.rpartition("/")[2].upper())


def _missing(story: StoryView) -> str:
    """`4 of 5. Photo 3 did not arrive.`; "" when everything is here."""
    places = story.missing
    if not places:
        return ""
    have = _("%(saved)d of %(wanted)d") % {"saved": story.saved, "wanted": story.media_count}
    which = ngettext(
        "Photo %(places)s did not arrive", "Photos %(places)s did not arrive", len(places)
    ) % {"places": ", ".join(map(str, places))}
    return f"{have}. {which}."
