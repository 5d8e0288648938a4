"""The viewer's JSON: one line's pictures and videos, and only for who owns them."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Artifact, Item, Job, Role, Story, StoryKind
from jobs.pages.viewer import viewer_of
from jobs.queries.snapshot import load_snapshot
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import saved

pytestmark = pytest.mark.django_db

HOSTILE = '</script><img src=x onerror=alert(1)>\u202e"&\n' + "x" * 4000


def asked(client: Client, job: Job, line: object = "", **headers: str) -> Any:
    """The answer for a line."""
    return client.get(f"/jobs/{job.pk}/viewer.json?line={line}", headers=headers)


def test_it_is_compressed_and_an_unchanged_one_costs_nothing(client: Client, lines: Job) -> None:
    packed = asked(client, lines, 1, **{"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.content)) == asked(client, lines, 1).json()
    same = asked(client, lines, 1, **{"If-None-Match": packed["ETag"]})
    assert (same.status_code, same.content) == (304, b"")


@pytest.fixture
def lines(alice: User) -> Job:
    """A video; a line that failed; and a carousel of three of which the second did not arrive."""
    job = make_job(alice, settled_at=timezone.now())
    first = make_item(
        job, name="nora", state=ItemState.DONE, author_name="nora", author_nickname="Nora L"
    )
    video = make_story(first, kind=StoryKind.VIDEO, caption=HOSTILE)
    make_artifact(
        video,
        name="nora.mp4",
        content_type="video/mp4",
        size_bytes=12_400_000,
        width=1080,
        height=1920,
        duration_s=16.2,
        has_audio=True,
        sha256="ab" * 32,
        labels=["watermarked", "joined"],
    )
    make_artifact(video, role=Role.AUDIO_TRACK, content_type="audio/mp4", position=1)
    make_artifact(video, role=Role.POSTER, position=1, name="poster.jpg")
    make_item(job, name="gone", state=ItemState.FAILED, error_code="no_such_account")
    third = make_item(job, name="zoe", state=ItemState.PARTIAL, author_name="zoe")
    carousel = make_story(
        third, kind=StoryKind.CAROUSEL, media_count=3, leaves_at=None, state=ItemState.PARTIAL
    )
    make_artifact(carousel, position=1, name="one.jpg")
    make_artifact(carousel, position=3, content_type="image/heic", name="three.heic")
    make_artifact(carousel, role=Role.CONVERTED, position=3, name="three.jpg", size_bytes=7)
    make_artifact(carousel, role=Role.ZIP, content_type="application/zip", position=0)
    return job


def test_everything_that_is_known_of_a_video(client: Client, lines: Job) -> None:
    answer = asked(client, lines, 1).json()
    story = Story.objects.get(kind=StoryKind.VIDEO)
    file = Artifact.objects.get(name="nora.mp4")
    assert (answer["line"], answer["lines"]) == (1, [1, 3])
    assert answer["author"] == {
        "name": "nora",
        "nickname": "Nora L",
        "title": "Nora L",
        "handle": "@nora",
        "avatar": "",
        "letter": "N",
    }
    (told,) = answer["stories"]
    assert told["id"] == str(story.pk)
    assert told["posted"]["at"].startswith("2026-11-20T14:04:00")
    assert told["leaves"]["at"].startswith("2026-11-21T14:04:00")
    assert told["expires"]["words"]
    assert told["delete_url"] == f"/stories/{story.pk}/clean/"
    assert told["page_url"] == f"/jobs/{lines.pk}/?story={story.pk}#story-{story.pk}"
    (media,) = told["media"]
    assert media["kind"] == "video"
    assert media["address"] == f"/files/{file.pk}/nora.mp4?inline=1"
    assert media["poster"].endswith("/poster.jpg?inline=1")
    assert (media["width"], media["height"], media["has_audio"]) == (1080, 1920, True)
    assert media["facts"][1:] == ["0:16", "sound", "H.264", "12.4\u00a0MB"]
    assert (media["sha256"], media["name"]) == ("ab" * 32, "nora.mp4")
    assert media["labels"] == ["With watermark"]
    assert media["checked_words"] == "Complete, opened and checked · Picture and sound joined"
    assert media["download"]["label"] == "Download MP4"
    assert [link["label"] for link in media["more"]] == ["Sound, M4A"]
    assert media["share"] == {"address": f"/files/{file.pk}/nora.mp4", "bytes": 12_400_000}


def test_a_carousel_that_lacks_a_photo(client: Client, lines: Job) -> None:
    (told,) = asked(client, lines, 3).json()["stories"]
    assert "2" in told["missing"]
    assert told["leaves"] is None
    assert [(media["position"], media["of"]) for media in told["media"]] == [(1, 3), (3, 3)]
    heic = told["media"][1]
    assert heic["address"].endswith("/three.jpg?inline=1")  # what every browser shows
    assert heic["download"]["address"].endswith("/three.heic")
    assert heic["share"]["address"].endswith("/three.jpg")
    assert heic["share"]["bytes"] == 7
    # The picture's own file, and what is about it or about all of them.
    labels = [[link["label"] for link in media["more"]] for media in told["media"]]
    assert labels == [["Download ZIP"], ["Download ZIP", "Image 3 as JPG"]]


def test_a_caption_is_data_whatever_it_says(client: Client, lines: Job) -> None:
    answer = asked(client, lines, 1)
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["stories"][0]["caption"] == HOSTILE


def test_what_was_deleted_is_left_out(client: Client, lines: Job) -> None:
    now = timezone.now()
    Artifact.objects.filter(name="nora.mp4").update(removed_at=now)
    answer = asked(client, lines, 1).json()
    assert (answer["stories"], answer["lines"]) == ([], [3])
    # Past its time, though nobody swept it yet.
    Artifact.objects.filter(name="one.jpg").update(expires_at=now - timedelta(seconds=1))
    (told,) = asked(client, lines, 3).json()["stories"]
    assert [media["position"] for media in told["media"]] == [3]


def test_without_a_line_the_first_that_has_something(client: Client, lines: Job) -> None:
    Artifact.objects.filter(item__position=1).update(removed_at=timezone.now())
    for unknown in ("", "nonsense", "9" * 5000):
        assert asked(client, lines, unknown).json()["line"] == 3
    for empty in (2, 9):
        assert asked(client, lines, empty).json()["stories"] == []


def test_a_line_without_an_account_has_a_title(alice: User) -> None:
    job = make_job(alice)
    item = make_item(job, line="https://vm.tiktok.com/ZM1/", target={}, key="x")
    Item.objects.filter(pk=item.pk).update(author_name="", target={})
    snapshot = load_snapshot(job.pk, alice)
    assert snapshot
    author = viewer_of(snapshot, 1, timezone.now())["author"]
    assert author["title"]
    assert author["letter"] == author["title"][0]


def test_only_its_owner_is_told(client: Client, bobs: Client, lines: Job) -> None:
    assert asked(bobs, lines, 1).status_code == 404
    assert client.get(f"/jobs/{uuid4()}/viewer.json").status_code == 404
    assert asked(Client(), lines, 1).status_code == 302
    assert client.post(f"/jobs/{lines.pk}/viewer.json").status_code == 405


def test_nothing_keeps_it_and_an_unchanged_one_is_not_sent(client: Client, lines: Job) -> None:
    first = asked(client, lines, 1)
    assert first["Cache-Control"] == "private, no-store"
    tag = {"If-None-Match": first["ETag"]}
    again = asked(client, lines, 1, **tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again["Cache-Control"] == "private, no-store"
    assert asked(client, lines, 3, **tag).status_code == 200
    client.cookies["django_language"] = "de"
    assert asked(client, lines, 1, **tag, **{"Accept-Language": "de"}).status_code == 200


def test_a_change_is_sent(client: Client, lines: Job) -> None:
    tag = asked(client, lines, 1)["ETag"]
    Artifact.objects.filter(name="nora.mp4").update(removed_at=timezone.now())
    assert asked(client, lines, 1, **{"If-None-Match": tag}).status_code == 200


def test_the_page_leads_there(client: Client, alice: User) -> None:
    job = saved(alice)
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    story = Story.objects.get()
    assert f'data-viewer="/jobs/{job.pk}/viewer.json"' in page
    assert f'data-story="{story.pk}" data-line="1" data-position="1"' in page
    assert '<dialog id="viewer"' in page
