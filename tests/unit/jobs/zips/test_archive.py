"""What is in a ZIP, byte for byte: members, their names and dates, the manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.files import store
from jobs.files.names import safe_filename
from jobs.states import ItemState
from jobs.zips import packing
from jobs.zips.archive import Archive
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.zips.making import (
    bundle_of,
    content_of,
    make_carousel,
    make_full_job,
    opened,
    pack,
    work,
)

pytestmark = pytest.mark.django_db
POSTED = datetime(2026, 11, 20, 14, 3, 31, tzinfo=UTC)


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


# --- names ---


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


def test_equal_names_are_told_apart() -> None:
    job = make_job()
    for number in (1, 2):
        item = make_item(job, state=ItemState.DONE, author_name="ann")
        story = make_story(item, tiktok_id=str(number), posted_at=POSTED)
        make_artifact(story, content=b"%d" % number, name="ann_01.jpg")
    with opened(bundle_of(job)) as archive:
        assert archive.namelist() == [
            "ann/ann_01.jpg",
            "ann/ann_2026-11-20_1403_story.json",
            "ann/ann_01_2.jpg",
            "ann/ann_2026-11-20_1403_story_2.json",
            "manifest.csv",
        ]


# --- the manifest ---


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
    assert first["story_id"].startswith("'")
    assert int(first["size_bytes"]) == sizes[first["file"]]
    assert first["sha256"] == hashlib.sha256(b"ann 1").hexdigest()
