"""What a fetched video still lacks: the sound that is listed beside it, the name that players know.

Used by obtain.py on files that are verified and whole; nothing here loses one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from stories.client import StoryClient
from stories.errors import MediaError, StoriesError, TooLarge, Unplayable, UpstreamError
from stories.http.session import Session
from stories.media import remux
from stories.media.download import measure, size_limit
from stories.media.playback import file_labels
from stories.media.posters import Poster
from stories.structures import Fetched, Media, MediaKind, Verified
from stories.transfer_slots import TransferSlots
from stories.workspace import Draft, Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObtainedFile:
    """A verified file, in a draft that is still open.

    labels: for the person who gets it, by the bytes and not by the listing: "hevc", "odd_format",
    "no_sound", and "watermarked", "joined", "retagged", "sound_missing". lacks: why it is without
    the sound that there is; None where nothing of it is missing. poster: of its first picture; None
    where none was wanted or it says too little.
    """

    fetched: Fetched
    verified: Verified
    labels: tuple[str, ...]
    draft: Draft
    lacks: StoriesError | None = None
    poster: Poster | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Completes the video files of one media item.

    drafts: closes every draft made here. tried: addresses that were requested; those requested here
    are added. useless: addresses of what is no better on another day; likewise. slots: as the line
    sees them. on_failure: told of each error that leaves a file as it is.
    """

    media: Media
    client: StoryClient
    workspace: Workspace
    drafts: ExitStack
    tried: set[str]
    useless: set[str]
    slots: TransferSlots
    on_failure: Callable[[StoriesError], None]

    async def with_sound(self, track: ObtainedFile, session: Session) -> ObtainedFile:
        """A video track joined with its sound; as it is where it has sound, or none can be had.

        Raises a StoriesError when there is no room for both.
        """
        sound = track.fetched.variant.sound
        if track.verified.has_audio or sound is None:
            return track
        while not self.tried.issuperset(sound.urls):
            try:
                return await self._joined(track, session)
            except (MediaError, UpstreamError) as error:
                logger.info("a video track stays without sound: %s %s", error.code, error.detail)
                self.on_failure(error)
                if isinstance(error, TooLarge | Unplayable):
                    self.tried.update(sound.urls)
                    self.useless.update(sound.urls)
        return track

    async def _joined(self, track: ObtainedFile, session: Session) -> ObtainedFile:
        sound = track.fetched.variant.sound
        assert sound is not None  # noqa: S101  # nosec B101  # the caller has looked
        limit = size_limit(self.client.config, MediaKind.VIDEO)
        part, joined = (
            self.drafts.enter_context(Draft(self.workspace, self.client.decoder_threads))
            for _ in range(2)
        )
        fetched = await self.client.fetch(
            sound,
            part.file,
            session,
            kind=MediaKind.SONG,
            tried=self.tried,
            reserve=part.reserve,
            run_blocking=part.run,
            slots=self.slots,
        )
        size_bytes = track.fetched.size_bytes + fetched.size_bytes
        if size_bytes > limit:
            raise TooLarge(f"{size_bytes} bytes with its sound, at most {limit}")
        joined.reserve(size_bytes)
        verified = await joined.run(
            partial(
                remux.join,
                track.draft.file,
                part.file,
                joined.file,
                seen=track.verified,
                announced_s=self.media.duration_s,
            ),
            also=(track.draft, part),
        )
        labels = (*track.labels, "joined")
        return await _measured(replace(track, verified=verified, draft=joined, labels=labels))

    async def with_entry_corrected(self, video: ObtainedFile) -> ObtainedFile:
        """A video whose sample entry keeps players away, renamed; as it is where that is not so."""
        draft, verified = video.draft, video.verified
        if not verified.mislabelled:
            return video
        corrected = await draft.run(
            partial(remux.correct_entry, draft.file, verified, announced_s=self.media.duration_s)
        )
        if corrected is verified:
            return video
        labels = (*video.labels, "retagged")
        return await _measured(replace(video, verified=corrected, labels=labels))


def with_file_labels(video: ObtainedFile) -> ObtainedFile:
    """The video with the labels that its bytes earn in front."""
    verified = video.verified
    earned = file_labels(verified.codec, verified.playability, has_sound=verified.has_audio)
    return replace(video, labels=(*earned, *video.labels))


async def _measured(changed: ObtainedFile) -> ObtainedFile:
    """The file with the size and checksum of the bytes that are there now."""
    draft = changed.draft
    size_bytes, sha256 = await draft.run(partial(measure, draft.file))
    return replace(changed, fetched=replace(changed.fetched, size_bytes=size_bytes, sha256=sha256))
