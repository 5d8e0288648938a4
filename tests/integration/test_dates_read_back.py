"""Dates we put into pictures, videos and sidecars, read by programs that know nothing of us."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jobs.files import marks
from jobs.library import run, sidecar
from stories.media import picture_dates, picture_dating, video_dating
from stories.media.edits import Edit, apply_edits
from tests.fake_tiktok import media
from tests.unit.jobs.library.test_run import saved
from tests.unit.jobs.library.test_sidecar import story
from tests.unit.stories.media.clips import story_clip
from tests.unit.stories.media.test_picture_dates import ORIENTATION, picture
from tests.unit.stories.media.test_picture_dating import PICTURES

POSTED = datetime(2026, 11, 20, 14, 3, 7, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DATES = picture_dates.of_moment(POSTED, BERLIN) or {}


@pytest.fixture(autouse=True)
def _programs() -> None:
    """Without them the tests are skipped, or fail where REQUIRE_BROWSER=1 says so."""
    for program in ("exiftool", "ffprobe"):
        if shutil.which(program) is None:
            if os.environ.get("REQUIRE_BROWSER") == "1":
                pytest.fail(f"{program} is missing")
            pytest.skip(f"{program} is missing")


def exiftool(path: Path) -> dict[str, Any]:
    """What exiftool says of a file: tag with its group → value."""
    command = ["exiftool", "-json", "-G", "-struct", "-api", "QuickTimeUTC=0", str(path)]
    said = subprocess.run(command, capture_output=True, check=True)
    facts: dict[str, Any] = json.loads(said.stdout)[0]
    return facts


def changed(data: bytes, edits: list[Edit]) -> bytes:
    assert edits
    return b"".join(apply_edits([data], edits))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture(tmp_path: Path, name: str) -> None:

    data = PICTURES[name]
    file = tmp_path / "picture"
    file.write_bytes(changed(data, picture_dating.date_edits(io.BytesIO(data), DATES)))
    facts = exiftool(file)
    assert facts["EXIF:DateTimeOriginal"] == "2026:11:20 15:03:07"
    assert facts["EXIF:OffsetTimeOriginal"] == "+01:00"
    assert "ExifTool:Warning" not in facts
    assert "ExifTool:Error" not in facts


def test_a_picture_that_has_exif_without_a_date(tmp_path: Path) -> None:

    data = picture("JPEG", outer={ORIENTATION: 6})
    file = tmp_path / "picture.jpg"
    file.write_bytes(changed(data, picture_dating.date_edits(io.BytesIO(data), DATES)))
    facts = exiftool(file)
    assert facts["EXIF:DateTimeOriginal"] == "2026:11:20 15:03:07"
    assert facts["EXIF:Orientation"] == "Rotate 90 CW"
    assert "ExifTool:Warning" not in facts


def test_a_video(tmp_path: Path) -> None:

    clip = story_clip()
    file = tmp_path / "video.mp4"
    file.write_bytes(changed(clip, video_dating.date_edits(io.BytesIO(clip), POSTED)))
    facts = exiftool(file)
    for tag in ("CreateDate", "TrackCreateDate", "MediaCreateDate", "ModifyDate"):
        assert facts[f"QuickTime:{tag}"] == "2026:11:20 14:03:07"
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(file)]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    for part in (said["format"], *said["streams"]):
        assert part["tags"]["creation_time"] == "2026-11-20T14:03:07.000000Z"
    decode = ["ffmpeg", "-v", "error", "-i", str(file), "-f", "null", "-"]
    assert subprocess.run(decode, capture_output=True, check=True).stderr == b""


def test_a_sidecar(tmp_path: Path) -> None:
    file = tmp_path / "picture.jpg.xmp"
    caption = "Loaves & <more>\nsecond line #Bakery 🥖"
    file.write_bytes(sidecar.xmp(story(BERLIN, caption=caption)))
    facts = exiftool(file)
    assert facts["XMP:DateTimeOriginal"] == "2026:11:20 15:03:07+01:00"
    assert facts["XMP:DateCreated"] == "2026:11:20 15:03:07+01:00"
    assert facts["XMP:Description"] in (caption, {"x-default": caption})
    assert facts["XMP:Creator"] == ["@harbour.bakery", "Harbour Bakery"]
    assert facts["XMP:Source"].startswith("https://www.tiktok.com/@harbour.bakery/")
    assert facts["XMP:Subject"] == ["TikTok", "harbour.bakery", "Bakery"]
    assert facts["XMP:TagsList"] == ["TikTok/harbour.bakery", "Bakery"]
    assert "ExifTool:Warning" not in facts


@pytest.mark.django_db(transaction=True)
def test_a_whole_library(tmp_path: Path, settings: Any) -> None:
    """From a saved file to what a photo library reads."""
    settings.STORYKEEP = settings.STORYKEEP.model_copy(
        update={
            "library_dir": tmp_path / "library",
            "artifact_dir": tmp_path / "artifacts",
            "disk_min_free": 0,
        }
    )
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / marks.SENTINEL).touch()
    saved(media.picture("jpeg", (60, 80)))
    run.run()
    (found,) = (tmp_path / "library").rglob("*.jpg")
    facts = exiftool(found)
    assert facts["EXIF:DateTimeOriginal"] == "2026:11:20 14:04:00"
    assert facts["File:FileModifyDate"].startswith("2026:11:20")
