"""Which saved files a ZIP holds, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.models import Role, Story
from jobs.states import ItemState
from jobs.zips import contents
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.zips.making import bundle_of, make_carousel, make_full_job, opened, pack

pytestmark = pytest.mark.django_db
POSTED = datetime(2026, 11, 20, 14, 3, 31, tzinfo=UTC)


def test_posters_stay_out_and_sound_comes_along() -> None:
    story = make_carousel(1)
    make_artifact(story, content=b"poster", role=Role.POSTER, position=1, name="poster.jpg")
    make_artifact(story, content=b"jpeg", role=Role.CONVERTED, position=1, name="c.jpg")
    make_artifact(story, content=b"song", role=Role.ATTACHED_SONG, position=0, name="song.m4a")
    make_artifact(story, content=b"zip", role=Role.ZIP, position=0, name="old.zip")
    with opened(pack(story)) as archive:
        assert archive.namelist() == [
            "song.m4a",
            "alice.b_2026-11-20_1403_01.jpg",
            "c.jpg",
            "story.json",
        ]


def test_a_bundle_is_sorted_by_author_and_time() -> None:
    bundle = bundle_of(make_full_job())
    with opened(bundle) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "ann/ann_2026-11-20_1404_01.jpg",
            "ann/ann_2026-11-20_1404_story.json",
            "ann/ann_2026-11-20_1405_01.jpg",
            "ann/ann_2026-11-20_1405_story.json",
            "bea/bea_2026-11-20_1404_01.jpg",
            "bea/bea_2026-11-20_1404_story.json",
            "bea/bea_2026-11-20_1405_01.jpg",
            "bea/bea_2026-11-20_1405_story.json",
            "manifest.csv",
        ]
    assert (bundle.role, bundle.story, bundle.item) == (Role.BUNDLE, None, None)
    assert bundle.name.startswith("storykeep_")


def test_one_story_by_two_lines_is_packed_once() -> None:
    job = make_job()
    for line in ("@ann", "https://www.tiktok.com/@ann/video/1"):
        item = make_item(job, state=ItemState.DONE, author_name="ann", line=line)
        story = make_story(item, tiktok_id="77", posted_at=POSTED)
        make_artifact(story, content=b"same", name="ann_01.jpg")
    with opened(bundle_of(job)) as archive:
        assert archive.namelist() == [
            "ann/ann_01.jpg",
            "ann/ann_2026-11-20_1403_story.json",
            "manifest.csv",
        ]


def test_the_files_of_chosen_stories() -> None:
    job = make_full_job()
    story = Story.objects.filter(item__job=job).first()
    theirs = make_artifact().story
    assert story
    assert theirs
    artifacts = contents.files_of_stories(job, [str(story.pk), str(theirs.pk), "x", ""])
    assert [file.role for file in artifacts] == [Role.MEDIA]
    assert artifacts[0].story == story
    assert contents.files_of_stories(job, []) == []
