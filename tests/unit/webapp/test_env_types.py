"""How the values of settings are written: durations and sizes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from webapp.env_types import Duration, PublishedPort, Size, system_zone_name, written_size

DURATION: TypeAdapter[Any] = TypeAdapter(Duration)
SIZE: TypeAdapter[Any] = TypeAdapter(Size)
PUBLISHED: TypeAdapter[Any] = TypeAdapter(PublishedPort)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("30d", 30 * 86400),
        ("1h30m", 5400),
        ("1D2H", 86400 + 7200),
        (" 2h ", 7200),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert DURATION.validate_python(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2 h", "-2h", "2h1d", "2w", "1.5h", "3651d", "9" * 30 + "s", "٣h"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|ten years"):
        DURATION.validate_python(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("12345", 12345),
        ("12345B", 12345),
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        ("10G", 10_000_000_000),
        ("1GiB", 2**30),
        ("1.5KiB", 1536),
        ("2TB", 2 * 10**12),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert SIZE.validate_python(text) == count


@pytest.mark.parametrize("text", ["", "MB", "-1", "1XB", "1,5GB", "9" * 19 + "TB", "9" * 500, "iB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|disk"):
        SIZE.validate_python(text)


@pytest.mark.parametrize(
    "text", ["5MB;", "5MB or so", "5 kbit", "5PB", "1e3", ".5MB", "1_000", "0x10", "٣MB"]
)
def test_a_size_is_the_whole_text(text: str) -> None:
    """ByteSize alone takes most of these, or what they begin with."""
    with pytest.raises(ValueError, match="write a size like 500MB, 10GB or 1GiB"):
        SIZE.validate_python(text)


@pytest.mark.parametrize(
    ("tz", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        ("/usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "UTC"),
        ("Mars/Olympus", "UTC"),
        ("/etc/passwd", "UTC"),
        ("../../etc/passwd", "UTC"),
    ],
)
def test_the_zone_of_the_system_by_its_variable(tz: str, name: str) -> None:
    assert system_zone_name(tz) == name


@pytest.mark.parametrize("tz", [None, ""])
def test_the_zone_of_the_system_by_its_link(tz: str | None, tmp_path: Path) -> None:
    (tmp_path / "zoneinfo" / "Europe").mkdir(parents=True)
    (tmp_path / "zoneinfo" / "Europe" / "Berlin").touch()
    link = tmp_path / "localtime"
    assert system_zone_name(tz, link) == "UTC"
    link.symlink_to(tmp_path / "zoneinfo" / "Europe" / "Berlin")
    assert system_zone_name(tz, link) == "Europe/Berlin"


@pytest.mark.parametrize("written", ["2TB", "7GB", "500MB", "3kB", "1001", "0"])
def test_a_size_is_written_as_it_is_read(written: str) -> None:
    assert written_size(TypeAdapter(Size).validate_python(written)) == written


@pytest.mark.parametrize(
    "text", ["1", "8000", "65535", "127.0.0.1:80", "[::1]:80", "nas:80", "1-9"]
)
def test_where_a_port_is_published(text: str) -> None:
    assert PUBLISHED.validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "0", "65536", "-1", "http", "80/tcp", "nas:", ":80", "::1:80", "a b:80", "[nas]:80", "8٠"],
)
def test_where_no_port_is_published(text: str) -> None:
    with pytest.raises(ValueError, match="write it as"):
        PUBLISHED.validate_python(text)
