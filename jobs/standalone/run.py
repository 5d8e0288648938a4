"""Lines fetched straight into a folder: no queue, no database, no Redis.

    fetch(lines, into=Folder(path), …) → Takeout: every line's verdict and files

What the worker records as rows is kept in plain values here. One attempt per line: patience lives
in the queue, and this has none. Once TikTok refuses this machine nobody asks again in this run.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from jobs.errors import Cancelled, DiskFull, Internal
from jobs.fetching import bridge
from jobs.files import names
from jobs.models import ItemKind
from jobs.queue import submission
from jobs.queue.submission import Line
from jobs.standalone.output_folder import Folder, FolderFull, written
from jobs.states import OPEN, ItemState, job_state
from jobs.upstream.breaker import Bucket
from jobs.zips import archive
from jobs.zips.archive import Archive, FileFacts, Named, StoryFacts
from stories import renditions, structures
from stories.client import StoryClient
from stories.errors import MediaUnavailable, Refusal, StoriesError
from stories.events import (
    Event,
    FileReady,
    Listed,
    MediaFailed,
    Resolved,
    StoryFinished,
    Transferring,
    Warned,
)
from stories.harvest import HarvestOptions, harvest
from stories.http.network_backend import limit_tls_buffers
from stories.http.session import RateLimit
from stories.structures import Author

logger = logging.getLogger(__name__)

MakeClient = Callable[[RateLimit], StoryClient]

INTERRUPTS: Final = (signal.SIGINT, signal.SIGTERM)


# --- what came of it ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """One file. path: where it lies; None inside a ZIP. name: its path within the ZIP then."""

    facts: FileFacts
    name: str
    has_audio: bool = False
    path: Path | None = None


@dataclass(slots=True, kw_only=True)
class StoryTaken:
    """One story of a line, and what was saved of it. saved, expected: pictures and videos."""

    story: structures.Story
    author: Author
    state: ItemState = ItemState.RUNNING
    error: StoriesError | None = None
    saved: int = 0
    captured_at: datetime | None = None
    files: list[Saved] = field(default_factory=list)

    @property
    def expected(self) -> int:
        """How many pictures and videos it has."""
        return len(self.story.media)

    def facts(self) -> StoryFacts:
        """For sidecar and manifest."""
        return StoryFacts(
            author_id=self.author.id,
            author_name=self.author.name,
            author_nickname=self.author.nickname,
            story_id=self.story.id,
            kind=self.story.kind.value,
            caption=self.story.caption,
            source_url=self.story.source_url,
            posted_at=self.story.posted_at,
            captured_at=self.captured_at,
        )

    def settle(self, error: StoriesError | None) -> None:
        """Nothing more comes. error: why something is missing."""
        if error is None and self.saved < self.expected:
            error = MediaUnavailable()
        self.error = error
        self.state = ItemState.DONE
        if error is not None:
            cancelled = isinstance(error, Cancelled) and not self.saved
            missing = ItemState.CANCELLED if cancelled else ItemState.FAILED
            self.state = ItemState.PARTIAL if self.saved else missing


@dataclass(slots=True, kw_only=True)
class LineTaken:
    """One line and what came of it."""

    line: Line
    kind: ItemKind
    state: ItemState = ItemState.QUEUED
    error: StoriesError | None = None
    author: Author | None = None
    stories: list[StoryTaken] = field(default_factory=list)

    @property
    def files(self) -> list[Saved]:
        """Of all its stories."""
        return [file for story in self.stories for file in story.files]

    def settle(self, error: StoriesError | None) -> None:
        """Nothing more comes. error: what ended it early."""
        for story in self.stories:
            if story.state == ItemState.RUNNING:
                story.settle(error)
        states = {story.state for story in self.stories}
        if error is None and states <= {ItemState.DONE}:
            self.state = ItemState.DONE if states else ItemState.EMPTY
            return
        # The error to name for what is missing: one that may pass, if there is one.
        missing = [story.error for story in self.stories if story.error is not None]
        self.error = error or min(missing, key=lambda one: not one.retryable)
        lost = ItemState.CANCELLED if isinstance(error, Cancelled) else ItemState.FAILED
        self.state = ItemState.PARTIAL if states & {ItemState.DONE, ItemState.PARTIAL} else lost

    def lose(self, error: StoriesError) -> None:
        """What had arrived goes again."""
        for story in self.stories:
            story.files.clear()
            story.saved = 0
            story.settle(story.error or error)
        self.settle(error)


@dataclass(slots=True, kw_only=True)
class Takeout:
    """Everything that came of a run. bundle: the ZIP of all files. signal: what cut it short."""

    lines: list[LineTaken]
    bundle: Saved | None = None
    signal: signal.Signals | None = None

    @property
    def state(self) -> ItemState:
        """As a job's."""
        return job_state(line.state for line in self.lines)

    @property
    def exit_code(self) -> int:
        """0: every line answered in full. 1: something is missing. 2: nothing was had at all.

        An account without active stories has given a full answer. 128 and the signal's number
        when a signal ended it, as shells have it.
        """
        if self.signal is not None:
            return 128 + self.signal
        states = {line.state for line in self.lines}
        full = {ItemState.DONE, ItemState.EMPTY}
        if states and states <= full:
            return 0
        return 1 if states & (full | {ItemState.PARTIAL}) else 2


