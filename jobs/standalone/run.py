"""A run: lines fetched straight into a folder, without queue, database and Redis.

    fetch(lines, into=path, …) → RunResult: every line's verdict and files

A line has one attempt, for retries belong to the queue, and once TikTok refuses this machine no
line of the run sends another request.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from jobs import lines
from jobs.errors import Cancelled, Internal, new_bug_id
from jobs.files.bundles import PACKED_ROLES
from jobs.lines import Line
from jobs.standalone.bundle import pack_bundle
from jobs.standalone.client import MakeClient, RunRateLimit, client_from_settings
from jobs.standalone.listener import ProgressListener
from jobs.standalone.output_folder import OutputFolder
from jobs.standalone.results import LineResult, RunResult, StoryResult
from jobs.standalone.tally import Tally
from jobs.standalone.writer import ResultWriter, as_folder_full, is_single_author
from jobs.states import OPEN, ItemState
from stories import renditions
from stories.client import StoryClient
from stories.errors import Refusal, StoriesError
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

logger = logging.getLogger(__name__)

INTERRUPTS: Final = (signal.SIGINT, signal.SIGTERM)


def fetch(
    lines: Sequence[Line],
    *,
    into: Path,
    zipped: bool,
    options: HarvestOptions,
    rate_limit: RunRateLimit,
    concurrency: int,
    listener: ProgressListener,
    make_client: MakeClient = client_from_settings,
) -> RunResult:
    """Save what the lines show now. To be called in the main thread, for it handles signals.

    zipped: a ZIP instead of loose files. concurrency: lines worked on at a time. The folder is made
    when it is missing, and not touched when no line is understood. Nothing in it is ever
    overwritten. Raises FolderFull when the folder cannot be made or written at all; any other
    error is a line's verdict.
    """
    result = RunResult(lines=[LineResult(line=line, kind=line.kind) for line in lines])
    for line in result.lines:
        if line.line.target is None:
            line.settle(line.line.error or Internal())
            listener.line_settled(line)
    pending = [line for line in result.lines if line.line.target is not None]
    if not pending:
        return result
    with OutputFolder(into) as folder:
        run = _Run(
            result=result,
            pending=pending,
            folder=folder,
            writer=ResultWriter(
                folder=folder, zipped=zipped, by_author=not is_single_author(pending)
            ),
            zipped=zipped,
            options=options,
            rate_limit=rate_limit,
            semaphore=asyncio.Semaphore(concurrency),
            listener=listener,
        )
        # When this returns, threads that were still writing a file have finished, too.
        asyncio.run(run.fetch_lines(make_client))
        run.close()
    return result


@dataclass(slots=True, kw_only=True)
class _Run:
    """The work behind a fetch() call. semaphore: lines at a time."""

    result: RunResult
    pending: list[LineResult]
    folder: OutputFolder
    writer: ResultWriter
    zipped: bool
    options: HarvestOptions
    rate_limit: RunRateLimit
    semaphore: asyncio.Semaphore
    listener: ProgressListener
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)
    _tally: Tally = field(default_factory=Tally, init=False)
    _started_at: datetime = field(default_factory=partial(datetime.now, UTC), init=False)
    _bundle_error: StoriesError | None = field(default=None, init=False)
    _reported: set[int] = field(default_factory=set, init=False)

    async def fetch_lines(self, make_client: MakeClient) -> None:
        """Every line, then the ZIP; a signal ends it early and in order."""
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def interrupt(number: signal.Signals) -> None:
            if self.result.signal is None and task is not None:
                self.result.signal = number
                self._stopping.set()
                task.cancel()
            # A second Ctrl-C does not wait for the clean-up.
            loop.remove_signal_handler(signal.SIGINT)

        for number in INTERRUPTS:
            loop.add_signal_handler(number, interrupt, number)
        try:
            async with make_client(self.rate_limit.acquire) as client:
                try:
                    async with asyncio.TaskGroup() as group:
                        for line in self.pending:
                            group.create_task(self._fetch_line(client, line))
                finally:
                    self.result.clock_ahead_s = client.clock.ahead_s
            if self.zipped and any(line.files for line in self.pending):
                await asyncio.to_thread(self._pack)
        except asyncio.CancelledError:
            if self.result.signal is None:
                raise
        finally:
            for number in INTERRUPTS:
                loop.remove_signal_handler(number)

    def close(self) -> None:
        """Settle what was cut short, so that every file has its sidecar and every line a verdict.

        Without its ZIP a file was not saved, for the workspace is removed with it.
        """
        for line in self.pending:
            if line.state in OPEN:
                self.writer.settle_line(line, Cancelled())
        if self.zipped and self.result.bundle is None:
            for line in self.pending:
                if line.files:
                    line.discard_files(self._bundle_error or Cancelled())
        for line in self.pending:
            self._report(line)

    def _report(self, line: LineResult) -> None:
        """Pass a settled line to the listener, once."""
        if id(line) not in self._reported:
            self._reported.add(id(line))
            self.listener.line_settled(line)

    # --- a line -------------------------------------------------------------------------------

    async def _fetch_line(self, client: StoryClient, line: LineResult) -> None:
        async with self.semaphore:
            line.state = ItemState.RUNNING
            self.listener.line_started(line)
            error: StoriesError | None = None
            try:
                await self._harvest(client, line)
            except Refusal as refusal:
                self.rate_limit.refuse_all(refusal)
                error = refusal
            except StoriesError as harvest_error:
                error = as_folder_full(harvest_error)
            except Exception:  # a bug: this line's alone, and the others go on
                bug_id = new_bug_id()
                logger.exception("line crashed, bug %s", bug_id)
                error = Internal(bug_id)
            await asyncio.to_thread(self.writer.settle_line, line, error)
            if not (self.zipped and line.files):
                self._report(line)

    async def _harvest(self, client: StoryClient, line: LineResult) -> None:
        target = line.line.target
        assert target is not None  # noqa: S101  # nosec B101  # refused lines are not pending
        events = harvest(client, target, options=self.options, workspace=self.folder)
        async with aclosing(events):
            async for event in events:
                await self._apply(line, event)

    async def _apply(self, line: LineResult, event: Event) -> None:
        match event:
            case Resolved():
                line.author = event.author
            case Listed():
                self._list_stories(line, event)
            case Transferring():
                key = (id(line), event.story_id, event.position)
                self._tally.arriving(key, event.bytes_done, event.bytes_total)
            case FileReady() if event.role in PACKED_ROLES:
                await self._save(line, event)
            case FileReady():
                self.folder.discard(event.key)
            case MediaFailed():
                self._tally.failed((id(line), event.story_id, event.position))
                logger.info(
                    "media %d of story %s: %s %s",
                    event.position, event.story_id, event.error.code, event.error.detail,
                )  # fmt: skip
            case StoryFinished():
                story = line.story(event.story_id)
                error = event.error or event.lacks
                await asyncio.to_thread(self.writer.settle_story, story, error)
            case Warned():
                logger.info("story %s: %s", event.story_id, event.message)
        self.listener.progressed(self._tally.totals())

    def _list_stories(self, line: LineResult, event: Listed) -> None:
        line.author, line.left_out, line.details = event.author, event.left_out, event.details
        line.stories = [StoryResult(story=story, author=event.author) for story in event.stories]
        line.kind = lines.resolved_kind(line.kind, event.stories)
        for story in event.stories:
            for media in story.media:
                ranked = renditions.rank(media)
                size_bytes = (ranked[0].variant.size_bytes or 0) if ranked else 0
                self._tally.expect((id(line), story.id, media.position), size_bytes)
        self.listener.stories_listed(line)

    async def _save(self, line: LineResult, event: FileReady) -> None:
        # In a thread: a file of that name may be large, and is read for comparison.
        file = await asyncio.to_thread(self.writer.save, line.story(event.story_id), event)
        if event.role == "media":
            self._tally.done((id(line), event.story_id, event.position), event.size_bytes)
        self.listener.file_saved(line, file)

    # --- the ZIP --------------------------------------------------------------------------------

    def _pack(self) -> None:
        """Pack all files into a ZIP in the output folder. Runs in a thread."""
        try:
            self.result.bundle = pack_bundle(
                self.pending,
                self.folder,
                started_at=self._started_at,
                heartbeat=self._stop_if_interrupted,
            )
        except _Interrupted:
            pass
        except StoriesError as error:
            self._bundle_error = error

    def _stop_if_interrupted(self) -> None:
        if self._stopping.is_set():
            raise _Interrupted


class _Interrupted(Exception):
    """A signal came while packing."""
