"""A job's page from a snapshot: every sentence, number and offer about the job and its lines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.errors import state_label
from jobs.files.bundles import Amount, amount_of
from jobs.left_out import LeftOut
from jobs.models import Role
from jobs.pages import summaries
from jobs.pages.folding import Fold, fold
from jobs.pages.packed import packed
from jobs.pages.tiles import Tile, present_tile, removed_at
from jobs.queries.job_view import FileView, ItemView, Snapshot, StoryView
from jobs.queries.looks import CLEANED, SKIPPED, LookCount, look_counts
from jobs.queries.titles import display_name, normalized, note_as_title
from jobs.queue import resubmission
from jobs.states import OPEN, SHORT, ItemState
from jobs.text import isolated

_MAX_NAMES: Final = 3
_FEW_LINES: Final = 6
"""More lines than these can be filtered by state, and failures take less space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutWords:
    """Reasons to leave stories out that ask for the same: a sentence each, then the hint."""

    sentences: tuple[str, ...]
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedLine:
    """A line of the job.

    title, handle: the account's nickname and `@name`, as far as known.
    typed: the line as pasted, "" where the title says it already. state_label: words for its state.
    message, hint: why it waits, failed or is empty, except what the job's head says. detail: a
    path, a host or a code of TikTok's, to stand behind "Details". bug_id: of a bug, to be quoted.
    left_out: the reasons for which its list leaves stories out, by what can be done about them.
    waits_for_tiktok: it waits only because TikTok turns this server away, which the page says once.
    post_offered: with a button that saves an ordinary post. retry_offered: with its own retry
    button; a line that is alone has the job's.
    compact: its error takes a row, not a box. among: the number of lines of the job.
    stories: those that are shown; fold: stands for the others, None when all are shown; opened: all
    are because the reader asked for that.
    now: the moment its clocks were read.
    """

    item: ItemView
    state_label: str
    title: str
    handle: str
    typed: str
    summary: str
    message: str
    detail: str
    bug_id: str
    hint: str
    left_out: tuple[LeftOutWords, ...]
    post_offered: bool
    retry_offered: bool
    waits_for_tiktok: bool
    compact: bool
    among: int
    stories: tuple[StoryView, ...]
    fold: Fold | None
    opened: bool
    now: datetime

    @property
    def look(self) -> str:
        """Its state, or `skipped`."""
        return self.item.look

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles of the stories that are shown."""
        return tuple(present_tile(story, self.item, self.now) for story in self.stories)

    @property
    def explained(self) -> bool:
        """True when a box says something about it."""
        said = (self.message or self.hint) and not self.waits_for_tiktok
        return bool(said or self.left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Everything the page of a job shows.

    title: the note, else names. names: of its accounts or links; "" where the title says them.
    handle: `@name` of the only account, where its name is a nickname; else "".
    shown_look: the look that shown_lines are filtered by; "" for all lines.
    look: the job's state; `skipped` where all its lines are and nothing is here, `cleaned` once its
    files are deleted.
    state_label: words for that.
    look_counts: looks of lines and how many have each, most first; empty without a filter.
    announcement: the step for screen readers, which changes only when something new begins.
    percent: how much of the work is done, 0 to 100, and 100 only once all lines are settled.
    idle: no file is on its way.
    files: what Save hands over of it, each file once; amount: how much that is.
    removed_at: when the last file was deleted, None while any is present.
    stories_known: how many stories it has, each once however many lines it came by;
    stories_on_tiktok: those of them that TikTok still has; all_on_tiktok_until: None unless it has
    all, and not for ever.
    retry_label: the button that tries again what a retry may help; "" for none.
    refetch_label: the button that fetches refetchable lines again; "" for none.
    next_leaves_at: when the next of its stories leaves TikTok, which changes the page.
    """

    job: Snapshot
    title: str
    names: str
    handle: str
    lines: tuple[PresentedLine, ...]
    shown_lines: tuple[PresentedLine, ...]
    shown_look: str
    look: str
    state_label: str
    look_counts: tuple[LookCount, ...]
    summary: str
    announcement: str
    percent: int
    idle: bool
    files: tuple[FileView, ...]
    amount: Amount
    removed_at: datetime | None
    stories_known: int
    stories_on_tiktok: int
    all_on_tiktok_until: datetime | None
    retry_label: str
    refetch_label: str
    next_leaves_at: datetime | None


