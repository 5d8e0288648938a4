"""Files derived from a picture or video that is here already: from its bytes, without a transfer.

A harvest derives them as a file arrives. It is done here where a harvest ended between the two, and
for another item's video whose sound is wanted in another form.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Set
from typing import BinaryIO, Final, Literal

from django.utils import timezone

from jobs.errors import DiskFault
from jobs.files import store
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Audio, Role
from stories.errors import StoriesError
from stories.events import FileReady
from stories.media import derive
from stories.media.download import digest
from stories.structures import Verified

logger = logging.getLogger(__name__)

_Derived = Literal["poster", "converted", "audio_track"]
_ROLES: Final[tuple[tuple[Role, _Derived], ...]] = (
    (Role.POSTER, "poster"),
    (Role.CONVERTED, "converted"),
    (Role.AUDIO_TRACK, "audio_track"),
)


def make_missing(
    underived: Iterable[tuple[Artifact, Set[Role]]], audio: str, workspace: Workspace
) -> Iterator[FileReady]:
    """Make the files that are missing beside saved ones, as if they had just arrived.

    underived: saved files, each with its story, and the roles to make of it. audio: the job's
    option. What cannot be made is left out, and so is everything of a file deleted a moment ago.
    """
    for artifact, missing in underived:
        for row_role, role in _ROLES:
            if row_role not in missing:
                continue
            try:
                with store.open_artifact(artifact.pk) as source:
                    event = _make_of_saved(artifact, source, role, audio, workspace)
            except FileNotFoundError:
                break
            except DiskFault:
                raise
            except StoriesError as error:
                logger.info("%s not made of a saved file: %s %s", role, error.code, error.detail)
                continue
            if event is not None:
                yield event


def make_audio(
    ready: FileReady, form: Literal["m4a", "mp3"], workspace: Workspace
) -> FileReady | None:
    """Make the audio track of a video in the workspace; None when it has no sound.

    Raises MediaCorrupt, TooLarge or DiskFull.
    """
    with workspace.open(ready.key) as source:
        return _make(
            lambda out: derive.audio_track(source, out, form),
            ready.story_id,
            ready.position,
            "audio_track",
            workspace,
        )


def _make_of_saved(
    artifact: Artifact, source: BinaryIO, role: _Derived, audio: str, workspace: Workspace
) -> FileReady | None:
    """Make one file of a saved one; None for the sound of a silent video. Raises as make_audio."""
    story = artifact.story
    if story is None:
        return None

    def make(out: BinaryIO) -> Verified | None:
        if role == "poster":
            return derive.poster(source, artifact.content_type, out)
        if role == "audio_track":
            return derive.audio_track(source, out, "mp3" if audio == Audio.MP3 else "m4a")
        # Not the owner's zone: others whom the file is shared with would learn it.
        zone, checked = timezone.get_default_timezone(), artifact.checked
        return derive.as_jpeg(source, out, posted_at=story.posted_at, zone=zone, checked=checked)

    return _make(make, story.tiktok_id, artifact.position, role, workspace)


def _make(
    make: Callable[[BinaryIO], Verified | None],
    story_id: str,
    position: int,
    role: _Derived,
    workspace: Workspace,
) -> FileReady | None:
    """Make a file in the workspace; None when there is nothing to make."""
    key, out = workspace.create()
    try:
        with out:
            verified = make(out)
            if verified is None:
                workspace.discard(key)
                return None
            out.flush()
            size_bytes, sha256 = out.seek(0, os.SEEK_END), digest(out)
    except StoriesError:
        workspace.discard(key)
        raise
    return FileReady(
        story_id=story_id,
        position=position,
        role=role,
        key=key,
        size_bytes=size_bytes,
        sha256=sha256,
        verified=verified,
        labels=(role,),
    )
