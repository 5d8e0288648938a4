"""The files of a snapshot, each once however many lines it came by: what was saved of what, what a
ZIP would hold, and what a phone is handed.

One story can come by two lines of a job, by its author's name and by its own link. Each line has
files of its own then, and the person who asked has one story.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jobs.files.bundles import PACKED_ROLES, copy_key
from jobs.models import Role
from jobs.queries.job_view import FileView, StoryView

_Key = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaCount:
    """Pictures and videos of some stories.

    wanted: those saved, and those that never arrived. saved: ever. here: can be downloaded. opened:
    of those saved, how many are only known to open.
    """

    wanted: int
    saved: int
    here: int
    opened: int


def count_media(stories: Iterable[StoryView]) -> MediaCount:
    """The pictures and videos of these stories, each once."""
    checked: dict[_Key, bool] = {}
    here: set[_Key] = set()
    arrived: set[tuple[str, int]] = set()
    promised: set[tuple[str, int]] = set()
    for story in stories:
        promised.update((story.tiktok_id, place) for place in range(1, story.media_count + 1))
        for file in story.files:
            if file.role == Role.MEDIA:
                key = _key(story, file)
                checked[key] = checked.get(key, False) or file.checked
                arrived.add((story.tiktok_id, file.position))
                if file.present:
                    here.add(key)
    return MediaCount(
        wanted=len(checked) + len(promised - arrived),
        saved=len(checked),
        here=len(here),
        opened=sum(not is_checked for is_checked in checked.values()),
    )


def packed(stories: Iterable[StoryView]) -> list[FileView]:
    """The files a ZIP of these stories would hold: as `jobs.zips.contents` finds them."""
    unique: dict[_Key, FileView] = {}
    for story in stories:
        for file in story.present:
            if file.role in PACKED_ROLES:
                unique.setdefault(_key(story, file), file)
    return list(unique.values())


def shareable(story: StoryView) -> dict[int, FileView]:
    """For each picture and video that is here, by position, the file for a phone's photo library:
    the JPEG made from it, where there is one."""
    made = {file.position: file for file in story.present if file.role == Role.CONVERTED}
    return {
        file.position: made.get(file.position, file)
        for file in sorted(story.present, key=lambda file: file.position)
        if file.role == Role.MEDIA and 0 < file.position <= story.media_count
    }


def shared(stories: Iterable[StoryView]) -> list[FileView]:
    """The files a phone is handed of these stories."""
    first: dict[_Key, FileView] = {}
    for key, file in _shares(stories):
        first.setdefault(key, file)
    return list(first.values())


def shared_twice(stories: Iterable[StoryView]) -> list[tuple[FileView, FileView]]:
    """Files that a phone is not handed beside another one: it and that other one, its copy."""
    first: dict[_Key, FileView] = {}
    pairs = ((file, first.setdefault(key, file)) for key, file in _shares(stories))
    return [(file, copy) for file, copy in pairs if file is not copy]


def _shares(stories: Iterable[StoryView]) -> Iterator[tuple[_Key, FileView]]:
    for story in stories:
        files = shareable(story)
        for file in story.present:
            if file.role == Role.MEDIA and file.position in files:
                yield _key(story, file), files[file.position]


def _key(story: StoryView, file: FileView) -> _Key:
    return copy_key(story.tiktok_id, file.role, file.position, file.sha256)