def present(
    job: Snapshot,
    now: datetime | None = None,
    *,
    show: str = "",
    opened: Collection[int] = frozenset(),
) -> JobPage:
    """The page of a job. show: the look whose lines are shown, "" for all.

    A look without lines, or an unknown one, filters nothing. opened: positions of lines that are
    shown with all their stories, however many.
    """
    now = now or timezone.now()
    among = len(job.items)
    lines = tuple(_present_line(item, now, among=among, opened=opened) for item in job.items)
    many = len(lines) > _FEW_LINES
    filtered = many and show in {line.look for line in lines}
    shown = tuple(line for line in lines if line.look == show) if filtered else lines
    leaving = [at for story in job.stories if (at := story.leaves_at) is not None and at > now]
    deleted = _removed_at(job)
    look = _look(job, deleted)
    files = tuple(packed(job.stories))
    amount = amount_of(files)
    summary = summaries.of_job(job, amount)
    stories = {story.tiktok_id for story in job.stories}
    on_tiktok = {story.tiktok_id for story in job.stories if story.is_on_tiktok(now)}
    return JobPage(
        job=job,
        title=title_of(job),
        names=names_of(job.items) if job.note.strip() and not job.from_watch else "",
        handle=lines[0].handle if among == 1 else "",
        lines=lines,
        shown_lines=_without_repeated_hints(shown) if many else shown,
        shown_look=show if filtered else "",
        look=look,
        state_label=_label(look, job),
        look_counts=look_counts(_states_and_codes(job.items)) if many else (),
        summary=summary,
        announcement=summaries.announcement(job, summary),
        percent=summaries.percent(job),
        idle=job.state not in OPEN or job.progress.phase == "waiting",
        files=files,
        amount=amount,
        removed_at=deleted,
        stories_known=len(stories),
        stories_on_tiktok=len(on_tiktok),
        all_on_tiktok_until=min(leaving, default=None) if on_tiktok == stories else None,
        retry_label=_retry_label(job),
        refetch_label=_refetch_label(job, now),
        next_leaves_at=min(leaving, default=None),
    )


def _states_and_codes(items: Iterable[ItemView]) -> Iterator[tuple[str, str]]:
    return ((item.state, item.error.code if item.error else "") for item in items)


def _removed_at(job: Snapshot) -> datetime | None:
    """When the last file was deleted; None while any is here, on its way, or none was saved."""
    if job.state in OPEN or job.present:
        return None
    moments = (
        file.removed_at for story in job.stories for file in story.files if file.role == Role.MEDIA
    )
    return max((moment for moment in moments if moment is not None), default=None)


def _look(job: Snapshot, deleted: datetime | None) -> str:
    if deleted is not None:
        return CLEANED
    if any(file.role == Role.MEDIA for story in job.stories for file in story.present):
        return str(job.state)
    return SKIPPED if all(item.look == SKIPPED for item in job.items) else str(job.state)


def _label(look: str, job: Snapshot) -> str:
    if look == CLEANED:
        return _("deleted")
    return _("skipped") if look == SKIPPED else state_label(job.state, job.empty_reason)


def _without_repeated_hints(lines: Sequence[PresentedLine]) -> tuple[PresentedLine, ...]:
    """The lines, each hint only where it comes first."""
    hints: set[str] = set()

    def first(hint: str) -> str:
        """The hint, "" where it was said before."""
        said = hint in hints
        hints.add(hint)
        return "" if said else hint

    return tuple(
        replace(
            line,
            hint=first(line.hint),
            left_out=tuple(replace(group, hint=first(group.hint)) for group in line.left_out),
        )
        for line in lines
    )


# --- the job ------------------------------------------------------------------------------------


def title_of(job: Snapshot) -> str:
    """The title of a job: its note, where `note_as_title` has it be one; else `names_of`."""
    return note_as_title(job.note, from_watch=job.from_watch) or names_of(job.items)


def names_of(items: Sequence[ItemView]) -> str:
    """Who these lines are about: `Corner Bakery`, or `@nora, @max, @zoe and 2 more`."""
    if len(items) == 1 and items[0].author and items[0].author.nickname:
        return items[0].author.nickname
    names = list(dict.fromkeys(isolated(display_name(item.name, item.line)) for item in items))
    listed, more = ", ".join(names[:_MAX_NAMES]), len(names) - _MAX_NAMES
    if more <= 0:
        return listed
    return ngettext("%(names)s and %(n)d more", "%(names)s and %(n)d more", more) % {
        "names": listed,
        "n": more,
    }