# --- what is told meanwhile ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How far everything is. files_*: pictures and videos, extras not counted."""

    files_done: int
    files_total: int
    bytes_done: int
    bytes_total: int


class Watch(Protocol):
    """Who is told what happens, as it happens."""

    def looking_up(self, line: LineTaken) -> None:
        """Its turn has come."""

    def found(self, line: LineTaken) -> None:
        """Its stories are known."""

    def saved(self, line: LineTaken, file: Saved) -> None:
        """A file is complete; in its place, or waiting to be packed."""

    def settled(self, line: LineTaken) -> None:
        """Nothing more comes for it; also for a line that was refused from the start."""

    def moved(self, totals: Totals) -> None:
        """More of everything is there."""


# --- asking -------------------------------------------------------------------------------------


class Pace:
    """This run's own turns at asking TikTok. rate: a second, 0 = no limit."""

    def __init__(self, rate: float, burst: int) -> None:
        self._bucket = Bucket(rate, burst) if rate else None
        self._refusal: Refusal | None = None

    async def gate(self, *, at_once: bool = False) -> None:
        """Wait for a turn; `at_once`: only count it. Raises the refusal an earlier line met."""
        if self._bucket and not self._refusal:
            wait_s = self._bucket.reserve()
            await asyncio.sleep(0 if at_once else wait_s)
        if self._refusal:
            raise type(self._refusal)(
                "refused before in this run", retry_after_s=self._refusal.retry_after_s
            )

    def refused(self, error: Refusal) -> None:
        """TikTok turned us away: nobody asks again."""
        self._refusal = self._refusal or error


class Names:
    """Whose name belongs to which account, for this run."""

    def __init__(self) -> None:
        self._known: dict[str, Author] = {}

    async def get(self, name: str) -> Author | None:
        """The account that had this name a moment ago."""
        return self._known.get(name.lower())

    async def put(self, author: Author) -> None:
        """Remember an account under its name."""
        self._known[author.name.lower()] = author

    async def forget(self, name: str) -> None:
        """The name leads elsewhere."""
        self._known.pop(name.lower(), None)


def settings_client(gate: RateLimit) -> StoryClient:
    """A client with the settings' routes and limits, as the worker's."""
    return StoryClient(bridge.client_config(), rate_limit=gate, identities=Names())


# --- the run ------------------------------------------------------------------------------------


def fetch(
    lines: Sequence[Line],
    *,
    into: Path,
    zipped: bool,
    options: HarvestOptions,
    pace: Pace,
    at_once: int,
    watch: Watch,
    make_client: MakeClient = settings_client,
) -> Takeout:
    """Save what the lines show now. To be called in the main thread.

    zipped: one ZIP instead of loose files. at_once: how many lines are worked on at a time. The
    folder is made when it is missing, and not touched when no line is understood. Nothing in it is
    ever overwritten. Raises FolderFull when the folder cannot be made or written at all; every
    other trouble is a line's verdict.
    """
    limit_tls_buffers()  # the transfers run in this process
    taken = Takeout(lines=[LineTaken(line=line, kind=line.kind) for line in lines])
    for one in taken.lines:
        if one.line.target is None:
            one.settle(one.line.error or Internal())
            watch.settled(one)
    if all(one.line.target is None for one in taken.lines):
        return taken
    with Folder(into) as folder:
        run = _Run(taken, folder, zipped, options, pace, at_once, watch)
        # What was cut short ends here, after the threads that still held a file have finished.
        asyncio.run(run.all(make_client))
        run.close()
    return taken


