"""The files of a run in its output folder: names, places, and a sidecar for each story."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from jobs.errors import DiskFull
from jobs.files import names, story_names, times
from jobs.files.story_names import NameFacts
from jobs.standalone.output_folder import FolderFull, OutputFolder
from jobs.standalone.results import LineResult, SavedFile, StoryResult
from jobs.states import ItemState
from jobs.zips import archive
from jobs.zips.archive import FileFacts, Named
from stories.errors import StoriesError
from stories.events import FileReady


@dataclass(slots=True, kw_only=True)
class ResultWriter:
    """Saves files and sidecars, and records them in the results. To be called in threads.

    zipped: files stay in the workspace, for the ZIP. by_author: each author has a folder. zone:
    whose clock names show.
    """

    folder: OutputFolder
    zipped: bool
    by_author: bool
    zone: tzinfo = field(default_factory=timezone.get_default_timezone)
    # A name at a time: the second file has to see which one the first file took.
    _naming: threading.Lock = field(default_factory=threading.Lock, init=False)

    def save(self, story: StoryResult, event: FileReady) -> SavedFile:
        """Give a complete file its name, or leave it for the ZIP; add it to the story's files."""
        name = story_names.media_name(
            self._name_facts(story),
            (event.position or 1) if len(story.story.media) > 1 else None,
            event.verified.suffix,
            tag=story_names.TAGS.get(event.role, ""),
        )
        path: Path | None = None
        if self.zipped:
            self.folder.complete(event.key)
        else:
            with self._naming:
                path = self.folder.place(
                    event.key,
                    name,
                    event.sha256,
                    event.size_bytes,
                    within=self._subfolder(story),
                    at=_file_time(story),
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
        file = SavedFile(
            facts=facts,
            name=facts.name,
            has_audio=event.verified.has_audio,
            checked=event.verified.checked,
            path=path,
        )
        story.captured_at = datetime.now(UTC)
        story.files.append(file)
        if event.role == "media":
            story.saved += 1
        return file

    def settle_story(self, story: StoryResult, error: StoriesError | None) -> None:
        """Settle a story, and write its sidecar beside loose files. Raises FolderFull."""
        story.files.sort(key=lambda file: file.facts.rank)
        story.settle(as_folder_full(error) if error else None)
        if self.zipped or not story.files:
            return
        named: list[Named] = [(file.name, file.facts) for file in story.files]
        name = story_names.sidecar_name(self._name_facts(story))
        content = archive.sidecar(story.facts(), named)
        with self._naming:
            self.folder.place_sidecar(
                name, content, within=self._subfolder(story), at=_file_time(story)
            )

    def settle_line(self, line: LineResult, error: StoriesError | None) -> None:
        """Settle a line and those of its stories that are not settled yet."""
        try:
            for story in line.stories:
                if story.state == ItemState.RUNNING:
                    self.settle_story(story, error)
        except StoriesError as sidecar_error:
            error = error or sidecar_error
        line.settle(error)

    def _name_facts(self, story: StoryResult) -> NameFacts:
        return story.facts().naming(self.zone, settings.STORYKEEP.filename_template)

    def _subfolder(self, story: StoryResult) -> str:
        return names.folder_name(story.author.name) if self.by_author else ""


def _file_time(story: StoryResult) -> datetime:
    return times.file_time(story.story.posted_at, datetime.now(UTC))


def is_single_author(lines: Sequence[LineResult]) -> bool:
    """Whether the lines name one author and no other.

    Judged by the text, before anything is looked up, so that the same command always lays out its
    folder the same way.
    """
    targets = [line.line.target for line in lines]
    if len(targets) == 1:
        return True
    named = {target and (target.name or target.user_id or target.sec_uid) for target in targets}
    return len(named) == 1 and None not in named


def as_folder_full(error: StoriesError) -> StoriesError:
    """A DiskFull as FolderFull, for the disk is not an instance's; other errors unchanged."""
    if isinstance(error, DiskFull) and not isinstance(error, FolderFull):
        return FolderFull(error.detail)
    return error
