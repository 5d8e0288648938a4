"""One media item into a verified file: rendition after rendition, mirror after mirror.

When no address of the listing works, or none that may have the sound, it is asked for once more,
for fresh addresses. Nothing else is tried twice.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from stories.client import StoryClient
from stories.completion import Completion, ObtainedFile, with_file_labels
from stories.errors import (
    MediaCorrupt,
    MediaError,
    MediaUnavailable,
    SoundMissing,
    StoriesError,
    TooLarge,
    UnknownMediaHost,
    Unplayable,
    UpstreamError,
)
from stories.events import SOUND_MISSING, Checking, Event, Transferring, UnknownHosts
from stories.http.session import Session
from stories.lookup import look_up
from stories.media.download import size_limit
from stories.media.verify import examine
from stories.rendition_search import RenditionSearch
from stories.renditions import Prefer, RankedRendition, no_player, rank
from stories.structures import Author, Media, MediaKind, MediaVariant, Story
from stories.transfer_slots import TransferSlots
from stories.ways import LookupResult
from stories.workspace import Draft, Workspace

# Signed addresses with less left than this are replaced before use.
MIN_ADDRESS_LIFE = timedelta(minutes=5)
PROGRESS_INTERVAL_S = 0.25

Emit = Callable[[Event], None]


class RenewableLookup:
    """The look-up that the media addresses come from, repeated at most once when they turn stale.

    All media of a target share it: the first that needs fresh addresses asks TikTok, the others
    wait for that answer. posts, known: as look_up has them.
    """

    def __init__(
        self,
        client: StoryClient,
        result: LookupResult,
        *,
        posts: bool,
        known: Author | None = None,
    ) -> None:
        self._client, self._posts, self._known = client, posts, known
        self._lock = asyncio.Lock()
        self._failure: StoriesError | None = None
        self._renewed = False
        self.current = result

    async def newer_than(self, used: LookupResult) -> LookupResult:
        """A newer result than `used`, from a fresh session.

        Raises the error of the second look-up, and MediaUnavailable when `used` is already its
        result.
        """
        async with self._lock:
            if self._renewed and self._failure is None and self.current is used:
                raise MediaUnavailable("also refused with a fresh link")
            if not self._renewed:
                self._renewed = True
                try:
                    self.current = await look_up(
                        self._client,
                        used.target,
                        posts=self._posts,
                        fresh=True,
                        known=self._known,
                    )
                except StoriesError as error:
                    self._failure = error
        if self._failure is not None:
            raise self._failure
        return self.current


async def obtain(
    story: Story,
    media: Media,
    *,
    client: StoryClient,
    lookup: RenewableLookup,
    workspace: Workspace,
    drafts: ExitStack,
    prefer: Prefer,
    emit: Emit,
    with_poster: bool = False,
    slots: TransferSlots | None = None,
    now: datetime | None = None,
) -> ObtainedFile:
    """The best rendition of a media item that arrives whole and opens.

    A video without sound whose sound may still come says so: ObtainedFile.lacks.
    drafts: closes every draft made here. emit: called with Transferring and Checking events.
    with_poster: make one of what the check decodes. slots: as the line sees them; None for a line
    of its own. now: aware, decides which addresses are about to expire. Raises TooLarge when no
    rendition is small enough, Unplayable when all are of codecs that nothing opens,
    UnknownMediaHost when all are on hosts we do not know, MediaCorrupt when bytes arrived and none
    opened, MediaUnavailable or an UpstreamError when none arrived.
    """
    if not media.variants and media.unknown_hosts:
        raise UnknownMediaHost(hosts=media.unknown_hosts)
    attempt = _Attempt(
        story=story,
        media=media,
        client=client,
        lookup=lookup,
        workspace=workspace,
        drafts=drafts,
        prefer=prefer,
        emit=emit,
        with_poster=with_poster,
        slots=slots or client.transfer_slots.for_line(),
        now=now,
        draft=drafts.enter_context(Draft(workspace, client.decoder_threads)),
    )
    return await attempt.run()


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One obtain() call.

    draft: the one to write into. tried: addresses that were requested. arrived: those of renditions
    that came whole. useless: those of files that are too large or that no player opens. silent:
    renditions that turned out to be without sound, as described(). failures: in their order.
    """

    story: Story
    media: Media
    client: StoryClient
    lookup: RenewableLookup
    workspace: Workspace
    drafts: ExitStack
    prefer: Prefer
    emit: Emit
    with_poster: bool
    slots: TransferSlots
    now: datetime | None
    draft: Draft
    tried: set[str] = field(default_factory=set)
    arrived: set[str] = field(default_factory=set)
    useless: set[str] = field(default_factory=set)
    silent: set[MediaVariant] = field(default_factory=set)
    failures: list[StoriesError] = field(default_factory=list)

    async def run(self) -> ObtainedFile:
        result = self.lookup.current
        media = self._find(result) or self.media
        spare: ObtainedFile | None = None
        if not self._expires_soon(media):
            spare = await self._from_listing(media, result.session)
            if spare is not None and not self._sound_may_come(media, spare):
                return await self._completed(media, spare)
            if spare is None and self._all_final:
                raise _most_telling(self.failures)  # it is no better behind a fresh link
        try:
            result = await self.lookup.newer_than(result)
        except StoriesError as error:
            # Old addresses may still work when only their age spoke against them.
            self.failures.append(error)
        else:
            media = self._find(result) or media
        obtained = await self._from_listing(media, result.session, last=True, spare=spare)
        if obtained is None:
            raise _most_telling(self.failures)
        return await self._completed(media, obtained)

    def _find(self, result: LookupResult) -> Media | None:
        """The media item in a look-up result; None when it is not there any more."""
        for story in result.stories:
            if story.id == self.story.id:
                if self.media.kind is MediaKind.SONG:
                    return story.song
                for media in story.media:
                    if media.position == self.media.position and media.kind is self.media.kind:
                        return media
        return None

    def _expires_soon(self, media: Media) -> bool:
        now = self.client.clock.now(self.now)
        ends = [variant.expires_at for variant in media.variants if variant.expires_at is not None]
        return bool(ends) and min(ends) - now < MIN_ADDRESS_LIFE

    @property
    def _all_final(self) -> bool:
        """Whether there was nothing but renditions over the limit, or that no player opens."""
        return bool(self.failures) and all(
            isinstance(failure, TooLarge | Unplayable) for failure in self.failures
        )

    def _sound_may_come(self, media: Media, file: ObtainedFile) -> bool:
        """Whether a file is without sound, and what may have it was refused or arrived broken."""
        if media.kind is not MediaKind.VIDEO or file.verified.has_audio or media.muted:
            return False
        for variant in media.variants:
            urls: tuple[str, ...] = () if variant.silent and variant.sound is None else variant.urls
            if self.arrived.issuperset(variant.urls):
                urls = variant.sound.urls if variant.sound else ()
            if urls and self.tried.issuperset(urls) and not self.useless.issuperset(urls):
                return True
        return False

    async def _completed(self, media: Media, file: ObtainedFile) -> ObtainedFile:
        if media.kind is not MediaKind.VIDEO:
            return file
        lacks = self._lacking(media, file)
        if lacks is not None:
            file = replace(file, lacks=lacks, labels=(*file.labels, SOUND_MISSING))
        return with_file_labels(await self._completion(media).with_entry_corrected(file))

    def _lacking(self, media: Media, file: ObtainedFile) -> StoriesError | None:
        """Why a file is without the sound that there is; None where it is not, or has none."""
        if self._sound_may_come(media, file):
            cause = _most_telling(self.failures)
            return SoundMissing(f"{cause.code} {cause.detail}".strip())
        variant = file.fetched.variant
        lost = variant.silent and variant.sound is None and bool(media.unknown_hosts)
        if lost and not file.verified.has_audio and not media.muted:
            return UnknownMediaHost(hosts=media.unknown_hosts)
        sounds = [variant.sound for variant in media.variants if variant.sound is not None]
        if file.verified.has_audio or not any(self.useless >= set(sound.urls) for sound in sounds):
            return None
        return next((error for error in self.failures if isinstance(error, TooLarge)), None)

    async def _from_listing(
        self,
        media: Media,
        session: Session,
        *,
        last: bool = False,
        spare: ObtainedFile | None = None,
    ) -> ObtainedFile | None:
        """The best file from the addresses of one listing that were not tried yet.

        A file that is whole is kept while a further rendition may turn out to be better (one with
        sound, or that plays everywhere), and taken when none does. last: no fresher listing is to
        come, so that lesser renditions are tried in place of those that were refused. spare: the
        best file of an earlier listing.
        """
        search = RenditionSearch[ObtainedFile](
            prefer=self.prefer, muted=media.muted, tried=self.tried
        )
        known = Counter(_described(variant) for variant in media.variants)
        candidates = list(self._candidates(media))
        if spare is not None:
            kept = RankedRendition(variant=spare.fetched.variant)
            search.add(spare, kept, spare.verified, spare.fetched.size_bytes)
            candidates = [
                candidate
                for candidate in candidates
                if (described := _described(candidate.variant)) not in self.silent
                or known[described] > 1
            ]
        while candidates:
            rendition = search.take_next(candidates)
            if rendition.last_resort and search.best is None and not (last or self._all_final):
                continue
            if not search.is_worth_trying(rendition):
                continue
            if search.best is not None and self.draft is search.best.draft:
                self.draft = self._new_draft()
            try:
                obtained = await self._from_mirrors(rendition, media, session)
            except StoriesError:
                if search.best is None:
                    raise
                break  # no room for a better one, say: the one that is here is whole
            if obtained is not None:
                search.add(obtained, rendition, obtained.verified, obtained.fetched.size_bytes)
        return search.best

    def _new_draft(self) -> Draft:
        return self.drafts.enter_context(Draft(self.workspace, self.client.decoder_threads))

    def _candidates(self, media: Media) -> Iterator[RankedRendition]:
        """The renditions that are small enough, best first; notes why others are none."""
        limit = size_limit(self.client.config, media.kind)
        for rendition in rank(media, self.prefer):
            sound = rendition.variant.sound
            listed_bytes = (rendition.variant.size_bytes or 0) + (
                (sound.size_bytes or 0) if sound is not None else 0
            )
            if listed_bytes > limit:
                self.failures.append(TooLarge(f"{listed_bytes} bytes are listed, at most {limit}"))
            else:
                yield rendition
        codecs = {variant.codec for variant in media.variants}
        if media.variants and codecs <= no_player():
            self.failures.append(Unplayable(f"only {', '.join(map(str, codecs))} is listed"))

    async def _from_mirrors(
        self, rendition: RankedRendition, media: Media, session: Session
    ) -> ObtainedFile | None:
        """A rendition from the first of its mirrors whose file is verified; None when none is."""
        while not self.tried.issuperset(rendition.variant.urls):
            try:
                return await self._from_next_mirror(rendition, media, session)
            except (TooLarge, Unplayable) as error:
                self.failures.append(error)
                self.tried.update(rendition.variant.urls)  # as it is on every mirror
                self.useless.update(rendition.variant.urls)
            except (MediaError, UpstreamError) as error:
                self.failures.append(error)
                if isinstance(error, UnknownMediaHost):
                    self.emit(UnknownHosts(hosts=error.hosts))
        return None

    async def _from_next_mirror(
        self, rendition: RankedRendition, media: Media, session: Session
    ) -> ObtainedFile:
        draft = self.draft
        fetched = await self.client.fetch(
            rendition.variant,
            draft.file,
            session,
            kind=media.kind,
            tried=self.tried,
            reserve=draft.reserve,
            progress=_report_progress(self.emit, self.story, media, rendition.variant),
            run_blocking=draft.run,
            slots=self.slots,
        )
        self.emit(Checking(story_id=self.story.id, position=media.position))
        examination = await draft.run(
            partial(
                examine,
                draft.file,
                media.kind,
                announced_s=media.duration_s,
                with_poster=self.with_poster,
            )
        )
        verified = examination.verified
        variant = rendition.variant
        self.arrived.update(variant.urls)
        if not verified.has_audio and variant.sound is None:
            self.silent.add(_described(variant))
        labels = tuple(label for label in rendition.labels if label != "hevc")
        obtained = ObtainedFile(
            fetched=fetched,
            verified=verified,
            labels=labels,
            draft=draft,
            poster=examination.poster,
        )
        if media.kind is MediaKind.VIDEO:
            return await self._completion(media).with_sound(obtained, session)
        return obtained

    def _completion(self, media: Media) -> Completion:
        return Completion(
            media=media,
            client=self.client,
            workspace=self.workspace,
            drafts=self.drafts,
            tried=self.tried,
            useless=self.useless,
            slots=self.slots,
            on_failure=self.failures.append,
        )


