"""Rows for files that arrive, and the room that others took meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from jobs.errors import DiskFull, QuotaExceeded
from jobs.fetching import recorder
from jobs.fetching.file_rows import FileRows
from jobs.files import capacity, deletion, store
from jobs.files.capacity import reservations
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Item, Quota, Role
from jobs.queue import settling
from jobs.queue.claims import Claim
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from stories.events import FileReady
from stories.structures import StoryKind
from tests.factories import make_item, make_job, make_story, make_user
from tests.unit.jobs.fetching.stage import (
    PICTURE,
    VIDEO,
    Stage,
    a_story,
    check_disk,
    ended,
    files,
    listed,
    run,
)

pytestmark = pytest.mark.django_db
S = ItemState


def test_another_worker_filled_the_quota_while_this_file_came(
    stage: Stage, artifacts: Path
) -> None:
    """Each process reserves for itself: the last look is when the row is written."""
    first, second = (make_item(make_job(make_user("alice"))) for _ in range(2))
    Quota.objects.create(owner=first.owner, stored_bytes=1000)
    story = a_story(1)
    script = (listed(story), stage.file(story, content=bytes(600)), ended(story))
    assert settling.finish(Claim(first.pk, 1), run(stage, first, *script))
    outcome = run(stage, second, *script)
    assert outcome.state == S.FAILED
    assert isinstance(outcome.error, QuotaExceeded)
    assert (story_row := second.stories.get()).state == S.FAILED
    assert story_row.error_code == "quota_exceeded"
    assert Artifact.objects.filter(item=second).count() == 0
    saved = [path for path in artifacts.glob("??/*") if path.is_file()]
    assert [path.name for path in saved] == [str(Artifact.objects.get().pk)]
    # Room comes back, and the next attempt saves what this one could not.
    deletion.delete(Artifact.objects.filter(item=first))
    Item.objects.filter(pk=second.pk).update(state=S.QUEUED)
    assert run(stage, second, *script) == Outcome(S.DONE)


def test_another_worker_filled_the_instance_while_this_file_came(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None], artifacts: Path
) -> None:
    set_env(disk_max=1000)
    monkeypatch.setattr(reservations, "reserve", lambda *_, **__: None)  # as another process does
    first, second = (make_item(make_job(make_user(name))) for name in ("alice", "bob"))
    story, other = a_story(1), a_story(2)
    script = (listed(other), stage.file(other, content=bytes(600)), ended(other))
    ours = (listed(story), stage.file(story, content=bytes(500)), ended(story))
    assert settling.finish(Claim(first.pk, 1), run(stage, first, *ours))
    outcome = run(stage, second, *script)
    assert outcome.state == S.FAILED
    assert isinstance(outcome.error, DiskFull)
    assert outcome.error.retry_after_s
    assert Artifact.objects.filter(item=second).count() == 0
    saved = [path.name for path in artifacts.glob("??/*") if path.is_file()]
    assert saved == [str(Artifact.objects.get().pk)]


def test_a_zip_for_which_the_instance_has_no_room_any_more_is_left_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None]
) -> None:
    set_env(disk_max=1000)
    monkeypatch.setattr(reservations, "reserve", lambda *_, **__: None)
    item = make_item()
    story = a_story(1, StoryKind.CAROUSEL, pictures=2)
    parts = [stage.file(story, position, content=bytes(400)) for position in (1, 2)]
    assert run(stage, item, listed(story), *parts, ended(story, 2)) == Outcome(S.DONE)
    assert {role for role, _, _ in files(item)} == {Role.MEDIA}
    check_disk()


def photos_with_posters(stage: Stage, count: int) -> list[Any]:
    """Events of so many photos of 100 bytes, each with a preview of 40."""
    stories = [a_story(number) for number in range(1, count + 1)]
    sizes: dict[Any, int] = {"poster": 40, "media": 100}
    arriving = [
        stage.file(story, role=role, content=bytes(size))
        for story in stories
        for role, size in sizes.items()
    ]
    return [listed(*stories), *arriving, *map(ended, stories)]


def test_previews_take_no_room_from_what_was_asked_for(stage: Stage) -> None:
    item = make_item()
    Quota.objects.create(owner=item.owner, stored_bytes=410)
    assert run(stage, item, *photos_with_posters(stage, 4)) == Outcome(S.DONE)
    assert [role for role, _, _ in files(item)] == ["media", "poster"] * 4
    assert capacity.used_bytes(item.owner_id) == 400
    check_disk()


def test_of_four_photos_three_fit(stage: Stage) -> None:
    item = make_item()
    Quota.objects.create(owner=item.owner, stored_bytes=399)
    outcome = run(stage, item, *photos_with_posters(stage, 4))
    assert outcome.state == S.PARTIAL
    assert isinstance(outcome.error, QuotaExceeded)
    assert [role for role, _, _ in files(item)] == ["media", "poster"] * 3
    states = item.stories.order_by("position").values_list("state", "error_code")
    assert list(states) == [(S.DONE, "")] * 3 + [(S.FAILED, "quota_exceeded")]
    stored = {file.id for folder in store.walk() for file in folder}
    assert stored == set(item.artifacts.values_list("pk", flat=True))
    check_disk()


def test_a_preview_that_comes_after_its_picture_was_refused_is_not_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SAVE_AFTER_S", 0)  # each file by itself
    item = make_item()
    Quota.objects.create(owner=item.owner, stored_bytes=99)
    photo = a_story(1)
    arriving = [
        stage.file(photo, content=bytes(100)),
        stage.file(photo, role="poster"),
        stage.file(photo, role="converted"),
    ]
    assert run(stage, item, listed(photo), *arriving, ended(photo)).state == S.FAILED
    assert files(item) == []
    assert [file for folder in store.walk() for file in folder] == []


def test_what_is_made_of_a_file_goes_before_the_file(stage: Stage) -> None:
    clip = a_story(1, StoryKind.VIDEO)
    item = make_item(make_job(audio="m4a"))
    Quota.objects.create(owner=item.owner, stored_bytes=120)
    arriving = [
        stage.file(clip, role="audio_track", content=bytes(50)),
        stage.file(clip, content=bytes(100), verified=VIDEO),
        stage.file(clip, role="converted", content=bytes(20)),
    ]
    assert run(stage, item, listed(clip), *arriving, ended(clip)) == Outcome(S.DONE)
    assert [role for role, _, _ in files(item)] == ["converted", "media"]


def test_of_a_carousel_what_fits_is_saved(stage: Stage) -> None:
    album = a_story(1, StoryKind.CAROUSEL, pictures=3)
    item = make_item()
    Quota.objects.create(owner=item.owner, stored_bytes=250)
    pictures = [stage.file(album, position, content=bytes(100)) for position in (1, 2, 3)]
    assert run(stage, item, listed(album), *pictures, ended(album, 3)).state == S.PARTIAL
    assert [(role, position) for role, position, _ in files(item)] == [("media", 1), ("media", 2)]
    (story,) = item.stories.all()
    assert (story.state, story.error_code) == (S.PARTIAL, "quota_exceeded")


@pytest.mark.parametrize("refused_role", [Role.MEDIA, Role.POSTER])
def test_any_limit_that_the_last_look_meets_refuses_by_file(
    refused_role: Role, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_rows: FileRows, _inserted: list[Artifact]) -> None:
        if Artifact.objects.filter(role=refused_role, name__contains="_1402").exists():
            raise DiskFull("the limit for saved files is reached")

    monkeypatch.setattr(FileRows, "_require_room", full)
    item = make_item()
    outcome = run(stage, item, *photos_with_posters(stage, 2))
    assert outcome.state == (S.PARTIAL if refused_role == Role.MEDIA else S.DONE)
    assert [role for role, _, _ in files(item)].count("media") == 1 + (outcome.state == S.DONE)
    assert [role for role, _, _ in files(item)].count("poster") == 1
    check_disk()


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_fill_the_quota_at_once_each_keeps_what_fits() -> None:
    """Each knows nothing of what the others reserved, as in processes of their own."""
    alice = make_user("alice")
    Quota.objects.create(owner=alice, stored_bytes=1040)
    items = [make_item(make_job(alice), state=S.RUNNING, attempt=1) for _ in range(6)]
    start = threading.Barrier(len(items))

    def save(item: Item) -> int:
        stories = {story.id: make_story(item, tiktok_id=story.id, state=S.QUEUED)
                   for story in map(a_story, (1, 2, 3))}  # fmt: skip
        try:
            with Workspace(f"{item.pk}.1") as workspace:
                ready = []
                for story_id in stories:
                    key, file = workspace.create()
                    with file:
                        file.write(bytes(100))
                    ready.append(FileReady(
                        story_id=story_id, position=1, role="media", key=key, size_bytes=100,
                        sha256="", verified=PICTURE,
                    ))  # fmt: skip
                rows = FileRows(Claim(item.pk, 1), item, workspace)
                start.wait(20)
                rows.save(ready, stories)
                return len(rows.refused)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(items)) as pool:
        refused = sum(pool.map(save, items))
    assert (refused, Artifact.objects.count()) == (8, 10)
    check_disk()


def test_a_zip_for_which_another_worker_took_the_room_is_left_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reservations, "reserve", lambda *_, **__: None)  # as if there was room
    item = make_item()
    story = a_story(1, StoryKind.CAROUSEL, pictures=2)
    parts = [stage.file(story, position, content=bytes(400)) for position in (1, 2)]
    Quota.objects.create(owner=item.owner, stored_bytes=1000)
    assert run(stage, item, listed(story), *parts, ended(story, 2)) == Outcome(S.DONE)
    assert {role for role, _, _ in files(item)} == {Role.MEDIA}
    check_disk()
