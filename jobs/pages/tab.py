"""The tab of a job: a title and an icon that say how far it is, also behind other tabs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from django.utils.text import Truncator

from jobs.pages.presenter import JobPage
from jobs.states import OPEN, ItemState
from jobs.text import isolated

_MAX_TITLE: Final = 60
TabSign = Literal["busy", "done", "warn", "bad", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """title: `3/40 · Autumn campaign`. sign: what the icon's ring shows; percent: for `busy`."""

    title: str
    sign: TabSign
    percent: int


def tab_of(page: JobPage) -> Tab:
    """The tab of a job's page.

    `3/40` counts lines, or the files of a job of one line; `✓ 40` the files that are here; `!`
    stands before a job that waits for TikTok, is short of something, or failed.
    """
    mark, sign = _mark(page)
    name = isolated(Truncator(page.title).chars(_MAX_TITLE))
    title = f"{mark} · {name}" if mark else name
    return Tab(title=title, sign=sign, percent=page.percent)


def _mark(page: JobPage) -> tuple[str, TabSign]:
    job = page.job
    if job.refused_until or (job.state == ItemState.QUEUED and job.progress.phase == "waiting"):
        return "!", "warn"
    if job.state in OPEN:
        return _so_far(page), "busy"
    if job.state == ItemState.DONE and page.amount.files:
        return f"✓ {page.amount.files}", "done"
    if job.state == ItemState.PARTIAL:
        return "!", "warn"
    return ("!", "bad") if job.state == ItemState.FAILED else ("", "")


def _so_far(page: JobPage) -> str:
    items = page.job.items
    if len(items) > 1:
        return f"{sum(not item.open for item in items)}/{len(items)}"
    progress = page.job.progress
    return f"{progress.files_done}/{progress.files_total}" if progress.files_total else "…"
