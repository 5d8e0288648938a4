"""A worker that is killed between any two steps of a run leaves nothing that nobody repairs."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from jobs.files import library_parts
from jobs.library import forgetting, run, sidecar
from jobs.library.sidecar import LibraryStory
from jobs.models import Artifact, Item, Job, LibraryCopy, Story
from jobs.queue import erasure
from tests.unit.jobs.library.test_run import due_again, files, saved, states

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Whoever is killed closes nothing.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STEPS = ("open", "mkdir", "link", "rename", "unlink", "rmdir", "fsync", "fchmod", "utime", "write")
FILE_SYSTEMS = ("links", "no links", "neither links nor renameat2")


class Killed(BaseException):
    """The process ended here."""


@contextmanager
def killed_at(call: int) -> Iterator[Callable[[], bool]]:
    """End this process before so manieth step on the disk or in the database: no later one is done.
    Gives whether it came so far."""
    calls = 0

    def mortal(real: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            if calls >= call:
                raise Killed
            return real(*args, **named)

        return step

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        for name in STEPS:
            patch.setattr(os, name, mortal(getattr(os, name)))
        patch.setattr(QuerySet, "update", mortal(QuerySet.update))
        yield lambda: calls >= call


@pytest.fixture(params=FILE_SYSTEMS)
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system knows."""

    def no_link(*_args: object, **_options: object) -> None:
        raise OSError(errno.EPERM, "no links")

    if request.param != "links":
        monkeypatch.setattr(os, "link", no_link)
    if "renameat2" in request.param:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_options: object())
    return str(request.param)


def forget(story: Story) -> None:
    """Forget a story with its job, as the page does."""
    jobs = list(Job.objects.filter(owner_id=story.owner_id))
    with transaction.atomic():
        forgetting.forget(story.owner_id, [job.pk for job in jobs])
    for job in jobs:
        erasure.erase(job)


def go_on() -> None:
    """A worker comes once the dead one's time is over."""
    due_again()
    run.run()


def left(library: Path, story: Story) -> list[str]:
    """What lies in the library, but for files that are kept."""
    found = set(files(library))
    for row in LibraryCopy.objects.filter(state="kept"):
        found -= {row.path, f"{row.path}.xmp"}
    folders = {path.name for path in library.rglob("nora")}
    return sorted(found | (folders if not LibraryCopy.objects.exists() else set()))


def test_a_part_goes_though_its_story_is_forgotten(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the picture in it, and its folder the author's name."""

    def die(*_args: object, **_named: object) -> None:
        raise Killed

    story = saved()
    with monkeypatch.context() as patch:
        patch.setattr(sidecar, "xmp", die)
        patch.setattr(os, "unlink", die)
        with pytest.raises(Killed):
            run.run()
    assert [name for name in files(library) if name.endswith(".part")]
    forget(story)
    go_on()
    run.run()
    assert left(library, story) == []


def test_what_a_worker_writes_now_is_left_alone(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one begins its run meanwhile."""
    saved()
    real = sidecar.xmp

    def run_another(story: LibraryStory) -> bytes:
        assert library_parts.are_noted()
        run.run()
        return real(story)

    monkeypatch.setattr(sidecar, "xmp", run_another)
    run.run()
    assert states() == [("kept", ""), ("kept", "")]
    assert len(files(library)) == 3


def test_what_is_forgotten_while_it_is_written_goes_though_its_worker_is_killed(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one comes along before the file has its name."""
    story = saved()
    real = library_parts.Part.give_name

    def give(part: library_parts.Part, name: str, at: datetime) -> bool:
        if name.endswith(".xmp"):
            forget(story)
            run.run()
        named = real(part, name, at)
        if name.endswith(".jpg"):
            raise Killed
        return named

    with monkeypatch.context() as patch:
        patch.setattr(library_parts.Part, "give_name", give)
        with pytest.raises(Killed):
            run.run()
    assert len(files(library)) == 2
    LibraryCopy.objects.update(not_before=timezone.now())  # the dead one's time is over
    run.run()
    assert left(library, story) == []


def test_parts_of_rows_that_are_gone_go_wherever_a_worker_was_killed(library: Path) -> None:
    """Their members had all they saved deleted."""
    for call in itertools.count(1):
        saved(owner=f"member-{call}")
        with killed_at(call) as died:
            run.run()
        LibraryCopy.objects.all().delete()
        run.run()
        assert [name for name in files(library) if name.endswith((".part", ".note"))] == []
        if not died():
            break
    assert call > 40


def modes(library: Path, member: str) -> list[int]:
    """Of a member's folders that have something in them."""
    found = [library / member, *(library / member).rglob("*")]
    return [path.stat().st_mode & 0o7777 for path in found if path.is_dir() and any(path.iterdir())]


def told_otherwise(story: Story) -> None:
    """Its author has another name since, so its sidecar and JSON have other bytes."""
    Item.objects.filter(pk=story.item_id).update(author_nickname="Nora :)")


def ended(_story: Story) -> None:
    """The saved file is gone since."""
    Artifact.objects.update(expires_at=timezone.now() - timedelta(hours=1))


def nothing(_story: Story) -> None:
    pass


@pytest.mark.parametrize("change", [forget, told_otherwise, ended, nothing])
def test_wherever_it_was_killed_what_comes_next_is_right(
    library: Path, change: Callable[[Story], None]
) -> None:
    come_out_right(library, change)


@pytest.mark.parametrize("file_system", FILE_SYSTEMS[1:], indirect=True)
def test_so_it_is_without_hard_links(library: Path, file_system: str) -> None:
    come_out_right(library, told_otherwise)


def come_out_right(library: Path, change: Callable[[Story], None]) -> None:
    """Kill a worker before each step in turn; then let this happen, and others go on."""
    library.mkdir()
    library.chmod(0o755)
    for call in itertools.count(1):
        story = saved(owner=f"member-{call}", tiktok_id=f"{1000 + call}")
        with killed_at(call) as died:
            run.run()
        change(story)
        go_on()
        mine = LibraryCopy.objects.filter(owner_id=story.owner_id)
        kept = {row.path for row in mine.filter(state="kept")}
        beside = {f"{row.path}.xmp" for row in mine.filter(state="kept", role="media")}
        assert set(files(library)) == kept | beside, call
        assert all(mode == 0o755 for mode in modes(library, f"member-{call}")), call
        if change in {told_otherwise, nothing}:
            assert len(kept | beside) == 3, call
        else:
            assert len(kept) in {0, 2}, call
        forget(story)
        go_on()
        assert files(library) == {}, call
        assert not list(library.rglob("nora")), call
        if not died():
            break
    assert call > 40
