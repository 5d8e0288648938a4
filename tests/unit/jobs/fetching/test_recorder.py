"""Events become rows and files; what is saved stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from jobs.ephemeral import media_hosts
from jobs.errors import DiskFull
from jobs.fetching import pipeline, recorder
from jobs.files import deletion, store
from jobs.files.stores import StoredFile
from jobs.files.workspace import Workspace
from jobs.models import Artifact, ItemKind, Role
from jobs.queue import actions
from jobs.queue.claims import ClaimLost
from jobs.queue.settling import Outcome
from jobs.states import ItemState
from jobs.zips import builder
from stories.errors import Gone, MediaCorrupt, MediaUnavailable, TooLarge, UnknownMediaHost
from stories.events import MediaFailed, UnknownHosts
from stories.structures import StoryKind
from tests.factories import make_artifact, make_item, make_story
from tests.unit.jobs.fetching.stage import (
    PICTURE,
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


def test_what_failed_is_named_and_the_rest_is_kept(stage: Stage) -> None:
    photo, album = a_story(1), a_story(2, StoryKind.CAROUSEL, 3)
    item = make_item()
    error = MediaCorrupt("not a picture")
    outcome = run(
        stage,
        item,
        listed(photo, album),
        MediaFailed(story_id=photo.id, position=1, error=TooLarge()),
        ended(photo, 0, TooLarge()),
        stage.file(album, 1),
        stage.file(album, 3),
        MediaFailed(story_id=album.id, position=2, error=error),
        ended(album, 2, error),
    )
    assert outcome == Outcome(S.PARTIAL, error)  # of two errors, the one that may pass
    first, second = item.stories.order_by("position")
    assert (first.state, first.error_code) == (S.FAILED, "too_large")
    assert (second.state, second.error_code) == (S.PARTIAL, "media_corrupt")
    assert [role for role, _, _ in files(item)].count("zip") == 1
    check_disk()


def test_nothing_saved_is_a_failure(stage: Stage) -> None:
    photo = a_story()
    error = MediaUnavailable()
    outcome = run(stage, make_item(), listed(photo), ended(photo, 0, error))
    assert outcome == Outcome(S.FAILED, error)


def test_a_disk_that_fills_within_a_batch_leaves_the_stories_before_it_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [a_story(number) for number in (1, 2, 3)]
    item = make_item()
    commit, moved = Workspace.commit, list[str]()

    def commit_one(workspace: Workspace, key: str, *args: Any, **options: Any) -> int:
        moved.append(key)
        if len(moved) > 1:
            raise DiskFull("the disk is full")
        return commit(workspace, key, *args, **options)

    monkeypatch.setattr(Workspace, "commit", commit_one)
    with pytest.raises(DiskFull):
        run(stage, item, listed(*photos), *map(stage.file, photos), *map(ended, photos))
    states = item.stories.order_by("position").values_list("state", flat=True)
    assert list(states) == [S.DONE, S.QUEUED, S.QUEUED]
    assert len(files(item)) == 1
    check_disk()


def test_the_zip_of_a_carousel_waits_for_others_and_goes_with_a_claim_that_is_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "CHECK_EVERY_S", 1000)
    album, photo = a_story(1, StoryKind.CAROUSEL, pictures=2), a_story(2)
    item = make_item()
    pictures = [stage.file(album, position) for position in (1, 2)]

    def cancel() -> None:
        assert len(list(stored_files())) == 3
        assert [role for role, _, _ in files(item)] == ["media", "media"]
        actions.cancel_item(item)

    with pytest.raises(ClaimLost):
        run(stage, item, listed(album, photo), *pictures, ended(album, 2), cancel)
    assert [role for role, _, _ in files(item)] == ["media", "media"]
    assert len(list(stored_files())) == 2


def stored_files() -> Iterator[StoredFile]:
    """All files in the store."""
    return (file for folder in store.walk() for file in folder)


def test_what_is_not_listed_any_more_is_gone(stage: Stage) -> None:
    item = make_item(attempt=1)
    saved = make_story(item, tiktok_id="1")
    make_artifact(saved)
    make_story(item, tiktok_id="2", state=S.QUEUED)
    assert run(stage, item, listed()).state == S.PARTIAL
    assert {story.tiktok_id: story.error_code for story in item.stories.all()} == {
        "1": "",
        "2": Gone.code,
    }


@pytest.mark.parametrize(
    ("was", "is_story", "becomes"),
    [
        (ItemKind.POST, True, ItemKind.STORY),
        (ItemKind.STORY, False, ItemKind.POST),
        (ItemKind.STORY, True, ItemKind.STORY),
        (ItemKind.USER, True, ItemKind.USER),
    ],
)
def test_what_a_link_turned_out_to_be(
    stage: Stage, was: ItemKind, is_story: bool, becomes: ItemKind
) -> None:
    story = a_story(is_story=is_story)
    item = make_item(kind=was)
    run(stage, item, listed(story), ended(story, 0, Gone()))
    item.refresh_from_db()
    assert item.kind == becomes


def test_a_picture_deleted_while_its_carousel_is_packed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = a_story(1, StoryKind.CAROUSEL, 2)
    item = make_item()
    carousel = builder.build_carousel

    def late(*args: Any) -> Artifact:
        artifact = carousel(*args)
        deletion.delete(Artifact.objects.filter(role=Role.MEDIA, position=1))
        return artifact

    monkeypatch.setattr(recorder, "build_carousel", late)
    run(stage, item, listed(album), stage.file(album, 1), stage.file(album, 2), ended(album, 2))
    assert [(role, position) for role, position, _ in files(item)] == [("media", 2)]
    check_disk()


def test_what_cannot_be_had_again_for_a_poster_is_still_saved(stage: Stage) -> None:
    photo = a_story()
    item = make_item(attempt=1)
    make_artifact(make_story(item, tiktok_id=photo.id, state=S.QUEUED))
    error = MediaUnavailable()
    outcome = run(
        stage,
        item,
        listed(photo),
        MediaFailed(story_id=photo.id, position=1, error=error),
        ended(photo, 0, error),
    )
    assert stage.asked["have"] == frozenset()
    assert outcome == Outcome(S.DONE)


def test_unknown_media_hosts_are_remembered_for_who_runs_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[str] = []
    monkeypatch.setattr(media_hosts, "record", met.extend)
    photo = a_story()
    error = UnknownMediaHost(hosts=("cdn.example",))
    item = make_item()
    outcome = run(
        stage,
        item,
        listed(photo),
        UnknownHosts(hosts=("cdn.example",)),
        MediaFailed(story_id=photo.id, position=1, error=error),
        ended(photo, 0, error),
    )
    assert met == ["cdn.example"]
    assert outcome == Outcome(S.FAILED, error)
    story = item.stories.get()
    assert (story.error_code, story.error_detail) == (
        "upstream_changed",
        "unknown media host: cdn.example",
    )


def test_a_file_that_only_opened_is_not_called_checked(stage: Stage) -> None:
    photo, item = a_story(), make_item()
    opened = stage.file(photo, 1, verified=replace(PICTURE, checked=False))
    run(stage, item, listed(photo), opened, ended(photo, 1))
    assert [file.checked for file in Artifact.objects.filter(item=item, role=Role.MEDIA)] == [False]
