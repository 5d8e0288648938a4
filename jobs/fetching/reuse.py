"""Reusing a saved file: linked into a workspace, as if it had just arrived there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

from jobs.files.workspace import Workspace
from jobs.models import Artifact, Role, Story
from stories import events
from stories.events import FileReady
from stories.structures import Verified

_ROLES: Final[Mapping[str, events.Role]] = {
    Role.MEDIA: "media",
    Role.POSTER: "poster",
    Role.CONVERTED: "converted",
    Role.AUDIO_TRACK: "audio_track",
    Role.ATTACHED_SONG: "attached_song",
}
"""Roles that are reused. ZIPs are not: they hold the note only their owner wrote."""


def reuse(file: Artifact, story: Story, workspace: Workspace) -> FileReady | None:
    """Link a saved file into the workspace; None when it was deleted a moment ago.

    Raises QuotaExceeded, for linked bytes count for every owner, and DiskFull where they cannot be
    linked.
    """
    try:
        key = workspace.link_existing(file)
    except FileNotFoundError:
        return None
    return FileReady(
        story_id=story.tiktok_id,
        position=file.position,
        role=_ROLES[file.role],
        key=key,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        verified=Verified(
            content_type=file.content_type,
            suffix=PurePath(file.name).suffix,
            width=file.width,
            height=file.height,
            duration_s=file.duration_s,
            has_audio=file.has_audio,
            checked=file.checked,
        ),
        labels=tuple(file.labels),
    )
