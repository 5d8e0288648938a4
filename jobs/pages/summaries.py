"""Summaries: a job, and each of its lines, in a sentence; and how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.errors import DISK_CODES, message_and_hint
from jobs.files.bundles import Amount
from jobs.models import ItemKind
from jobs.pages.packed import MediaCount, count_media
from jobs.queries.job_view import ItemView, ProgressView, Snapshot
from jobs.queries.looks import SKIPPED
from jobs.queries.titles import display_name
from jobs.states import OPEN, ItemState
from jobs.text import isolated
from jobs.wording import size


def of_job(job: Snapshot, amount: Amount) -> str:
    """The job in a sentence without its full stop, such as `Saving 3 of 5 files`.

    amount: how much of it is here.
    """
    if job.state == ItemState.QUEUED:
        waiting = job.progress.phase == "waiting"
        words = _waiting(job.items) if waiting else _queued(job.queue_position)
        return _sentences(words, _left_out(job))
    if job.state == ItemState.RUNNING:
        running = [item for item in job.items if item.state == ItemState.RUNNING]
        if len(job.items) == 1 and running:
            return _running(running[0], running[0].progress)
        return _sentences(_to_go(job.items), _batch(job, running), _unsaved(job), _left_out(job))
    return _settled(job, amount)


def announcement(job: Snapshot, summary: str) -> str:
    """The job's step for screen readers, which changes only when something new begins.

    summary: the job in a sentence, which is the step of one that is settled.
    """
    if job.state == ItemState.QUEUED:
        return _waiting(job.items) if job.progress.phase == "waiting" else _("Queued")
    if job.state != ItemState.RUNNING:
        return _("Packing the ZIP") if job.packing else summary
    if len(job.items) > 1:
        return _to_go(job.items)
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
        return _waiting([item]) if item.waiting else ""
    if item.state == ItemState.RUNNING:
        return _running(item, item.progress)
    media = count_media(item.stories)
    if item.state == ItemState.CANCELLED or media.saved < media.wanted:
        return _saved_of(media) if media.saved else ""
    return _story_count(item) if media.wanted else ""


def percent(job: Snapshot) -> int:
    """How much of the job's work is done, every line counting alike: 100 once all are settled, and
    not before."""
    return min(99, int(100 * job.progress.share)) if job.state in OPEN else 100


def _waiting(items: Iterable[ItemView]) -> str:
    codes = {item.error.code for item in items if item.waiting and item.error}
    if codes and codes <= DISK_CODES:
        return _("Waiting for the disk")
    return _("Waiting for TikTok")


def _queued(position: int | None) -> str:
    if position is None or position <= 1:
        return _("Queued, next in line")
    return _("Queued, number %(place)d in line") % {"place": position}


def _to_go(items: Sequence[ItemView]) -> str:
    """`2 accounts to go`: the lines of a job that are not settled."""
    left = [item for item in items if item.open]
    if all(item.kind == ItemKind.USER for item in left):
        words = ngettext("%(n)d account to go", "%(n)d accounts to go", len(left))
    else:
        words = ngettext("%(n)d link to go", "%(n)d links to go", len(left))
    return words % {"n": len(left)}


def _batch(job: Snapshot, running: Sequence[ItemView]) -> str:
    """`Saving @nora: 3 of 5 files, about 8 s left`, else `39 files so far, about 2 min left`."""
    left = _time_left(job.progress.eta_s) if job.progress.eta_s else ""
    if len(running) == 1 and (files := _files(running[0].progress)):
        name = isolated(display_name(running[0].name, running[0].line))
        words = _("Saving %(name)s: %(files)s") % {"name": name, "files": files}
        return ", ".join(filter(None, (words, left)))
    count = count_media(job.stories).saved
    words = ngettext("%(n)d file so far", "%(n)d files so far", count) % {"n": count}
    return ", ".join(filter(None, (words if count else "", left)))


def _unsaved(job: Snapshot) -> str:
    """`3 failed, 1 skipped`; "" for none."""
    looks = Counter(item.look for item in job.items)
    failed, skipped = looks[ItemState.FAILED], looks[SKIPPED]
    return ", ".join(
        filter(
            None,
            (
                ngettext("%(n)d failed", "%(n)d failed", failed) % {"n": failed} if failed else "",
                ngettext("%(n)d skipped", "%(n)d skipped", skipped) % {"n": skipped}
                if skipped
                else "",
            ),
        )
    )


def _settled(job: Snapshot, amount: Amount) -> str:
    """`Cancelled. 3 of 5 files saved, 8.4 MB. 1 story left out. 1 failed`."""
    if job.state == ItemState.EMPTY:
        if reason := job.empty_reason:
            return message_and_hint(reason)[0].rstrip(".")
        return _("No public story right now")
    media = count_media(job.stories)
    saved = media.saved
    if not saved:
        return _sentences(_nothing_saved(job), _left_out(job))
    if not media.here:
        files = ngettext("%(n)d file deleted", "%(n)d files deleted", saved) % {"n": saved}
    elif media.here < saved:
        values = {"n": media.here, "saved": saved}
        words = ngettext(
            "%(n)d of %(saved)d saved file still here",
            "%(n)d of %(saved)d saved files still here",
            saved,
        )
        files = words % values
    else:
        files = _saved_of(media) if saved < media.wanted else _all_saved(media)
    if amount.files:
        files = f"{files}, {size(amount.size_bytes)}"
    cancelled = _("Cancelled") if job.state == ItemState.CANCELLED else ""
    return _sentences(cancelled, files, _left_out(job), _unsaved(job))


def _nothing_saved(job: Snapshot) -> str:
    if job.state == ItemState.CANCELLED:
        return _("Cancelled before anything was saved")
    if all(item.look == SKIPPED for item in job.items):
        return ngettext("This cannot be saved", "None of these can be saved", len(job.items))
    return _("Nothing could be saved")


def _all_saved(media: MediaCount) -> str:
    """`5 files saved and checked`, or how many of them were only opened."""
    saved, opened = media.saved, media.opened
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
    """`Noch 5 Konten. Bisher 83 Dateien`: not every language has the number first."""
    return ". ".join(capfirst(part) for part in parts if part)


def _saved_of(media: MediaCount) -> str:
    values = {"saved": media.saved, "wanted": media.wanted}
    return _("%(saved)d of %(wanted)d files saved") % values


def _story_count(item: ItemView) -> str:
    count = len(item.stories)
    if count and not any(story.is_story for story in item.stories):
        return ngettext("%(n)d post", "%(n)d posts", count) % {"n": count}
    return ngettext("%(n)d story", "%(n)d stories", count) % {"n": count}


def _running(item: ItemView, progress: ProgressView) -> str:
    """`Saving 3 of 5 files, 12 MB of 30 MB, about 8 s left`."""
    if progress.phase in {"queued", "looking_up"}:
        return _("Looking up %(name)s") % {"name": isolated(display_name(item.name, item.line))}
    if progress.phase == "found":
        count = item.found or 0
        return ngettext("Found %(n)d story", "Found %(n)d stories", count) % {"n": count}
    files = _files(progress)
    if not files:
        return _("Saving")
    if progress.files_done >= progress.files_total:
        count = progress.files_done
        saved = ngettext("%(n)d file saved", "%(n)d files saved", count) % {"n": count}
        return _sentences(_("Packing") if progress.phase == "packing" else _("Finishing"), saved)
    phase = _("Checking %(files)s") if progress.phase == "checking" else _("Saving %(files)s")
    return ", ".join([phase % {"files": files}, *_amounts(progress)])


def _files(progress: ProgressView) -> str:
    """`3 of 5 files`; "" before any file is known."""
    total = progress.files_total
    words = ngettext("%(done)d of %(n)d file", "%(done)d of %(n)d files", total)
    return words % {"done": progress.files_done, "n": total} if total else ""


def _amounts(progress: ProgressView) -> list[str]:
    """`12 MB of 30 MB` and `about 8 s left`, as far as known."""
    parts = []
    if _total_is_known(progress):
        parts.append(
            _("%(done)s of %(total)s")
            % {"done": size(progress.bytes_done), "total": size(progress.bytes_total)}
        )
    if progress.eta_s:
        parts.append(_time_left(progress.eta_s))
    return parts


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
