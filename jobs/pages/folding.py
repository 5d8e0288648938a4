"""Which stories of a line a page shows at once, and what stands for the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from django.urls import reverse

from jobs.models import Item, Role, Story
from jobs.pages.addresses import file_address
from jobs.queries.job_view import FileView, ItemView, StoryView

TILES: Final = 240
"""Tiles of a page before lines are folded, shared out evenly among its lines."""
MAX_TILES: Final = 60
"""Tiles of one line before it is folded, however few lines there are."""
MIN_TILES: Final = 2
FEW_LINES: Final = 6
"""Among so many lines a folded one shows its first tiles; among more of them, covers alone."""
COVERS: Final = 6
"""Covers that hint at the stories that are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Stands for the stories of a line that are not shown yet.

    stories: their number; total: of all stories of the line. pictures: what the viewer would show
    of the former. covers: of the first of them, those that are present.
    """

    stories: int
    total: int
    pictures: int
    covers: tuple[FileView, ...]

    @property
    def cover_addresses(self) -> tuple[str, ...]:
        """Where the covers are."""
        return tuple(file_address(file) for file in self.covers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """The stories of a line as a page shows them. fold: None when all are shown.

    opened: all are shown because the reader asked for them.
    """

    shown: tuple[StoryView, ...]
    fold: Fold | None
    opened: bool


def limit(lines: int) -> int:
    """The number of stories a line shows before it is folded. lines: of the job."""
    return max(MIN_TILES, min(MAX_TILES, TILES // max(1, lines)))


def _is_whole(stories: int, lines: int) -> bool:
    """Whether a line of so many stories is shown whole. lines: of the job.

    What stands for a single story that is left would take as much room as that story.
    """
    room = limit(lines)
    return stories <= (room + 1 if lines <= FEW_LINES else room)


def fold(item: ItemView, *, among: int, opened: Collection[int]) -> Folded:
    """The stories of a line that are shown. among: lines of the job; opened: positions of lines
    that are shown whole because the reader asked for that."""
    whole = _is_whole(len(item.stories), among)
    if whole or item.position in opened:
        return Folded(shown=item.stories, fold=None, opened=not whole)
    shown = limit(among) if among <= FEW_LINES else 0
    hidden = item.stories[shown:]
    return Folded(
        shown=item.stories[:shown],
        fold=Fold(
            stories=len(hidden),
            total=len(item.stories),
            pictures=sum(_pictures(hidden)),
            covers=_covers(hidden),
        ),
        opened=False,
    )


def cover(story: StoryView) -> FileView | None:
    """The first poster of a story that is present, else its first picture."""
    best: FileView | None = None
    for file in story.files:
        if not (file.present and file.is_picture and file.role in {Role.POSTER, Role.MEDIA}):
            continue
        if not 0 < file.position <= story.media_count:
            continue
        if best is None or _rank(file) < _rank(best):
            best = file
    return best


def _rank(file: FileView) -> tuple[int, bool]:
    return file.position, file.role != Role.POSTER


def _pictures(stories: Iterable[StoryView]) -> Iterable[int]:
    return (
        sum(
            file.role == Role.MEDIA
            and file.removed_at is None
            and 0 < file.position <= story.media_count
            for file in story.files
        )
        for story in stories
    )


def _covers(stories: Sequence[StoryView]) -> tuple[FileView, ...]:
    covers: list[FileView] = []
    for story in stories:
        picture = cover(story)
        if picture is not None:
            covers.append(picture)
        if len(covers) == COVERS:
            break
    return tuple(covers)


def story_address(story: Story) -> str:
    """The job's page at a story's tile, with the whole line where it would be folded.

    The part after `#` does not reach the server, so a story of such a line is named before it, too.
    """
    item = story.item
    lines = Item.objects.filter(job_id=item.job_id).count()
    whole = lines <= FEW_LINES and _is_whole(item.stories.count(), lines)
    query = "" if whole else f"?story={story.pk}"
    return f"{reverse('job', args=[item.job_id])}{query}#story-{story.pk}"
