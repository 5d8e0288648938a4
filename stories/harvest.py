"""Harvest: a target becomes verified files, reported as events; no database, no paths, no retries.

Consumed by jobs/fetching/pipeline.py and the fetch command. The events are in stories/events.py;
the files live in a workspace that the caller supplies.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import BinaryIO, Literal

from stories.avatars import AvatarFetch
from stories.client import StoryClient
from stories.completion import ObtainedFile
from stories.errors import Gone, MediaError, SoundMissing, StoriesError, TimedOut, UpstreamError
from stories.events import (
    Event,
    FileReady,
    Listed,
    MediaFailed,
    Resolved,
    Role,
    StoryFinished,
    Transferring,
    UnknownHosts,
    Warned,
)
from stories.left_out import counted
from stories.lookup import look_up
from stories.media import derive
from stories.obtain import RenewableLookup, obtain
from stories.structures import Author, Media, MediaKind, Story, Target, Verified
from stories.time_limit import TimeLimit
from stories.transfer_slots import FileSlots, TransferSlots, is_large
from stories.ways import LookupResult
from stories.workspace import Draft, Workspace

# Pictures of these types, which not everything opens, get a JPEG beside them.
CONVERTED_TYPES = frozenset({"image/webp", "image/avif", "image/heic", "image/heif"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestOptions:
    """Options of one harvest.

    prefer: the order of renditions (renditions.rank). posts: save an ordinary post too. audio: the
    sound as a file of its own. posters: also make a small picture of each story, for pages.
    avatar: also fetch the author's picture. zone: of the clock on which a converted picture says
    when its story was posted. only: ids of the stories that are wanted of a list; empty = all.
    known: the account a list is asked of, as stories.lookup.look_up has it.
    """

    prefer: Literal["compatible", "highest"] = "compatible"
    posts: bool = False
    audio: Literal["none", "m4a", "mp3"] = "none"
    posters: bool = True
    avatar: bool = False
    zone: tzinfo = UTC
    only: frozenset[str] = frozenset()
    known: Author | None = None


async def harvest(
    client: StoryClient,
    target: Target,
    *,
    options: HarvestOptions,
    workspace: Workspace,
    have: Collection[tuple[str, int]] = (),
    now: datetime | None = None,
) -> AsyncGenerator[Event, None]:
    """Save what a target shows now: events as they happen, files under their keys.

    have: (story id, media position) an earlier attempt saved; skipped, and counted as saved. now:
    aware, decides what is active. A failure of the whole target is raised; so is, once what was
    listed is saved, a refusal on the way to the rest. A failure of a single file is an event.
    Closing the iterator stops every transfer and discards files that are unfinished, or finished
    and never handed out: leave the loop through contextlib.aclosing(), so that it is closed there
    and then. An OSError of the workspace's own files, a full disk, is raised as it is.
    """
    run = _Harvest(
        client=client,
        target=target,
        options=options,
        workspace=workspace,
        have=frozenset(have),
        now=now,
        slots=client.transfer_slots.for_line(),
        file_slots=client.file_slots.for_line(),
    )
    events = run.events
    task = asyncio.create_task(run.run())
    task.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        while not events.empty():
            unread = events.get_nowait()
            if isinstance(unread, FileReady):
                workspace.discard(unread.key)


@dataclass(slots=True, kw_only=True)
class _Harvest:
    """One harvest() call.

    slots, file_slots: as this line sees them. events: a queue of what happens; None at the end.
    lacks: story id -> why a sound of it is missing, the first reason. limit: once it runs.
    """

    client: StoryClient
    target: Target
    options: HarvestOptions
    workspace: Workspace
    have: frozenset[tuple[str, int]]
    now: datetime | None
    slots: TransferSlots
    file_slots: FileSlots
    events: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue)
    lacks: dict[str, StoriesError] = field(default_factory=dict)
    limit: TimeLimit | None = None

    def _emit(self, event: Event) -> None:
        if isinstance(event, Transferring) and self.limit is not None:
            self.limit.note(event, self.client.clock.now(self.now))
        self.events.put_nowait(event)

    async def run(self) -> None:
        """Harvest within the time one item may stand still. Raises TimedOut beyond it."""
        limit_s = self.client.config.item_timeout_s
        avatar = AvatarFetch(self.client, self._emit) if self.options.avatar else None
        try:
            async with TimeLimit(limit_s) as self.limit:
                await self._harvest_all(avatar)
        except TimeoutError as error:
            raise TimedOut(f"no end in sight for {limit_s:g} s") from error
        except BaseExceptionGroup as group:
            # Expected failures are events by now: this is a bug or a full disk, and one will do.
            raise _first_leaf(group) from group
        finally:
            if avatar is not None:
                await avatar.cancel()

    async def _harvest_all(self, avatar: AvatarFetch | None) -> None:
        def on_author(author: Author) -> None:
            self._emit(Resolved(author=author))
            if avatar is not None:
                avatar.begin(author)

        result = await look_up(
            self.client,
            self.target,
            posts=self.options.posts,
            now=self.now,
            known=self.options.known,
            on_author=on_author,
        )
        result = _wanted(result, self.options.only)
        self._emit(_listed(result))
        if avatar is not None:
            avatar.begin(result.author)  # of a cached account no address was known
        if self.limit is not None:
            self.limit.set_lives(result.stories)
        hosts = _unknown_hosts(result.stories)
        if hosts:
            self._emit(UnknownHosts(hosts=hosts))
        if result.error is not None:
            raise result.error
        lookup = RenewableLookup(
            self.client, result, posts=self.options.posts, known=self.options.known
        )
        async with asyncio.TaskGroup() as group:
            for story in result.stories:
                group.create_task(self._save_story(story, lookup))
        if avatar is not None:
            await avatar.end()
        if result.refusal is not None:
            raise result.refusal

    async def _save_story(self, story: Story, lookup: RenewableLookup) -> None:
        saved = [media for media in story.media if (story.id, media.position) in self.have]
        wanted = [media for media in story.media if (story.id, media.position) not in self.have]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._save_media(story, media, lookup)) for media in wanted]
            if story.song is not None and self._wants_song(story, story.song):
                group.create_task(self._save_song(story, story.song, lookup))
        errors = [error for task in tasks if (error := task.result()) is not None]
        self._emit(
            StoryFinished(
                story_id=story.id,
                saved=len(saved) + len(wanted) - len(errors),
                expected=len(story.media),
                error=errors[0] if errors else None,
                lacks=self.lacks.get(story.id),
            )
        )

    def _wants_song(self, story: Story, song: Media) -> bool:
        return (
            self.options.audio != "none"
            and (story.id, song.position) not in self.have
            and all(media.kind is MediaKind.PICTURE for media in story.media)
        )

    async def _save_media(
        self, story: Story, media: Media, lookup: RenewableLookup
    ) -> StoriesError | None:
        """Save a picture or video and the files derived from it; the error when it failed."""
        async with self._file_slot(media):
            try:
                with ExitStack() as drafts:
                    obtained = await self._obtain(story, media, lookup, drafts)
                    self._hand_over(story, media, "media", obtained)
                    if obtained.lacks is not None:
                        self.lacks.setdefault(story.id, obtained.lacks)
                    await self._derive_all(story, media, obtained)
            except StoriesError as error:
                self._emit(MediaFailed(story_id=story.id, position=media.position, error=error))
                return error
        return None

    async def _save_song(self, story: Story, song: Media, lookup: RenewableLookup) -> None:
        """Save the song attached to a photo story: the pictures are saved without it, too."""
        async with self._file_slot(song):
            try:
                with ExitStack() as drafts:
                    obtained = await self._obtain(story, song, lookup, drafts)
                    self._hand_over(story, song, "attached_song", obtained)
            except StoriesError as error:
                self._warn(story, "attached song", error)
                self._miss_sound(story, error)

    def _file_slot(self, media: Media) -> FileSlots:
        """A turn to open a file, small ones first: by the smallest size that is listed."""
        sizes = [variant.size_bytes for variant in media.variants if variant.size_bytes]
        size_bytes = min(sizes, default=None)
        large = is_large(self.client.config, media.kind, size_bytes)
        return self.file_slots.for_file(large=large)

    async def _obtain(
        self, story: Story, media: Media, lookup: RenewableLookup, drafts: ExitStack
    ) -> ObtainedFile:
        return await obtain(
            story,
            media,
            client=self.client,
            lookup=lookup,
            workspace=self.workspace,
            drafts=drafts,
            prefer=self.options.prefer,
            emit=self._emit,
            with_poster=self._wants_poster(story, media),
            slots=self.slots,
            now=self.now,
        )

    def _wants_poster(self, story: Story, media: Media) -> bool:
        """Whether a media item is the one that stands for its story on pages."""
        first_position = min((other.position for other in story.media), default=None)
        return self.options.posters and media.position == first_position

    def _hand_over(self, story: Story, media: Media, role: Role, obtained: ObtainedFile) -> None:
        obtained.draft.keep()
        self._emit(
            FileReady(
                story_id=story.id,
                position=media.position,
                role=role,
                key=obtained.draft.key,
                size_bytes=obtained.fetched.size_bytes,
                sha256=obtained.fetched.sha256,
                verified=obtained.verified,
                labels=(*obtained.labels, *((role,) if role != "media" else ())),
            )
        )

    # --- derived files ------------------------------------------------------------------------

    async def _derive_all(self, story: Story, media: Media, obtained: ObtainedFile) -> None:
        """Poster, JPEG and sound track. Nobody asked for the first two: without, a warning."""
        draft, verified = obtained.draft, obtained.verified
        source = draft.file
        if self._wants_poster(story, media):
            make = partial(derive.poster, source, verified.content_type, made=obtained.poster)
            await self._derive(story, media, "poster", draft, make)
        if media.kind is MediaKind.PICTURE and verified.content_type in CONVERTED_TYPES:
            convert = partial(
                derive.as_jpeg,
                source,
                posted_at=story.posted_at,
                zone=self.options.zone,
                checked=verified.checked,
            )
            await self._derive(story, media, "converted", draft, convert)
        audio = self.options.audio
        if media.kind is MediaKind.VIDEO and audio != "none" and verified.has_audio:
            await self._derive(
                story,
                media,
                "audio_track",
                draft,
                lambda out: derive.audio_track(source, out, audio),
            )

    async def _derive(
        self,
        story: Story,
        media: Media,
        role: Role,
        source: Draft,
        make: Callable[[BinaryIO], Verified | None],
    ) -> None:
        try:
            with Draft(self.workspace, self.client.decoder_threads) as draft:
                verified, size_bytes, sha256 = await source.run(
                    partial(derive.make_and_measure, make, draft.file), also=(draft,)
                )
                if verified is None:
                    return
                draft.keep()
        except StoriesError as error:
            self._warn(story, role, error)
            if role == "audio_track":
                self._miss_sound(story, error)
            return
        self._emit(
            FileReady(
                story_id=story.id,
                position=media.position,
                role=role,
                key=draft.key,
                size_bytes=size_bytes,
                sha256=sha256,
                verified=verified,
                labels=(role,),
            )
        )

    def _miss_sound(self, story: Story, error: StoriesError) -> None:
        """Note that a sound is missing that was asked for."""
        if error.retryable and isinstance(error, MediaError | UpstreamError):
            error = SoundMissing(f"{error.code} {error.detail}".strip())
        self.lacks.setdefault(story.id, error)

    def _warn(self, story: Story, file: str, error: StoriesError) -> None:
        message = f"{file} not made: {error.code} {error.detail}"
        self._emit(Warned(message=message, story_id=story.id))


def _wanted(result: LookupResult, only: frozenset[str]) -> LookupResult:
    """What is wanted of a list, and of what it leaves out; all of it where `only` is empty."""
    if not only:
        return result
    stories = tuple(story for story in result.stories if story.id in only)
    left_out_ids = {key: value for key, value in result.left_out_ids.items() if key in only}
    error = result.error
    if not stories and not left_out_ids and error is None:
        error = result.refusal or Gone("not listed any more")
    return replace(
        result,
        stories=stories,
        left_out_ids=left_out_ids,
        left_out=counted(Counter(left_out_ids.values())),
        error=error,
    )


def _listed(result: LookupResult) -> Listed:
    return Listed(
        author=result.author,
        stories=result.stories,
        left_out=result.left_out,
        left_out_ids=result.left_out_ids,
        details=result.details,
    )


def _unknown_hosts(stories: Iterable[Story]) -> tuple[str, ...]:
    """Names of the unknown hosts of all files of the stories, each once."""
    files = (media for story in stories for media in (*story.media, story.song) if media)
    return tuple(dict.fromkeys(host for media in files for host in media.unknown_hosts))


def _first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first exception that is no group itself."""
    first = group.exceptions[0]
    return _first_leaf(first) if isinstance(first, BaseExceptionGroup) else first