def _retry_label(job: Snapshot) -> str:
    items = [item for item in job.items if item.retryable]
    if not items:
        return ""
    count = len(items)
    if count < sum(item.state in SHORT for item in job.items):
        words = ngettext("Retry the one that can work", "Retry the %(n)d that can work", count)
        return words % {"n": count}
    return _("Retry") if count == 1 else _("Retry %(n)d") % {"n": count}


def _refetch_label(job: Snapshot, now: datetime) -> str:
    items = [] if job.state in OPEN else [item for item in job.items if is_refetchable(item, now)]
    stories = job.stories
    # A story that is alone has a button of its own.
    alone = len(stories) == 1 and removed_at(stories[0]) and stories[0].is_on_tiktok(now)
    if not items or alone:
        return ""
    cancelled = all(item.state == ItemState.CANCELLED for item in items)
    partly = any(story.saved for story in stories) or len(items) < len(job.items)
    if (cancelled and (partly or _earlier_files_kept(items))) or _damaged_in_part(items):
        label = _("Fetch the rest")
    elif stories and not any(story.is_on_tiktok(now) for story in stories):
        label = _("Check again")
    elif len(items) == 1 and len(stories) < 2:
        label = _("Fetch again")
    else:
        label = _("Fetch all again")
    return f"{label} ({len(items)})" if len(items) > 1 else label


def _damaged_in_part(items: Iterable[ItemView]) -> bool:
    """Whether files of these lines were given up as damaged, and others are here."""
    stories = [story for item in items for story in item.stories]
    present = any(file.role == Role.MEDIA for story in stories for file in story.present)
    return present and any(story.damaged for story in stories)


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
        damaged=any(story.damaged and story.is_on_tiktok(now) for story in item.stories),
    )


# --- a line -------------------------------------------------------------------------------------


def _present_line(
    item: ItemView, now: datetime, *, among: int, opened: Collection[int]
) -> PresentedLine:
    """A line as its page shows it. among: the number of lines of the job.

    opened: positions of lines that are shown with all their stories.
    """
    folded = fold(item, among=among, opened=opened)
    handle = f"@{item.name}" if item.name else ""
    nickname = item.author.nickname if item.author else ""
    title = nickname or display_name(item.name, item.line)
    # That a line was cancelled, its state says.
    error = None if item.error and item.error.is_cancelled else item.error
    waits_for_tiktok = item.waiting and item.error is not None and item.error.is_refusal
    # A line that begins anew has no list yet, and TikTok's refusal is said once.
    left_out = item.left_out if not item.open or item.waiting else ()
    left_out = () if waits_for_tiktok else left_out
    # What is missing and how much of it says more than the words of the code.
    explained = error is not None and error.left_out is not None
    message, hint = (error.sentence, error.hint) if error and not explained else ("", "")
    if among == 1 and item.state == ItemState.EMPTY:
        message = ""  # the job's head says it
    return PresentedLine(
        item=item,
        state_label=state_label(item.state, item.error.code if item.error else ""),
        title=title,
        handle=handle if nickname else "",
        typed=item.line if normalized(item.line) not in {title, handle, item.name} else "",
        summary=summaries.of_line(item),
        message=message,
        detail=error.technical if error else "",
        bug_id=error.bug_id if error else "",
        hint=hint,
        left_out=_left_out_words(left_out),
        waits_for_tiktok=waits_for_tiktok,
        post_offered=item.error is not None and item.error.code == "not_a_story",
        retry_offered=item.retryable and among > 1,
        compact=item.state == ItemState.FAILED and among > _FEW_LINES,
        among=among,
        stories=folded.shown,
        fold=folded.fold,
        opened=folded.opened,
        now=now,
    )


def _left_out_words(left_out: Sequence[LeftOut]) -> tuple[LeftOutWords, ...]:
    """The sentences in their order, each hint once, below the last one it is about."""
    groups: dict[str, list[str]] = {}
    for entry in left_out:
        groups.setdefault(entry.hint, []).append(entry.message)
    return tuple(
        LeftOutWords(sentences=tuple(sentences), hint=hint) for hint, sentences in groups.items()
    )
