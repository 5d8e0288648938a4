"""The bundle of a run: all its files in a ZIP, in the output folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from jobs.files import names
from jobs.standalone.output_folder import FolderFull, OutputFolder, translate_write_errors
from jobs.standalone.results import LineResult, SavedFile, StoryResult
from jobs.states import ItemState
from jobs.zips import archive
from jobs.zips.archive import Archive, FileFacts
from jobs.zips.omissions import ListedLine, ListedStory, omissions


def pack_bundle(
    lines: Sequence[LineResult],
    folder: OutputFolder,
    *,
    started_at: datetime,
    heartbeat: Callable[[], None],
) -> SavedFile:
    """Pack the files of all lines, and name each file by its path in the ZIP.

    started_at: for the ZIP's name. heartbeat: called while packing; may raise to stop. Raises
    FolderFull.
    """
    stories = _unique_stories(lines)
    zone, template = timezone.get_default_timezone(), settings.STORYKEEP.filename_template
    folder.reserve(
        sum(
            file.facts.size_bytes + archive.ENTRY_BYTES for story in stories for file in story.files
        )
    )
    key, file = folder.create()
    with (
        translate_write_errors(),
        file,
        Archive(file, folder.open, heartbeat, zone=zone, template=template) as zipped,
    ):
        zipped.omissions = omissions([_listed(line) for line in lines])
        members = zipped.add_bundle(
            [(story.facts(), [file.facts for file in story.files]) for story in stories]
        )
    if zipped.damaged:
        raise FolderFull("the disk has not kept what was written")
    with translate_write_errors():
        sha256, size_bytes = folder.measure(key, heartbeat)
    name = names.bundle_name((story.author.name for story in stories), started_at, zone=zone)
    path = folder.place(key, name, sha256, size_bytes)
    _rename_files(lines, stories, {facts.key: member for member, facts in members})
    return SavedFile(
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


def _listed(line: LineResult) -> ListedLine:
    """A line as the manifest's rows without a file need it."""
    target = line.line.target
    return ListedLine(
        text=line.line.text,
        author_name=line.author.name if line.author else (target and target.name) or "",
        author_nickname=line.author.nickname if line.author else "",
        left_out=line.left_out,
        stories=[
            ListedStory(
                story_id=story.story.id,
                kind=story.story.kind.value,
                source_url=story.story.source_url,
                posted_at=story.story.posted_at,
                author_name=story.author.name,
                author_nickname=story.author.nickname,
                missing=max(0, story.expected - story.saved),
                whole=story.state == ItemState.DONE,
                reason=story.error.code if story.error else "",
            )
            for story in line.stories
        ],
    )


def _unique_stories(lines: Sequence[LineResult]) -> list[StoryResult]:
    """Every story with files, by author and time; of two copies the one with more files."""
    best: dict[str, StoryResult] = {}
    for line in lines:
        for story in line.stories:
            known = best.get(story.story.id)
            if story.files and (known is None or len(known.files) < len(story.files)):
                best[story.story.id] = story
    return sorted(
        best.values(), key=lambda story: (story.author.name, story.story.posted_at, story.story.id)
    )


def _rename_files(
    lines: Sequence[LineResult], packed: Sequence[StoryResult], members: Mapping[str, str]
) -> None:
    """Name files by their path in the ZIP, also those of which another line's copy was packed.

    members: path by the file's key.
    """
    paths = {
        (story.story.id, *_role_and_position(file)): members[file.facts.key]
        for story in packed
        for file in story.files
        if file.facts.key in members
    }
    for line in lines:
        for story in line.stories:
            story.files = [
                replace(
                    file, name=paths.get((story.story.id, *_role_and_position(file)), file.name)
                )
                for file in story.files
            ]


def _role_and_position(file: SavedFile) -> tuple[str, int]:
    return file.facts.role, file.facts.position
