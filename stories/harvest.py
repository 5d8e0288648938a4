"""One target into checked files, told as events: no database, no paths, no retries.

What jobs/fetching/pipeline.py and the fetch command consume. The events are in stories/events.py;
the files live in a workspace that the caller supplies.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import BinaryIO, Literal, Protocol, Self, TypeVar

from stories.client import StoryClient
from stories.errors import (
    MediaCorrupt,
    MediaError,
    MediaUnavailable,
    StoriesError,
    TimedOut,
    TooLarge,
    UpstreamError,
)
from stories.events import (
    Checking,
    Event,
    FileReady,
    Listed,
    MediaFailed,
    Resolved,
    Role,
    StoryFinished,
    Transferring,
    Warned,
)
from stories.http.session import Session
from stories.lookup import LookupResult, look_up
from stories.media import derive
from stories.media.download import digest, size_limit
from stories.media.verify import verify
from stories.renditions import RankedRendition, rank
from stories.structures import (
    Author,
    Fetched,
    Media,
    MediaKind,
    MediaVariant,
    Story,
    Target,
    Verified,
)

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Signed addresses with less left than this are replaced before use.
FRESH_ENOUGH = timedelta(minutes=5)
PROGRESS_EVERY_S = 0.25
# Pictures that not everything opens get a JPEG beside them.
CONVERTED_TYPES = frozenset({"image/webp", "image/avif", "image/heic", "image/heif"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestOptions:
    """What the person chose. posts: save an ordinary post too. audio: the sound as its own file.

    posters: also make a small picture of each story, for who shows them on a page.
    """

    prefer: Literal["compatible", "highest"] = "compatible"
    posts: bool = False
    audio: Literal["none", "m4a", "mp3"] = "none"
    posters: bool = True


class Workspace(Protocol):
    """Where files are made; each has a key."""

    def create(self) -> tuple[str, BinaryIO]:
        """A fresh, empty, seekable file, open for reading and writing, and its key."""

    def discard(self, key: str) -> None:
        """Remove a file that will not be finished. Called at most once per key."""

    def reserve(self, size_bytes: int) -> None:
        """Raise a StoriesError when there is no room for this many bytes."""


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

    have: (story id, media position) an earlier attempt saved; skipped, and counted as saved. A
    failure of the whole target is raised; one of a single file is an event. Closing the iterator
    stops every transfer and discards what is unfinished, or finished and never handed out: leave
    the loop through contextlib.aclosing(), so that it is closed there and then. An OSError of the
    workspace's own files, a full disk, is raised as it is.
    """
    work = _Harvest(client, target, options, workspace, frozenset(have), now)
    events: asyncio.Queue[Event | None] = work.events
    task = asyncio.create_task(work.run())
    task.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        while not events.empty():
            left = events.get_nowait()
            if isinstance(left, FileReady):
                workspace.discard(left.key)


class _Draft:
    """A file being made. Kept, it stays in the workspace; otherwise leaving discards it."""

    def __init__(self, workspace: Workspace, client: StoryClient) -> None:
        self._workspace, self._client = workspace, client
        self._working: set[Future[object]] = set()
        self._kept = False
        self.key, self.file = workspace.create()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self._workspace.discard(self.key)
        running = [future for future in self._working if not future.done()]
        if running:
            # Cancelled while a decoder reads it. The decoder cannot be stopped, and closing the
            # file under it is worse than closing it a moment later.
            running[-1].add_done_callback(lambda _: self.file.close())
        else:
            self.file.close()

    def keep(self) -> None:
        """The file is finished and handed over."""
        self.file.flush()
        self._kept = True

    async def run(self, work: Callable[[], T], *, into: _Draft | None = None) -> T:
        """Run blocking work on the file in a decoder thread. into: a second file it writes."""
        future = self._client.decoder_threads.submit(work)
        self.occupied_by(future)
        if into is not None:
            into.occupied_by(future)
        return await asyncio.wrap_future(future)

    def occupied_by(self, future: Future[T]) -> None:
        """Do not close the file before this is done."""
        self._working.add(future)  # type: ignore[arg-type] # only its being done matters
        future.add_done_callback(self._working.discard)


