"""Summaries: a job, and each of its lines, in a sentence; and how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.errors import message_and_hint
from jobs.models import Role
from jobs.queries.job_view import ItemView, ProgressView, Snapshot
from jobs.queries.titles import display_name
from jobs.states import ItemState
from jobs.wording import size


def of_job(job: Snapshot) -> str:
    """The job in a sentence without its full stop, such as `Saving. 3 of 5 files`."""
    if job.state == ItemState.QUEUED:
        waiting = job.progress.phase == "waiting"
        words = _("Waiting for TikTok") if waiting else _queued(job.queue_position)
        return _sentences(words, _left_out(job))
    if job.state == ItemState.RUNNING:
        running = [item for item in job.items if item.state == ItemState.RUNNING]
        if len(job.items) == 1 and running:
            return _running(running[0], running[0].progress)
        return _sentences(_finished_lines(job.items), _amounts(job.progress), _left_out(job))
    return _settled(job)


def announcement(job: Snapshot) -> str:
    """The job's step for screen readers, which changes only when something new begins."""
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


def of_line(item: ItemView) -> str:
    """A line in a few words, such as `3 stories`; "" where its state says it all."""
    if item.state == ItemState.QUEUED:
        return _("Waiting for TikTok") if item.waiting else ""
    if item.state == ItemState.RUNNING:
        return _running(item, item.progress)
    saved = sum(story.saved for story in item.stories)
    wanted = sum(story.media_count for story in item.stories)
    if item.state == ItemState.CANCELLED:
        return _saved_of(saved, wanted) if saved else ""
    return _story_count(item) if wanted else ""


def percent(progress: ProgressView) -> int | None:
    """How much of the bytes, else of the files, is done: 0 to 100, None while unknown."""
    if _total_is_known(progress):
        return min(100, 100 * progress.bytes_done // progress.bytes_total)
    return 100 * progress.files_done // progress.files_total if progress.files_total else None


def files_saved(job: Snapshot) -> int:
    """The number of pictures and videos ever saved."""
    return sum(story.saved for story in job.stories)


def _queued(position: int | None) -> str:
    if position is None or position <= 1:
        return _("Queued, next in line")
    return _("Queued, number %(place)d in line") % {"place": position}


def _finished_lines(items: Sequence[ItemView]) -> str:
    """`34 of 40 lines finished, 30 failed`."""
    finished = ngettext(
        "%(done)d of %(n)d line finished", "%(done)d of %(n)d lines finished", len(items)
    ) % {"done": sum(not item.open for item in items), "n": len(items)}
    count = sum(item.state == ItemState.FAILED for item in items)
    failed = ngettext("%(n)d failed", "%(n)d failed", count) % {"n": count} if count else ""
    return ", ".join(filter(None, (finished, failed)))


def _settled(job: Snapshot) -> str:
    """`Cancelled. 3 of 5 files saved, 8.4 MB. 1 story left out. 1 line failed`."""
    saved = files_saved(job)
    if job.state == ItemState.EMPTY:
        if reason := job.nothing_to_save.common_code:
            return message_and_hint(reason)[0].rstrip(".")
        return _("No active story that everyone can see")
    if not saved:
        stopped = job.state == ItemState.CANCELLED
        words = _("Cancelled before anything was saved") if stopped else _("Nothing could be saved")
        return _sentences(words, _left_out(job))
    wanted = sum(story.media_count for story in job.stories)
    files = _saved_of(saved, wanted) if saved < wanted else _all_saved(job, saved)
    if present_files := job.present:
        files = f"{files}, {size(sum(file.size_bytes for file in present_files))}"
    count = sum(item.state == ItemState.FAILED for item in job.items)
    failed = ngettext("%(n)d line failed", "%(n)d lines failed", count) % {"n": count}
    cancelled = _("Cancelled") if job.state == ItemState.CANCELLED else ""
    return _sentences(cancelled, files, _left_out(job), failed if count else "")


def _all_saved(job: Snapshot, saved: int) -> str:
    """`5 files saved and checked`, or how many of them were only opened."""
    media = (file for story in job.stories for file in story.files if file.role == Role.MEDIA)
    opened = sum(not file.checked for file in media)
    if not opened:
        words = ngettext("%(n)d file saved and checked", "%(n)d files saved and checked", saved)
    elif opened >= saved:
        words = ngettext("%(n)d file saved and opened", "%(n)d files saved and opened", saved)
    else:
        words = ngettext(
            "%(n)d file saved, %(opened)d of them only opened",
            "%(n)d files saved, %(opened)d of them only opened",
            saved,
        )
    return words % {"n": saved, "opened": opened}


def _left_out(job: Snapshot) -> str:
    """`2 stories left out`; "" for none."""
    count = job.left_out
    words = ngettext("%(n)d story left out", "%(n)d stories left out", count)
    return words % {"n": count} if count else ""


def _sentences(*parts: str) -> str:
    return ". ".join(filter(None, parts))


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
    return _sentences(phase, _amounts(progress))


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


def _total_is_known(progress: ProgressView) -> bool:
    """False when the total in bytes was only rebuilt from the files saved so far."""
    unfinished = progress.files_done < progress.files_total
    return progress.bytes_total > 0 and not (
        unfinished and progress.bytes_done >= progress.bytes_total
    )


def _time_left(eta_s: int) -> str:
    if eta_s < 100:
        return _("about %(n)d s left") % {"n": eta_s}
    return _("about %(n)d min left") % {"n": round(eta_s / 60)}
