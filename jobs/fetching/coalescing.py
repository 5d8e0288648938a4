"""Two items that ask for the same thing at once: one fetches, the others take over what it saves.

Whoever is first to write its subject into `Item.leads` is the leader and knows of no followers. A
follower waits with a claim of its own, reads what the leader has written down and links its files,
as if they had just arrived; everything else (rows, names, times, ZIPs, limits, cancelling) is its
own. When the leader ends in any way but a whole result, a follower fetches what is missing itself,
and may be followed in turn. Nothing about the other item is shown, kept or counted.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, Final, Literal
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from jobs.errors import BY_CODE
from jobs.files import store
from jobs.models import Artifact, Audio, Item, ItemKind, Role, Story, StoryKind
from jobs.queue import settling
from jobs.queue.settling import Claim
from jobs.states import ItemState
from stories import events, structures
from stories.errors import AccessError, MediaCorrupt, StoriesError
from stories.events import Event, FileReady, Listed, StoryFinished
from stories.media import derive
from stories.media.download import digest
from stories.structures import Media, MediaKind, Verified

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.4
"""How often a follower looks at what the leader has."""
FRESH: Final = timedelta(seconds=60)
"""A list older than this, by the time someone asks, may lack what they want to see."""
SILENT: Final = timedelta(seconds=2.5 * settling.RENEW_S)
"""A leader without a sign of life for so long is not waited for. It may lose its claim later."""

_PLAIN: Final = frozenset({Role.MEDIA, Role.POSTER, Role.CONVERTED})
_ROLES: Final[Mapping[str, events.Role]] = {
    Role.MEDIA: "media",
    Role.POSTER: "poster",
    Role.CONVERTED: "converted",
    Role.AUDIO_TRACK: "audio_track",
    Role.ATTACHED_SONG: "attached_song",
}
"""What is taken over. ZIPs are not: they hold what only their owner wrote."""


def subject(item: Item) -> str:
    """What an item is about to fetch: equal when the same media would come. Needs `item.job`.

    An account shows its stories whatever was said about posts, and sound is made of what came.
    A link names an author, too, and the wrong name leads elsewhere than the right one.
    """
    posts = item.job.posts and item.kind != ItemKind.USER
    author = [item.target.get(name, "") for name in ("name", "user_id", "sec_uid")]
    text = "\n".join((item.key, *author, item.job.prefer, str(posts)))
    return hashlib.sha256(text.encode()).hexdigest()


def leader_of(what: str, audio: Audio) -> Leader | None:
    """Who fetches this right now; None when nobody does any more. audio: what we want of sound."""
    # Nobody waits for a leader that is dead, or for one whose end somebody forgot to note.
    gone = Q(heartbeat_at__lte=timezone.now() - SILENT) | ~Q(state=ItemState.RUNNING)
    Item.objects.filter(gone, leads=what).update(leads=None)
    fields = ("pk", "attempt", "listed_at", "job__audio")
    found = Item.objects.filter(leads=what).values(*fields).first()
    if found is None:
        return None
    sound = _Sound(ours=audio, theirs=Audio(found["job__audio"]))
    return Leader(Claim(found["pk"], found["attempt"]), what, found["listed_at"], sound)


@dataclass(frozen=True, slots=True)
class _Sound:
    """What each of the two wants of the sound."""

    ours: Audio
    theirs: Audio

    @property
    def roles(self) -> frozenset[Role]:
        """What can be taken over of theirs."""
        if self.ours == Audio.NONE:
            return _PLAIN
        if self.ours == self.theirs:
            return _PLAIN | {Role.AUDIO_TRACK, Role.ATTACHED_SONG}
        return _PLAIN | {Role.ATTACHED_SONG}

    @property
    def to_make(self) -> Literal["m4a", "mp3"] | None:
        """What has to be made of each video that arrives."""
        if self.ours == self.theirs or self.ours == Audio.NONE:
            return None
        return "mp3" if self.ours == Audio.MP3 else "m4a"

    @property
    def lacks_songs(self) -> bool:
        """They do not ask TikTok for the songs behind photos, and we do."""
        return self.ours != Audio.NONE and self.theirs == Audio.NONE


class Leader:
    """Another item's attempt, seen through what it writes down."""

    def __init__(self, claim: Claim, what: str, listed_at: datetime | None, sound: _Sound) -> None:
        self.item_id = claim.item_id
        self._claim, self._what, self._listed_at, self._sound = claim, what, listed_at, sound
        self._photos = False
        self._listed: frozenset[str] | None = None
        self._taken: set[tuple[UUID, str, int]] = set()
        self._media: dict[UUID, int] = {}
        self._finished: set[str] = set()
        self.complete = False

    def listed_before(self, moment: datetime) -> bool:
        """Was the list already here then?"""
        return self._listed_at is not None and self._listed_at < moment

    def events(
        self, workspace: store.Workspace, have: Set[tuple[str, int]] = frozenset()
    ) -> Iterator[Event | None]:
        """What happens over there, as if it happened here; None: time passed.

        have: story id and position of media another leader's files were taken over of before.
        Ends with the leader's attempt; `complete` then says whether that was all there is. Raises
        what the look-up ended with when that would be nobody else's luck either.
        """
        while True:
            seen = self._look()
            if seen is None:
                return
            # Looked at before what was written: once it is over, nothing is added any more.
            over = self._is_over(seen)
            if seen["listed_at"] or over:
                yield from self._written(seen, workspace, have)
            if over:
                self._conclude(seen)
                return
            # Asked to stop, a worker does not sleep on.
            settling.stopping.wait(LOOK_S)
            yield None

    def _look(self) -> dict[str, Any] | None:
        """The leader's row; None when it is gone, or at another attempt."""
        rows = Item.objects.filter(pk=self._claim.item_id, attempt=self._claim.attempt)
        fields = ("state", "leads", "listed_at", "heartbeat_at", "error_code", "error_detail",
                  "author_id", "author_name", "author_nickname")  # fmt: skip
        seen = rows.values(*fields).first()
        return dict(seen) if seen else None

    def _is_over(self, seen: dict[str, Any]) -> bool:
        if seen["state"] != ItemState.RUNNING or seen["leads"] != self._what:
            return True
        sign_of_life: datetime | None = seen["heartbeat_at"]
        return sign_of_life is None or sign_of_life <= timezone.now() - SILENT

    def _written(
        self, seen: dict[str, Any], workspace: store.Workspace, have: Set[tuple[str, int]]
    ) -> Iterator[Event]:
        # Stories before files: of a story that is done, all the files are seen then.
        stories = list(Story.objects.filter(item=self._claim.item_id).order_by("position"))
        ids = frozenset(story.tiktok_id for story in stories)
        if ids != self._listed and (ids or seen["state"] == ItemState.EMPTY):
            self._listed = ids
            self._photos = any(story.kind != StoryKind.VIDEO for story in stories)
            yield _listing(seen, stories)
        by_id = {story.pk: story for story in stories}
        files = Artifact.objects.present().filter(item=self._claim.item_id)
        for file in files.filter(role__in=self._sound.roles).order_by("created_at"):
            story = by_id.get(file.story_id) if file.story_id else None
            if story is None or (story.pk, file.role, file.position) in self._taken:
                continue
            self._taken.add((story.pk, file.role, file.position))
            ours = (story.tiktok_id, file.position) in have
            ready = None if ours else _ready(file, story, workspace)
            if ours or ready is not None:
                self._media[story.pk] = self._media.get(story.pk, 0) + (file.role == Role.MEDIA)
            if ready is not None:
                yield from self._with_sound(ready, workspace)
        for story in stories:
            whole = self._media.get(story.pk) == story.media_count
            if story.state == ItemState.DONE and whole and story.tiktok_id not in self._finished:
                self._finished.add(story.tiktok_id)
                count = story.media_count
                yield StoryFinished(story_id=story.tiktok_id, saved=count, expected=count)

    def _with_sound(self, ready: FileReady, workspace: store.Workspace) -> Iterator[FileReady]:
        """A file, and the sound of it where they keep it in another form than we want, or none."""
        form = self._sound.to_make
        made = None
        if form and ready.role == "media" and ready.verified.has_audio:
            made = _sound_of(ready, workspace, form)  # first: the file is moved once it is told
        yield ready
        if made is not None:
            yield made

    def _conclude(self, seen: dict[str, Any]) -> None:
        if seen["state"] in {ItemState.DONE, ItemState.EMPTY}:
            whole = self._listed is not None and self._finished == self._listed
            self.complete = whole and not (self._photos and self._sound.lacks_songs)
        elif seen["state"] == ItemState.FAILED and not self._listed:
            error = BY_CODE.get(seen["error_code"], StoriesError)
            if issubclass(error, AccessError):
                raise error(seen["error_detail"])


