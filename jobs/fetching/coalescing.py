"""Request coalescing: of items that ask for the same at once, one fetches and the others reuse it.

The item that is first to write its key into `Item.fetch_key` is the leader and knows of no
followers. A follower waits with a claim of its own, reads the rows the leader writes and links its
files, as if they had just arrived; everything else (rows, names, times, ZIPs, limits, cancelling)
is its own. When the leader ends in any way but a whole result, a follower fetches what is missing
itself, derives from the files it has what is missing beside them, and may be followed in turn.
Nothing about the other item is shown, kept or counted.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from jobs.errors import BY_CODE, DiskFault, OurLimit
from jobs.fetching import author_pictures, derived_files
from jobs.fetching.reuse import reuse
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Audio, Item, ItemKind, Role, Story, StoryKind
from jobs.queue import claims, shutdown
from jobs.queue.claims import Claim
from jobs.states import SAVED, ItemState
from stories import structures
from stories.errors import AccessError, StoriesError
from stories.events import AvatarReady, Event, FileReady, Listed, MediaFailed, StoryFinished
from stories.left_out import LeftOutReason, stored
from stories.structures import Media, MediaKind

logger = logging.getLogger(__name__)

POLL_EVERY_S: Final = 0.4
"""Seconds between two reads of the leader's rows by a follower."""
FRESH: Final = timedelta(seconds=60)
"""A list older than this when the follower was claimed may lack its newest story."""
STALLED_AFTER: Final = timedelta(seconds=2.5 * claims.HEARTBEAT_EVERY_S)
"""A leader without a heartbeat for so long is not waited for. It may lose its claim later."""

_PLAIN: Final = frozenset({Role.MEDIA, Role.POSTER, Role.CONVERTED})


def fetch_key(item: Item) -> str:
    """A hash of the media an item would fetch; equal keys, equal media. Reads `item.job`.

    The option for posts counts for links alone, and the audio option not at all: audio is derived
    from what came. A link's author counts, for a link with the wrong name leads elsewhere.
    """
    posts = item.job.posts and item.kind != ItemKind.USER
    author = [item.target.get(name, "") for name in ("name", "user_id", "sec_uid")]
    text = "\n".join((item.key, *author, item.job.prefer, str(posts), item.only_ids))
    return hashlib.sha256(text.encode()).hexdigest()


def find_leader(fetch_key: str, audio: Audio) -> Leader | None:
    """The item that fetches this key right now; None when there is none any more.

    audio: the follower's own option.
    """
    # Nobody waits for a leader that is dead, or for one whose end somebody forgot to note.
    gone = Q(heartbeat_at__lte=timezone.now() - STALLED_AFTER) | ~Q(state=ItemState.RUNNING)
    Item.objects.filter(gone, fetch_key=fetch_key).update(fetch_key=None)
    columns = ("pk", "attempt", "listed_at", "job__audio")
    row = Item.objects.filter(fetch_key=fetch_key).values(*columns).first()
    if row is None:
        return None
    return Leader(
        Claim(row["pk"], row["attempt"]),
        fetch_key,
        listed_at=row["listed_at"],
        audio=_AudioOptions(ours=audio, theirs=Audio(row["job__audio"])),
    )


def find_sibling(item: Item) -> Leader | None:
    """The item that has saved for somebody else what the same look found; None without one.

    Two who watch an account share one transfer, whichever of their lines comes first.
    """
    if item.look_id is None:
        return None
    settled = Item.objects.filter(
        look_id=item.look_id, only_ids=item.only_ids, key=item.key, state__in=SAVED
    )
    for other in settled.select_related("job").exclude(pk=item.pk).order_by("settled_at"):
        if fetch_key(other) == fetch_key(item):
            return Leader(
                Claim(other.pk, other.attempt),
                "",
                listed_at=other.listed_at,
                audio=_AudioOptions(ours=Audio(item.job.audio), theirs=Audio(other.job.audio)),
            )
    return None


