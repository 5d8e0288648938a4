"""The job's page and its fragment: what is asked for, what a tag stands for, a job of thousands."""

from __future__ import annotations

import gzip
import uuid
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Artifact, Item, Job, Role, Story
from jobs.pages import folding, job
from jobs.queries import fingerprint
from jobs.queue import erasure
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db

FIRST_VIEW_BYTES = 60_000
"""Of the page on the wire, with gzip."""


@pytest.fixture
def long_lines(alice: User, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Two lines of five photos; a page of so many lines shows two of each."""
    monkeypatch.setattr(folding, "TILES", 4)
    job = make_job(alice, settled_at=timezone.now())
    for name in ("corner.bakery", "tide"):
        item = make_item(job, name=name, state=ItemState.DONE, author_name=name)
        for _ in range(5):
            make_artifact(make_story(item))
    return job


def stories_of(job: Job, line: int) -> list[Story]:
    """The stories of a line in the order of the page."""
    return list(Story.objects.filter(item__job=job, item__position=line).order_by("posted_at"))


def test_a_long_line_shows_its_first_stories_and_a_way_to_all(
    client: Client, long_lines: Job
) -> None:
    page = shown(client.get(f"/jobs/{long_lines.pk}/"))
    assert page.count('class="tile"') == 4
    assert page.count("Show all 5") == 2
    item = Item.objects.get(position=2)
    link = f'href="/jobs/{long_lines.pk}/?all=2#line-{item.pk}"'
    assert link in page
    opened = shown(client.get(f"/jobs/{long_lines.pk}/?all=2"))
    assert opened.count('class="tile"') == 2 + 5
    assert opened.count("Show all 5") == 1
    assert 'data-all="2"' in opened


def test_a_filtered_page_stays_filtered_when_a_line_is_opened(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(alice, settled_at=timezone.now())
    for number in range(8):
        state = ItemState.FAILED if number else ItemState.PARTIAL
        item = make_item(job, state=state, error_code="upstream_down")
        for _ in range(0 if number else 40):
            make_story(item)
    page = shown(client.get(f"/jobs/{job.pk}/?show=partial"))
    assert f'href="/jobs/{job.pk}/?show=partial&amp;all=1#line-' in page


def test_the_link_that_refreshes_a_page_leads_to_what_it_shows(
    client: Client, long_lines: Job
) -> None:
    Item.objects.filter(position=1).update(state=ItemState.RUNNING)
    page = shown(client.get(f"/jobs/{long_lines.pk}/?all=2,9"))
    assert f'href="/jobs/{long_lines.pk}/?all=2">Refresh' in page


def test_the_line_of_a_story_is_opened_by_its_id(client: Client, long_lines: Job) -> None:
    last = stories_of(long_lines, 2)[-1]
    for path in ("", "progress/"):
        page = shown(client.get(f"/jobs/{long_lines.pk}/{path}?story={last.pk}"))
        assert f'id="story-{last.pk}"' in page
        assert 'data-all="2"' in page
    elsewhere = make_story(make_item(saved(long_lines.owner)))
    for other in (elsewhere.pk, uuid.uuid4(), "nonsense"):
        assert "data-all" not in shown(client.get(f"/jobs/{long_lines.pk}/?story={other}"))


def test_after_deleting_a_story_of_a_long_line_its_tile_is_in_sight(
    client: Client, long_lines: Job
) -> None:
    last = stories_of(long_lines, 2)[-1]
    back = client.post(f"/stories/{last.pk}/clean/")["Location"]
    assert back == f"/jobs/{long_lines.pk}/?story={last.pk}#story-{last.pk}"
    assert f'id="story-{last.pk}"' in shown(client.get(back))
    file = Artifact.objects.get(story=last)
    gone = client.get(f"/files/{file.pk}/{file.name}")
    assert gone.status_code == 410
    assert back.replace("&", "&amp;") in shown(gone)


def test_the_share_button_is_told_of_every_file(client: Client, long_lines: Job) -> None:
    other = stories_of(long_lines, 1)[0]
    make_artifact(other, role=Role.CONVERTED, position=1, size_bytes=7)
    Artifact.objects.filter(story=stories_of(long_lines, 2)[4]).update(removed_at=timezone.now())
    page = client.get(f"/jobs/{long_lines.pk}/").content.decode()
    assert f'data-media="/jobs/{long_lines.pk}/media.json"' in page
    files = client.get(f"/jobs/{long_lines.pk}/media.json").json()["files"]
    assert len(files) == 9
    assert [size for _, size, *_ in files] == [7] + [1000] * 8
    assert all(address in page for address, *_ in files[:2])
    assert [line for *_, line in files] == [1] * 5 + [2] * 4
    assert files[0][2] == str(other.pk)


def test_media_of_somebody_elses_job_is_not_told(bobs: Client, long_lines: Job) -> None:
    assert bobs.get(f"/jobs/{long_lines.pk}/media.json").status_code == 404


def test_an_unchanged_job_is_not_loaded(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/jobs/{saved(alice).pk}/progress/"
    tag = client.get(address)["ETag"]

    def load(*_: object, **__: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(job, "load_snapshot", load)
    response = client.get(address, headers={"If-None-Match": f'"other", {tag}'})
    assert (response.status_code, response["ETag"]) == (304, tag)


def test_the_tag_ends_when_a_story_leaves_tiktok(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/jobs/{saved(alice).pk}/progress/"
    tag = client.get(address)["ETag"]
    leaves_at = Story.objects.get().leaves_at
    assert leaves_at
    take = fingerprint.take

    def status_at(now: datetime) -> int:
        monkeypatch.setattr(fingerprint, "take", lambda job_id, user: take(job_id, user, now=now))
        return client.get(address, headers={"If-None-Match": tag}).status_code

    assert status_at(timezone.now() + timedelta(seconds=1)) == 304
    Artifact.objects.update(expires_at=leaves_at + timedelta(hours=1))
    tag = client.get(address)["ETag"]
    assert status_at(leaves_at - timedelta(seconds=1)) == 304
    assert status_at(leaves_at + timedelta(seconds=1)) == 200
    tag = client.get(address)["ETag"]
    assert status_at(leaves_at + timedelta(minutes=30)) == 304, "nothing is left that could leave"


@pytest.mark.parametrize("tag", ['W/"x"', '"-"', "*", "nonsense", 'W/"-99999999999999999999"'])
def test_a_foreign_tag_is_met_with_the_page(client: Client, alice: User, tag: str) -> None:
    address = f"/jobs/{saved(alice).pk}/progress/"
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 200


def test_the_first_view_of_a_job_of_thousands_is_light(client: Client, alice: User) -> None:
    job = make_job(alice, settled_at=timezone.now())
    now = timezone.now()
    files = []
    for number in range(50):
        name = f"corner.bakery{number:02}"
        item = make_item(job, name=name, state=ItemState.DONE, author_name=name)
        stories = Story.objects.bulk_create(
            Story(
                item=item,
                owner=alice,
                position=place,
                tiktok_id=f"{number}{place:03}",
                kind="photo",
                state=ItemState.DONE,
                posted_at=now,
                leaves_at=now + timedelta(hours=5),
                caption="Fresh bread every morning",
            )
            for place in range(100)
        )
        files += [
            Artifact(
                owner=alice,
                job=job,
                item=item,
                story=story,
                role=Role.MEDIA,
                position=1,
                name=f"{name}_2026-11-28_{story.position:04}_01.jpg",
                content_type="image/jpeg",
                size_bytes=100_000,
                sha256="0" * 64,
                checked=True,
                expires_at=now + timedelta(hours=2),
            )
            for story in stories
        ]
    Artifact.objects.bulk_create(files, batch_size=500)
    response = client.get(f"/jobs/{job.pk}/", headers={"Accept-Encoding": "gzip"})
    assert len(response.content) < FIRST_VIEW_BYTES
    page = gzip.decompress(response.content).decode()
    assert "5000 files saved and checked" in page
    assert page.count("Show all 100") == 50
    assert page.count(">+95</a>") == 50
    fragment = client.get(f"/jobs/{job.pk}/progress/?all=50").content.decode()
    assert fragment.count('class="tile"') == 100


@pytest.mark.parametrize("digits", [10, 5000])
def test_a_number_too_long_for_a_line_or_a_moment_is_no_number(
    client: Client, long_lines: Job, digits: int
) -> None:
    number = "9" * digits
    assert client.get(f"/jobs/{long_lines.pk}/?all={number},2").status_code == 200
    address = f"/jobs/{long_lines.pk}/progress/"
    state = client.get(address)["ETag"].removeprefix('W/"').partition("-")[0]
    headers = {"If-None-Match": f'W/"{state}-{number * 2}"'}
    assert client.get(address, headers=headers).status_code == 200


def test_a_large_forgotten_job_is_gone_for_an_open_page(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "LARGE", 0)
    job = make_job(alice, settled_at=timezone.now())
    make_artifact(make_story(make_item(job, state=ItemState.DONE)))
    address = f"/jobs/{job.pk}/progress/"
    tag = client.get(address)["ETag"]
    erasure.erase(job)
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 404