def _listing(seen: dict[str, Any], stories: list[Story]) -> Listed:
    author = structures.Author(
        id=seen["author_id"], name=seen["author_name"], nickname=seen["author_nickname"]
    )
    told = tuple(_told(story, author) for story in stories)
    return Listed(author=author, stories=told, dropped={})


def _told(story: Story, author: structures.Author) -> structures.Story:
    """A row as it was listed, without any address: nothing is fetched from here."""
    kind = structures.StoryKind(story.kind)
    media = MediaKind.VIDEO if kind is structures.StoryKind.VIDEO else MediaKind.PICTURE
    return structures.Story(
        id=story.tiktok_id,
        kind=kind,
        author=author,
        posted_at=story.posted_at,
        leaves_at=story.leaves_at,
        caption=story.caption,
        media=tuple(
            Media(kind=media, position=position, variants=())
            for position in range(1, story.media_count + 1)
        ),
        is_story=story.is_story,
        source_url=story.source_url,
    )


def _ready(file: Artifact, story: Story, workspace: store.Workspace) -> FileReady | None:
    """The leader's file in our workspace; None when it was deleted a moment ago.

    Raises DiskFull and QuotaExceeded: linked bytes count for everyone who has them.
    """
    workspace.reserve(file.size_bytes)
    try:
        key = workspace.link_existing(file.pk)
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
        ),
        labels=tuple(file.labels),
    )


def _sound_of(
    ready: FileReady, workspace: store.Workspace, form: Literal["m4a", "mp3"]
) -> FileReady | None:
    """The sound of a video of our workspace; None, and a line in the log, when it has none."""
    key, out = workspace.create()
    try:
        with out, workspace.open(ready.key) as source:
            made = derive.audio_track(source, out, form)
            if made is None:
                raise MediaCorrupt("no sound in it")
            out.flush()
            size_bytes, sha256 = out.seek(0, os.SEEK_END), digest(out)
    except StoriesError as error:
        workspace.discard(key)
        logger.info("audio track not made: %s %s", error.code, error.detail)
        return None
    return FileReady(
        story_id=ready.story_id,
        position=ready.position,
        role="audio_track",
        key=key,
        size_bytes=size_bytes,
        sha256=sha256,
        verified=made,
        labels=("audio_track",),
    )
