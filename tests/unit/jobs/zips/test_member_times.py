"""Dates in a ZIP: the owner's clock, and the moment for whoever reads it elsewhere."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobs.files import store
from jobs.models import Job
from jobs.zips.archive import Archive
from tests.unit.jobs.zips.making import bundle_of, content_of, make_carousel, opened, pack

pytestmark = pytest.mark.django_db
LATE = datetime(2026, 11, 20, 22, 30, 31, tzinfo=UTC)  # in Berlin half an hour before midnight
ELSEWHERE = [
    ("America/Los_Angeles", "2026-11-20 14:30"),
    ("Europe/Berlin", "2026-11-20 23:30"),
    ("UTC", "2026-11-20 22:30"),
    ("Asia/Kathmandu", "2026-11-21 04:15"),
]


def write(at: datetime, zone: str = "UTC") -> bytes:
    """A ZIP with a single member of that time."""
    file = io.BytesIO()
    with Archive(file, store.open_artifact, zone=ZoneInfo(zone)) as archive:
        archive.add_text("a.txt", at, b"x")
    return file.getvalue()


def moments(content: bytes) -> list[int | None]:
    """Unix times of the only member: of its local header, and of the central directory."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        central = archive.infolist()[0].extra
    length, extra_length = struct.unpack_from("<HH", content, 26)
    local = content[30 + length :][:extra_length]
    return [_moment(extra) for extra in (local, central)]


def _moment(extra: bytes) -> int | None:
    while extra:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 0x5455:
            assert extra[4] & 1, "there is a time of modification"
            return int(struct.unpack_from("<I", extra, 5)[0])
        extra = extra[4 + length :]
    return None


@pytest.mark.parametrize(
    ("zone", "dated"),
    [
        ("Europe/Berlin", (2026, 11, 20, 23, 30, 30)),
        ("Asia/Tokyo", (2026, 11, 21, 7, 30, 30)),
        ("", (2026, 11, 20, 22, 30, 30)),
    ],
)
def test_members_show_the_clock_of_their_owner_and_hold_the_moment(
    zone: str, dated: tuple[int, ...]
) -> None:
    story = make_carousel(posted_at=LATE)
    Job.objects.update(time_zone=zone)
    story.refresh_from_db()
    for artifact in (pack(story), bundle_of(story.item.job)):
        with opened(artifact) as archive:
            for member in archive.infolist():
                assert member.date_time == dated
                assert _moment(member.extra) == int(LATE.timestamp())


def test_a_zip_is_named_by_the_clock_of_its_owner() -> None:
    story = make_carousel(posted_at=LATE)
    Job.objects.update(time_zone="Asia/Tokyo")
    story.refresh_from_db()
    assert pack(story).name == "alice.b_2026-11-21_0730.zip"
    with opened(bundle_of(story.item.job)) as archive:
        assert "alice.b/alice.b_2026-11-21_0730_story.json" in archive.namelist()


@pytest.mark.parametrize(
    ("at", "dated"),
    [
        pytest.param((2026, 3, 29, 1, 0, 1), (2026, 3, 29, 3, 0, 0), id="spring"),
        pytest.param((2026, 10, 25, 0, 30, 59), (2026, 10, 25, 2, 30, 58), id="autumn-first"),
        pytest.param((2026, 10, 25, 1, 30, 59), (2026, 10, 25, 2, 30, 58), id="autumn-second"),
    ],
)
def test_when_clocks_change_the_moment_is_kept(
    at: tuple[int, int, int, int, int, int], dated: tuple[int, ...]
) -> None:
    moment = datetime(*at, tzinfo=UTC)
    content = write(moment, "Europe/Berlin")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.infolist()[0].date_time == dated
    assert moments(content) == [int(moment.timestamp())] * 2


@pytest.mark.parametrize(
    ("at", "dated", "moment"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), (1980, 1, 1, 0, 0, 0), 315532800),
        (datetime(1969, 12, 31, tzinfo=UTC), (1980, 1, 1, 0, 0, 0), 315532800),
        (datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC), (2038, 1, 18, 19, 14, 6), 2**31 - 1),
        (datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), (2038, 1, 18, 19, 14, 8), None),
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), (2107, 12, 31, 15, 59, 58), None),
    ],
)
def test_a_time_the_fields_cannot_hold(
    at: datetime, dated: tuple[int, ...], moment: int | None
) -> None:
    content = write(at, "America/Los_Angeles")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.infolist()[0].date_time == dated
    assert moments(content) == [moment] * 2


def test_the_moment_stands_beside_the_wide_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 500)
    with opened(pack(make_carousel(2, posted_at=LATE))) as archive:
        assert archive.testzip() is None
        assert {_moment(member.extra) for member in archive.infolist()} == {int(LATE.timestamp())}


@pytest.mark.parametrize(("zone", "shown"), ELSEWHERE)
@pytest.mark.parametrize("tool", ["unzip", "bsdtar"])
def test_whoever_unpacks_it_elsewhere_sees_their_own_clock(
    tool: str, zone: str, shown: str, tmp_path: Path
) -> None:
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    story = make_carousel(1, posted_at=LATE)
    place = tmp_path / "a.zip"
    place.write_bytes(content_of(bundle_of(story.item.job)))
    arguments = {
        "unzip": ["unzip", "-qq", str(place), "-d", str(tmp_path)],
        "bsdtar": ["bsdtar", "-xf", str(place), "-C", str(tmp_path)],
    }
    subprocess.run(arguments[tool], env=os.environ | {"TZ": zone}, check=True)
    unpacked = [path for path in tmp_path.rglob("*") if path.is_file() and path != place]
    assert len(unpacked) == 3
    for path in unpacked:
        at = datetime.fromtimestamp(path.stat().st_mtime, ZoneInfo(zone))
        assert f"{at:%Y-%m-%d %H:%M}" == shown
    if tool == "unzip":
        listed = subprocess.run(
            ["unzip", "-l", str(place)],
            env=os.environ | {"TZ": zone},
            check=True,
            capture_output=True,
            text=True,
        )
        assert shown in listed.stdout
