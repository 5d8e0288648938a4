"""What stands beside a file of the library: an XMP sidecar per file, and a JSON per story.

Photo libraries read the sidecar: caption, author, address, tags, and when it was posted, with the
offset from UTC that a picture's own date may lack. The JSON holds everything that is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from html import escape
from typing import Final

from jobs.files import times
from jobs.text import clean_text

CAPTION_LENGTH: Final = 10_000
MOST_TAGS: Final = 40
TAG_LENGTH: Final = 100
ROOT_TAG: Final = "TikTok"
"""The tag above those of authors, where tags are a tree."""

_NO_CHARACTERS: Final = dict.fromkeys((0xFFFE, 0xFFFF))
_HASHTAG = re.compile(r"[#\uFF03]([^\W_][\w\u200d]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryStory:
    """A story as it is kept. zone: whose clock dates show. is_story: no ordinary post.

    author_name: TikTok's, without `@`. leaves_at: when it left TikTok, or will; None for a post,
    which stays.
    """

    tiktok_id: str
    author_id: str
    author_name: str
    author_nickname: str
    kind: str
    is_story: bool
    caption: str
    source_url: str
    posted_at: datetime
    leaves_at: datetime | None
    captured_at: datetime | None
    media_count: int
    zone: tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryFile:
    """A file of the library, as the JSON of its story lists it.

    sha256, sha1: of the file as it was written; source_sha256: as TikTok had it, before a date was
    put in.
    """

    name: str
    position: int
    size_bytes: int
    sha256: str
    sha1: str
    source_sha256: str


def xmp(story: LibraryStory) -> bytes:
    """The XMP sidecar of one of a story's files. The same story makes the same bytes."""
    taken = _with_offset(story)
    author = _text(story.author_name, 64)
    tags = hashtags(story.caption)
    subjects = [ROOT_TAG, *([author] if author else []), *tags]
    tree = [f"{ROOT_TAG}/{author}" if author else ROOT_TAG, *tags]
    creators = [
        name for name in (f"@{author}", _text(story.author_nickname, 200)) if name.strip("@")
    ]
    lines = [
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">',
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
        '  <rdf:Description rdf:about=""',
        '    xmlns:dc="http://purl.org/dc/elements/1.1/"',
        '    xmlns:exif="http://ns.adobe.com/exif/1.0/"',
        '    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"',
        '    xmlns:xmp="http://ns.adobe.com/xap/1.0/"',
        '    xmlns:digiKam="http://www.digikam.org/ns/1.0/">',
        f"   <exif:DateTimeOriginal>{taken}</exif:DateTimeOriginal>",
        f"   <photoshop:DateCreated>{taken}</photoshop:DateCreated>",
        f"   <xmp:CreateDate>{taken}</xmp:CreateDate>",
        *_caption(_text(story.caption, CAPTION_LENGTH)),
        *_list("dc:creator", "Seq", creators),
        *_source(_text(story.source_url, 300)),
        *_list("dc:subject", "Bag", subjects),
        *_list("digiKam:TagsList", "Seq", tree),
        "  </rdf:Description>",
        " </rdf:RDF>",
        "</x:xmpmeta>",
        '<?xpacket end="w"?>',
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def story_json(story: LibraryStory, files: Sequence[LibraryFile]) -> bytes:
    """A story with its files and their hashes as JSON. Times are in UTC."""
    facts = {
        "story_id": story.tiktok_id,
        "author": {
            "id": story.author_id,
            "name": story.author_name,
            "nickname": story.author_nickname,
        },
        "kind": story.kind,
        "is_story": story.is_story,
        "caption": story.caption,
        "source_url": story.source_url.partition("?")[0].partition("#")[0],
        "posted_at": _moment(story.posted_at),
        "left_tiktok_at": _moment(story.leaves_at),
        "captured_at": _moment(story.captured_at),
        "media_count": story.media_count,
        "files": [
            {
                "name": file.name,
                "position": file.position,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "sha1": file.sha1,
                "source_sha256": file.source_sha256,
            }
            for file in files
        ],
    }
    return f"{json.dumps(facts, indent=2, ensure_ascii=False)}\n".encode(errors="replace")


def hashtags(caption: str) -> list[str]:
    """The words after `#` in a caption, each once, at most MOST_TAGS."""
    found: dict[str, str] = {}
    for match in _HASHTAG.finditer(_text(caption, CAPTION_LENGTH)):
        tag = match[1][:TAG_LENGTH]
        found.setdefault(tag.casefold(), tag)
        if len(found) == MOST_TAGS:
            break
    return list(found.values())


def _with_offset(story: LibraryStory) -> str:
    """`2026-11-20T15:03:07+01:00`; in UTC where the zone's offset is not one of whole minutes."""
    at = times.local(story.posted_at, story.zone)
    offset = at.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        at = story.posted_at.astimezone(UTC)
    return at.isoformat(timespec="seconds")


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


def _text(text: str, limit: int) -> str:
    """A text without what XML cannot hold."""
    return clean_text(text, limit, multiline=True).translate(_NO_CHARACTERS)


def _caption(caption: str) -> list[str]:
    if not caption:
        return []
    value = f'<rdf:li xml:lang="x-default">{escape(caption)}</rdf:li>'
    return [f"   <dc:description><rdf:Alt>{value}</rdf:Alt></dc:description>"]


def _source(url: str) -> list[str]:
    return [f"   <dc:source>{escape(url)}</dc:source>"] if url else []


def _list(name: str, kind: str, values: Iterable[str]) -> list[str]:
    inside = "".join(f"<rdf:li>{escape(value)}</rdf:li>" for value in values)
    return [f"   <{name}><rdf:{kind}>{inside}</rdf:{kind}></{name}>"] if inside else []
