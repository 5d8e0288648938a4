"""What is in a ZIP, byte for byte, and who packs it when."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import DiskFull, NothingToPack
from jobs.files import deletion, names, store
from jobs.files.names import safe_filename
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Job, Package, PackageState, Role, Story
from jobs.queue import shutdown
from jobs.states import ItemState
from jobs.zips import builder, claims, contents, packing
from jobs.zips.archive import Archive, cell, manifest
from tests.factories import make_artifact, make_item, make_job, make_story

pytestmark = pytest.mark.django_db

POSTED = datetime(2026, 11, 20, 14, 3, 31, tzinfo=UTC)
CAPTURED = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def make_carousel(count: int = 3, *, author: str = "alice.b", **facts: Any) -> Story:
    item = make_item(
        make_job(note=facts.pop("note", "for the archive")),
        state=ItemState.DONE,
        author_id="1",
        author_name=author,
        author_nickname="Älice",
    )
    given_facts: dict[str, Any] = {
        "kind": "carousel",
        "media_count": count,
        "caption": "três fotos 🎉",
        "posted_at": POSTED,
        "captured_at": CAPTURED,
        "source_url": "https://www.tiktok.com/@alice.b/photo/1?x-signature=secret#frag",
    }
    story = make_story(item, **(given_facts | facts))
    for number in range(1, count + 1):
        content = f"picture {number}".encode() * 100
        make_artifact(
            story,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            name=names.media_name(author, POSTED, number, ".jpg"),
            width=1080,
            height=1920,
        )
    return story


def pack(story: Story, files: list[Artifact] | None = None) -> Artifact:
    with Workspace(f"{uuid.uuid4()}.1") as workspace:
        return builder.build_carousel(story, files or list(story.artifacts.all()), workspace)


def opened(artifact: Artifact) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content_of(artifact)))


def content_of(artifact: Artifact) -> bytes:
    with store.open_artifact(artifact.pk) as file:
        return file.read()


def work(package: Package) -> bool:
    """Do as the worker's task does."""
    held = claims.claim(package.pk)
    assert held
    return packing.run(held)


def bundle_of(job: Job) -> Artifact:
    package = packing.request(job)
    assert work(package)
    package.refresh_from_db()
    assert package.state == PackageState.DONE
    assert package.artifact
    return package.artifact


# --- a carousel ---


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


def test_the_same_story_makes_the_same_bytes() -> None:
    story = make_carousel()
    files = list(story.artifacts.all())
    first, second = pack(story, files), pack(story, files[::-1])
    assert content_of(first) == content_of(second)
    assert first.sha256 == second.sha256


def test_nothing_is_compressed_and_every_member_has_the_posting_time() -> None:
    with opened(pack(make_carousel())) as archive:
        for member in archive.infolist():
            assert member.compress_type == zipfile.ZIP_STORED
            assert member.date_time == (2026, 11, 20, 14, 3, 30)
            assert member.external_attr == 0o100644 << 16
            assert member.create_system == 3


