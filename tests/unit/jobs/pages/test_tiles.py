"""Stories as tiles."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.files import damage, store
from jobs.models import Artifact, Role, StoryKind
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_story
from tests.unit.jobs.pages.pages import page_of, saved, shown

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def test_what_there_is_to_take() -> None:
    item = make_item(state=ItemState.DONE, author_name="x")
    photo = make_story(item)
    make_artifact(photo, content_type="image/webp", position=1)
    make_artifact(photo, role=Role.CONVERTED, position=1)
    make_artifact(photo, role=Role.ATTACHED_SONG, content_type="audio/mpeg", position=0)
    video = make_story(item, kind=StoryKind.VIDEO)
    make_artifact(video, content_type="video/mp4", duration_s=75.2, position=1)
    make_artifact(video, role=Role.AUDIO_TRACK, content_type="audio/mp4", position=1)
    many = make_story(item, kind=StoryKind.CAROUSEL, media_count=2)
    make_artifact(many, position=1)
    make_artifact(many, position=2)
    make_artifact(many, role=Role.ZIP, content_type="application/zip", position=0)
    tiles = page_of(item.job).lines[0].tiles
    links = [[tile.main, *tile.more] for tile in tiles]
    assert [[link.label for link in row if link] for row in links] == [
        ["Download WebP", "Attached song, MP3", "Image as JPG"],
        ["Download MP4", "Sound, M4A"],
        ["Download ZIP"],
    ]
    assert [tile.main and tile.main.kind for tile in tiles] == ["WebP", "MP4", "ZIP"]
    assert [shown.download.label for shown in tiles[2].viewer_items] == ["Image 1", "Image 2"]
    assert [tile.badge for tile in tiles] == ["", "1:15", "2"]
    assert [len(tile.viewer_items) for tile in tiles] == [1, 1, 2]
    assert tiles[2].viewer_items[1].title == "@x · 2 photos · 14:06 · 2/2"


def test_a_cleaned_up_tile() -> None:
    file = make_artifact()
    assert file.story
    assert file.story.item
    Artifact.objects.update(removed_at=timezone.now())
    page = page_of(file.job)
    tile = page.lines[0].tiles[0]
    assert (tile.cover, tile.main, tile.checked) == (None, None, False)
    assert page.amount.files == 0
    assert tile.removed_at == page.removed_at
    assert page.removed_at
    assert page.summary == "1 file deleted"


def test_a_tile_names_the_photos_that_were_damaged() -> None:
    story = make_story(kind=StoryKind.CAROUSEL, media_count=4, leaves_at=timezone.now() + HOUR)
    files = [make_artifact(story, content=b"%d" % n) for n in range(4)]
    store.remove(files[1].pk)
    damage.give_up(files[1:2])
    tile = page_of(files[0].job).lines[0].tiles[0]
    assert tile.damaged == "Photo 2 was damaged on our disk."
    assert (tile.tally, tile.checked, tile.missing, tile.removed_at) == ("3/4", False, "", None)
    store.remove(files[2].pk)
    damage.give_up(files[2:3])
    tile = page_of(files[0].job).lines[0].tiles[0]
    assert tile.damaged == "Photos 2, 3 were damaged on our disk."
    make_artifact(story, content=b"anew", position=2)
    make_artifact(story, content=b"anew", position=3)
    tile = page_of(files[0].job).lines[0].tiles[0]
    assert (tile.damaged, tile.checked) == ("", True)


def test_a_damaged_preview_leaves_the_picture(client: Client, alice: User) -> None:
    job = saved(alice)
    story = job.items.get().stories.get()
    poster = make_artifact(story, content=b"p", role=Role.POSTER, position=1)
    store.remove(poster.pk)
    damage.give_up([poster])
    tile = page_of(job).lines[0].tiles[0]
    assert tile.damaged == ""
    assert tile.cover is not None
    assert tile.cover.role == Role.MEDIA


def test_what_was_done_to_a_file_is_said_beside_its_downloads(client: Client, alice: User) -> None:
    job = saved(alice, kind=StoryKind.VIDEO)
    Artifact.objects.update(labels=["hevc", "joined", "retagged"], content_type="video/mp4")
    (tile,) = page_of(job).lines[0].tiles
    assert (tile.labels, tile.notes) == (("hevc",), ("joined", "retagged"))
    page = shown(client.get(f"/jobs/{job.pk}/"))
    more = page[page.index('<div class="pop" id="more-') :].partition("</div>")[0]
    for words in ("Picture and sound joined", "Made readable for phones"):
        assert words in more
        assert page.count(words) == 1
