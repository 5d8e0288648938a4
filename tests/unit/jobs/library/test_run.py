"""From what is wanted to files that stay: once each, whole, dated, whatever comes in between."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from PIL import Image

from jobs.files import library_folder, library_mark, library_parts
from jobs.library import choices, copying, run, turns, wanted
from jobs.models import (
    Artifact,
    CopyRole,
    LibraryChoice,
    LibraryCopy,
    LibraryMark,
    LibraryMode,
    Story,
    StoryKind,
)
from jobs.queue.shutdown import shutdown_requested
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.fake_tiktok import media
from tests.unit.stories.media.clips import story_clip

pytestmark = pytest.mark.django_db(transaction=True)

JPEG = media.picture("jpeg", (60, 80))
STEM = "2026-11-20_1404_nora"


def saved(content: bytes = JPEG, *, owner: str = "alice", **facts: object) -> Story:
    """A saved story of @nora's, wanted for good."""
    job = make_job(make_user(owner), time_zone="UTC")
    item = make_item(job, state=ItemState.DONE, author_name="nora", author_nickname="Nora")
    story = make_story(item, **{"tiktok_id": "74", "caption": "Hello #sun", **facts})
    kind = "video/mp4" if content[4:8] == b"ftyp" else "image/jpeg"
    make_artifact(story, content=content, content_type=kind)
    wanted.keep_story(story)
    return story


def files(library: Path) -> dict[str, bytes]:
    return {
        path.relative_to(library).as_posix(): path.read_bytes()
        for path in library.rglob("*")
        if path.is_file() and path.name != library_mark.SENTINEL
    }


def states() -> list[tuple[str, str]]:
    return list(LibraryCopy.objects.order_by("id").values_list("state", "reason"))


def due_again() -> None:
    LibraryCopy.objects.update(not_before=None)


def test_a_picture_its_sidecar_and_its_json_are_kept(library: Path, each_store: str) -> None:
    story = saved()
    run.run()
    place = f"alice/nora/2026/{STEM}_74"
    found = files(library)
    assert sorted(found) == [f"{place}.story.json", f"{place}_01.jpg", f"{place}_01.jpg.xmp"]
    picture = found[f"{place}_01.jpg"]
    exif = Image.open(io.BytesIO(picture)).getexif().get_ifd(0x8769)
    assert exif[0x9003] == story.posted_at.strftime("%Y:%m:%d %H:%M:%S")
    assert exif[0x9011] == "+00:00"
    assert b"Hello #sun" in found[f"{place}_01.jpg.xmp"]
    row = LibraryCopy.objects.get(role=CopyRole.MEDIA)
    assert row.source_sha256 == hashlib.sha256(JPEG).hexdigest()
    assert row.sha256 == hashlib.sha256(picture).hexdigest()
    assert row.sha1 == hashlib.sha1(picture, usedforsecurity=False).hexdigest()
    assert row.path == f"{place}_01.jpg"
    facts = json.loads(found[f"{place}.story.json"])
    assert facts["files"][0]["sha256"] == row.sha256
    assert facts["files"][0]["source_sha256"] == row.source_sha256
    assert facts["left_tiktok_at"]
    for name in found:
        assert (library / name).stat().st_mtime == story.posted_at.timestamp()


def test_a_video_gets_its_creation_time(library: Path) -> None:
    saved(story_clip())
    run.run()
    (name,) = [name for name in files(library) if name.endswith(".mp4")]
    data = files(library)[name]
    assert len(data) == len(story_clip())
    assert data != story_clip()


def test_a_second_run_does_nothing(library: Path) -> None:
    saved()
    assert run.run() == 2
    before = files(library)
    assert run.run() == 0
    assert files(library) == before


def test_without_a_library_nothing_is_asked(
    set_env: Callable[..., None],
    django_assert_num_queries: Callable[[int], object],
) -> None:
    set_env(library_dir=None)
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert run.run() == 0