class _Run:
    """The work behind one fetch() call."""

    def __init__(
        self,
        taken: Takeout,
        folder: Folder,
        zipped: bool,
        options: HarvestOptions,
        pace: Pace,
        at_once: int,
        watch: Watch,
    ) -> None:
        self._taken, self._folder, self._zipped = taken, folder, zipped
        self._options, self._pace, self._watch = options, pace, watch
        self._turns = asyncio.Semaphore(at_once)
        # One name at a time: what comes second has to see what the first one took.
        self._placing = threading.Lock()
        self._stopping = threading.Event()
        self._tally = _Tally()
        self._started_at = datetime.now(UTC)
        self._no_bundle: StoriesError | None = None
        self._told: set[int] = set()
        self._todo = [line for line in taken.lines if line.line.target is not None]
        self._folders = not _same_author(self._todo)

    async def all(self, make_client: MakeClient) -> None:
        """Every line, then the ZIP; ends early and in order when a signal says so."""
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def interrupt(number: signal.Signals) -> None:
            if self._taken.signal is None and task is not None:
                self._taken.signal = number
                self._stopping.set()
                task.cancel()
            # A second Ctrl-C does not wait for what is still being tidied.
            loop.remove_signal_handler(signal.SIGINT)

        for number in INTERRUPTS:
            loop.add_signal_handler(number, interrupt, number)
        try:
            async with make_client(self._pace.gate) as client, asyncio.TaskGroup() as group:
                for line in self._todo:
                    group.create_task(self._line(client, line))
            if self._zipped and any(line.files for line in self._todo):
                await asyncio.to_thread(self._pack)
        except asyncio.CancelledError:
            if self._taken.signal is None:
                raise
        finally:
            for number in INTERRUPTS:
                loop.remove_signal_handler(number)

    def close(self) -> None:
        """Settle what was cut short, so that every file has its sidecar and every line a verdict.

        Without its ZIP a file was not saved, for it goes with the workspace.
        """
        for line in self._todo:
            if line.state in OPEN:
                self._settle(line, Cancelled())
        if self._zipped and self._taken.bundle is None:
            for line in self._todo:
                if line.files:
                    line.lose(self._no_bundle or Cancelled())
        for line in self._todo:
            self._tell(line)

    def _tell(self, line: LineTaken) -> None:
        if id(line) not in self._told:
            self._told.add(id(line))
            self._watch.settled(line)

    # --- one line -----------------------------------------------------------------------------

    async def _line(self, client: StoryClient, line: LineTaken) -> None:
        async with self._turns:
            line.state = ItemState.RUNNING
            self._watch.looking_up(line)
            error: StoriesError | None = None
            try:
                await self._harvest(client, line)
            except Refusal as refusal:
                self._pace.refused(refusal)
                error = refusal
            except StoriesError as trouble:
                error = _ours(trouble)
            except Exception:  # a bug: this line's alone, and the others go on
                quote = secrets.token_hex(5)
                logger.exception("line crashed, id %s", quote)
                error = Internal(quote)
            await asyncio.to_thread(self._settle, line, error)
            if not (self._zipped and line.files):
                self._tell(line)

    async def _harvest(self, client: StoryClient, line: LineTaken) -> None:
        target = line.line.target
        assert target is not None  # noqa: S101 - refused lines are not on the list
        events = harvest(client, target, options=self._options, workspace=self._folder)
        async with aclosing(events):
            async for event in events:
                await self._take(line, event)

    async def _take(self, line: LineTaken, event: Event) -> None:
        match event:
            case Resolved():
                line.author = event.author
            case Listed():
                self._list(line, event)
            case Transferring():
                file = (id(line), event.story_id, event.position)
                self._tally.arriving(file, event.bytes_done, event.bytes_total)
            case FileReady() if event.role in archive.ORDER:
                # In a thread: what is there already may be large, and is read for comparison.
                await asyncio.to_thread(self._keep, line, event)
                self._watch.saved(line, _story(line, event.story_id).files[-1])
            case FileReady():
                self._folder.discard(event.key)
            case MediaFailed():
                self._tally.failed((id(line), event.story_id, event.position))
                logger.info(
                    "media %d of story %s: %s %s",
                    event.position, event.story_id, event.error.code, event.error.detail,
                )  # fmt: skip
            case StoryFinished():
                story = _story(line, event.story_id)
                await asyncio.to_thread(self._finish, story, event.error)
            case Warned():
                logger.info("story %s: %s", event.story_id, event.message)
        self._watch.moved(self._tally.totals())

    def _list(self, line: LineTaken, event: Listed) -> None:
        line.author = event.author
        line.stories = [StoryTaken(story=story, author=event.author) for story in event.stories]
        line.kind = submission.kind_found(line.kind, event.stories)
        for story in event.stories:
            for media in story.media:
                ranked = renditions.rank(media)
                size_bytes = (ranked[0].variant.size_bytes or 0) if ranked else 0
                self._tally.expect((id(line), story.id, media.position), size_bytes)
        self._watch.found(line)

    # --- files --------------------------------------------------------------------------------

    def _keep(self, line: LineTaken, event: FileReady) -> None:
        """Give a finished file its name, or leave it for the ZIP. Runs in a thread."""
        taken = _story(line, event.story_id)
        name = names.media_name(
            taken.author.name,
            taken.story.posted_at,
            event.position or 1,
            event.verified.suffix,
            tag=names.TAGS.get(event.role, ""),
        )
        path = None
        if self._zipped:
            self._folder.finished(event.key, event.size_bytes)
        else:
            with self._placing:
                path = self._folder.place(
                    event.key, name, event.sha256, event.size_bytes, within=self._within(taken)
                )
        facts = FileFacts(
            key=event.key,
            role=event.role,
            position=event.position,
            name=path.name if path else name,
            content_type=event.verified.content_type,
            size_bytes=event.size_bytes,
            sha256=event.sha256,
            width=event.verified.width,
            height=event.verified.height,
            duration_s=event.verified.duration_s,
            labels=event.labels,
        )
        taken.captured_at = datetime.now(UTC)
        taken.files.append(
            Saved(facts=facts, name=facts.name, has_audio=event.verified.has_audio, path=path)
        )
        if event.role == "media":
            taken.saved += 1
            self._tally.done((id(line), event.story_id, event.position), event.size_bytes)

    def _within(self, taken: StoryTaken) -> str:
        return names.folder_name(taken.author.name) if self._folders else ""

    def _finish(self, taken: StoryTaken, error: StoriesError | None) -> None:
        taken.files.sort(key=lambda file: file.facts.rank)
        taken.settle(_ours(error) if error else None)
        if self._zipped or not taken.files:
            return
        named: list[Named] = [(file.name, file.facts) for file in taken.files]
        name = names.sidecar_name(taken.author.name, taken.story.posted_at)
        content = archive.sidecar(taken.facts(), named)
        with self._placing:
            self._folder.place_sidecar(name, content, within=self._within(taken))

    def _settle(self, line: LineTaken, error: StoriesError | None) -> None:
        try:
            for story in line.stories:
                if story.state == ItemState.RUNNING:
                    self._finish(story, error)
        except StoriesError as trouble:
            error = error or trouble
        line.settle(error)

    # --- the ZIP --------------------------------------------------------------------------------

    def _pack(self) -> None:
        """Everything as one ZIP, in its place. Runs in a thread."""
        try:
            self._taken.bundle = self._packed()
        except _Stopped:
            pass
        except StoriesError as error:
            self._no_bundle = error

    def _packed(self) -> Saved:
        stories = _once(self._todo)
        self._folder.reserve(
            sum(
                file.facts.size_bytes + archive.ENTRY_BYTES for one in stories for file in one.files
            )
        )
        key, file = self._folder.create()
        with written(), file, Archive(file, self._folder.open, self._beat) as zipped:
            named = zipped.add_bundle(
                [(story.facts(), [one.facts for one in story.files]) for story in stories]
            )
        with written():
            sha256, size_bytes = self._folder.measure(key, self._beat)
        name = names.bundle_name((one.author.name for one in stories), self._started_at)
        path = self._folder.place(key, name, sha256, size_bytes)
        self._rename(stories, {facts.key: name for name, facts in named})
        return Saved(
            name=path.name,
            path=path,
            facts=FileFacts(
                key=key,
                role="bundle",
                position=0,
                name=path.name,
                content_type="application/zip",
                size_bytes=size_bytes,
                sha256=sha256,
                width=None,
                height=None,
                duration_s=None,
                labels=(),
            ),
        )

    def _rename(self, packed: Sequence[StoryTaken], paths: Mapping[str, str]) -> None:
        """Call every file by its path in the ZIP, also where another line's copy was packed."""
        there = {
            (story.story.id, file.facts.role, file.facts.position): paths[file.facts.key]
            for story in packed
            for file in story.files
            if file.facts.key in paths
        }
        for line in self._todo:
            for story in line.stories:
                story.files = [
                    replace(file, name=there.get((story.story.id, *_place(file)), file.name))
                    for file in story.files
                ]

    def _beat(self) -> None:
        if self._stopping.is_set():
            raise _Stopped