@pytest.mark.parametrize(
    ("posted", "dated"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(2500, 1, 1, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_a_time_zip_cannot_hold(posted: datetime, dated: tuple[int, ...]) -> None:
    with opened(pack(make_carousel(posted_at=posted))) as archive:
        assert archive.infolist()[0].date_time == dated


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


@pytest.mark.parametrize("author", ["manifest.csv", "MANIFEST.CSV"])
def test_an_account_called_like_our_manifest(author: str, tmp_path: Path) -> None:
    item = make_item(state=ItemState.DONE, author_name=author)
    make_artifact(make_story(item), content=b"1", name="a.jpg")
    package = packing.request(item.job)
    assert work(package)
    package.refresh_from_db()
    assert package.artifact
    with opened(package.artifact) as archive:
        archive.extractall(tmp_path)
    assert (tmp_path / "manifest.csv").is_file()
    assert len(list(tmp_path.glob("*/a.jpg"))) == 1


def test_hostile_names_stay_inside(tmp_path: Path) -> None:
    story = make_carousel(0, author="../../evil")
    names = [
        "../../../etc/cron.d/x",
        "/etc/passwd",
        "C:\\boot.ini",
        "..\\..\\x",
        "con.jpg",
        "a\x01b",
    ]
    for place, name in enumerate(names, 1):
        make_artifact(story, content=b"x", name=name, position=place)
    make_artifact(story, content=b"y", name="CON.JPG", position=9)
    with opened(pack(story)) as archive:
        members = archive.namelist()
        archive.extractall(tmp_path / "out")
    assert members == [
        "etc_cron.d_x",
        "etc_passwd",
        "C__boot.ini",
        "x",
        "con_.jpg",
        "ab",
        "CON__2.JPG",
        "story.json",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(members)


@given(st.text(max_size=60), st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_no_member_leaves_its_folder(folder: str, names: list[str]) -> None:
    archive = Archive(io.BytesIO(), store.open_artifact)
    paths = [archive.path(folder or "x", name) for name in names]
    archive.close()
    assert len({path.casefold() for path in paths}) == len(names)
    for path in paths:
        first, _, rest = path.partition("/")
        assert rest
        for part in (first, rest):
            assert safe_filename(part) == part
            assert "/" not in part


def test_names_in_other_scripts_are_marked_utf_8() -> None:
    story = make_carousel(1)
    story.artifacts.update(name="東京.jpg")
    artifact = pack(story)
    with opened(artifact) as archive:
        member = archive.infolist()[0]
        assert member.filename == "東京.jpg"
        assert member.flag_bits & 0x800


def test_more_than_four_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the wide headers begin is moved down to 500 bytes; the code on both sides is one."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 500)
    artifact = pack(make_carousel(2))
    content = content_of(artifact)
    assert b"PK\x06\x06" in content, "the wide end record"
    with opened(artifact) as archive:
        assert archive.testzip() is None
        assert [member.file_size for member in archive.infolist()][:2] == [900, 900]
        assert archive.infolist()[0].extract_version >= 45


@pytest.mark.skipif(not shutil.which("unzip"), reason="unzip is not installed")
def test_unzip_is_content(tmp_path: Path) -> None:
    story = make_carousel()
    bundle = bundle_of(story.item.job)
    place = tmp_path / "a.zip"
    place.write_bytes(content_of(bundle))
    assert subprocess.run(["unzip", "-tqq", place], check=False).returncode == 0


# --- a bundle ---


def make_full_job() -> Job:
    job = make_job(links=0, note='=HYPERLINK("http://evil")')
    for author in ("bea", "ann"):
        item = make_item(
            job, name=author, state=ItemState.DONE, author_name=author, author_nickname="+1"
        )
        for minute in (2, 1):
            at = POSTED + timedelta(minutes=minute)
            story = make_story(item, posted_at=at, captured_at=CAPTURED, caption="-2\n@me; =3")
            content = f"{author} {minute}".encode()
            make_artifact(
                story,
                content=content,
                name=names.media_name(author, at, 1, ".jpg"),
                sha256=hashlib.sha256(content).hexdigest(),
                labels=["hevc"],
            )
            make_artifact(story, content=b"p", role=Role.POSTER, name="poster.jpg", position=1)
    return job


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


def test_the_manifest_is_for_spreadsheets() -> None:
    with opened(bundle_of(make_full_job())) as archive:
        raw = archive.read("manifest.csv")
        sizes = {member.filename: member.file_size for member in archive.infolist()}
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert [row["file"] for row in rows] == [
        name for name in sizes if not name.endswith((".json", ".csv"))
    ]
    first = rows[0]
    assert first["note"] == '\'=HYPERLINK("http://evil")'
    assert first["nickname"] == "'+1"
    assert first["caption"] == "'-2\n'@me; '=3"
    assert first["posted_at"] == "2026-11-20T14:04:31Z"
    assert first["captured_at"] == "2026-11-20T15:00:00Z"
    assert first["labels"] == "hevc"
    assert int(first["size_bytes"]) == sizes[first["file"]]
    assert first["sha256"] == hashlib.sha256(b"ann 1").hexdigest()


@given(st.text(max_size=50))
def test_no_cell_is_a_formula(text: str) -> None:
    row = cell(text)
    raw = manifest([[row]]).decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(raw, newline="")))
    assert lines[1:] in ([[row]], [[]])
    for part in row.replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";"):
        assert not part.lstrip(' "').startswith(("=", "+", "-", "@"))


def test_the_same_job_makes_the_same_bytes() -> None:
    job = make_full_job()
    first = bundle_of(job)
    content = content_of(first)
    first.expires_at = timezone.now()
    first.save()
    assert content_of(bundle_of(job)) == content


def test_one_story_by_two_lines_is_packed_once() -> None:
    job = make_job()
    for line in ("@ann", "https://www.tiktok.com/@ann/video/1"):
        item = make_item(job, state=ItemState.DONE, author_name="ann", line=line)
        story = make_story(item, tiktok_id="77", posted_at=POSTED)
        make_artifact(story, content=b"same", name="ann_01.jpg", sha256="a" * 64)
    with opened(bundle_of(job)) as archive:
        assert archive.namelist() == [
            "ann/ann_01.jpg",
            "ann/ann_2026-11-20_1403_story.json",
            "manifest.csv",
        ]


def test_equal_names_are_told_apart() -> None:
    job = make_job()
    for number in (1, 2):
        item = make_item(job, state=ItemState.DONE, author_name="ann")
        story = make_story(item, tiktok_id=str(number), posted_at=POSTED)
        make_artifact(story, content=b"x", name="ann_01.jpg", sha256=str(number) * 64)
    with opened(bundle_of(job)) as archive:
        assert archive.namelist() == [
            "ann/ann_01.jpg",
            "ann/ann_2026-11-20_1403_story.json",
            "ann/ann_01_2.jpg",
            "ann/ann_2026-11-20_1403_story_2.json",
            "manifest.csv",
        ]


# --- asking for one ---


def test_two_taps_make_one_package() -> None:
    job = make_full_job()
    first = packing.request(job)
    assert packing.request(job) == first
    held = claims.claim(first.pk)
    assert held
    assert packing.request(job) == first
    assert packing.run(held)
    again = packing.request(job)
    assert again == first
    assert again.state == PackageState.DONE
    job.refresh_from_db()
    assert job.bundle == first


def test_a_request_tells_the_broker(
    broker: Any, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        package = packing.request(make_full_job())
    assert broker.sent == [package.pk]


def test_a_file_saved_since_makes_a_new_bundle_and_retires_the_old_one() -> None:
    job = make_full_job()
    old = bundle_of(job)
    story = Story.objects.filter(item__job=job).first()
    assert story
    make_artifact(story, content=b"late", position=7, name="late.jpg")

    fresh = packing.request(job)
    assert fresh.state == PackageState.QUEUED
    old.refresh_from_db()
    assert old.expires_at > timezone.now()
    assert work(fresh)

    old.refresh_from_db()
    assert old.expires_at <= timezone.now()
    fresh.refresh_from_db()
    assert fresh.artifact
    with opened(fresh.artifact) as archive:
        assert [name for name in archive.namelist() if name.endswith("/late.jpg")]


@pytest.mark.parametrize("end", ["removed", "expired", "failed"])
def test_a_bundle_that_cannot_be_taken_is_made_again(end: str) -> None:
    job = make_full_job()
    first = packing.request(job)
    held = claims.claim(first.pk)
    assert held
    if end == "failed":
        claims.fail(held, DiskFull())
    else:
        packing.run(held)
        field = "removed_at" if end == "removed" else "expires_at"
        Artifact.objects.filter(role=Role.BUNDLE).update(**{field: timezone.now()})
    assert packing.request(job) != first


def test_a_selection_holds_what_was_chosen() -> None:
    job = make_full_job()
    media = list(job.artifacts.filter(role=Role.MEDIA).order_by("name"))
    poster = job.artifacts.filter(role=Role.POSTER).first()
    theirs = make_artifact(content=b"theirs")
    assert poster
    chosen = [media[2].pk, media[0].pk]

    package = packing.request(job, [*chosen, poster.pk, theirs.pk, "no id"])
    assert package.selection == sorted(map(str, chosen))
    assert packing.request(job, chosen[::-1]) == package
    assert work(package)
    package.refresh_from_db()
    assert package.artifact
    assert package.artifact.role == Role.SELECTION
    assert package.artifact.name.endswith("_selection.zip")
    with opened(package.artifact) as archive:
        taken = [one for one in archive.namelist() if one.endswith(".jpg")]
    assert taken == [f"ann/{media[0].name}", f"bea/{media[2].name}"]
    job.refresh_from_db()
    assert (job.selection, job.bundle) == (package, None)


def test_the_files_of_chosen_stories() -> None:
    job = make_full_job()
    story = Story.objects.filter(item__job=job).first()
    theirs = make_artifact().story
    assert story
    assert theirs
    found = contents.files_of_stories(job, [str(story.pk), str(theirs.pk), "x", ""])
    assert [file.role for file in found] == [Role.MEDIA]
    assert found[0].story == story
    assert contents.files_of_stories(job, []) == []


def test_nothing_to_ask_for() -> None:
    job = make_job(links=1, state=ItemState.EMPTY)
    for chosen in ((), [uuid.uuid4()], ["x"]):
        with pytest.raises(NothingToPack):
            packing.request(job, chosen)  # type: ignore[arg-type]
    full = make_full_job()
    with pytest.raises(NothingToPack):
        packing.request(full, ["not an id"])
    assert Package.objects.count() == 0


def test_no_room(set_env: Callable[..., None]) -> None:
    job = make_full_job()
    set_env(disk_max=10)
    with pytest.raises(DiskFull):
        packing.request(job)
    set_env(disk_max=1000)
    package = packing.request(job)
    held = claims.claim(package.pk)
    assert held
    with pytest.raises(DiskFull):
        packing.run(held)


# --- packing it ---


def files_on_disk(artifacts: Path) -> set[str]:
    return {path.name for path in artifacts.glob("*/*") if path.is_file()}


def test_files_that_went_while_it_waited() -> None:
    job = make_full_job()
    package = packing.request(job)
    held = claims.claim(package.pk)
    assert held
    job.artifacts.update(removed_at=timezone.now())
    with pytest.raises(NothingToPack):
        packing.run(held)


def test_a_lost_claim_leaves_nothing(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_full_job()
    package = packing.request(job)
    held = claims.claim(package.pk)
    assert held
    before = files_on_disk(artifacts)
    Package.objects.filter(pk=package.pk).update(attempt=9)
    assert not packing.run(held)
    assert files_on_disk(artifacts) == before
    assert not Artifact.objects.filter(role=Role.BUNDLE).exists()

    # … and one noticed in the middle of copying.
    monkeypatch.setattr(packing, "HEARTBEAT_EVERY_S", -1.0)
    assert not packing.run(held)
    assert files_on_disk(artifacts) == before


def test_a_forgotten_job_leaves_nothing(artifacts: Path) -> None:
    job = make_full_job()
    package = packing.request(job)
    held = claims.claim(package.pk)
    assert held
    job.delete()
    before = files_on_disk(artifacts)
    assert not packing.run(held)
    assert files_on_disk(artifacts) == before


def test_a_job_forgotten_at_the_last_moment(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_full_job()
    package = packing.request(job)
    held = claims.claim(package.pk)
    assert held
    before = files_on_disk(artifacts)
    settle = packing._settle

    def late(*args: Any) -> bool:
        job.delete()
        return settle(*args)

    monkeypatch.setattr(packing, "_settle", late)
    assert not packing.run(held)
    assert files_on_disk(artifacts) == before


def test_what_is_deleted_while_it_is_packed_does_not_come_back(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_full_job()
    package = packing.request(job)
    held = claims.claim(package.pk)
    assert held
    unwanted = job.artifacts.filter(role=Role.MEDIA).first()
    assert unwanted
    build = packing.build_bundle

    def late(*args: Any, **more: Any) -> Artifact:
        made = build(*args, **more)
        deletion.delete(Artifact.objects.filter(pk=unwanted.pk))
        return made

    with monkeypatch.context() as patch:
        patch.setattr(packing, "build_bundle", late)
        assert not packing.run(held)
    assert not Artifact.objects.filter(role=Role.BUNDLE).exists()
    package.refresh_from_db()
    assert package.state == PackageState.QUEUED

    again = claims.claim(package.pk)
    assert again
    assert packing.run(again)
    package.refresh_from_db()
    with opened(package.artifact) as archive:
        assert not [name for name in archive.namelist() if name.endswith(unwanted.name)]


def test_no_zip_for_a_job_that_is_gone() -> None:
    job = make_full_job()
    Job.objects.filter(pk=job.pk).delete()
    with pytest.raises(NothingToPack):
        packing.request(job)


def test_a_worker_that_stops_lets_go(artifacts: Path) -> None:
    job = make_full_job()
    package = packing.request(job)
    held = claims.claim(package.pk)
    assert held
    before = files_on_disk(artifacts)
    shutdown.shutdown_requested.set()
    with pytest.raises(shutdown.ShutdownRequested):
        packing.run(held)
    assert files_on_disk(artifacts) == before


def test_packing_renews_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_full_job()
    package = packing.request(job)
    held = claims.claim(package.pk)
    assert held
    long_ago = timezone.now() - timedelta(hours=1)
    Package.objects.filter(pk=package.pk).update(heartbeat_at=long_ago)
    monkeypatch.setattr(packing, "HEARTBEAT_EVERY_S", -1.0)
    assert packing.run(held)
    package.refresh_from_db()
    assert package.heartbeat_at
    assert package.heartbeat_at > long_ago
