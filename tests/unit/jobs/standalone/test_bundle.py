"""The bundle of a run: each story once, and each file named by its path in the ZIP."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.lines import Line
from jobs.models import ItemKind
from jobs.standalone.bundle import pack_bundle
from jobs.standalone.output_folder import FolderFull, OutputFolder
from jobs.standalone.results import LineResult, SavedFile, StoryResult
from jobs.zips.archive import FileFacts, no_heartbeat
from stories.left_out import LeftOutReason
from stories.structures import Author, Story, StoryKind
from stories.targets import parse_line

STARTED = datetime(2026, 11, 21, 8, 5, tzinfo=UTC)
POSTED = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)


def a_line(text: str, *stories: StoryResult) -> LineResult:
    return LineResult(
        line=Line(text, parse_line(text), None), kind=ItemKind.USER, stories=list(stories)
    )


def a_story(
    folder: OutputFolder,
    *contents: bytes,
    author: str = "alice",
    story_id: str = "7500000000000000001",
    posted_at: datetime = POSTED,
) -> StoryResult:
    """A story with a file of each content in the workspace."""
    who = Author(id="1", name=author)
    story = Story(
        id=story_id,
        kind=StoryKind.PHOTO,
        author=who,
        posted_at=posted_at,
        leaves_at=None,
        caption="",
        media=(),
    )
    result = StoryResult(story=story, author=who)
    for position, content in enumerate(contents, 1):
        key, file = folder.create()
        with file:
            file.write(content)
        folder.complete(key)
        facts = FileFacts(
            key=key,
            role="media",
            position=position,
            name=f"{position}.jpg",
            content_type="image/jpeg",
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            width=None,
            height=None,
            duration_s=None,
            labels=(),
        )
        result.files.append(SavedFile(facts=facts, name=facts.name))
    return result


def pack(folder: OutputFolder, *lines: LineResult) -> SavedFile:
    return pack_bundle(lines, folder, started_at=STARTED, heartbeat=no_heartbeat)


def members(bundle: SavedFile) -> list[str]:
    """The saved files in the ZIP, sidecars and manifest left out."""
    assert bundle.path
    with zipfile.ZipFile(bundle.path) as archive:
        assert archive.testzip() is None
        return [name for name in archive.namelist() if name.endswith(".jpg")]


@pytest.fixture
def folder(tmp_path: Path) -> OutputFolder:
    return OutputFolder(tmp_path / "out")


def test_the_zip_is_described_as_it_lies_in_the_folder(folder: OutputFolder) -> None:
    with folder:
        bundle = pack(folder, a_line("@alice", a_story(folder, b"one")))
    assert bundle.path == folder.path / "alice_2026-11-21_0805_all.zip"
    assert bundle.name == bundle.facts.name == bundle.path.name
    content = bundle.path.read_bytes()
    assert (bundle.facts.size_bytes, bundle.facts.sha256) == (
        len(content),
        hashlib.sha256(content).hexdigest(),
    )
    assert (bundle.facts.role, bundle.facts.content_type) == ("bundle", "application/zip")
    assert list(folder.path.iterdir()) == [bundle.path]


def test_several_authors_share_a_zip_that_is_nobodys(folder: OutputFolder) -> None:
    with folder:
        bob = a_story(folder, b"two", author="bob", story_id="7500000000000000002")
        bundle = pack(
            folder, a_line("@bob", bob), a_line("@alice", a_story(folder, b"one", b"three"))
        )
    assert bundle.name == "storykeep_2026-11-21_0805_all.zip"
    assert members(bundle) == ["alice/1.jpg", "alice/2.jpg", "bob/1.jpg"]


def test_an_authors_stories_come_oldest_first(folder: OutputFolder) -> None:
    with folder:
        new = a_story(folder, b"new", posted_at=POSTED + timedelta(hours=1))
        old = a_story(folder, b"old", story_id="7500000000000000002")
        bundle = pack(folder, a_line("@alice", new, old))
    assert members(bundle) == ["alice/1.jpg", "alice/1_2.jpg"]
    assert (old.files[0].name, new.files[0].name) == ("alice/1.jpg", "alice/1_2.jpg")
    assert bundle.path
    with zipfile.ZipFile(bundle.path) as archive:
        assert archive.read(new.files[0].name) == b"new"


@pytest.mark.parametrize("fuller_first", [True, False])
def test_of_two_copies_of_a_story_the_fuller_one_is_packed(
    folder: OutputFolder, fuller_first: bool
) -> None:
    with folder:
        fuller, other = a_story(folder, b"one", b"two"), a_story(folder, b"one")
        lines = [a_line("@alice", fuller), a_line("@alice", other)]
        bundle = pack(folder, *(lines if fuller_first else lines[::-1]))
    assert members(bundle) == ["alice/1.jpg", "alice/2.jpg"]
    # Of either line each file says where in the ZIP it is.
    assert [file.name for file in fuller.files] == ["alice/1.jpg", "alice/2.jpg"]
    assert [file.name for file in other.files] == ["alice/1.jpg"]


def test_of_two_lines_of_one_account_the_larger_number_of_what_is_missing_stands(
    folder: OutputFolder,
) -> None:
    with folder:
        first = a_line("@alice", a_story(folder, b"one"))
        second = a_line("https://www.tiktok.com/@alice")
        unnamed = a_line("@bob")
        first.left_out = {LeftOutReason.PRIVATE: 3}
        second.left_out = {LeftOutReason.PRIVATE: 1}
        unnamed.left_out = {LeftOutReason.HELD_BACK: 1}
        bundle = pack(folder, first, second, unnamed)
    assert bundle.path
    with zipfile.ZipFile(bundle.path) as archive:
        text = archive.read("manifest.csv").decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["author"], row["reason"], row["left_out"]) for row in rows[1:]] == [
        ("alice", "private", "3"),
        ("bob", "held_back", "1"),
    ]


def test_a_story_without_files_has_no_place_in_the_zip(folder: OutputFolder) -> None:
    with folder:
        none = a_story(folder, author="bob", story_id="7500000000000000002")
        bundle = pack(folder, a_line("@alice", a_story(folder, b"one")), a_line("@bob", none))
    assert bundle.name == "alice_2026-11-21_0805_all.zip"
    assert members(bundle) == ["alice/1.jpg"]


def test_a_file_that_vanished_keeps_its_name(folder: OutputFolder) -> None:
    with folder:
        story = a_story(folder, b"one", b"two")
        folder.discard(story.files[0].facts.key)
        bundle = pack(folder, a_line("@alice", story))
    assert members(bundle) == ["alice/2.jpg"]
    assert [file.name for file in story.files] == ["1.jpg", "alice/2.jpg"]


def test_a_hostile_author_stays_within_the_folder(folder: OutputFolder) -> None:
    with folder:
        bundle = pack(folder, a_line("@alice", a_story(folder, b"one", author="../../etc")))
    assert bundle.path
    assert bundle.path.parent == folder.path
    (name,) = members(bundle)
    assert ".." not in name.split("/")
    assert name.count("/") == 1


def test_an_earlier_zip_of_that_name_stays(folder: OutputFolder) -> None:
    folder.path.mkdir()
    earlier = folder.path / "alice_2026-11-21_0805_all.zip"
    earlier.write_bytes(b"earlier")
    with folder:
        bundle = pack(folder, a_line("@alice", a_story(folder, b"one")))
    assert earlier.read_bytes() == b"earlier"
    assert bundle.name == bundle.facts.name == "alice_2026-11-21_0805_all_2.zip"


def test_without_space_for_the_copy_nothing_is_packed(
    folder: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder:
        story = a_story(folder, b"x" * 5000)
        status = os.statvfs(folder.path)
        free = os.statvfs_result((status.f_bsize, 1000, 100, 7, 7, *tuple(status)[5:]))
        monkeypatch.setattr(os, "statvfs", lambda _: free)
        # 7 blocks of 1000 bytes: enough for the file, not for the file and what a ZIP adds.
        with pytest.raises(FolderFull):
            pack(folder, a_line("@alice", story))
    assert not folder.path.exists()
    assert story.files[0].name == "1.jpg"


def test_a_stop_while_packing_leaves_no_half_zip(folder: OutputFolder) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with folder:
        story = a_story(folder, b"one")
        with pytest.raises(KeyboardInterrupt):
            pack_bundle([a_line("@alice", story)], folder, started_at=STARTED, heartbeat=stop)
    assert not folder.path.exists()
    assert story.files[0].name == "1.jpg"