class _Fresh:
    """The listing the media addresses come from, replaced at most once when they turn stale.

    All media of a target share it: whoever needs fresh addresses first asks TikTok, the others
    wait for that answer.
    """

    def __init__(self, client: StoryClient, found: LookupResult, options: HarvestOptions) -> None:
        self._client, self._options = client, options
        self._lock = asyncio.Lock()
        self._failure: StoriesError | None = None
        self._renewed = False
        self.current = found

    async def beyond(self, used: LookupResult) -> LookupResult:
        """A newer listing than `used`, from a fresh session.

        Raises what asking for it raised, and MediaUnavailable when `used` is already the second.
        """
        async with self._lock:
            if self._renewed and self._failure is None and self.current is used:
                raise MediaUnavailable("also refused with a fresh link")
            if not self._renewed:
                self._renewed = True
                try:
                    self.current = await look_up(
                        self._client, used.target, posts=self._options.posts, fresh=True
                    )
                except StoriesError as error:
                    self._failure = error
        if self._failure is not None:
            raise self._failure
        return self.current


@dataclass(frozen=True, slots=True, kw_only=True)
class _Obtained:
    fetched: Fetched
    verified: Verified
    labels: tuple[str, ...]
    draft: _Draft


@dataclass(slots=True)
class _Attempt:
    """What was tried for one file so far. drafts: closes them all; draft: the one to write into."""

    story: Story
    drafts: ExitStack
    draft: _Draft
    tried: set[str] = field(default_factory=set)
    failures: list[StoriesError] = field(default_factory=list)

    @property
    def only_too_large(self) -> bool:
        """Whether there was nothing but renditions over the limit."""
        return bool(self.failures) and all(isinstance(one, TooLarge) for one in self.failures)