def _report_progress(
    emit: Emit, story: Story, media: Media, variant: MediaVariant
) -> Callable[[int, int | None], None]:
    """A progress callback that emits a few events a second out of one call per chunk."""
    clock = asyncio.get_running_loop().time
    next_at, reported_bytes = clock(), -1

    def progress(done: int, total: int | None) -> None:
        nonlocal next_at, reported_bytes
        now = clock()
        if done == reported_bytes or (now < next_at and done != total):
            return
        next_at, reported_bytes = now + PROGRESS_INTERVAL_S, done
        emit(
            Transferring(
                story_id=story.id,
                position=media.position,
                bytes_done=done,
                bytes_total=total or variant.size_bytes,
            )
        )

    return progress


def _described(variant: MediaVariant) -> MediaVariant:
    """The rendition without its addresses, as a fresh listing has it, too."""
    return replace(variant, urls=(), expires_at=None)


def _most_telling(failures: list[StoriesError]) -> StoriesError:
    """The failure to report: bytes that did not open say more than a mirror that refused."""
    final = (TooLarge, Unplayable)
    for kind in (MediaCorrupt, MediaUnavailable, MediaError):
        for failure in reversed(failures):
            if isinstance(failure, kind) and not isinstance(failure, final):
                return failure
    # Too large, or without a player, is what all of them are, or not the reason.
    failures = [failure for failure in failures if not isinstance(failure, final)] or failures
    return failures[0] if failures else MediaUnavailable("no rendition that could be fetched")
