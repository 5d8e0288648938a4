"""Which files of a snapshot a ZIP would hold."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.files.bundles import PACKED_ROLES, copy_key
from jobs.queries.job_view import FileView, StoryView


def packed(stories: Iterable[StoryView]) -> list[FileView]:
    """The files a ZIP of these stories would hold: as `jobs.zips.contents` finds them."""
    unique: dict[tuple[object, ...], FileView] = {}
    for story in stories:
        for file in story.present:
            if file.role in PACKED_ROLES:
                key = copy_key(story.tiktok_id, file.role, file.position, file.sha256)
                unique.setdefault(key, file)
    return list(unique.values())
