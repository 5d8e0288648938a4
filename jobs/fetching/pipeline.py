"""One claimed item, from its target to its files: what happens over there becomes rows here."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Final, Literal
from uuid import uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from jobs.ephemeral import progress
from jobs.ephemeral.progress import Reporter
from jobs.fetching import bridge, coalescing
from jobs.files import names, store
from jobs.housekeeping import sweep
from jobs.models import Artifact, Audio, Item, Job, Role, Story, StoryKind
from jobs.queue import quotas, settling, submission
from jobs.queue.dispatch import dispatch
from jobs.queue.settling import Claim, ClaimLost, Outcome, Stopping, fenced
from jobs.states import ItemState
from jobs.upstream import breaker
from jobs.upstream.client import client_config
from jobs.zips import packing
from stories import renditions, structures
from stories.errors import AccessError, Gone, MediaUnavailable, StoriesError, TimedOut
from stories.events import (
    Checking,
    Event,
    FileReady,
    Listed,
    MediaFailed,
    Resolved,
    StoryFinished,
    Transferring,
    Warned,
)
from stories.harvest import CONVERTED_TYPES, HarvestOptions, harvest

logger = logging.getLogger(__name__)

LOOK_ROUND_S: Final = 0.7
"""How often a running item asks whether it was cancelled."""
OVERTIME_S: Final = 60.0
"""The client ends an item that takes too long; this much later we end it ourselves."""
MAX_CAPTION: Final = 10_000
SAVE_AFTER_S: Final = 0.5
"""A checked file waits at most this long for others to be written down with it; writing one by one
would cost more than fetching them."""
SAVE_TOGETHER: Final = 32
_CLOSED: Final = frozenset({ItemState.DONE, ItemState.PARTIAL})
_AUDIO: Final[Mapping[Audio, Literal["none", "m4a", "mp3"]]] = {
    Audio.NONE: "none",
    Audio.M4A: "m4a",
    Audio.MP3: "mp3",
}


def run(held: Claim) -> Outcome:
    """Fetch what the claimed item asks for, file by file; how it ended.

    Raises ClaimLost when it was cancelled or given away, Stopping when this process is to end, and
    the StoriesError that ended the whole item. What is saved by then stays.
    """
    item = Item.objects.select_related("job").filter(pk=held.item_id).first()
    if item is None:
        raise ClaimLost
    try:
        return _run(held, item)
    except ClaimLost:
        if not Job.objects.filter(pk=item.job_id).exists():
            progress.forget(item.job_id)  # forgotten, and we may have reported since
        raise


def _run(held: Claim, item: Item) -> Outcome:
    watch = _Watch(held)
    room = quotas.most_bytes(item.owner_id)
    with store.Workspace(held.workspace, owner_id=item.owner_id, max_bytes=room) as workspace:
        record = _Record(held, item, workspace)
        try:
            if not _taken_over(held, item, workspace, record, watch):
                with closing(_events(item, workspace, record.have, watch)) as events:
                    for event in events:
                        record.take(event)
        except AccessError:
            upstream_answered()
            raise
        finally:
            record.save()
        return record.outcome()


def _taken_over(
    held: Claim, item: Item, workspace: store.Workspace, record: _Record, watch: _Watch
) -> bool:
    """Wait for whoever fetches the same right now, and take over what they save.

    True: that was everything. False: the rest is ours to fetch, and others may wait for us. An item
    with a past is left alone, for what it saved earlier is not what TikTok lists now.
    """
    if record.has_past:
        return False
    what = coalescing.subject(item)
    while not settling.lead(held, what):
        leader = coalescing.leader_of(what, Audio(item.job.audio))
        if leader is None:
            continue  # gone this moment: the lead is to be had
        if leader.listed_before((item.claimed_at or timezone.now()) - coalescing.FRESH):
            return False
        logger.info("item %s waits for what item %s saves", item.pk, leader.item_id)
        for event in leader.events(workspace, record.have):
            watch.look_round()
            record.take(event)
        record.save()
        if leader.complete:
            return True
        record.look_again()
    return False


def _events(
    item: Item, workspace: store.Workspace, have: Iterable[tuple[str, int]], watch: _Watch
) -> Generator[Event | None, None, None]:
    options = HarvestOptions(
        prefer="highest" if item.job.prefer == "highest" else "compatible",
        posts=item.job.posts,
        audio=_AUDIO[Audio(item.job.audio)],
    )
    target, known = submission.target_of(item), frozenset(have)
    with bridge.current().stream(
        lambda client: harvest(client, target, options=options, workspace=workspace, have=known)
    ) as events:
        for event in events:
            watch.look_round()
            yield event


def upstream_answered() -> None:
    """TikTok gave a real answer: if that ends a pause, whoever waits for it goes on."""
    if breaker.answered():
        resumed = settling.resume_all()
        logger.info("TikTok answers again, %d items go on", resumed)
        dispatch()


class _Watch:
    """Looks up from the work now and then: cancelled? stopping? too late? Renews the claim."""

    def __init__(self, held: Claim) -> None:
        self._held = held
        now = time.monotonic()
        self._look_at, self._renew_at = now + LOOK_ROUND_S, now + settling.RENEW_S
        self._end_at = now + client_config().item_timeout_s + OVERTIME_S

    def look_round(self) -> None:
        """Raises ClaimLost, Stopping or TimedOut."""
        if settling.stopping.is_set():
            raise Stopping
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_ROUND_S
        if now >= self._renew_at:
            self._renew_at = now + settling.RENEW_S
            ours = settling.renew(self._held)
        else:
            ours = settling.holds(self._held)
        if not ours:
            raise ClaimLost
        if now >= self._end_at:
            raise TimedOut("no end was in sight")


class _Record:
    """Turns events into rows and files. Every write is fenced by the claim."""

    def __init__(self, held: Claim, item: Item, workspace: store.Workspace) -> None:
        self._held, self._item, self._workspace = held, item, workspace
        self._stories: dict[str, Story] = {}
        self._failed: dict[str, StoriesError] = {}
        self._bare: set[tuple[str, int]] = set()
        self._spared: Counter[str] = Counter()
        self._listed: frozenset[str] = frozenset()
        self._packed: dict[str, int] = {}
        self._ready: list[FileReady] = []
        self._ready_since = 0.0
        self.has_past = held.attempt > 1 and Story.objects.filter(item=item).exists()
        self._saved_bytes = self._saved_before() if held.attempt > 1 else {}
        self.have = frozenset(self._saved_bytes)
        self.progress = Reporter(item.job_id, item.pk)

    def take(self, event: Event | None) -> None:
        """Write down one event; None: time passed."""
        match event:
            case None:
                self.progress.tick()
            case Resolved():
                self._resolved(event.author)
            case Listed():
                self._list(event)
            case Transferring():
                file = (event.story_id, event.position)
                self.progress.arriving(file, event.bytes_done, event.bytes_total)
            case Checking():
                self.progress.checking()
            case FileReady():
                self._ready_since = self._ready_since if self._ready else time.monotonic()
                self._ready.append(event)
            case MediaFailed():
                self.progress.file_failed((event.story_id, event.position))
                self._spared[event.story_id] += (event.story_id, event.position) in self._bare
                logger.info(
                    "item %s: media %d of story %s: %s %s",
                    self._item.pk, event.position, event.story_id,
                    event.error.code, event.error.detail,
                )  # fmt: skip
            case StoryFinished():
                self._finish(event)
            case Warned():
                logger.info("item %s: story %s: %s", self._item.pk, event.story_id, event.message)
        if self._ready and (
            len(self._ready) >= SAVE_TOGETHER
            or time.monotonic() - self._ready_since >= SAVE_AFTER_S
        ):
            self.save()

    def outcome(self) -> Outcome:
        """What all the item's stories amount to, those of earlier attempts too."""
        states = [ItemState(one.state) for one in Story.objects.filter(item=self._item)]
        if not states:
            return Outcome(ItemState.EMPTY)
        missing = self._missing()
        if all(state == ItemState.DONE for state in states):
            return Outcome(ItemState.DONE)
        some = {ItemState.DONE, ItemState.PARTIAL} & set(states)
        return Outcome(ItemState.PARTIAL if some else ItemState.FAILED, missing)

    def _missing(self) -> StoriesError:
        """The error to name for what is missing: one that may pass, if there is one."""
        errors = sorted(self._failed.values(), key=lambda error: not error.retryable)
        return errors[0] if errors else Gone("not listed any more")

    # --- what is there already -------------------------------------------------------------------

    def look_again(self) -> None:
        """What others brought is there from now on."""
        self._saved_bytes = self._saved_before()
        self.have = frozenset(self._saved_bytes)

    def _saved_before(self) -> dict[tuple[str, int], int]:
        """Media an earlier attempt saved, and its size; not where something made of it is missing.

        What was saved without it is fetched again for its sake, and kept once.
        """
        now = timezone.now()
        # Out of the way: a row that is not marked yet would keep out the file fetched instead.
        sweep.expire(self._item.pk, now)
        rows = Artifact.objects.present(now).filter(item=self._item, story__isnull=False)
        files = list(rows.select_related("story"))
        there = {(file.story_id, file.role, file.position) for file in files}
        saved = {}
        for file in files:
            if file.story is None or file.role not in {Role.MEDIA, Role.ATTACHED_SONG}:
                continue
            key = (file.story.tiktok_id, file.position)
            made = {(file.story_id, role, file.position) for role in self._made_of(file)}
            # Once a story is closed, what is not there could not be made.
            if file.story.state in _CLOSED or made <= there:
                saved[key] = file.size_bytes
            else:
                self._bare.add(key)
        return saved | self._deleted()

    def _deleted(self) -> dict[tuple[str, int], int]:
        """What someone deleted, before its time, since its person last asked: not to come back."""
        gone = Artifact.objects.filter(
            item=self._item,
            story__isnull=False,
            role__in=(Role.MEDIA, Role.ATTACHED_SONG),
            removed_at__gte=self._item.asked_at,
            removed_at__lt=F("expires_at"),
        )
        return {
            (tiktok_id, position): size_bytes
            for tiktok_id, position, size_bytes in gone.values_list(
                "story__tiktok_id", "position", "size_bytes"
            )
        }

    def _made_of(self, file: Artifact) -> Iterator[Role]:
        """What belongs beside a file."""
        if file.role != Role.MEDIA:
            return
        if file.position == 1:
            yield Role.POSTER
        if file.content_type in CONVERTED_TYPES:
            yield Role.CONVERTED
        if file.has_audio and self._item.job.audio != Audio.NONE:
            yield Role.AUDIO_TRACK

    # --- who and what -----------------------------------------------------------------------------

    def _resolved(self, author: structures.Author) -> None:
        item = self._item
        known = (item.author_id, item.author_name, item.author_nickname)
        item.author_id, item.author_name = author.id[:32], author.name[:64]
        item.author_nickname = submission.tame(author.nickname, 200)
        if known == (item.author_id, item.author_name, item.author_nickname):
            return
        with fenced(self._held):
            item.save(update_fields=["author_id", "author_name", "author_nickname"])

    def _list(self, event: Listed) -> None:
        upstream_answered()
        self._resolved(event.author)
        dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(event.dropped.items()))
        logger.info(
            "item %s: %d stories%s",
            self._item.pk, len(event.stories), f"; left out: {dropped}" if dropped else "",
        )  # fmt: skip
        self._listed = frozenset(story.id for story in event.stories)
        with fenced(self._held):
            known = {row.tiktok_id: row for row in Story.objects.filter(item=self._item)}
            position = max((row.position for row in known.values()), default=0)
            new: list[Story] = []
            for story in event.stories:
                row = known.get(story.id)
                if row is None:
                    position += 1
                    row = self._new_row(story, position)
                    new.append(row)
                elif row.state != ItemState.DONE:
                    row.state, row.error_code, row.error_detail = ItemState.QUEUED, "", ""
                    row.save(update_fields=["state", "error_code", "error_detail"])
                self._stories[story.id] = row
            Story.objects.bulk_create(new)
            for row in known.values():
                if row.tiktok_id not in self._listed and row.state == ItemState.QUEUED:
                    saved = Artifact.objects.filter(story=row, role=Role.MEDIA).exists()
                    self._close(row, Gone("not listed any more"), saved=saved)
            kind = submission.kind_found(self._item.kind, event.stories)
            self._item.kind, self._item.listed_at = kind, timezone.now()
            self._item.save(update_fields=["kind", "listed_at"])
        self._expect(event.stories)

    def _new_row(self, story: structures.Story, position: int) -> Story:
        return Story(
            item=self._item,
            owner_id=self._item.owner_id,
            tiktok_id=story.id,
            position=position,
            kind=StoryKind(story.kind.value),
            is_story=story.is_story,
            caption=submission.tame(story.caption, MAX_CAPTION, multiline=True),
            source_url=story.source_url[:300],
            posted_at=story.posted_at,
            leaves_at=story.leaves_at,
            media_count=len(story.media),
        )

    def _expect(self, stories: Iterable[structures.Story]) -> None:
        expected, already = {}, {}
        for story in stories:
            for media in story.media:
                file = (story.id, media.position)
                if file in self._saved_bytes:
                    already[file] = self._saved_bytes[file]
                else:
                    ranked = renditions.rank(media)
                    expected[file] = (ranked[0].variant.size_bytes or 0) if ranked else 0
        self.progress.found(len(self._listed), expected, already)

    # --- files ------------------------------------------------------------------------------------

    def save(self, also: Callable[[], None] | None = None) -> None:
        """Keep the files that are ready, in one transaction. Raises ClaimLost, DiskFull.

        also: what to write in the same transaction.
        """
        ready, self._ready = self._ready, []
        kept: list[Artifact] = []
        try:
            for event in ready:
                kept.append(self._keep(event))  # noqa: PERF401  # those before a full disk count
        except BaseException:
            self._add(kept)
            raise
        self._add(kept, also)
        for event in ready:
            if event.role == "media":
                self.progress.file_done((event.story_id, event.position), event.size_bytes)

    def _keep(self, event: FileReady) -> Artifact:
        """Put a file in its place; its row, not written yet and with the name it should have."""
        story = self._stories[event.story_id]
        role = Role(event.role)
        artifact = Artifact(
            id=uuid4(),
            owner_id=self._item.owner_id,
            job_id=self._item.job_id,
            item=self._item,
            story=story,
            role=role,
            position=event.position,
            name=names.media_name(
                self._item.author_name,
                story.posted_at,
                event.position or 1,
                event.verified.suffix,
                tag=names.TAGS.get(role, ""),
            ),
            content_type=event.verified.content_type,
            size_bytes=event.size_bytes,
            sha256=event.sha256,
            width=event.verified.width,
            height=event.verified.height,
            duration_s=event.verified.duration_s,
            has_audio=event.verified.has_audio,
            checked=True,
            labels=list(event.labels),
            expires_at=timezone.now() + settings.STORYKEEP.artifact_ttl,
        )
        # The file before its row, so that a row never points at nothing.
        try:
            self._workspace.commit(event.key, artifact.pk, durable=role != Role.POSTER)
        except FileNotFoundError as error:
            raise ClaimLost from error  # the workspace was taken away with the claim
        return artifact

    def _add(self, artifacts: list[Artifact], also: Callable[[], None] | None = None) -> None:
        """The rows of files that are in storage; a file without a row goes again."""
        if not artifacts and also is None:
            return
        added: list[Artifact] = []
        try:
            with fenced(self._held, job_id=self._item.job_id if artifacts else None):
                if artifacts:
                    self._name(artifacts)
                inserted = self._insert(artifacts) if artifacts else []
                if also is not None:
                    also()
            added = inserted
        finally:
            for artifact in artifacts:
                if artifact not in added:
                    store.remove(artifact.pk)

    def _name(self, artifacts: list[Artifact]) -> None:
        """Give each a name that nothing else in the job has."""
        stems = [artifact.name.rpartition(".")[0] for artifact in artifacts]
        start = os.path.commonprefix(stems)  # noqa: RUF071  # letters are what is wanted here
        rows = Artifact.objects.filter(job_id=self._item.job_id, name__istartswith=start)
        taken = {names.same(name) for name in rows.values_list("name", flat=True)}
        for artifact in artifacts:
            artifact.name = names.unique(artifact.name, taken)
            taken.add(names.same(artifact.name))

    def _insert(self, artifacts: list[Artifact]) -> list[Artifact]:
        """Write the rows; those that were written."""
        try:
            with transaction.atomic():
                return Artifact.objects.bulk_create(artifacts)
        except IntegrityError:
            if len(artifacts) > 1:
                return [one for each in artifacts for one in self._insert([each])]
        # Saved before, by an attempt that was thought lost: one copy is enough.
        logger.info("item %s: %s was there already", self._item.pk, artifacts[0].role)
        return []

    # --- the end of a story -----------------------------------------------------------------------

    def _finish(self, event: StoryFinished) -> None:
        story = self._stories[event.story_id]
        # What was to be had again for something beside it, and was not, is still there.
        saved = event.saved + self._spared[event.story_id]
        error = event.error if saved < event.expected else None
        if error is None and saved < event.expected:
            error = MediaUnavailable()
        if error is not None:
            self._failed[story.tiktok_id] = error

        def close() -> None:
            self._close(story, error, saved=saved > 0)

        if story.kind == StoryKind.CAROUSEL and saved:
            self.save()
            files = list(Artifact.objects.present().filter(story=story).order_by("position"))
            packed = self._pack(story, files)
            self._add(packed, close)
            sources = [file for file in files if file.role != Role.ZIP]
            if packed and packing.any_gone(sources):  # deleted while it was packed
                sweep.delete(Artifact.objects.filter(pk__in=[one.pk for one in packed]))
        else:
            self.save(close)

    def _close(self, story: Story, error: StoriesError | None, *, saved: bool) -> None:
        story.state = ItemState.DONE
        story.error_code = story.error_detail = ""
        if error is not None:
            story.state = ItemState.PARTIAL if saved else ItemState.FAILED
            story.error_code = error.code
            story.error_detail = submission.tame(error.detail, 500)
        if saved:
            story.captured_at = story.captured_at or timezone.now()
        story.save(update_fields=["state", "error_code", "error_detail", "captured_at"])

    def _pack(self, story: Story, files: Sequence[Artifact]) -> list[Artifact]:
        """A carousel as one ZIP, where there is none yet; one that lacks pictures makes room."""
        media = [file for file in files if file.role == Role.MEDIA]
        old = next((file for file in files if file.role == Role.ZIP), None)
        if not media or (old and old.created_at > max(file.created_at for file in media)):
            return []
        self.progress.packing()
        if old:
            with fenced(self._held):
                Artifact.objects.filter(pk=old.pk).update(removed_at=timezone.now())
            store.remove(old.pk)
        try:
            return [packing.carousel(story, files, self._workspace)]
        except StoriesError as error:
            logger.info("item %s: no ZIP: %s", self._item.pk, error.code)
            return []
