"""Where a file of the library lies: by member, author and year, under a name that sorts.

    <member>/<author>/<year>/<date>_<time>_<author>_<id>_<nn>.jpg

Names are harmless on every system, and short enough for their sidecars to have longer ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from typing import Final

from jobs.files import names, times
from jobs.library.sidecar import LibraryStory

MEMBER_BYTES: Final = 80
MOST_NAMES: Final = 1000
"""So many names are tried for one file."""
SIDECAR: Final = ".xmp"
STORY: Final = ".story.json"

_ID_BYTES: Final = 32


def member_folder(username: str, taken: Collection[str]) -> str:
    """The name of a member's folder: theirs, or with `-2`, `-3`, … after it, whichever is free.

    taken: the `collision_key` of all others'.
    """
    name = names.safe_filename(username, limit=MEMBER_BYTES, fallback="member")
    tails = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    return next(name + tail for tail in tails if names.collision_key(name + tail) not in taken)


def folders(member: str, story: LibraryStory) -> list[str]:
    """The folders a story's files lie in. member: as `member_folder` has named it."""
    year = times.local(story.posted_at, story.zone).year
    return [member, names.folder_name(story.author_name), f"{year:04d}"]


def media_names(story: LibraryStory, position: int, suffix: str) -> Iterator[str]:
    """The names of a picture or video, the best one first. suffix: with its dot."""
    yield from _numbered(f"{_stem(story)}_{position:02d}", names.checked_suffix(suffix))


def story_names(story: LibraryStory) -> Iterator[str]:
    """The names of a story's JSON, the best one first."""
    yield from _numbered(_stem(story), STORY)


def _stem(story: LibraryStory) -> str:
    date, time = names.date_and_time(story.posted_at, story.zone)
    author = names.safe_author(story.author_name)
    story_id = names.safe_filename(story.tiktok_id, limit=_ID_BYTES, fallback="0")
    return f"{date}_{time}_{author}_{story_id}"


def _numbered(stem: str, suffix: str) -> Iterator[str]:
    yield f"{stem}{suffix}"
    for number in range(2, MOST_NAMES):
        yield f"{stem}-{number}{suffix}"
