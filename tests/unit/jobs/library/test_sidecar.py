"""Sidecars say what is known of a story, whatever is in its texts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from jobs.library import sidecar
from jobs.library.sidecar import LibraryFile, LibraryStory

NAMES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
}
POSTED = datetime(2026, 11, 20, 14, 3, 7, tzinfo=UTC)


def story(zone: tzinfo = UTC, **facts: Any) -> LibraryStory:
    defaults: dict[str, Any] = {
        "tiktok_id": "7412345678901234567",
        "author_id": "1",
        "author_name": "harbour.bakery",
        "author_nickname": "Harbour Bakery",
        "kind": "photo",
        "is_story": True,
        "caption": "Open again",
        "source_url": "https://www.tiktok.com/@harbour.bakery/photo/7412345678901234567?x=1",
        "posted_at": POSTED,
        "leaves_at": POSTED + timedelta(hours=24),
        "captured_at": POSTED + timedelta(hours=1),
        "media_count": 1,
    }
    return LibraryStory(zone=zone, **(defaults | facts))


def values(data: bytes, path: str) -> list[str]:
    tree = ET.fromstring(data)  # noqa: S314  # our own
    return [node.text or "" for node in tree.iterfind(f".//{path}", NAMES)]


def test_a_sidecar_names_caption_author_address_and_tags() -> None:
    data = sidecar.xmp(story(caption="Loaves! #Bakery #öpen #bakery <b>&amp;</b>"))
    assert values(data, "dc:description/rdf:Alt/rdf:li") == [
        "Loaves! #Bakery #öpen #bakery <b>&amp;</b>"
    ]
    assert values(data, "dc:creator/rdf:Seq/rdf:li") == ["@harbour.bakery", "Harbour Bakery"]
    assert values(data, "dc:source")[0].startswith("https://www.tiktok.com/@harbour.bakery/")
    assert values(data, "dc:subject/rdf:Bag/rdf:li") == [
        "TikTok", "harbour.bakery", "Bakery", "öpen",
    ]  # fmt: skip
    assert values(data, "digiKam:TagsList/rdf:Seq/rdf:li") == [
        "TikTok/harbour.bakery", "Bakery", "öpen",
    ]  # fmt: skip
    assert b'xml:lang="x-default"' in data


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (UTC, "2026-11-20T14:03:07+00:00"),
        (ZoneInfo("Europe/Berlin"), "2026-11-20T15:03:07+01:00"),
        (ZoneInfo("Asia/Kathmandu"), "2026-11-20T19:48:07+05:45"),
    ],
)
def test_the_time_it_was_posted_has_its_offset(zone: tzinfo, expected: str) -> None:
    data = sidecar.xmp(story(zone))
    assert values(data, "exif:DateTimeOriginal") == [expected]
    assert values(data, "photoshop:DateCreated") == [expected]


def test_an_offset_with_seconds_gives_way_to_utc() -> None:
    long_ago = datetime(1880, 1, 1, tzinfo=UTC)
    data = sidecar.xmp(story(ZoneInfo("Europe/Berlin"), posted_at=long_ago))
    assert values(data, "exif:DateTimeOriginal") == ["1880-01-01T00:00:00+00:00"]


@pytest.mark.parametrize(
    "text",
    [
        "]]> <?xpacket end='w'?> </rdf:li>",
        "\0\x01\x1b \ud800 \ufffe\uffff \u202e",
        "a\nb\r\nc",
        "\"'&lt;",
        "x" * 100_000,
        "#" * 1000,
    ],
)
def test_hostile_texts_leave_it_xml(text: str) -> None:
    data = sidecar.xmp(story(caption=text, author_name=text, author_nickname=text, source_url=text))
    ET.fromstring(data)  # noqa: S314  # our own
    assert len(data) < 200_000


def test_what_is_not_known_is_left_out() -> None:
    data = sidecar.xmp(story(caption="", author_name="", author_nickname="", source_url=""))
    assert values(data, "dc:description") == []
    assert values(data, "dc:creator") == []
    assert values(data, "dc:source") == []
    assert values(data, "dc:subject/rdf:Bag/rdf:li") == ["TikTok"]


def test_a_hundred_hashtags_become_forty() -> None:
    caption = " ".join(f"#tag{number}" for number in range(100))
    assert len(sidecar.hashtags(caption)) == sidecar.MOST_TAGS


def test_the_json_holds_departure_and_hashes() -> None:
    file = LibraryFile(
        name="a.jpg", position=1, size_bytes=5, sha256="a" * 64, sha1="b" * 40,
        source_sha256="c" * 64,
    )  # fmt: skip
    facts = json.loads(sidecar.story_json(story(caption="\ud800 x"), [file]))
    assert facts["left_tiktok_at"] == "2026-11-21T14:03:07Z"
    assert facts["posted_at"] == "2026-11-20T14:03:07Z"
    assert facts["source_url"].endswith("7412345678901234567")
    assert facts["files"] == [
        {
            "name": "a.jpg", "position": 1, "size_bytes": 5, "sha256": "a" * 64, "sha1": "b" * 40,
            "source_sha256": "c" * 64,
        }
    ]  # fmt: skip


def test_the_same_story_makes_the_same_bytes() -> None:
    assert sidecar.xmp(story()) == sidecar.xmp(story())