class _Harvest:
    """The work behind one harvest() call."""

    def __init__(
        self,
        client: StoryClient,
        target: Target,
        options: HarvestOptions,
        workspace: Workspace,
        have: frozenset[tuple[str, int]],
        now: datetime | None,
    ) -> None:
        self._client, self._target, self._options = client, target, options
        self._workspace, self._have, self._now = workspace, have, now
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()

    def _tell(self, event: Event) -> None:
        self.events.put_nowait(event)

    async def run(self) -> None:
        """Everything, within the time one item may take."""
        limit_s = self._client.config.item_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await self._all()
        except TimeoutError as error:
            raise TimedOut(f"more than {limit_s:g} s") from error
        except BaseExceptionGroup as group:
            # Expected failures are events by now: this is a bug or a full disk, and one will do.
            raise _first(group) from group

    async def _all(self) -> None:
        found = await look_up(
            self._client,
            self._target,
            posts=self._options.posts,
            now=self._now,
            on_author=self._resolved,
        )
        self._tell(Listed(author=found.author, stories=found.stories, dropped=found.dropped))
        if found.missing:
            self._tell(Warned(message=f"TikTok counts {found.missing} more than it listed"))
        fresh = _Fresh(self._client, found, self._options)
        async with asyncio.TaskGroup() as group:
            for story in found.stories:
                group.create_task(self._story(story, fresh))

    def _resolved(self, author: Author) -> None:
        self._tell(Resolved(author=author))

    async def _story(self, story: Story, fresh: _Fresh) -> None:
        saved = [media for media in story.media if (story.id, media.position) in self._have]
        wanted = [media for media in story.media if (story.id, media.position) not in self._have]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._media(story, media, fresh)) for media in wanted]
            if self._song_wanted(story):
                group.create_task(self._song(story, fresh))
        errors = [error for task in tasks if (error := task.result()) is not None]
        self._tell(
            StoryFinished(
                story_id=story.id,
                saved=len(saved) + len(wanted) - len(errors),
                expected=len(story.media),
                error=errors[0] if errors else None,
            )
        )

    def _song_wanted(self, story: Story) -> bool:
        return (
            self._options.audio != "none"
            and story.song is not None
            and (story.id, story.song.position) not in self._have
            and all(media.kind is MediaKind.PICTURE for media in story.media)
        )

    # --- one file -----------------------------------------------------------------------------

    async def _media(self, story: Story, media: Media, fresh: _Fresh) -> StoriesError | None:
        """One picture or video and what is made of it; the error when it could not be had."""
        async with self._client.file_slots:
            try:
                with ExitStack() as drafts:
                    obtained = await self._obtain(story, media, fresh, drafts)
                    self._hand_over(story, media, "media", obtained)
                    await self._extras(story, media, obtained.draft, obtained.verified)
            except StoriesError as error:
                self._tell(MediaFailed(story_id=story.id, position=media.position, error=error))
                return error
        return None

    async def _song(self, story: Story, fresh: _Fresh) -> None:
        """The song behind a photo story. Its absence is worth a line, not a failure."""
        song = story.song
        if song is None:
            return
        async with self._client.file_slots:
            try:
                with ExitStack() as drafts:
                    obtained = await self._obtain(story, song, fresh, drafts)
                    self._hand_over(story, song, "attached_song", obtained)
            except StoriesError as error:
                self._warn(story, "attached song", error)

    def _hand_over(self, story: Story, media: Media, role: Role, obtained: _Obtained) -> None:
        obtained.draft.keep()
        self._tell(
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

    async def _obtain(
        self, story: Story, media: Media, fresh: _Fresh, drafts: ExitStack
    ) -> _Obtained:
        """The best rendition that arrives whole and opens, in one of the `drafts`.

        Mirror after mirror, rendition after rendition, then once more with fresh addresses. Raises
        TooLarge when none is small enough, MediaCorrupt when something arrived and nothing opened,
        MediaUnavailable or an UpstreamError when nothing did.
        """
        attempt = _Attempt(story, drafts, drafts.enter_context(self._draft()))
        found = fresh.current
        listed = _same(found, story, media) or media
        if not self._expires_soon(listed):
            obtained = await self._from(listed, found.session, attempt)
            if obtained is not None:
                return obtained
            if attempt.only_too_large:
                raise attempt.failures[0]  # it is no smaller behind a fresh link
        try:
            found = await fresh.beyond(found)
        except StoriesError as error:
            # Old addresses may still work when only their age spoke against them.
            attempt.failures.append(error)
        else:
            listed = _same(found, story, media) or listed
        obtained = await self._from(listed, found.session, attempt)
        if obtained is not None:
            return obtained
        raise _worst(attempt.failures)

    def _draft(self) -> _Draft:
        return _Draft(self._workspace, self._client)

    async def _from(self, media: Media, session: Session, attempt: _Attempt) -> _Obtained | None:
        """Try every address of one listing that was not tried yet, best first.

        HEVC that was said to be something else is kept while another clean rendition may turn out
        to play everywhere, and taken when none does.
        """
        spare: _Obtained | None = None
        for choice in self._small_enough(media, attempt.failures):
            if spare is not None:
                if choice.variant.watermarked and "watermarked" not in spare.labels:
                    break
                if attempt.draft is spare.draft:
                    attempt.draft = attempt.drafts.enter_context(self._draft())
            try:
                obtained = await self._mirrors(choice, media, session, attempt)
            except StoriesError:
                if spare is None:
                    raise
                break  # no room for a better one, say: what is here is whole
            if obtained is None:
                continue
            if not self._was_to_play_everywhere(choice) or "hevc" not in obtained.labels:
                return obtained
            spare = spare or obtained
        return spare

    def _small_enough(
        self, media: Media, failures: list[StoriesError]
    ) -> Iterator[RankedRendition]:
        limit = size_limit(self._client.config, media.kind)
        for choice in rank(media, self._options.prefer):
            listed = choice.variant.size_bytes or 0
            if listed > limit:
                failures.append(TooLarge(f"{listed} bytes are listed, at most {limit}"))
            else:
                yield choice

    def _was_to_play_everywhere(self, choice: RankedRendition) -> bool:
        return self._options.prefer == "compatible" and choice.variant.codec != "hevc"

    async def _mirrors(
        self, choice: RankedRendition, media: Media, session: Session, attempt: _Attempt
    ) -> _Obtained | None:
        """One rendition, from the first of its mirrors that delivers it whole."""
        while not attempt.tried.issuperset(choice.variant.urls):
            try:
                return await self._one(choice, media, session, attempt)
            except TooLarge as error:
                attempt.failures.append(error)
                attempt.tried.update(choice.variant.urls)  # as it is on every mirror
            except (MediaError, UpstreamError) as error:
                attempt.failures.append(error)
        return None

    async def _one(
        self, choice: RankedRendition, media: Media, session: Session, attempt: _Attempt
    ) -> _Obtained:
        """The next mirror that delivers, opened and checked."""
        story, draft = attempt.story, attempt.draft
        fetched = await self._client.fetch(
            choice.variant,
            draft.file,
            session,
            kind=media.kind,
            tried=attempt.tried,
            reserve=self._workspace.reserve,
            progress=self._progress(story, media, choice.variant),
            run_blocking=draft.run,
        )
        self._tell(Checking(story_id=story.id, position=media.position))
        verified = await draft.run(
            partial(verify, draft.file, media.kind, announced_s=media.duration_s)
        )
        labels = _labels(choice, verified)
        return _Obtained(fetched=fetched, verified=verified, labels=labels, draft=draft)

    def _progress(
        self, story: Story, media: Media, variant: MediaVariant
    ) -> Callable[[int, int | None], None]:
        """Turns each chunk into a few events a second."""
        clock = asyncio.get_running_loop().time
        due, told = clock(), -1

        def progress(done: int, total: int | None) -> None:
            nonlocal due, told
            now = clock()
            if done == told or (now < due and done != total):
                return
            due, told = now + PROGRESS_EVERY_S, done
            self._tell(
                Transferring(
                    story_id=story.id,
                    position=media.position,
                    bytes_done=done,
                    bytes_total=total or variant.size_bytes,
                )
            )

        return progress

    def _expires_soon(self, media: Media) -> bool:
        now = self._now or datetime.now(UTC)
        ends = [variant.expires_at for variant in media.variants if variant.expires_at is not None]
        return bool(ends) and min(ends) - now < FRESH_ENOUGH

    # --- what is made of it -------------------------------------------------------------------

    async def _extras(self, story: Story, media: Media, draft: _Draft, seen: Verified) -> None:
        """Poster, JPEG and sound track; one that cannot be made is worth a line, no more."""
        source = draft.file
        first = min(other.position for other in story.media)
        if self._options.posters and media.position == first:
            await self._derived(
                story, media, "poster", draft, partial(derive.poster, source, seen.content_type)
            )
        if media.kind is MediaKind.PICTURE and seen.content_type in CONVERTED_TYPES:
            await self._derived(story, media, "converted", draft, partial(derive.as_jpeg, source))
        form = self._options.audio
        if media.kind is MediaKind.VIDEO and form != "none" and seen.has_audio:
            await self._derived(
                story,
                media,
                "audio_track",
                draft,
                lambda out: derive.audio_track(source, out, form),
            )

    async def _derived(
        self,
        story: Story,
        media: Media,
        role: Role,
        source: _Draft,
        make: Callable[[BinaryIO], Verified | None],
    ) -> None:
        try:
            with _Draft(self._workspace, self._client) as draft:
                verified, size_bytes, sha256 = await source.run(
                    partial(_made, make, draft.file), into=draft
                )
                if verified is None:
                    return
                draft.keep()
        except StoriesError as error:
            self._warn(story, role, error)
            return
        self._tell(
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

    def _warn(self, story: Story, what: str, error: StoriesError) -> None:
        message = f"{what} not made: {error.code} {error.detail}"
        self._tell(Warned(message=message, story_id=story.id))


def _made(
    make: Callable[[BinaryIO], Verified | None], out: BinaryIO
) -> tuple[Verified | None, int, str]:
    """Make a file and measure it; blocks."""
    verified = make(out)
    return verified, out.seek(0, os.SEEK_END), digest(out)


def _same(found: LookupResult, story: Story, media: Media) -> Media | None:
    """The same media item in a newer listing; None when it is not there any more."""
    for other in found.stories:
        if other.id == story.id:
            if media.kind is MediaKind.SONG:
                return other.song
            for candidate in other.media:
                if candidate.position == media.position and candidate.kind is media.kind:
                    return candidate
    return None


def _labels(choice: RankedRendition, verified: Verified) -> tuple[str, ...]:
    """What the person must be told; the codec as it was found, not as it was listed."""
    said = tuple(label for label in choice.labels if label != "hevc")
    return ("hevc", *said) if verified.codec == "hevc" else said


def _worst(failures: list[StoriesError]) -> StoriesError:
    """The failure to name: bytes that did not open say more than a mirror that was shut."""
    for kind in (MediaCorrupt, MediaUnavailable, MediaError):
        for failure in reversed(failures):
            if isinstance(failure, kind) and not isinstance(failure, TooLarge):
                return failure
    # Too large is what all of them are, or not the reason.
    failures = [one for one in failures if not isinstance(one, TooLarge)] or failures
    return failures[-1] if failures else MediaUnavailable("no rendition that could be fetched")


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
