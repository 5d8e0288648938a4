"""The result of a run: the verdict on each line, its stories, and the files saved of each.

Plain values, where the worker keeps rows.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from jobs.errors import Cancelled, error_to_name
from jobs.lines import Line
from jobs.models import ItemKind
from jobs.states import SAVED, ItemState, job_state
from jobs.zips.archive import FileFacts, StoryFacts
from stories import structures
from stories.errors import MediaUnavailable, StoriesError
from stories.left_out import LeftOutReason, errors_for
from stories.structures import Author


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """A saved file. path: of a loose file; None inside a ZIP, where name is the member's path."""

    facts: FileFacts
    name: str
    has_audio: bool = False
    checked: bool = True
    path: Path | None = None


@dataclass(slots=True, kw_only=True)
class StoryResult:
    """A story of a line, and the files saved of it. saved, expected: pictures and videos alone."""

    story: structures.Story
    author: Author
    state: ItemState = ItemState.RUNNING
    error: StoriesError | None = None
    saved: int = 0
    captured_at: datetime | None = None
    files: list[SavedFile] = field(default_factory=list)

    @property
    def expected(self) -> int:
        """The number of pictures and videos it has."""
        return len(self.story.media)

    def facts(self) -> StoryFacts:
        """The facts for sidecar and manifest."""
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
        """Set the final state. error: why something is missing."""
        if error is None and self.saved < self.expected:
            error = MediaUnavailable()
        self.error = error
        self.state = ItemState.DONE
        if error is not None:
            cancelled = isinstance(error, Cancelled) and not self.saved
            missing = ItemState.CANCELLED if cancelled else ItemState.FAILED
            self.state = ItemState.PARTIAL if self.saved else missing


@dataclass(slots=True, kw_only=True)
class LineResult:
    """A line and its verdict. kind: of the line, until its stories are known.

    left_out: reason -> number of stories that its list names or promises and does not hand over.
    details: reason -> what is wrong with the first of them.
    """

    line: Line
    kind: ItemKind
    state: ItemState = ItemState.QUEUED
    error: StoriesError | None = None
    author: Author | None = None
    stories: list[StoryResult] = field(default_factory=list)
    left_out: Mapping[LeftOutReason, int] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> list[SavedFile]:
        """The files of all its stories."""
        return [file for story in self.stories for file in story.files]

    def story(self, story_id: str) -> StoryResult:
        """Its story with this id."""
        return next(story for story in self.stories if story.story.id == story_id)

    def settle(self, error: StoriesError | None) -> None:
        """Set the final state, also of stories without one. error: what ended the line early.

        DONE and EMPTY say that the list was complete and nothing of it is missing.
        """
        for story in self.stories:
            if story.state == ItemState.RUNNING:
                story.settle(error)
        states = {story.state for story in self.stories}
        left_out = errors_for(self.left_out, self.details)
        if error is None and states <= {ItemState.DONE} and not left_out:
            self.state = ItemState.DONE if states else ItemState.EMPTY
            return
        story_errors = [story.error for story in self.stories if story.error is not None]
        self.error = error or error_to_name([*story_errors, *left_out])
        missing = ItemState.CANCELLED if isinstance(error, Cancelled) else ItemState.FAILED
        if error is not None and error.nothing_to_save:
            missing = ItemState.EMPTY
        some = states & SAVED
        self.state = ItemState.PARTIAL if some else missing

    def discard_files(self, error: StoriesError) -> None:
        """Settle without any file, for those that arrived are lost. error: why."""
        for story in self.stories:
            story.files.clear()
            story.saved = 0
            story.settle(story.error or error)
        self.settle(error)


@dataclass(slots=True, kw_only=True)
class RunResult:
    """The result of a run.

    bundle: the ZIP of all files. signal: the one that cut it short. clock_ahead_s: seconds our
    clock is ahead of TikTok's; None when that was not learnt.
    """

    lines: list[LineResult]
    bundle: SavedFile | None = None
    signal: signal.Signals | None = None
    clock_ahead_s: float | None = None

    @property
    def state(self) -> ItemState:
        """The state a job with these lines would have."""
        return job_state(line.state for line in self.lines)

    @property
    def exit_code(self) -> int:
        """0: every line was answered in full. 1: something is missing. 2: nothing was saved.

        An account without active stories is a full answer, and so is an advert. 128 and the
        signal's number when a signal ended the run, as in shells.
        """
        if self.signal is not None:
            return 128 + self.signal
        states = {line.state for line in self.lines}
        full = {ItemState.DONE, ItemState.EMPTY}
        if states and states <= full:
            return 0
        return 1 if states & (full | {ItemState.PARTIAL}) else 2
