"""What can be done to jobs, lines and files of others: what is promised, done, and said of it.

The acts call what the pages call.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from jobs.admin.confirmed_actions import Act, each
from jobs.files import deletion
from jobs.models import Artifact, Item, Job
from jobs.queue import actions
from jobs.states import OPEN, ItemState
from jobs.wording import size

# --- before -------------------------------------------------------------------------------------


def _lines(jobs: QuerySet[Job]) -> QuerySet[Item]:
    return Item.objects.filter(job__in=jobs)


def _will_cancel(items: QuerySet[Item]) -> str:
    count = items.filter(state__in=OPEN).count()
    said = ngettext(
        "%(n)d open line will stop for good. What it saved stays.",
        "%(n)d open lines will stop for good. What they saved stays.",
        count,
    )
    return said % {"n": count} if count else ""


def _will_retry(items: QuerySet[Item]) -> str:
    count = actions.retryable(items).count()
    said = ngettext(
        "%(n)d line that failed and may work now will be tried again.",
        "%(n)d lines that failed and may work now will be tried again.",
        count,
    )
    return said % {"n": count} if count else ""


def _will_requeue(items: QuerySet[Item]) -> str:
    found = actions.requeueable(items)
    count = found.count()
    said = ngettext(
        "%(n)d line will be tried now, whatever it waits for or why it failed.",
        "%(n)d lines will be tried now, whatever they wait for or why they failed.",
        count,
    )
    running = found.filter(state=ItemState.RUNNING).count()
    taken = ngettext(
        "%(n)d of them is taken from its worker and begins anew.",
        "%(n)d of them are taken from their workers and begin anew.",
        running,
    )
    parts = [said % {"n": count}] * bool(count) + [taken % {"n": running}] * bool(running)
    return " ".join(parts)


def _will_purge(files: QuerySet[Artifact]) -> str:
    """With all that goes along: what was chosen is not what goes."""
    chosen = files.filter(removed_at=None)
    gone = deletion.dependents(chosen).aggregate(count=Count("pk"), bytes=Sum("size_bytes"))
    said = ngettext(
        "%(n)d file, %(size)s, will be deleted. Its record stays.",
        "%(n)d files, %(size)s together, will be deleted. Their records stay.",
        gone["count"],
    )
    more = gone["count"] - chosen.count()
    along = ngettext(
        "%(n)d of them was made from what was chosen, or holds a copy of it.",
        "%(n)d of them were made from what was chosen, or hold a copy of it.",
        more,
    )
    parts = [said % {"n": gone["count"], "size": size(gone["bytes"])}] * bool(gone["count"])
    return " ".join(parts + [along % {"n": more}] * bool(more))


# --- afterwards ---------------------------------------------------------------------------------


def _cancelled(count: int) -> str:
    return ngettext("%d line cancelled.", "%d lines cancelled.", count) % count


def _retried(count: int) -> str:
    return ngettext("%d line retried.", "%d lines retried.", count) % count


def _requeued(count: int) -> str:
    return ngettext("%d line queued again.", "%d lines queued again.", count) % count


def _purged(count: int) -> str:
    return ngettext("%d file deleted.", "%d files deleted.", count) % count


# --- the acts -----------------------------------------------------------------------------------


def _purge_these(files: QuerySet[Artifact]) -> dict[Any, int]:
    """Each file that went was deleted, chosen or not."""
    return dict.fromkeys(deletion.delete(files.filter(removed_at=None)), 1)


CANCEL_JOBS: Final = Act(
    title=_("Cancel what is open"),
    promise=lambda jobs: _will_cancel(_lines(jobs)),
    do=each(actions.cancel),
    said=_cancelled,
    destructive=True,
)
RETRY_JOBS: Final = Act(
    title=_("Retry what failed"),
    promise=lambda jobs: _will_retry(_lines(jobs)),
    do=each(partial(actions.retry, unlimited=True)),
    said=_retried,
)
REQUEUE_JOBS: Final = Act(
    title=_("Queue again now"),
    promise=lambda jobs: _will_requeue(_lines(jobs)),
    do=each(lambda job: actions.requeue(Item.objects.filter(job=job))),
    said=_requeued,
)
PURGE_JOBS: Final = Act(
    title=_("Delete the files now"),
    promise=lambda jobs: _will_purge(Artifact.objects.filter(job__in=jobs)),
    do=each(deletion.delete_job_files),
    said=_purged,
    destructive=True,
)
CANCEL_ITEMS: Final = Act(
    title=_("Cancel"),
    promise=_will_cancel,
    do=each(actions.cancel_item),
    said=_cancelled,
    destructive=True,
)
RETRY_ITEMS: Final = Act(
    title=_("Retry"),
    promise=_will_retry,
    do=each(partial(actions.retry_item, unlimited=True)),
    said=_retried,
)
REQUEUE_ITEMS: Final = Act(
    title=_("Queue again now"),
    promise=_will_requeue,
    do=each(lambda item: actions.requeue(Item.objects.filter(pk=item.pk))),
    said=_requeued,
)
PURGE_ITEMS: Final = Act(
    title=_("Delete the files now"),
    promise=lambda items: _will_purge(Artifact.objects.filter(item__in=items)),
    do=each(lambda item: len(deletion.delete(Artifact.objects.filter(item=item)))),
    said=_purged,
    destructive=True,
)
PURGE_FILES: Final = Act(
    title=_("Delete the files now"),
    promise=_will_purge,
    do=_purge_these,
    said=_purged,
    destructive=True,
)
