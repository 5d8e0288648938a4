"""The admin actions on jobs, lines and files of others: preview, run and outcome of each.

They call what the pages call.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from jobs.admin.confirmed_actions import ConfirmedAction, for_each
from jobs.files import deletion
from jobs.models import Artifact, Item, Job
from jobs.queue import actions
from jobs.states import OPEN, ItemState
from jobs.wording import size

# --- previews -------------------------------------------------------------------------------------


def _items(jobs: QuerySet[Job]) -> QuerySet[Item]:
    return Item.objects.filter(job__in=jobs)


def _preview_cancel(items: QuerySet[Item]) -> str:
    count = items.filter(state__in=OPEN).count()
    text = ngettext(
        "%(n)d open line will stop for good. What it saved stays.",
        "%(n)d open lines will stop for good. What they saved stays.",
        count,
    )
    return text % {"n": count} if count else ""


def _preview_retry(items: QuerySet[Item]) -> str:
    count = actions.retryable(items).count()
    text = ngettext(
        "%(n)d line that failed and may work now will be tried again.",
        "%(n)d lines that failed and may work now will be tried again.",
        count,
    )
    return text % {"n": count} if count else ""


def _preview_requeue(items: QuerySet[Item]) -> str:
    requeueable = actions.requeueable(items)
    count = requeueable.count()
    text = ngettext(
        "%(n)d line will be tried now, whatever it waits for or why it failed.",
        "%(n)d lines will be tried now, whatever they wait for or why they failed.",
        count,
    )
    running = requeueable.filter(state=ItemState.RUNNING).count()
    running_text = ngettext(
        "%(n)d of them is taken from its worker and begins anew.",
        "%(n)d of them are taken from their workers and begin anew.",
        running,
    )
    sentences = [text % {"n": count}] if count else []
    sentences += [running_text % {"n": running}] if running else []
    return " ".join(sentences)


def _preview_purge(files: QuerySet[Artifact]) -> str:
    """Counts the files that are deleted along with the chosen ones, too."""
    chosen = files.filter(removed_at=None)
    deleted = deletion.dependents(chosen).aggregate(count=Count("pk"), bytes=Sum("size_bytes"))
    text = ngettext(
        "%(n)d file, %(size)s, will be deleted. Its record stays.",
        "%(n)d files, %(size)s together, will be deleted. Their records stay.",
        deleted["count"],
    )
    more = deleted["count"] - chosen.count()
    more_text = ngettext(
        "%(n)d of them was made from what was chosen, or holds a copy of it.",
        "%(n)d of them were made from what was chosen, or hold a copy of it.",
        more,
    )
    values = {"n": deleted["count"], "size": size(deleted["bytes"])}
    sentences = [text % values] if deleted["count"] else []
    sentences += [more_text % {"n": more}] if more else []
    return " ".join(sentences)


# --- outcomes ---------------------------------------------------------------------------------


def _cancelled(count: int) -> str:
    return ngettext("%d line cancelled.", "%d lines cancelled.", count) % count


def _retried(count: int) -> str:
    return ngettext("%d line retried.", "%d lines retried.", count) % count


def _requeued(count: int) -> str:
    return ngettext("%d line queued again.", "%d lines queued again.", count) % count


def _purged(count: int) -> str:
    return ngettext("%d file deleted.", "%d files deleted.", count) % count


# --- actions -----------------------------------------------------------------------------------


def _purge_files(files: QuerySet[Artifact]) -> dict[Any, int]:
    """Every file that was deleted counts once, chosen or not."""
    return dict.fromkeys(deletion.delete(files.filter(removed_at=None)), 1)


CANCEL_JOBS: Final = ConfirmedAction(
    title=_("Cancel"),
    preview=lambda jobs: _preview_cancel(_items(jobs)),
    run=for_each(actions.cancel),
    outcome=_cancelled,
    destructive=True,
)
RETRY_JOBS: Final = ConfirmedAction(
    title=_("Retry what failed"),
    preview=lambda jobs: _preview_retry(_items(jobs)),
    run=for_each(partial(actions.retry, unlimited=True)),
    outcome=_retried,
)
REQUEUE_JOBS: Final = ConfirmedAction(
    title=_("Queue again now"),
    preview=lambda jobs: _preview_requeue(_items(jobs)),
    run=for_each(lambda job: actions.requeue(Item.objects.kept().filter(job=job))),
    outcome=_requeued,
)
PURGE_JOBS: Final = ConfirmedAction(
    title=_("Delete files now"),
    preview=lambda jobs: _preview_purge(Artifact.objects.filter(job__in=jobs)),
    run=for_each(deletion.delete_job_files),
    outcome=_purged,
    destructive=True,
)
CANCEL_ITEMS: Final = ConfirmedAction(
    title=_("Cancel"),
    preview=_preview_cancel,
    run=for_each(actions.cancel_item),
    outcome=_cancelled,
    destructive=True,
)
RETRY_ITEMS: Final = ConfirmedAction(
    title=_("Retry"),
    preview=_preview_retry,
    run=for_each(partial(actions.retry_item, unlimited=True)),
    outcome=_retried,
)
REQUEUE_ITEMS: Final = ConfirmedAction(
    title=_("Queue again now"),
    preview=_preview_requeue,
    run=for_each(lambda item: actions.requeue(Item.objects.kept().filter(pk=item.pk))),
    outcome=_requeued,
)
PURGE_ITEMS: Final = ConfirmedAction(
    title=_("Delete files now"),
    preview=lambda items: _preview_purge(Artifact.objects.filter(item__in=items)),
    run=for_each(lambda item: len(deletion.delete(Artifact.objects.filter(item=item)))),
    outcome=_purged,
    destructive=True,
)
PURGE_FILES: Final = ConfirmedAction(
    title=_("Delete files now"),
    preview=_preview_purge,
    run=_purge_files,
    outcome=_purged,
    destructive=True,
)