def test_the_work_of_a_worker_that_died_is_found_and_not_doubled(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had written both files, and not its row."""
    saved()

    def die(*_args: object, **_facts: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(turns, "keep", die)
        with pytest.raises(KeyboardInterrupt):
            run.run()
    assert len(files(library)) == 2
    assert run.run() == 0  # the row is another worker's for a while
    due_again()
    run.run()
    assert len(files(library)) == 3
    assert [state for state, _reason in states()] == ["kept", "kept"]


def test_a_worker_that_is_to_end_leaves_nothing_half_done(library: Path) -> None:
    saved()
    shutdown_requested.set()
    run.run()
    assert files(library) == {}
    shutdown_requested.clear()
    run.run()
    assert len(files(library)) == 3


def test_foreign_files_are_never_overwritten(library: Path) -> None:
    LibraryChoice.objects.create(owner=make_user("alice"), folder="alice")
    place = library / "alice/nora/2026"
    place.mkdir(parents=True)
    foreign = {f"{STEM}_74_01.jpg", f"{STEM}_74_01-2.jpg.xmp", f"{STEM}_74.story.json"}
    for name in foreign:
        (place / name).write_bytes(b"mine")
    saved()
    run.run()
    found = files(library)
    assert {name for name, data in found.items() if data == b"mine"} == {
        f"alice/nora/2026/{name}" for name in foreign
    }
    assert f"alice/nora/2026/{STEM}_74_01-3.jpg" in found
    assert f"alice/nora/2026/{STEM}_74_01-3.jpg.xmp" in found
    assert f"alice/nora/2026/{STEM}_74_01.jpg.xmp" not in found
    assert f"alice/nora/2026/{STEM}_74-2.story.json" in found


def test_two_members_have_a_copy_each(library: Path) -> None:
    saved(owner="alice")
    saved(owner="Alice")
    run.run()
    assert {name.partition("/")[0] for name in files(library)} == {"alice", "Alice-2"}
    assert len(files(library)) == 6


def test_a_carousel_has_one_json_with_all_its_pictures(library: Path) -> None:
    story = saved(kind=StoryKind.CAROUSEL, media_count=2)
    make_artifact(story, content=media.picture("jpeg", (80, 60)))
    wanted.keep_story(story)
    run.run()
    (name,) = [name for name in files(library) if name.endswith(".json")]
    assert [file["position"] for file in json.loads(files(library)[name])["files"]] == [1, 2]


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_library_that_is_not_mounted_is_waited_for(library: Path) -> None:
    library_folder.root()
    aside = library.rename(library.with_name("aside"))
    saved()
    run.run()
    assert states() == [("waiting", "away"), ("waiting", "away")]
    assert not library.exists()
    library.mkdir()  # the empty mount point
    run.run()
    assert list(library.iterdir()) == []
    library.rmdir()
    aside.rename(library)
    run.run()
    assert len(files(library)) == 3
    assert states() == [("kept", ""), ("kept", "")]


@pytest.mark.parametrize("moment", ["before a file", "after a file", "before the row"])
def test_a_library_that_goes_in_the_middle_of_a_run_has_all_that_is_said_to_be_kept(
    library: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Its disk is unmounted; an empty mount point is left."""
    aside = library.with_name("aside")
    for number in range(3):
        story = saved(tiktok_id=str(74 + number))
    job = story.item.job
    job.from_watch = True
    job.save()
    count = 0

    def unmount() -> None:
        nonlocal count
        count += 1
        if count == 2:
            library.rename(aside)
            library.mkdir()

    real, real_note = copying.copy_media, copying._intended

    def copy(*args: Any) -> dict[str, object]:
        if moment == "before a file":
            unmount()
        facts = real(*args)
        if moment == "after a file":
            unmount()
        return facts

    def note(*args: Any) -> dict[str, Any]:
        if moment == "before the row":
            unmount()
        return real_note(*args)

    with monkeypatch.context() as patch:
        patch.setattr(copying, "copy_media", copy)
        patch.setattr(copying, "_intended", note)
        run.run()
    assert list(library.iterdir()) == []
    assert LibraryMark.objects.get().is_away
    for row in LibraryCopy.objects.filter(state="kept"):
        assert (aside / row.path).exists()
    assert LibraryCopy.objects.filter(state="waiting", reason="away").count() >= 4
    assert not Artifact.objects.exclude(collected_at=None).exists()
    library.rmdir()
    aside.rename(library)
    run.run()
    assert {state for state, _reason in states()} == {"kept"}
    assert len(files(library)) == 9
    assert not LibraryMark.objects.get().is_away


def test_a_full_disk_is_waited_for_and_files_are_held(
    library: Path, set_env: Callable[..., None]
) -> None:
    saved()
    soon = timezone.now() + timedelta(minutes=2)
    Artifact.objects.update(expires_at=soon)
    set_env(disk_min_free=1 << 62)
    run.run()
    assert states()[0] == ("waiting", "full")
    assert files(library) == {}
    assert Artifact.objects.get().expires_at > soon
    set_env(disk_min_free=0)
    Artifact.objects.update(expires_at=soon)
    assert run.run() == 0  # not before its time, and held all the same
    assert Artifact.objects.get().expires_at > soon
    due_again()
    run.run()
    assert len(files(library)) == 3


def test_a_folder_that_may_not_be_written_is_waited_for(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> int:
        raise PermissionError(13, "not allowed")

    saved()
    library_folder.root()
    with monkeypatch.context() as patch:
        patch.setattr(os, "mkdir", refuse)
        run.run()
    assert states()[0] == ("waiting", "readonly")


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.ENOSPC, "full"), (errno.EROFS, "readonly"), (errno.EIO, "away")],
)
def test_why_a_library_takes_no_mark_is_told(
    library: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    def fail(*_args: object) -> int:
        raise OSError(code, os.strerror(code))

    saved()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        run.run()
    assert states() == [("waiting", reason), ("waiting", reason)]
    run.run()
    assert states() == [("kept", ""), ("kept", "")]


def test_a_file_in_the_way_of_a_folder_is_told(library: Path) -> None:
    LibraryChoice.objects.create(owner=make_user("alice"), folder="alice")
    library_folder.root()
    (library / "alice").write_bytes(b"a file")
    saved()
    run.run()
    assert states()[0] == ("waiting", "disk")
    assert (library / "alice").read_bytes() == b"a file"


def test_files_that_went_before_are_given_up(library: Path) -> None:
    saved()
    Artifact.objects.update(expires_at=timezone.now())
    run.run()
    assert states() == [("failed", "gone"), ("failed", "gone")]
    assert files(library) == {}


def test_a_damaged_file_is_not_kept(library: Path, artifacts: Path) -> None:
    saved()
    artifact = Artifact.objects.get()
    (artifacts / str(artifact.pk)[:2] / str(artifact.pk)).write_bytes(b"\0" * len(JPEG))
    run.run()
    assert states()[0] == ("failed", "damaged")
    assert files(library) == {}


def test_saved_files_that_are_away_are_waited_for(library: Path, artifacts: Path) -> None:
    saved()
    artifacts.rename(artifacts.with_name(f"{artifacts.name}-aside"))
    artifacts.mkdir()
    run.run()
    assert states()[0] == ("waiting", "storage")


def test_a_mistake_of_ours_neither_stops_the_others_nor_goes_on_for_ever(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved()
    saved(tiktok_id="75")
    first = LibraryCopy.objects.order_by("id")[0]
    real = copying.copy_media

    def copy(row: LibraryCopy, *args: Any) -> dict[str, object]:
        if row.pk == first.pk:
            raise KeyError("a bug")
        return real(row, *args)

    monkeypatch.setattr(copying, "copy_media", copy)
    run.run()
    assert ("waiting", "internal") in states()
    assert len(files(library)) == 3
    for _ in range(turns.MOST_TRIES):
        due_again()
        run.run()
    assert ("failed", "internal") in states()


def test_hostile_names_stay_in_the_library(library: Path) -> None:
    story = saved(tiktok_id="../../x")
    item = story.item
    item.author_name = "../../etc"
    item.save()
    run.run()
    outside = {path.name for path in library.parent.iterdir()} - {"library"}
    assert outside == set()
    assert len(files(library)) == 3


def test_everything_a_member_saves_is_kept_by_itself(library: Path) -> None:
    story = saved()
    LibraryCopy.objects.all().delete()
    choices.choose(story.owner_id, LibraryMode.EVERYTHING)
    run.run()
    assert len(files(library)) == 3


def test_that_the_library_is_away_is_said_once(
    library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library_folder.root()
    library.rename(library.with_name("aside"))
    saved()
    for _ in range(3):
        run.run()
    assert caplog.text.count("the library is away") == 1


def test_memory_stays_flat_for_a_large_file(library: Path) -> None:
    """A file is read a piece at a time, and written as it is read."""
    story = saved()
    LibraryCopy.objects.all().delete()
    Artifact.objects.all().delete()
    big = story_clip() + b"\0\0\0\x08free" * 10 + (16 * 1024 * 1024).to_bytes(4) + b"mdat"
    big += bytes(16 * 1024 * 1024 - 8)
    make_artifact(story, content=big, content_type="video/mp4")
    wanted.keep_story(story)
    largest = 0

    class Watching(library_parts.Part):
        def write(
            self, chunks: Iterable[bytes], heartbeat: Callable[[], None] | None = None
        ) -> None:
            def seen() -> Iterator[bytes]:
                nonlocal largest
                for chunk in chunks:
                    largest = max(largest, len(chunk))
                    yield chunk

            super().write(seen(), heartbeat)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "Part", Watching)
        run.run()
    assert 0 < largest <= 1024 * 1024 + 64
    assert LibraryCopy.objects.get(role=CopyRole.MEDIA).size_bytes == len(big)
