"""Names of a story's files, made from a template: what is filled in, and what keeps them apart.

What comes from TikTok is made harmless before it is filled in, and the whole once more. A value
that is not there takes along the `_`, `-` and spaces before it. Where no value is left, and no text
of the template either, the author stands in for them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from django.conf import settings

from jobs import name_template
from jobs.files import names, times
from jobs.models import Item, Job, Story
from jobs.name_template import Part, Placeholder

TAGS: Final[Mapping[str, str]] = {"poster": "poster", "attached_song": "song"}
"""Roles whose names need more than their suffix to stand apart from the story itself."""
STEM_BYTES: Final = names.NAME_BYTES - 40
"""What a name may be long before its number, its tag and its suffix."""
CAPTION_LENGTH: Final = 60
"""Characters of a caption where the template does not say how many."""
_SEPARATORS: Final = " _-"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFacts:
    """What can be filled in of a story. author: TikTok's name; zone: whose clock names show.

    kind: `video`, `photo` or `carousel`. template: as the user or the instance has chosen it.
    """

    author: str
    posted_at: datetime
    zone: tzinfo
    nickname: str = ""
    caption: str = ""
    kind: str = ""
    story_id: str = ""
    template: str = name_template.DEFAULT


def template_of(job: Job) -> str:
    """The template a job's files are named by: as its owner had chosen it, else the instance's."""
    return job.name_template or settings.STORYKEEP.filename_template


def of_story(story: Story, item: Item) -> NameFacts:
    """The facts of a row. item: its line, with its job."""
    return NameFacts(
        author=item.author_name,
        nickname=item.author_nickname,
        caption=story.caption,
        kind=story.kind,
        story_id=story.tiktok_id,
        posted_at=story.posted_at,
        zone=times.zone_of(item.job),
        template=template_of(item.job),
    )


def media_name(facts: NameFacts, number: int | None, suffix: str, *, tag: str = "") -> str:
    """`name_2026-11-20_1403_01.jpg`, or as the template has it.

    number: of the picture in its story, from 1; None for the only picture or video, which goes
    without. It is added at the end where the template leaves it out, or is so long that it was cut
    off: they would be told apart by chance. suffix: with its dot, by the bytes. tag: sets an extra
    apart from the story itself (`poster`, `song`). Pass the result to `unique_name` where other
    files may have the same name: when the clock is set back in autumn, an hour comes twice.
    """
    extra = f"_{names.safe_filename(tag, limit=20)}" if tag else ""
    return f"{_stem(facts, number)}{extra}{names.checked_suffix(suffix)}"


def carousel_name(facts: NameFacts) -> str:
    """`name_2026-11-20_1403.zip`."""
    return f"{_stem(facts, None)}.zip"


def sidecar_name(facts: NameFacts) -> str:
    """`name_2026-11-20_1403_story.json`."""
    return f"{_stem(facts, None)}_story.json"


def _stem(facts: NameFacts, number: int | None) -> str:
    place = "" if number is None else f"{number:02d}"
    parts = name_template.parse(facts.template)
    numbered = any(isinstance(part, Placeholder) and part.name == "number" for part in parts)
    text = _fitting(_pieces(parts, facts, place))
    by_author = names.safe_author(facts.author)
    stem = names.safe_filename(text, limit=STEM_BYTES, fallback=by_author)
    is_whole = len(text.encode()) <= STEM_BYTES  # else the number may be what was cut off
    return stem if not place or (numbered and is_whole) else f"{stem}_{place}"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a name. placeholder: what was filled in; "" for text of the template."""

    placeholder: str
    text: str


def _pieces(parts: tuple[Part, ...], facts: NameFacts, number: str) -> list[_Piece]:
    date, time = names.date_and_time(facts.posted_at, facts.zone)
    values = {
        "author": names.safe_author(facts.author),
        "nickname": _free_text(facts.nickname),
        "caption": _free_text(facts.caption),
        "date": date,
        "time": time,
        "number": number,
        "kind": _free_text(facts.kind),
        "id": _free_text(facts.story_id),
    }
    pieces = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(_Piece("", part))
            continue
        value = values[part.name]
        limit = part.limit or (CAPTION_LENGTH if part.name == "caption" else None)
        pieces.append(_Piece(part.name, names.cut_characters(value, limit) if limit else value))
    return pieces


@functools.lru_cache(maxsize=256)  # of each file of a story
def _free_text(text: str) -> str:
    return names.safe_filename(text, fallback="") if text else ""


def _fitting(pieces: Sequence[_Piece]) -> str:
    """The pieces put together, in about STEM_BYTES of UTF-8.

    What is too long gives way where it does least harm: first the caption, then the nickname, then
    the author.
    """
    for name in ("caption", "nickname", "author"):
        over = len(_joined(pieces).encode()) - STEM_BYTES
        if over <= 0:
            break
        pieces = [
            _shortened(piece, over) if piece.placeholder == name else piece for piece in pieces
        ]
    return _joined(pieces)


def _shortened(piece: _Piece, by_bytes: int) -> _Piece:
    left = max(0, len(piece.text.encode()) - by_bytes)
    return _Piece(piece.placeholder, names.cut(piece.text, left).rstrip())


def _joined(pieces: Sequence[_Piece]) -> str:
    text = ""
    for piece in pieces:
        if piece.placeholder and not piece.text:
            text = text.rstrip(_SEPARATORS)
        elif not text and not piece.placeholder:
            # What stood before is missing, and nothing is left to be set apart from.
            text = piece.text.lstrip(_SEPARATORS)
        else:
            text += piece.text
    return text
