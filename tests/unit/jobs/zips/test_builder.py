"""From rows to a ZIP in the store, and the row it gets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from jobs.errors import DiskFull, NothingToPack
from jobs.files import store
from jobs.models import DAMAGED, Artifact, Role
from tests.unit.jobs.zips.making import (
    bundle_of,
    content_of,
    make_carousel,
    make_full_job,
    opened,
    pack,
)

pytestmark = pytest.mark.django_db


def test_a_carousel_holds_its_pictures_and_what_is_known_of_them() -> None:
    story = make_carousel()
    artifact = pack(story)

    with opened(artifact) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "alice.b_2026-11-20_1403_01.jpg",
            "alice.b_2026-11-20_1403_02.jpg",
            "alice.b_2026-11-20_1403_03.jpg",
            "story.json",
        ]
        assert archive.read("alice.b_2026-11-20_1403_02.jpg") == b"picture 2" * 100
        facts = json.loads(archive.read("story.json"))
    assert facts["author"] == {"id": "1", "name": "alice.b", "nickname": "Älice"}
    assert facts["source_url"] == "https://www.tiktok.com/@alice.b/photo/1"
    assert facts["posted_at"] == "2026-11-20T14:03:31Z"
    assert facts["captured_at"] == "2026-11-20T15:00:00Z"
    assert facts["note"] == "for the archive"
    assert facts["kind"] == "carousel"
    assert facts["caption"] == "três fotos 🎉"
    assert [file["name"] for file in facts["files"]] == [
        f"alice.b_2026-11-20_1403_0{number}.jpg" for number in (1, 2, 3)
    ]
    first = facts["files"][0]
    assert first["sha256"] == hashlib.sha256(b"picture 1" * 100).hexdigest()
    assert (first["size_bytes"], first["width"], first["height"]) == (900, 1080, 1920)


def test_its_row_says_what_it_is() -> None:
    story = make_carousel()
    artifact = pack(story)

    content = content_of(artifact)
    assert artifact.size_bytes == len(content)
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert (artifact.role, artifact.position, artifact.checked) == (Role.ZIP, 0, True)
    assert artifact.content_type == "application/zip"
    assert artifact.name == "alice.b_2026-11-20_1403.zip"
    assert not Artifact.objects.filter(pk=artifact.pk).exists()
    artifact.save(force_insert=True)
    assert (artifact.owner, artifact.job, artifact.story) == (
        story.owner,
        story.item.job,
        story,
    )


def test_what_is_missing_or_cut_short_is_left_out_and_not_promised() -> None:
    story = make_carousel(3)
    gone, short, whole = story.artifacts.order_by("position")
    store.remove(gone.pk)
    short.size_bytes += 1
    short.save()
    with opened(pack(story)) as archive:
        assert archive.namelist() == [whole.name, "story.json"]
        facts = json.loads(archive.read("story.json"))
    assert [file["name"] for file in facts["files"]] == [whole.name]


def test_nothing_left_to_pack(artifacts: Path) -> None:
    story = make_carousel(1)
    for file in story.artifacts.all():
        store.remove(file.pk)
    with pytest.raises(NothingToPack):
        pack(story)
    assert not [path for path in artifacts.glob("*/*") if path.is_file()]


def test_a_full_disk_leaves_nothing(set_env: Callable[..., None], artifacts: Path) -> None:
    story = make_carousel()
    before = sorted(artifacts.rglob("*"))
    set_env(disk_max=3000)
    with pytest.raises(DiskFull):
        pack(story)
    assert sorted(artifacts.rglob("*")) == before


def test_a_zip_lives_as_long_as_a_fresh_file_but_no_copy_outlives_the_maximum(
    set_env: Callable[..., None],
) -> None:
    set_env(artifact_ttl=timedelta(hours=2), artifact_ttl_max=timedelta(hours=24))
    story = make_carousel(1)
    now = timezone.now()
    assert abs(pack(story).expires_at - now - timedelta(hours=2)) < timedelta(minutes=1)

    story.artifacts.update(
        created_at=now - timedelta(hours=23), expires_at=now + timedelta(minutes=30)
    )
    left = pack(story).expires_at - now
    assert abs(left - timedelta(hours=1)) < timedelta(minutes=1)


def test_the_same_job_makes_the_same_bytes() -> None:
    job = make_full_job()
    first = bundle_of(job)
    content = content_of(first)
    first.expires_at = timezone.now()
    first.save()
    assert content_of(bundle_of(job)) == content


@pytest.mark.parametrize("content", [b"picture 9" * 100, b"picture"])
def test_a_damaged_picture_is_left_out_of_a_carousel(artifacts: Path, content: bytes) -> None:
    story = make_carousel()
    bad = story.artifacts.order_by("position")[1]
    (artifacts / str(bad.pk)[:2] / str(bad.pk)).write_bytes(content)
    zipped = pack(story)
    with opened(zipped) as archive:
        sidecar = json.loads(archive.read("story.json"))
        names = [name for name in archive.namelist() if name != "story.json"]
        hashes = {hashlib.sha256(archive.read(name)).hexdigest() for name in names}
    assert len(names) == 2
    assert {file["sha256"] for file in sidecar["files"]} == hashes
    bad.refresh_from_db()
    assert bad.labels == [DAMAGED]
