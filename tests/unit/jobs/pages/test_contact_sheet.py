"""The contact sheet: rows of a long job, their film strips, their order and their way back."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.files import damage
from jobs.files.bundles import Amount
from jobs.models import Artifact, Item, Job, Role, Story
from jobs.pages import contact_sheet
from jobs.pages.contact_sheet import THUMBS
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import page_of, shown

pytestmark = pytest.mark.django_db


def leaving(hours: float) -> dict[str, datetime]:
    """When a story was posted that leaves TikTok then."""
    leaves_at = timezone.now() + timedelta(hours=hours)
    return {"leaves_at": leaves_at, "posted_at": leaves_at - timedelta(hours=24)}


@pytest.fixture
def sheet(alice: User) -> Job:
    """Eight lines: the n-th has n - 1 stories, of which the last leaves first; one fails."""
    job = make_job(alice, settled_at=timezone.now())
    for number in range(8):
        state = ItemState.DONE if number else ItemState.FAILED
        code = "" if number else "upstream_down"
        item = make_item(
            job, name=f"name{number}", state=state, author_name=f"name{number}", error_code=code
        )
        for place in range(number):
            story = make_story(item, **leaving(20 - 2 * number + place / 10))
            make_artifact(story, size_bytes=1000)
    return job


def rows(html: str) -> list[str]:
    """The positions of the lines of a page, in its order."""
    return re.findall(r'<section class="line row-line[^>]*data-line="(\d+)"', html)


def test_more_than_six_lines_are_rows_without_tiles(client: Client, sheet: Job) -> None:
    page = shown(client.get(f"/jobs/{sheet.pk}/"))
    assert rows(page) == [str(number) for number in range(1, 9)]
    assert 'class="tile' not in page
    assert page.count("data-view=") == sum(min(number, THUMBS) for number in range(7)) + THUMBS - 1
    assert ">+2</a>" in page, "seven stories, five of them in the strip"


def test_what_was_damaged_is_marked_in_the_strip(client: Client, sheet: Job) -> None:
    make_artifact(job=make_job(), content=b"x")  # the disk is there
    marked = r'<span class="none" title="[^"]*damaged on the disk"><svg'
    assert not re.search(marked, shown(client.get(f"/jobs/{sheet.pk}/")))
    damage.give_up(list(Artifact.objects.filter(story__item__position=4, job=sheet)[:1]))
    assert len(re.findall(marked, shown(client.get(f"/jobs/{sheet.pk}/")))) == 1


def test_a_row_unfolds_and_folds_again(client: Client, sheet: Job) -> None:
    item = sheet.items.get(position=4)
    page = shown(client.get(f"/jobs/{sheet.pk}/?show=done&order=leaving"))
    way = f"/jobs/{sheet.pk}/?show=done&amp;order=leaving&amp;all=4#line-{item.pk}"
    assert f'href="{way}" data-fold="4"' in page
    page = shown(client.get(f"/jobs/{sheet.pk}/?show=done&order=leaving&all=4"))
    assert page.count('<li class="tile') == 3
    assert (
        f'href="/jobs/{sheet.pk}/?show=done&amp;order=leaving#line-{item.pk}" data-unfold' in page
    )
    assert 'data-all="4"' in page
    fragment = f"/jobs/{sheet.pk}/progress/?show=done&amp;order=leaving"
    assert f'data-fragment="{fragment}"' in page, "the script adds what is open"


def test_the_grid_is_one_link_away(client: Client, sheet: Job) -> None:
    page = shown(client.get(f"/jobs/{sheet.pk}/?view=grid"))
    assert rows(page) == []
    assert page.count('<li class="tile') == 28
    assert 'href="?" title="All stories as tiles" aria-current="true"' in page


def test_what_leaves_tiktok_first_comes_first(client: Client, sheet: Job) -> None:
    Story.objects.filter(item__position=8).update(leaves_at=timezone.now() - timedelta(hours=1))
    page = shown(client.get(f"/jobs/{sheet.pk}/?order=leaving"))
    assert rows(page) == ["7", "6", "5", "4", "3", "2", "1", "8"]


def test_a_row_saves_one_file_as_it_is_and_several_as_a_zip(client: Client, sheet: Job) -> None:
    page = shown(client.get(f"/jobs/{sheet.pk}/"))
    file = Artifact.objects.get(item__position=2)
    link = page.split(f'href="/files/{file.pk}/{file.name}" data-download>')[1].split("</a>")[0]
    assert "#download" in link, "a picture of the word, for phones"
    assert '<span class="word">Save</span>' in link
    assert page.count(f'formaction="/jobs/{sheet.pk}/selection/" name="line"') == 6
    taken = client.post(f"/jobs/{sheet.pk}/selection/", {"line": "2"})
    assert taken["Location"] == f"/files/{file.pk}/{file.name}"
    client.post(f"/jobs/{sheet.pk}/selection/", {"line": ["3", "x", "99"]})
    (package,) = sheet.packages.all()
    assert len(package.selection) == 2


def test_somebody_elses_lines_cannot_be_taken(bobs: Client, sheet: Job) -> None:
    assert bobs.post(f"/jobs/{sheet.pk}/selection/", {"line": "2"}).status_code == 404


def test_a_failed_row_has_its_reason_and_its_retry(client: Client, sheet: Job) -> None:
    page = shown(client.get(f"/jobs/{sheet.pk}/"))
    row = page.split('<section class="line row-line')[1]
    assert 'class="reason"' in row
    assert "Retry" in row
    assert "data-pack" not in row


def test_a_row_whose_files_are_gone_can_be_fetched_again(client: Client, sheet: Job) -> None:
    Artifact.objects.filter(item__position=3).update(removed_at=timezone.now())
    page = shown(client.get(f"/jobs/{sheet.pk}/"))
    row = page.split('<section class="line row-line')[3]
    assert "Fetch again" in row
    assert 'name="line"' not in row, "nothing to select"


def test_a_running_row_shows_progress_in_its_ring(client: Client, sheet: Job) -> None:
    Item.objects.filter(position=8).update(state=ItemState.RUNNING)
    row = shown(client.get(f"/jobs/{sheet.pk}/")).split('<section class="line row-line')[8]
    assert 'class="ring busy"' in row
    assert "data-ring-until" not in row


def test_a_thumb_is_told_in_words(sheet: Job) -> None:
    line = page_of(sheet).lines[1]
    (thumb,) = contact_sheet.row_of(line).thumbs
    assert re.fullmatch(r"@name1, Photo, posted \d+:\d\d, saved and checked", thumb.spoken)
    Artifact.objects.filter(item__position=2).update(removed_at=timezone.now())
    (thumb,) = contact_sheet.row_of(page_of(sheet).lines[1]).thumbs
    assert thumb.spoken.endswith(", deleted")
    assert (thumb.address, thumb.cover) == ("", "")


def test_a_part_is_amber_and_has_no_tick(client: Client, alice: User) -> None:
    job = make_job(alice, settled_at=timezone.now())
    item = make_item(job, state=ItemState.PARTIAL, error_code="media_unavailable")
    story = make_story(item, kind="carousel", media_count=5, state=ItemState.PARTIAL)
    for place in (1, 2, 4, 5):
        make_artifact(story, position=place)
    for _ in range(2):
        make_artifact(make_story(item))
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert re.search(r'class="badge short"[^>]*>4/5<', page)
    assert page.count("badge kept") == 2
    assert "4 of 5 saved" in page


def test_posters_are_no_files_to_save(sheet: Job) -> None:
    story = Story.objects.filter(item__position=2).get()
    make_artifact(story, role=Role.POSTER)
    row = contact_sheet.row_of(page_of(sheet).lines[1])
    assert row.amount == Amount(1, 1000)
    assert row.file


def test_a_filtered_page_is_still_a_sheet(client: Client, sheet: Job) -> None:
    assert rows(shown(client.get(f"/jobs/{sheet.pk}/?show=failed"))) == ["1"]
