"""ZIP archives, sidecars and the manifest, made from plain values.

Nothing is compressed, for media is compressed already. Members come in the order they are added,
dated with their story's posting time, so the same story makes the same bytes. A ZIP's own dates are
a clock without a zone: they show the owner's, and the extended timestamp beside them says which
moment that was, so a tool elsewhere shows its own clock. Every story brings a
sidecar (`story.json` in a carousel, `name_2026-11-20_1403_story.json` elsewhere) and every bundle a
`manifest.csv`: UTF-8 with a byte order mark, without which Excel reads it as Latin-1, and written
for spreadsheets (jobs/zips/spreadsheet.py). The sidecars hold the texts unchanged.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from types import TracebackType
from typing import BinaryIO, Final, Literal, Self
from urllib.parse import urlsplit, urlunsplit
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from jobs import name_template
from jobs.files import names, story_names, times
from jobs.files.bundles import PACKED_ROLES
from jobs.files.story_names import NameFacts
from jobs.wording import COMMA, Dialect
from jobs.zips.spreadsheet import cell
from stories.errors import StoriesError

CHUNK_BYTES: Final = 1024 * 1024
ENTRY_BYTES: Final = 2048
"""Two headers and a generous sidecar: for the question whether a ZIP fits."""
MANIFEST: Final = "manifest.csv"
_EARLIEST_DATE, _LATEST_DATE = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
_EARLIEST, _LATEST = datetime(*_EARLIEST_DATE, tzinfo=UTC), datetime(*_LATEST_DATE, tzinfo=UTC)
_EXTENDED_TIMESTAMP: Final = 0x5455
"""Id of Info-ZIP's extra field with Unix times, which every unpacker since has read."""
_COLUMNS = (
    "file", "author", "nickname", "story_id", "kind", "caption", "source_link", "posted_at",
    "captured_at", "note", "what", "content_type", "size_bytes", "sha256", "width", "height",
    "duration_s", "labels", "left_out", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryFacts:
    """A story as sidecar and manifest show it. note: the user's, why it was saved."""

    author_id: str
    author_name: str
    author_nickname: str
    story_id: str
    kind: str
    caption: str
    source_url: str
    posted_at: datetime
    captured_at: datetime | None
    note: str = ""

    def naming(self, zone: tzinfo, template: str) -> NameFacts:
        """What names of its files are made from."""
        return NameFacts(
            author=self.author_name,
            nickname=self.author_nickname,
            caption=self.caption,
            kind=self.kind,
            story_id=self.story_id,
            posted_at=self.posted_at,
            zone=zone,
            template=template,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """A file as sidecar and manifest show it. key: names its bytes to the archive's opener."""

    key: str
    role: str
    position: int
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int | None
    height: int | None
    duration_s: float | None
    labels: tuple[str, ...]

    @property
    def rank(self) -> tuple[int, int, str]:
        """A sort key: its place within the story."""
        return rank_in_story(self.position, self.role, self.name)


def rank_in_story(position: int, role: str, name: str) -> tuple[int, int, str]:
    """A sort key: the place within its story of a file of one of the PACKED_ROLES."""
    return position, PACKED_ROLES.index(role), name


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """What a bundle does not hold and should, as a row of the manifest without a file.

    what: "left_out" for stories that an account's list names or promises, "missing" for pictures or
    videos of a story. story_id, kind, posted_at: of a story; empty for a list. count: how many are
    not there, at least. reason: a LeftOutReason or, of a story, its error code.
    """

    what: Literal["left_out", "missing"]
    author_name: str
    author_nickname: str
    source_url: str
    count: int
    reason: str
    story_id: str = ""
    kind: str = ""
    posted_at: datetime | None = None
    note: str = ""

    def row(self, dialect: Dialect) -> list[str]:
        """Its row of the manifest."""
        facts: list[object] = [
            "", self.author_name, self.author_nickname, self.story_id, self.kind, "",
            permalink(self.source_url), moment(self.posted_at), "", self.note, self.what,
            *([""] * 7), self.count, self.reason,
        ]  # fmt: skip
        return [cell(fact, dialect) for fact in facts]


Named = tuple[str, FileFacts]
"""A file and its path in the ZIP, or its name beside a sidecar."""


def moment(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


def permalink(url: str) -> str:
    """An address without query and fragment, where a signature could be."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.hostname or "", parts.path, "", ""))


def sidecar(story: StoryFacts, files: Sequence[Named]) -> bytes:
    """A story as JSON, to stand beside its files."""
    facts = {
        "author": {
            "id": story.author_id,
            "name": story.author_name,
            "nickname": story.author_nickname,
        },
        "story_id": story.story_id,
        "source_url": permalink(story.source_url),
        "posted_at": moment(story.posted_at),
        "captured_at": moment(story.captured_at),
        "note": story.note,
        "kind": story.kind,
        "caption": story.caption,
        "files": [
            {
                "name": name,
                "what": file.role,
                "content_type": file.content_type,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "width": file.width,
                "height": file.height,
                "duration_s": file.duration_s,
                "labels": list(file.labels),
            }
            for name, file in files
        ],
    }
    text = json.dumps(facts, indent=2, ensure_ascii=False)
    return f"{text}\n".encode(errors="replace")


def rows(
    story: StoryFacts, files: Sequence[Named], dialect: Dialect = COMMA
) -> Iterator[list[str]]:
    """A story's rows of the manifest, one per file."""
    for name, file in files:
        facts: list[object] = [
            name, story.author_name, story.author_nickname, story.story_id, story.kind,
            story.caption, permalink(story.source_url), moment(story.posted_at),
            moment(story.captured_at), story.note, file.role, file.content_type, file.size_bytes,
            file.sha256, file.width, file.height, file.duration_s, " ".join(file.labels), None, "",
        ]  # fmt: skip
        yield [cell(fact, dialect) for fact in facts]


def manifest(lines: Iterable[Sequence[str]], dialect: Dialect = COMMA) -> bytes:
    """The manifest as CSV, with its header row."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=dialect.separator, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows(lines)
    return text.getvalue().encode("utf-8-sig", errors="replace")


def _extended_timestamp(at: datetime) -> bytes:
    """The extra field that dates a member in seconds of UTC; empty past 2038, where it ends."""
    seconds = int(at.timestamp())
    if seconds >= 1 << 31:
        return b""
    only_modified = 1
    return struct.pack("<HHBI", _EXTENDED_TIMESTAMP, 5, only_modified, seconds)


def no_heartbeat() -> None:
    """The callback of an archive whose writer has nothing to do between chunks."""


class Archive:
    """A ZIP being written into an open file.

    open_: opens the file behind a key; raises FileNotFoundError when it is gone. heartbeat: called
    between chunks, may raise to stop. zone: whose clock dates and names show. template: what
    sidecars are named by. omissions: what a bundle should hold and does not, for its manifest.
    damaged: keys of files that turned out to be others than their facts say, by length or hash; a
    ZIP with any of them is not to be kept, for the bytes may be in it. missing: keys of those that
    were not there.
    """

    def __init__(
        self,
        file: BinaryIO,
        open_: Callable[[str], BinaryIO],
        heartbeat: Callable[[], None] = no_heartbeat,
        *,
        zone: tzinfo = UTC,
        template: str = name_template.DEFAULT,
    ) -> None:
        self._zone = zone
        self._template = template
        self._zip = ZipFile(file, "w", ZIP_STORED, allowZip64=True)
        self._open = open_
        self._heartbeat = heartbeat
        self.omissions: Sequence[Omission] = ()
        self.damaged: list[str] = []
        self.missing: list[str] = []
        self._taken: dict[str, set[str]] = {}
        self._folders: dict[str, str] = {}

    def close(self) -> None:
        """Write the central directory; the file stays open."""
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            # Nobody reads this one; closed all the same, or it would try to be when collected.
            with suppress(OSError, ValueError, StoriesError):
                self.close()

    def path(self, folder: str, name: str) -> str:
        """A safe path for a member, unlike every other one, also where case does not count."""
        inside = self._folder(folder) if folder else ""
        taken = self._taken.setdefault(names.collision_key(inside), set())
        free = names.unique_name(names.safe_filename(name), taken)
        taken.add(names.collision_key(free))
        return f"{inside}/{free}" if inside else free

    def _folder(self, wanted: str) -> str:
        """A safe folder name that is no file's: an account may be called like one of ours."""
        name = names.folder_name(wanted)
        if names.collision_key(name) not in self._folders:
            self._folders[names.collision_key(name)] = names.unique_name(
                name, {names.collision_key(MANIFEST)}
            )
        return self._folders[names.collision_key(name)]

    def add_file(self, path: str, at: datetime, file: FileFacts) -> bool:
        """Copy a file in, and compare it with its hash; False when it is not there whole."""
        try:
            source = self._open(file.key)
        except FileNotFoundError:
            self.missing.append(file.key)
            return False
        digest = hashlib.sha256()
        with source:
            if source.seek(0, io.SEEK_END) != file.size_bytes:
                self.damaged.append(file.key)
                return False
            source.seek(0)
            with self._zip.open(self._entry(path, at, file.size_bytes), "w") as member:
                while chunk := source.read(CHUNK_BYTES):
                    digest.update(chunk)
                    member.write(chunk)
                    self._heartbeat()
        if digest.hexdigest() != file.sha256:
            self.damaged.append(file.key)
            return False
        return True

    def add_text(self, path: str, at: datetime, content: bytes) -> None:
        """Add a member made of these bytes."""
        with self._zip.open(self._entry(path, at, len(content)), "w") as member:
            member.write(content)

    def add_story(
        self, story: StoryFacts, files: Sequence[FileFacts], *, folder: str
    ) -> list[Named]:
        """Add a story's files and its sidecar; the files that were there to be packed, by path."""
        packed = []
        for file in files:
            path = self.path(folder, file.name)
            if self.add_file(path, story.posted_at, file):
                packed.append((path, file))
        if packed:
            inside = [(path.rpartition("/")[2], file) for path, file in packed]
            name = "story.json"
            if folder:
                name = story_names.sidecar_name(story.naming(self._zone, self._template))
            self.add_text(self.path(folder, name), story.posted_at, sidecar(story, inside))
        return packed

    def add_bundle(
        self,
        stories: Iterable[tuple[StoryFacts, Sequence[FileFacts]]],
        dialect: Dialect = COMMA,
    ) -> list[Named]:
        """Add stories in their authors' folders, and the manifest; the files that were packed.

        dialect: of the manifest.
        """
        packed: list[Named] = []
        lines: list[list[str]] = []
        latest: datetime | None = None
        for story, files in stories:
            added = self.add_story(story, files, folder=story.author_name or "unknown")
            lines.extend(rows(story, added, dialect))
            packed.extend(added)
            if added and (latest is None or story.posted_at > latest):
                latest = story.posted_at
        lines.extend(omission.row(dialect) for omission in self.omissions)
        if latest is not None:
            self.add_text(self.path("", MANIFEST), latest, manifest(lines, dialect))
        return packed

    def _entry(self, path: str, at: datetime, size_bytes: int) -> ZipInfo:
        at = min(max(at, _EARLIEST), _LATEST)
        shown = times.local(at, self._zone)
        # ZIP keeps even seconds only: say so ourselves instead of letting tools round.
        date = (
            shown.year, shown.month, shown.day, shown.hour, shown.minute, shown.second // 2 * 2
        )  # fmt: skip
        entry = ZipInfo(path, min(max(date, _EARLIEST_DATE), _LATEST_DATE))
        entry.extra = _extended_timestamp(at)
        entry.compress_type = ZIP_STORED
        entry.create_system = 3  # Unix, wherever we run: the same bytes
        entry.external_attr = 0o100644 << 16
        entry.file_size = size_bytes  # known ahead, so 4 GiB and more get the wide header
        return entry