@dataclass(frozen=True, slots=True)
class _AudioOptions:
    """The audio options of the follower (ours) and of the leader (theirs)."""

    ours: Audio
    theirs: Audio

    @property
    def roles(self) -> frozenset[Role]:
        """Roles of the leader's files that can be reused."""
        if self.ours == Audio.NONE:
            return _PLAIN
        if self.ours == self.theirs:
            return _PLAIN | {Role.AUDIO_TRACK, Role.ATTACHED_SONG}
        return _PLAIN | {Role.ATTACHED_SONG}

    @property
    def to_make(self) -> Literal["m4a", "mp3"] | None:
        """The form of the audio track to derive from each reused video; None for none."""
        if self.ours == self.theirs or self.ours == Audio.NONE:
            return None
        return "mp3" if self.ours == Audio.MP3 else "m4a"

    @property
    def lacks_songs(self) -> bool:
        """The leader does not fetch the songs attached to photos, and the follower wants them."""
        return self.ours != Audio.NONE and self.theirs == Audio.NONE


class Leader:
    """Another item's attempt, seen through the rows it writes.

    complete: set once its events have ended, and they were all there is to have.
    """

    def __init__(
        self, claim: Claim, fetch_key: str, *, listed_at: datetime | None, audio: _AudioOptions
    ) -> None:
        self.item_id = claim.item_id
        self._claim, self._fetch_key = claim, fetch_key
        self._listed_at, self._audio = listed_at, audio
        self._photos = False
        self._listed: frozenset[str] | None = None
        self._left_out: Mapping[LeftOutReason, int] = {}
        self._taken: set[tuple[UUID, str, int]] = set()
        self._media: dict[UUID, int] = {}
        self._refused: dict[tuple[UUID, int], OurLimit] = {}
        self._finished: set[str] = set()
        self._without_sound: set[str] = set()
        self._author_picture: str | None = None
        self.complete = False

    def listed_before(self, moment: datetime) -> bool:
        """Whether the leader had its list before this moment."""
        return self._listed_at is not None and self._listed_at < moment

    def events(
        self, workspace: Workspace, have: Set[tuple[str, int]] = frozenset()
    ) -> Iterator[Event | None]:
        """The leader's events as if they happened here; None is a tick without one.

        have: media reused from an earlier leader. Ends with the leader's attempt. Raises the error
        its look-up ended with, where another one would end alike: an AccessError, or one that
        leaves nothing to save.
        """
        while True:
            row = self._row()
            if row is None:
                return
            # Read before the stories and files: once it is over, nothing is added any more.
            over = self._is_over(row)
            if row["listed_at"] or over:
                yield from self._new_events(row, workspace, have)
            if over:
                self._conclude(row)
                return
            # Asked to stop, a worker does not sleep on.
            shutdown.shutdown_requested.wait(POLL_EVERY_S)
            yield None

    def _row(self) -> dict[str, Any] | None:
        """The leader's row; None when it is gone, or at another attempt."""
        rows = Item.objects.filter(pk=self._claim.item_id, attempt=self._claim.attempt)
        columns = ("state", "fetch_key", "listed_at", "heartbeat_at", "error_code", "error_detail",
                   "left_out", "author_id", "author_name", "author_nickname",
                   "author_picture__digest")  # fmt: skip
        row = rows.values(*columns).first()
        return dict(row) if row else None

    def _is_over(self, row: dict[str, Any]) -> bool:
        if row["state"] != ItemState.RUNNING or row["fetch_key"] != self._fetch_key:
            return True
        heartbeat_at: datetime | None = row["heartbeat_at"]
        return heartbeat_at is None or heartbeat_at <= timezone.now() - STALLED_AFTER

    def _new_events(
        self, row: dict[str, Any], workspace: Workspace, have: Set[tuple[str, int]]
    ) -> Iterator[Event]:
        # Stories before files: of a story that is done, all the files are seen then.
        stories = list(Story.objects.filter(item=self._claim.item_id).order_by("position"))
        ids = frozenset(story.tiktok_id for story in stories)
        # Of an earlier attempt's list until this one has its own.
        left_out = stored(row["left_out"]) if row["listed_at"] else {}
        has_list = ids or left_out or (row["state"] == ItemState.EMPTY and not row["error_code"])
        if has_list and (ids, left_out) != (self._listed, self._left_out):
            self._listed, self._left_out = ids, left_out
            self._photos = any(story.kind != StoryKind.VIDEO for story in stories)
            yield _listing(row, stories, left_out)
        if row["author_picture__digest"] != self._author_picture:
            self._author_picture = row["author_picture__digest"]
            picture = author_pictures.of(self._claim.item_id)
            if picture is not None:
                yield AvatarReady(picture=picture)
        by_id = {story.pk: story for story in stories}
        files = Artifact.objects.present().filter(item=self._claim.item_id)
        for file in files.filter(role__in=self._audio.roles).order_by("created_at"):
            story = by_id.get(file.story_id) if file.story_id else None
            if story is None or (story.pk, file.role, file.position) in self._taken:
                continue
            self._taken.add((story.pk, file.role, file.position))
            if (story.pk, file.position) in self._refused:
                continue  # made of a file there is no room for
            ours = (story.tiktok_id, file.position) in have
            try:
                ready = None if ours else reuse(file, story, workspace)
            except OurLimit as error:
                yield from self._refuse(file, story, error)
                continue
            if ours or ready is not None:
                self._media[story.pk] = self._media.get(story.pk, 0) + (file.role == Role.MEDIA)
            if ready is not None:
                yield from self._with_audio(ready, workspace)
        for story in stories:
            refused = [error for key, error in self._refused.items() if key[0] == story.pk]
            saved = self._media.get(story.pk, 0)
            whole = saved + len(refused) == story.media_count
            whole = whole and story.tiktok_id not in self._without_sound
            if story.state == ItemState.DONE and whole and story.tiktok_id not in self._finished:
                self._finished.add(story.tiktok_id)
                yield StoryFinished(
                    story_id=story.tiktok_id,
                    saved=saved,
                    expected=story.media_count,
                    error=refused[0] if refused else None,
                )

    def _refuse(self, file: Artifact, story: Story, error: OurLimit) -> Iterator[MediaFailed]:
        """The follower has no room for a file: a failure where it is a medium; others go on.

        Raises a fault of the disk, which no file would get past.
        """
        if isinstance(error, DiskFault):
            raise error
        logger.info("no room for another item's %s: %s", file.role, error.code)
        if file.role == Role.MEDIA:
            self._refused[story.pk, file.position] = error
            yield MediaFailed(story_id=story.tiktok_id, position=file.position, error=error)

    def _with_audio(self, ready: FileReady, workspace: Workspace) -> Iterator[FileReady]:
        """A reused file, and its audio track where the leader has none in the form we want."""
        form = self._audio.to_make
        audio_track = None
        if form and ready.role == "media" and ready.verified.has_audio:
            # First: the recorder moves the file out of the workspace.
            try:
                audio_track = derived_files.make_audio(ready, form, workspace)
            except DiskFault:
                raise
            except StoriesError as error:
                logger.info("audio track not made: %s %s", error.code, error.detail)
                # The video is fetched and it is made once more, or said to be missing.
                self._without_sound.add(ready.story_id)
        yield ready
        if audio_track is not None:
            yield audio_track

    def _conclude(self, row: dict[str, Any]) -> None:
        error = BY_CODE.get(row["error_code"], StoriesError)
        if row["state"] == ItemState.EMPTY and row["error_code"]:
            if error.nothing_to_save:
                raise error(row["error_detail"])
        elif row["state"] in {ItemState.DONE, ItemState.EMPTY}:
            whole = self._listed is not None and self._finished == self._listed
            whole = whole and not self._left_out
            self.complete = whole and not (self._photos and self._audio.lacks_songs)
        elif (
            row["state"] == ItemState.FAILED and not self._listed and issubclass(error, AccessError)
        ):
            raise error(row["error_detail"])


def _listing(
    row: dict[str, Any], rows: list[Story], left_out: Mapping[LeftOutReason, int]
) -> Listed:
    author = structures.Author(
        id=row["author_id"], name=row["author_name"], nickname=row["author_nickname"]
    )
    stories = tuple(_listed_story(story, author) for story in rows)
    return Listed(author=author, stories=stories, left_out=left_out)


def _listed_story(story: Story, author: structures.Author) -> structures.Story:
    """A row as it was listed, without addresses: nothing is fetched from here."""
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
