"""Files of watches are kept until they are collected, and go as any other then."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from jobs.files import collection, serving
from jobs.models import Artifact, CopyRole, CopyState, Job, LibraryCopy, Package, Role, Story
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db

KEPT = timedelta(days=3)
LIFE = timedelta(hours=2)


def a_story(job: Job | None = None, media: int = 1, **facts: Any) -> Story:
    """A saved story that a watch found, kept for three days."""
    job = job or make_job(from_watch=True)
    story = make_story(make_item(job, state="done"))
    until = timezone.now() + KEPT
    for position in range(1, media + 1):
        make_artifact(story, position=position, content=b"12345678", expires_at=until, **facts)
    return story


def in_library(story: Story, **facts: Any) -> None:
    """Have the library have a picture of a story."""
    kept = {"tiktok_id": story.tiktok_id, "position": 1, "state": CopyState.KEPT}
    LibraryCopy.objects.create(**{"owner": story.owner} | kept | facts)


def left(artifact: Artifact) -> timedelta:
    artifact.refresh_from_db()
    return artifact.expires_at - timezone.now()


def is_collected(artifact: Artifact) -> bool:
    artifact.refresh_from_db()
    assert (left(artifact) <= LIFE) == (artifact.collected_at is not None)
    return artifact.collected_at is not None


def download(artifact: Artifact, *, inline: bool = False, **headers: str) -> Any:
    """What the server would tell the end of a download to."""
    pace = SimpleNamespace(when_sent=None, rate=None)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().get("/x", headers=sent)
    request.META[serving.PACE] = pace
    serving.file_response(request, make_user(), artifact.pk, inline=inline)
    return pace


def test_a_file_is_collected_once_its_last_byte_was_handed_over() -> None:
    file = a_story().artifacts.get()
    pace = download(file)
    assert not is_collected(file)
    pace.when_sent()
    assert is_collected(file)


def test_the_rest_of_a_download_collects_and_a_part_of_a_file_does_not() -> None:
    file = a_story().artifacts.get()
    assert download(file, Range="bytes=0-6").when_sent is None
    assert download(file, Range="bytes=-1").when_sent is None
    assert download(file, Range="bytes=4-").when_sent is None
    pace = download(file, Range="bytes=4-", If_Range=f'"{file.pk}"')
    assert pace.when_sent is not None
    pace.when_sent()
    assert is_collected(file)


def test_to_look_at_a_file_is_not_to_have_it() -> None:
    assert download(a_story().artifacts.get(), inline=True).when_sent is None


def test_a_head_request_and_one_for_what_is_known_collect_nothing() -> None:
    file = a_story().artifacts.get()
    pace = SimpleNamespace(when_sent=None, rate=None)
    request = RequestFactory().head("/x")
    request.META[serving.PACE] = pace
    assert isinstance(serving.file_response(request, make_user(), file.pk), HttpResponse)
    assert pace.when_sent is None
    assert download(file, If_None_Match=f'"{file.pk}"').when_sent is None


def test_what_somebody_sent_themselves_is_collected_by_nothing() -> None:
    file = make_artifact(content=b"12345678")
    before = file.expires_at
    assert download(file).when_sent is None
    collection.note_downloaded(file)
    file.refresh_from_db()
    assert (file.expires_at, file.collected_at) == (before, None)


def test_with_a_video_goes_what_was_made_of_it_and_nothing_else() -> None:
    story = a_story(media=2)
    first, second = story.artifacts.order_by("position")
    until = timezone.now() + KEPT
    sound = make_artifact(story, role=Role.AUDIO_TRACK, position=1, expires_at=until)
    poster = make_artifact(story, role=Role.POSTER, position=1, expires_at=until)
    other = a_story(story.item.job).artifacts.get()
    collection.note_downloaded(first)
    assert [is_collected(file) for file in (first, sound, poster)] == [True] * 3
    assert [is_collected(file) for file in (second, other)] == [False] * 2


def test_a_carousels_zip_goes_with_the_last_of_its_pictures_and_takes_them_with_it() -> None:
    until = timezone.now() + KEPT
    one_by_one, at_once = a_story(media=2), a_story(media=2)
    zips = [
        make_artifact(story, role=Role.ZIP, position=0, expires_at=until)
        for story in (one_by_one, at_once)
    ]
    first, second = one_by_one.artifacts.filter(role=Role.MEDIA).order_by("position")
    collection.note_downloaded(first)
    assert not is_collected(zips[0])
    collection.note_downloaded(second)
    assert is_collected(zips[0])
    collection.note_downloaded(zips[1])
    assert all(is_collected(file) for file in at_once.artifacts.all())


@pytest.mark.parametrize("selected", [False, True])
def test_a_zip_collects_what_it_holds(selected: bool) -> None:
    story = a_story(media=3)
    files = list(story.artifacts.order_by("position"))
    job = story.item.job
    role = Role.SELECTION if selected else Role.BUNDLE
    bundle = make_artifact(job=job, role=role, content=b"zip")
    held = files[:2] if selected else files
    late = a_story(job).artifacts.get()  # saved after it was packed
    Artifact.objects.filter(pk=late.pk).update(created_at=timezone.now() + timedelta(seconds=9))
    selection = sorted(str(file.pk) for file in held) if selected else []
    Package.objects.create(job=job, owner=job.owner, selection=selection, artifact=bundle)
    download(bundle).when_sent()
    assert [is_collected(file) for file in files] == [file in held for file in files]
    assert not is_collected(late)


def test_a_zip_that_another_one_followed_collects_nothing() -> None:
    story = a_story()
    bundle = make_artifact(job=story.item.job)
    collection.note_downloaded(bundle)
    assert not is_collected(story.artifacts.get())


def test_the_library_collects_too() -> None:
    story, other = a_story(media=2), a_story()
    Story.objects.filter(pk=other.pk).update(tiktok_id="another")
    for position in (1, 2):
        in_library(story, position=position)
    assert collection.note_kept() == 2
    assert collection.note_kept() == 0
    assert not is_collected(other.artifacts.get())


def test_what_is_saved_after_the_library_has_it_is_collected_too() -> None:
    story = a_story()
    in_library(story)
    assert collection.note_kept() == 1
    again = make_story(make_item(make_job(from_watch=True)), tiktok_id=story.tiktok_id)
    make_artifact(again, expires_at=timezone.now() + KEPT)
    assert collection.note_kept() == 1
    assert is_collected(again.artifacts.get())


@pytest.mark.parametrize("facts", [
    {"state": CopyState.WAITING},
    {"state": CopyState.FAILED},
    {"state": CopyState.REMOVING},
    {"position": 2},
    {"role": CopyRole.STORY},
    {"tiktok_id": "another"},
    {"owner": "bob"},
])  # fmt: skip
def test_what_is_not_in_the_library_is_not_collected(facts: dict[str, Any]) -> None:
    story = a_story()
    if "owner" in facts:
        facts = {"owner": make_user(facts["owner"])}
    in_library(story, **facts)
    assert collection.note_kept() == 0
    assert not is_collected(story.artifacts.get())


def test_a_story_that_is_still_coming_is_not_collected_yet() -> None:
    story = a_story()
    in_library(story)
    Story.objects.update(state=ItemState.RUNNING)
    assert collection.note_kept() == 0


@pytest.mark.django_db(transaction=True)
def test_a_zip_goes_with_the_last_two_pictures_that_are_collected_at_once() -> None:
    story = a_story(media=2)
    first, second = story.artifacts.order_by("position")
    packed = make_artifact(story, role=Role.ZIP, expires_at=first.expires_at)

    def collect_second() -> None:
        collection.note_downloaded(second)
        connections.close_all()

    other = threading.Thread(target=collect_second)
    with transaction.atomic():
        collection.note_downloaded(first)
        other.start()
        other.join(0.5)  # it has to wait for us
    other.join(60)
    assert is_collected(packed)


def test_collecting_never_has_a_file_kept_longer() -> None:
    file = a_story().artifacts.get()
    soon = timezone.now() + timedelta(minutes=5)
    Artifact.objects.filter(pk=file.pk).update(expires_at=soon)
    collection.note_downloaded(file)
    file.refresh_from_db()
    assert file.expires_at == soon


def test_a_database_that_is_away_has_the_file_kept_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = a_story().artifacts.get()

    def fail(_: object) -> int:
        raise DatabaseError

    monkeypatch.setattr(collection, "note_collected", fail)
    collection.note_downloaded(file)
    assert not is_collected(file)