class _Stopped(Exception):
    """A signal came while packing."""


class _Tally:
    """How much of what is expected is there. Files are known by line, story and position."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[_File, tuple[int, int]] = {}
        self._done: set[_File] = set()
        self._failed: set[_File] = set()

    def expect(self, file: _File, size_bytes: int) -> None:
        """size_bytes: as listed, 0 when that was not said."""
        with self._lock:
            self._files[file] = (0, size_bytes)

    def arriving(self, file: _File, done: int, total: int | None) -> None:
        """More of it came."""
        with self._lock:
            if file in self._files:
                listed = self._files[file][1]
                self._files[file] = (done, max(done, total or listed))

    def done(self, file: _File, size_bytes: int) -> None:
        """It is complete."""
        with self._lock:
            self._done.add(file)
            self._files[file] = (size_bytes, size_bytes)

    def failed(self, file: _File) -> None:
        """It will not come."""
        with self._lock:
            self._failed.add(file)
            self._files[file] = (0, 0)

    def totals(self) -> Totals:
        """All of it added up."""
        with self._lock:
            return Totals(
                files_done=len(self._done),
                files_total=len(self._files),
                bytes_done=sum(done for done, _ in self._files.values()),
                bytes_total=sum(total for _, total in self._files.values()),
            )


_File = tuple[int, str, int]


def _same_author(lines: Sequence[LineTaken]) -> bool:
    """Do the lines name one author and no other? Judged by the text, before anything is known, so
    that the same command always lays out its folder the same way."""
    targets = [line.line.target for line in lines]
    if len(targets) == 1:
        return True
    named = {one and (one.name or one.user_id or one.sec_uid) for one in targets}
    return len(named) == 1 and None not in named


def _story(line: LineTaken, story_id: str) -> StoryTaken:
    return next(one for one in line.stories if one.story.id == story_id)


def _place(file: Saved) -> tuple[str, int]:
    return file.facts.role, file.facts.position


def _once(lines: Sequence[LineTaken]) -> list[StoryTaken]:
    """Every story with files, by author and time; the fullest where it came by two lines."""
    best: dict[str, StoryTaken] = {}
    for line in lines:
        for story in line.stories:
            known = best.get(story.story.id)
            if story.files and (known is None or len(known.files) < len(story.files)):
                best[story.story.id] = story
    return sorted(
        best.values(), key=lambda one: (one.author.name, one.story.posted_at, one.story.id)
    )


def _ours(error: StoriesError) -> StoriesError:
    """A full disk is this folder's, not an instance's."""
    if isinstance(error, DiskFull) and not isinstance(error, FolderFull):
        return FolderFull(error.detail)
    return error
