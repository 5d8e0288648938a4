"""A job's page from a snapshot: every sentence, number and offer about the job and its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.errors import localized_detail, message_and_hint, state_label
from jobs.files import lifetime
from jobs.models import Role
from jobs.pages.tiles import Tile, present_tile
from jobs.queries.job_view import FileView, ItemView, LeftOutView, ProgressView, Snapshot
from jobs.queries.titles import display_name, normalized
from jobs.queue import resubmission
from jobs.states import OPEN, ItemState
from jobs.wording import size

_MAX_NAMES: Final = 3
_FEW_LINES: Final = 6
"""More lines than these can be filtered by state, and failures take less space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedLine:
    """A line of the job.

    title, handle: the account's nickname and `@name`, as far as known.
    typed: the line as pasted, "" where the title says it already. state_label: words for its state.
    message, detail, hint: why it waits or failed; detail says where, for codes with more than one
    reason.
    left_out: a sentence for each reason for which its list leaves stories out.
    waits_for_tiktok: it waits only because TikTok turns this server away, which the page says once.
    post_offered: with a button that saves an ordinary post. retry_offered: with its own retry
    button; a line that is alone has the job's.
    compact: its error takes a row, not a box.
    """

    item: ItemView
    state_label: str
    title: str
    handle: str
    typed: str
    summary: str
    message: str
    detail: str
    hint: str
    left_out: tuple[str, ...]
    post_offered: bool
    retry_offered: bool
    waits_for_tiktok: bool
    compact: bool
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendOffer:
    """A button that keeps the files longer.

    until: when the first file would be deleted then; None where only other files would gain.
    """

    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Everything the page of a job shows.

    shown_state: the state that shown_lines are filtered by; None for all lines.
    state_label: words for the job's state. adverts: number of lines that are empty because they
    asked for nothing.
    state_counts: states and how many lines are in each, most first; empty without a filter.
    announcement: the step for screen readers, which changes only when something new begins.
    percent: of the files or bytes, 0 to 100; None while unknown. idle: no file is on its way.
    files_saved, files_present: files of stories ever saved, and those that can be downloaded.
    present_bytes: the size of the latter. removed_at: when the last file was deleted, None while
    any is present.
    refetch_label: the button that fetches refetchable lines again; "" for none.
    extend_offer: None when no file can be kept longer.
    """

    job: Snapshot
    title: str
    lines: tuple[PresentedLine, ...]
    shown_lines: tuple[PresentedLine, ...]
    shown_state: ItemState | None
    state_label: str
    adverts: int
    state_counts: tuple[tuple[ItemState, int], ...]
    summary: str
    announcement: str
    percent: int | None
    idle: bool
    files_saved: int
    files_present: int
    present_bytes: int
    removed_at: datetime | None
    refetch_label: str
    extend_offer: ExtendOffer | None
    etag: str


def present(job: Snapshot, now: datetime | None = None, *, show: str = "") -> JobPage:
    """The page of a job. show: the state whose lines are shown, "" for all.

    A state without lines, or an unknown one, filters nothing.
    """
    now = now or timezone.now()
    files = job.present
    lines = tuple(_present_line(item, now, among=len(job.items)) for item in job.items)
    tiles = [tile for line in lines for tile in line.tiles]
    many = len(lines) > _FEW_LINES
    filtered = many and show in {line.item.state for line in lines}
    shown = tuple(line for line in lines if line.item.state == show) if filtered else lines
    removed = [tile.removed_at for tile in tiles if tile.removed_at is not None]
    # A clock changes this, so the snapshot's own tag does not count it.
    left = sum(story.leaves_at is not None and story.leaves_at <= now for story in job.stories)
    return JobPage(
        job=job,
        title=_title(job.items),
        lines=lines,
        shown_lines=_without_repeated_hints(shown) if many else shown,
        shown_state=ItemState(show) if filtered else None,
        state_label=state_label(job.state, _common_reason(job)),
        adverts=len(_adverts(job)),
        state_counts=_state_counts(lines) if many else (),
        summary=_summary(job),
        announcement=_announcement(job),
        percent=_percent(job.progress),
        idle=job.state not in OPEN or job.progress.phase == "waiting",
        files_saved=_files_saved(job),
        files_present=len(files),
        present_bytes=sum(file.size_bytes for file in files),
        removed_at=max(removed) if removed and not files else None,
        refetch_label=_refetch_label(job, tiles, now),
        extend_offer=_extend_offer(files),
        etag=f'{job.etag.rstrip(chr(34))}-{left}"',
    )


def _state_counts(lines: Sequence[PresentedLine]) -> tuple[tuple[ItemState, int], ...]:
    counts = Counter(line.item.state for line in lines)
    return tuple(counts.most_common()) if len(counts) > 1 else ()


def _without_repeated_hints(lines: Sequence[PresentedLine]) -> tuple[PresentedLine, ...]:
    """The lines, each hint only where it comes first."""
    hints: set[str] = set()
    result = []
    for line in lines:
        result.append(replace(line, hint="") if line.hint in hints else line)
        hints.add(line.hint)
    return tuple(result)


# --- the job ------------------------------------------------------------------------------------


def _title(items: Sequence[ItemView]) -> str:
    if len(items) == 1 and items[0].author and items[0].author.nickname:
        return items[0].author.nickname
    names = list(dict.fromkeys(display_name(item.name, item.line) for item in items))
    listed, more = ", ".join(names[:_MAX_NAMES]), len(names) - _MAX_NAMES
    if more <= 0:
        return listed
    return ngettext("%(names)s and %(n)d more", "%(names)s and %(n)d more", more) % {
        "names": listed,
        "n": more,
    }


def _files_saved(job: Snapshot) -> int:
    return sum(story.saved for story in job.stories)


def _percent(progress: ProgressView) -> int | None:
    if _total_is_known(progress):
        return min(100, 100 * progress.bytes_done // progress.bytes_total)
    return 100 * progress.files_done // progress.files_total if progress.files_total else None


def _total_is_known(progress: ProgressView) -> bool:
    """False when the total in bytes was only rebuilt from the files saved so far."""
    unfinished = progress.files_done < progress.files_total
    return progress.bytes_total > 0 and not (
        unfinished and progress.bytes_done >= progress.bytes_total
    )


def _summary(job: Snapshot) -> str:
    if job.state == ItemState.QUEUED:
        if job.progress.phase == "waiting":
            return _("Waiting for TikTok")
        return _queued(job.queue_position)
    if job.state == ItemState.RUNNING:
        running = [item for item in job.items if item.state == ItemState.RUNNING]
        if len(job.items) == 1 and running:
            return _running(running[0], running[0].progress)
        return ". ".join(filter(None, (_finished_lines(job.items), _amounts(job.progress))))
    return _settled(job)


def _finished_lines(items: Sequence[ItemView]) -> str:
    """`34 of 40 lines finished, 30 failed`."""
    finished = ngettext(
        "%(done)d of %(n)d line finished", "%(done)d of %(n)d lines finished", len(items)
    ) % {"done": sum(not item.open for item in items), "n": len(items)}
    count = sum(item.state == ItemState.FAILED for item in items)
    failed = ngettext("%(n)d failed", "%(n)d failed", count) % {"n": count} if count else ""
    return ", ".join(filter(None, (finished, failed)))


def _queued(position: int | None) -> str:
    if position is None or position <= 1:
        return _("Queued, next in line")
    return _("Queued, number %(place)d in line") % {"place": position}


def _settled(job: Snapshot) -> str:
    """`Cancelled. 3 of 5 files saved, 8.4 MB. 1 story left out. 1 line failed`."""
    saved = _files_saved(job)
    if job.state == ItemState.EMPTY:
        if reason := _common_reason(job):
            return message_and_hint(reason)[0].rstrip(".")
        return _("No active story that everyone can see")
    if not saved:
        if job.state == ItemState.CANCELLED:
            return _("Cancelled before anything was saved")
        return _("Nothing could be saved")
    wanted = sum(story.media_count for story in job.stories)
    if saved < wanted:
        files = _saved_of(saved, wanted)
    else:
        files = ngettext("%(n)d file saved and checked", "%(n)d files saved and checked", saved) % {
            "n": saved
        }
    if present_files := job.present:
        files = f"{files}, {size(sum(file.size_bytes for file in present_files))}"
    count = sum(item.state == ItemState.FAILED for item in job.items)
    failed = ngettext("%(n)d line failed", "%(n)d lines failed", count) % {"n": count}
    left_out = ngettext("%(n)d story left out", "%(n)d stories left out", job.left_out) % {
        "n": job.left_out
    }
    cancelled = _("Cancelled") if job.state == ItemState.CANCELLED else ""
    parts = (cancelled, files, left_out if job.left_out else "", failed if count else "")
    return ". ".join(filter(None, parts))


def _adverts(job: Snapshot) -> list[str]:
    """The codes of lines that are empty for a reason."""
    return [item.error.code for item in job.items if item.state == ItemState.EMPTY and item.error]


def _common_reason(job: Snapshot) -> str:
    """The code for which every line of the job is empty; "" when one is without a code."""
    codes = _adverts(job)
    return codes[0] if codes and len(codes) == len(job.items) else ""


def _announcement(job: Snapshot) -> str:
    if job.packing:
        return _("Packing the ZIP")
    if job.state == ItemState.QUEUED:
        return _("Waiting for TikTok") if job.progress.phase == "waiting" else _("Queued")
    if job.state != ItemState.RUNNING:
        return _settled(job)
    return {
        "looking_up": _("Looking up"),
        "found": _("Found stories"),
        "saving": _("Saving"),
        "checking": _("Checking"),
        "packing": _("Packing"),
    }.get(job.progress.phase, _("Running"))


def _refetch_label(job: Snapshot, tiles: Sequence[Tile], now: datetime) -> str:
    items = [item for item in job.items if is_refetchable(item, now)]
    # A story that is alone has a button of its own.
    alone = len(tiles) == 1 and tiles[0].removed_at and tiles[0].on_tiktok
    if job.state in OPEN or not items or alone:
        return ""
    cancelled = all(item.state == ItemState.CANCELLED for item in items)
    partly = _files_saved(job) > 0 or len(items) < len(job.items)
    if cancelled and (partly or _earlier_files_kept(items)):
        label = _("Fetch the rest")
    elif tiles and not any(tile.on_tiktok for tile in tiles):
        label = _("Look again")
    elif len(items) == 1 and len(tiles) < 2:
        label = _("Fetch again")
    else:
        label = _("Fetch all again")
    return f"{label} ({len(items)})" if len(items) > 1 else label


def _earlier_files_kept(items: Iterable[ItemView]) -> bool:
    """Whether the line whose rest one of these was to fetch still has files. At most one query."""
    earlier = [item.refetch_of for item in items if item.refetch_of is not None]
    return bool(earlier) and bool(resubmission.having_files(earlier))


def is_refetchable(item: ItemView, now: datetime) -> bool:
    """`resubmission.refetchable` of a line in a snapshot."""
    media = [file for story in item.stories for file in story.files if file.role == Role.MEDIA]
    return resubmission.refetchable(
        item.state,
        kind=item.kind,
        saved=bool(media),
        present=any(file.present for file in media),
        on_tiktok=any(story.is_on_tiktok(now) for story in item.stories),
    )


def _extend_offer(files: Sequence[FileView]) -> ExtendOffer | None:
    before = [file.expires_at for file in files]
    after = [lifetime.extended(file.expires_at, file.created_at) for file in files]
    if before == after:
        return None
    return ExtendOffer(until=min(after) if min(after) > min(before) else None)


# --- a line -------------------------------------------------------------------------------------


def _present_line(item: ItemView, now: datetime, *, among: int) -> PresentedLine:
    """A line as its page shows it. among: the number of lines of the job."""
    handle = f"@{item.name}" if item.name else ""
    nickname = item.author.nickname if item.author else ""
    title = nickname or display_name(item.name, item.line)
    # That a line was cancelled, its state says.
    error = None if item.error and item.error.is_cancelled else item.error
    waits_for_tiktok = item.waiting and item.error is not None and item.error.is_refusal
    # A line that begins anew has no list yet, and TikTok's refusal is said once.
    left_out = item.left_out if not item.open or item.waiting else ()
    left_out = () if waits_for_tiktok else left_out
    explained = _explained_by_list(item)
    if explained is not None:
        # What is missing and how much of it says more than the words of the code.
        message, hint = "", explained.hint
    else:
        message, hint = message_and_hint(error.code) if error else ("", "")
    # The snapshot decides which details are fit to be read; here they get a row of their own.
    has_detail = error is not None and explained is None and error.message != message
    return PresentedLine(
        item=item,
        state_label=state_label(item.state, item.error.code if item.error else ""),
        title=title,
        handle=handle if nickname else "",
        typed=item.line if normalized(item.line) not in {title, handle, item.name} else "",
        summary=_line_summary(item),
        message=message,
        detail=localized_detail(error.detail) if error and has_detail else "",
        hint=hint,
        left_out=tuple(entry.message for entry in left_out),
        waits_for_tiktok=waits_for_tiktok,
        post_offered=item.error is not None and item.error.code == "not_a_story",
        retry_offered=item.retryable and among > 1,
        compact=item.state == ItemState.FAILED and among > _FEW_LINES,
        tiles=tuple(present_tile(story, item, now) for story in item.stories),
    )


def _explained_by_list(item: ItemView) -> LeftOutView | None:
    """The part of `left_out` that its error stands for; None where the error has another cause."""
    code = item.error.code if item.error else ""
    if any(story.error and story.error.code == code for story in item.stories):
        return None
    return next((entry for entry in item.left_out if entry.code == code), None)


def _line_summary(item: ItemView) -> str:
    if item.state == ItemState.QUEUED:
        return _("Waiting for TikTok") if item.waiting else ""
    if item.state == ItemState.RUNNING:
        return _running(item, item.progress)
    saved = sum(story.saved for story in item.stories)
    wanted = sum(story.media_count for story in item.stories)
    if item.state == ItemState.CANCELLED:
        return _saved_of(saved, wanted) if saved else ""
    return _story_count(item) if wanted else ""


def _saved_of(saved: int, wanted: int) -> str:
    return _("%(saved)d of %(wanted)d files saved") % {"saved": saved, "wanted": wanted}


def _story_count(item: ItemView) -> str:
    count = len(item.stories)
    if count and not any(story.is_story for story in item.stories):
        return ngettext("%(n)d post", "%(n)d posts", count) % {"n": count}
    return ngettext("%(n)d story", "%(n)d stories", count) % {"n": count}


def _running(item: ItemView, progress: ProgressView) -> str:
    """`Saving. 3 of 5 files, 12 MB of 30 MB`."""
    if progress.phase in {"queued", "looking_up"}:
        return _("Looking up %(name)s") % {"name": display_name(item.name, item.line)}
    if progress.phase == "found":
        count = item.found or 0
        return ngettext("Found %(n)d story", "Found %(n)d stories", count) % {"n": count}
    if progress.phase == "packing":
        return _("Packing")
    phase = _("Checking") if progress.phase == "checking" else _("Saving")
    return ". ".join(filter(None, (phase, _amounts(progress))))


def _amounts(progress: ProgressView) -> str:
    """`3 of 5 files, 12 MB of 30 MB, about 8 s left`; "" before any file is known."""
    if not progress.files_total:
        return ""
    parts = [
        ngettext("%(done)d of %(n)d file", "%(done)d of %(n)d files", progress.files_total)
        % {"done": progress.files_done, "n": progress.files_total}
    ]
    if _total_is_known(progress):
        parts.append(
            _("%(done)s of %(total)s")
            % {"done": size(progress.bytes_done), "total": size(progress.bytes_total)}
        )
    if progress.eta_s:
        parts.append(_time_left(progress.eta_s))
    return ", ".join(parts)


def _time_left(eta_s: int) -> str:
    if eta_s < 100:
        return _("about %(n)d s left") % {"n": eta_s}
    return _("about %(n)d min left") % {"n": round(eta_s / 60)}
