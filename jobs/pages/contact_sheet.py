"""The contact sheet: a line of a long job as a row, with a film strip of its stories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _

from jobs.files.bundles import Amount, alone, amount_of
from jobs.pages.addresses import file_address
from jobs.pages.packed import packed, shared
from jobs.pages.presenter import PresentedLine
from jobs.pages.tiles import Tile, present_tile
from jobs.queries.job_view import FileView, ItemView, StoryView
from jobs.queries.titles import display_name
from jobs.states import ItemState
from jobs.templatetags.rings import ring_state
from jobs.text import isolated
from jobs.wording import time_of_day

THUMBS: Final = 6
"""Stories in the film strip of a row; the others are a number at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumb:
    """A story in a film strip.

    address: what the viewer opens, "" while nothing can be opened; kind: `video` or `image`;
    position: of that within the story. cover: address of its picture, "" without one. spoken: its
    link's name. leaving: `soon` or `last` when it is about to leave TikTok. short: `4/5` when a
    part did not arrive. coming: its files are on their way. damaged: the disk has kept none of it.
    """

    story: StoryView
    address: str
    kind: str
    position: int
    cover: str
    spoken: str
    leaving: str
    short: str
    coming: bool
    damaged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the row of a line shows beside the words of the line.

    initial: stands for its author where there is no picture. more: stories that are not in the
    strip. leaves_at: when the first of its stories leaves TikTok. percent: how far the line is,
    None unless it runs. amount: how much saving it hands over; share_bytes: of what a phone is
    handed instead, 0 for nothing. file: a picture or video that is alone in it. refetchable: all
    its files are gone again, and TikTok has a story of it still.
    """

    initial: str
    thumbs: tuple[Thumb, ...]
    more: int
    leaves_at: datetime | None
    percent: int | None
    amount: Amount
    share_bytes: int
    file: FileView | None
    refetchable: bool

    @property
    def file_address(self) -> str:
        """Where `file` is; "" without one."""
        return file_address(self.file) if self.file else ""


def row_of(line: PresentedLine) -> Row:
    """The row of a line."""
    item, now = line.item, line.now
    shown = item.stories if len(item.stories) <= THUMBS else item.stories[: THUMBS - 1]
    files = packed(item.stories)
    return Row(
        initial=(item.name or line.title)[:1],
        thumbs=tuple(_thumb(story, item, now) for story in shown),
        more=len(item.stories) - len(shown),
        leaves_at=leaves_first(item, now),
        percent=_percent(item),
        amount=amount_of(files),
        share_bytes=sum(file.size_bytes for file in shared(item.stories)),
        file=alone(files),
        refetchable=not item.open and not files and any(_gone_again(item, now)),
    )


def leaves_first(item: ItemView, now: datetime) -> datetime | None:
    """When the first of a line's stories that are still on TikTok leaves it; else when the last
    one did; None for a line without stories that leave."""
    moments = [story.leaves_at for story in item.stories if story.leaves_at is not None]
    ahead = [moment for moment in moments if moment > now]
    return min(ahead, default=max(moments, default=None))


def leaving_first(lines: Sequence[PresentedLine]) -> tuple[PresentedLine, ...]:
    """The lines in the order in which they leave TikTok: those that have left, and those without
    a story, come last, as they were."""

    def rank(line: PresentedLine) -> tuple[bool, float]:
        moment = leaves_first(line.item, line.now)
        ahead = moment is not None and moment > line.now
        return not ahead, moment.timestamp() if moment is not None and ahead else 0.0

    return tuple(sorted(lines, key=rank))


def spoken(story: StoryView, item: ItemView, tile: Tile) -> str:
    """A story for those who do not see its picture: `@nora, 2 photos, posted 8:13, saved and
    checked`."""
    posted = _("posted %(time)s") % {"time": time_of_day(story.posted_at)}
    name = isolated(display_name(item.name, item.line))
    return ", ".join((name, tile.title, posted, _fate(tile)))


def _fate(tile: Tile) -> str:
    if tile.removed_at:
        return _("damaged on the disk") if tile.damaged else _("deleted")
    if tile.coming:
        return _("on its way")
    if not tile.viewer_items:
        return _("not saved")
    if tile.tally:
        saved, wanted = tile.tally.split("/")
        return _("%(saved)s of %(wanted)s saved") % {"saved": saved, "wanted": wanted}
    return _("saved and checked") if tile.checked else _("saved and opened")


def _thumb(story: StoryView, item: ItemView, now: datetime) -> Thumb:
    tile = present_tile(story, item, now)
    first = tile.viewer_items[0] if tile.viewer_items else None
    state = ring_state(story.leaves_at, now)
    return Thumb(
        story=story,
        address=first.address if first else "",
        kind=first.kind if first else "",
        position=first.file.position if first else 0,
        cover=tile.cover_address if first else "",
        spoken=spoken(story, item, tile),
        leaving=state if state in {"soon", "last"} else "",
        short=tile.tally,
        coming=tile.coming,
        damaged=bool(tile.removed_at and tile.damaged),
    )


def _percent(item: ItemView) -> int | None:
    return int(100 * item.progress.share) if item.state == ItemState.RUNNING else None


def _gone_again(item: ItemView, now: datetime) -> Iterable[bool]:
    return (bool(story.files) and story.is_on_tiktok(now) for story in item.stories)
