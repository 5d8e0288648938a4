"""The output folder: whole files, and none that was there before touched."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs.files import disk
from jobs.standalone.output_folder import FolderFull, OutputFolder
from jobs.zips.archive import FileFacts, StoryFacts, sidecar

LONG_AGO = 1_000_000_000
POSTED = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)


def made(folder: OutputFolder, content: bytes) -> tuple[str, str, int]:
    """A finished file in the workspace: key, SHA-256 and size."""
    key, file = folder.create()
    with file:
        file.write(content)
    return key, hashlib.sha256(content).hexdigest(), len(content)


def put(folder: OutputFolder, content: bytes, name: str = "a.jpg", within: str = "") -> Path:
    key, sha256, size_bytes = made(folder, content)
    return folder.place(key, name, sha256, size_bytes, within=within)


def tree(path: Path) -> list[str]:
    return sorted(child.relative_to(path).as_posix() for child in path.rglob("*"))


# --- coming and going -------------------------------------------------------------------------


def test_a_file_appears_whole_under_its_name(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "new" / "deep") as folder:
        key, file = folder.create()
        file.write(b"half")
        file.flush()
        (work,) = folder.path.iterdir()
        assert work.name.startswith(".storykeep-")
        assert [path.name for path in work.iterdir()] == [key]
        file.write(b" and half")
        file.close()
        content = b"half and half"
        path = folder.place(key, "a.jpg", hashlib.sha256(content).hexdigest(), len(content))
    assert path == tmp_path / "new" / "deep" / "a.jpg"
    assert path.read_bytes() == content
    assert tree(folder.path) == ["a.jpg"]


def test_it_is_an_ordinary_file_afterwards(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        with OutputFolder(tmp_path) as folder:
            path = put(folder, b"x")
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.stat().st_nlink == 1


@pytest.mark.parametrize("ours", [True, False])
def test_an_empty_folder_goes_if_it_was_made_here(tmp_path: Path, ours: bool) -> None:
    path = tmp_path / "out"
    if not ours:
        path.mkdir()
    with OutputFolder(path) as folder:
        folder.create()
    assert path.exists() is not ours


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    def crash() -> None:
        with OutputFolder(tmp_path) as folder:
            folder.create()[1].write(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crash()
    assert tree(tmp_path) == []


def test_discarded_twice(tmp_path: Path) -> None:
    with OutputFolder(tmp_path) as folder:
        key, _, _ = made(folder, b"x")
        folder.discard(key)
        folder.discard(key)
        assert tree(folder._workspace) == []


# --- what lies there already ------------------------------------------------------------------


def test_the_same_file_stays(tmp_path: Path) -> None:
    there = tmp_path / "a.jpg"
    there.write_bytes(b"same")
    before = there.stat()
    with OutputFolder(tmp_path) as folder:
        assert put(folder, b"same") == there
    assert (there.stat().st_ino, there.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert tree(tmp_path) == ["a.jpg"]


def test_a_different_file_stays_and_ours_gets_a_number(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"diff")
    (tmp_path / "a_2.jpg").write_bytes(b"same length?")
    with OutputFolder(tmp_path) as folder:
        paths = [put(folder, b"mine"), put(folder, b"mine"), put(folder, b"same length!")]
    assert [path.name for path in paths] == ["a_3.jpg", "a_3.jpg", "a_4.jpg"]
    assert (tmp_path / "a.jpg").read_bytes() == b"diff"
    assert (tmp_path / "a_2.jpg").read_bytes() == b"same length?"


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    os.mkfifo(tmp_path / "a_2.jpg")
    (tmp_path / "a_3.jpg").symlink_to(tmp_path / "nowhere")
    with OutputFolder(tmp_path) as folder:
        assert put(folder, b"mine").name == "a_4.jpg"
    assert not (tmp_path / "nowhere").exists()


def test_an_authors_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "alice").write_text("a file")
    with OutputFolder(tmp_path) as folder:
        first = put(folder, b"1", within="alice")
        second = put(folder, b"2", "b.jpg", within="alice")
    assert first == tmp_path / "alice_2" / "a.jpg"
    assert second.parent == first.parent
    assert (tmp_path / "alice").read_text() == "a file"


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.ENOTSUP])
def test_a_disk_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    def link(*_: Any, **__: Any) -> None:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "a.jpg").write_bytes(b"theirs")
    with OutputFolder(tmp_path) as folder:
        assert put(folder, b"mine").name == "a_2.jpg"
        assert put(folder, b"mine").name == "a_2.jpg"
    assert (tmp_path / "a.jpg").read_bytes() == b"theirs"
    assert (tmp_path / "a_2.jpg").read_bytes() == b"mine"
    assert tree(tmp_path) == ["a.jpg", "a_2.jpg"]


def test_a_name_taken_is_given_back_when_it_cannot_be_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "no")

    monkeypatch.setattr(os, "link", refuse)
    with OutputFolder(tmp_path) as folder:
        key, sha256, size_bytes = made(folder, b"x")
        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(FolderFull):
            folder.place(key, "a.jpg", sha256, size_bytes)
    assert tree(tmp_path) == []


# --- sidecars ---------------------------------------------------------------------------------


def story(caption: str = "hello", minute: int = 0) -> bytes:
    facts = StoryFacts(
        author_id="1",
        author_name="alice",
        author_nickname="A",
        story_id="7",
        kind="photo",
        caption=caption,
        source_url="https://www.tiktok.com/@alice/story/7?signature=secret",
        posted_at=POSTED,
        captured_at=POSTED.replace(minute=minute),
    )
    file = FileFacts(
        key="1.part",
        role="media",
        position=1,
        name="a.jpg",
        content_type="image/jpeg",
        size_bytes=1,
        sha256="0" * 64,
        width=1,
        height=1,
        duration_s=None,
        labels=(),
    )
    return sidecar(facts, [("a.jpg", file)])


def test_a_sidecar_that_says_the_same_stays(tmp_path: Path) -> None:
    with OutputFolder(tmp_path) as folder:
        first = folder.place_sidecar("a_story.json", story(minute=1))
        again = folder.place_sidecar("a_story.json", story(minute=2))
        other = folder.place_sidecar("a_story.json", story("goodbye"))
    assert [first.name, again.name, other.name] == [
        "a_story.json",
        "a_story.json",
        "a_story_2.json",
    ]
    assert json.loads(first.read_bytes())["captured_at"] == "2026-11-20T14:01:00Z"
    assert b"secret" not in first.read_bytes()
    assert tree(tmp_path) == ["a_story.json", "a_story_2.json"]


@pytest.mark.parametrize(
    "there",
    [b"", b"not json", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"story_id": "7"}', b" " * 2_000_000],
    ids=["empty", "text", "a list", "bytes", "deep", "another", "large"],
)
def test_whatever_lies_in_a_sidecars_place_stays(tmp_path: Path, there: bytes) -> None:
    (tmp_path / "a_story.json").write_bytes(there)
    with OutputFolder(tmp_path) as folder:
        assert folder.place_sidecar("a_story.json", story()).name == "a_story_2.json"
    assert (tmp_path / "a_story.json").read_bytes() == there


# --- room and rights --------------------------------------------------------------------------


def test_more_than_the_disk_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OutputFolder(tmp_path) as folder:

        class Disk:
            f_bavail, f_frsize = 100, 1

        monkeypatch.setattr(os, "statvfs", lambda _: Disk)
        key, file = folder.create()
        folder.reserve(80)
        with pytest.raises(FolderFull):
            folder.reserve(30)
        # What is written is not asked for twice: the disk counts it already.
        file.write(b"x" * 60)
        file.flush()
        folder.reserve(30)
        file.close()
        folder.discard(key)
        folder.reserve(100)


def test_a_disk_that_fills_up_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with OutputFolder(tmp_path) as folder:
        monkeypatch.setattr(disk._RawFile, "_put", full)
        with pytest.raises(FolderFull):
            folder.place_sidecar("a_story.json", b"{}")
        monkeypatch.undo()
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "said"),
    [("file", "File exists"), ("file/below", "Not a directory")],
)
def test_no_folder_can_be_made(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FolderFull, match=said), OutputFolder(tmp_path / path):
        pass
    assert tree(tmp_path) == ["file"]


# --- runs beside and before this one ------------------------------------------------------------


def test_only_what_nobody_holds_is_taken_away(tmp_path: Path) -> None:
    left = tmp_path / ".storykeep-abcd1234"
    left.mkdir()
    (left / "1.part").write_bytes(b"x")
    young = tmp_path / ".storykeep-00000000"
    young.mkdir()
    theirs = tmp_path / ".storykeep-of-mine"
    theirs.mkdir()
    linked = tmp_path / ".storykeep-link0000"
    linked.symlink_to(theirs)
    for path in (left, theirs):
        os.utime(path, (LONG_AGO, LONG_AGO))
    with OutputFolder(tmp_path) as running:
        os.utime(running._workspace, (LONG_AGO, LONG_AGO))
        with OutputFolder(tmp_path) as beside:
            assert running._workspace.is_dir()
            assert put(beside, b"x").name == "a.jpg"
    assert tree(tmp_path) == [young.name, linked.name, theirs.name, "a.jpg"]


# --- the time of a file ---


def test_a_file_and_its_sidecar_are_as_old_as_they_are_said_to_be(tmp_path: Path) -> None:
    with OutputFolder(tmp_path) as folder:
        key, sha256, size_bytes = made(folder, b"one")
        paths = [
            folder.place(key, "a.jpg", sha256, size_bytes, at=POSTED),
            folder.place_sidecar("a.json", story(), at=POSTED),
        ]
    assert {path.stat().st_mtime for path in paths} == {POSTED.timestamp()}


def test_a_disk_that_keeps_no_dates_keeps_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    with OutputFolder(tmp_path) as folder:
        key, sha256, size_bytes = made(folder, b"one")
        path = folder.place(key, "a.jpg", sha256, size_bytes, at=POSTED)
    assert path.read_bytes() == b"one"


def test_a_file_that_was_there_before_keeps_its_time(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"one")
    os.utime(tmp_path / "a.jpg", (LONG_AGO, LONG_AGO))
    with OutputFolder(tmp_path) as folder:
        key, sha256, size_bytes = made(folder, b"one")
        path = folder.place(key, "a.jpg", sha256, size_bytes, at=POSTED)
    assert path.stat().st_mtime == LONG_AGO
