"""The backup file: a plain tar archive whose first member is a manifest of all the others.

Read strictly: the members the manifest names, in its order, plain files and nothing else. So there
is no path, link or compression in it to fall for, and how large it may be is known at the start.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from webapp.backups import failures
from webapp.backups.wrapping import Wrapping, unwrap, wrap

FORMAT: Final = 1
MANIFEST, README, SETTINGS, KEYS = "manifest.json", "RESTORE.txt", "settings.txt", "keys.bin"
DATABASES: Final = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
"""Kind of database → the name of its copy."""
CHUNK_BYTES: Final = 1024 * 1024
MAX_TEXT_BYTES: Final = 1024 * 1024
"""Bytes of each member but the database, at most."""
_OLD_FORM: Final = "RESTORE.txt"
"""The first member of a backup as it was made before there was a manifest."""
_HEADER: Final = tarfile.BLOCKSIZE
_END: Final = b"\0" * 2 * tarfile.BLOCKSIZE

Kind = Literal["sqlite", "postgresql"]


class Member(BaseModel):
    """A file in a backup. size: bytes; sha256: of them, in hexadecimal."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    size: int = Field(ge=0, le=2**50)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """What a backup holds, and what made it.

    format: of the file. version: of Storykeep. made_at: RFC 3339, UTC. server: of a PostgreSQL
    database, its version's number. migrations: app → names of those applied. members: the other
    files, in their order. keys: how they are encrypted; None without any.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    format: int = Field(ge=1)
    version: str = Field(max_length=40)
    made_at: str = Field(max_length=40)
    database: Kind
    server: int = 0
    migrations: dict[str, list[str]]
    members: list[Member] = Field(max_length=16)
    keys: Wrapping | None = None

    @property
    def database_member(self) -> Member:
        """The copy of the database."""
        return self.members[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What goes into a backup. copy: of the database, open for reading, from its beginning to its
    end. keys: file name → text. passphrase: "" leaves the keys out."""

    version: str
    at: datetime
    database: Kind
    server: int
    migrations: Mapping[str, list[str]]
    copy: IO[bytes]
    readme: str
    settings: str
    keys: Mapping[str, str]
    passphrase: str


def write(contents: Contents) -> tuple[int, Iterator[bytes]]:
    """A backup as bytes, a chunk at a time: how many in all, and the chunks.

    The copy of the database is read twice: first for its checksum.
    """
    copy = contents.copy
    database = Member(
        name=DATABASES[contents.database],
        size=os.fstat(copy.fileno()).st_size,
        sha256=_sha256(copy),
    )
    copy.seek(0)
    texts = {README: contents.readme.encode(), SETTINGS: contents.settings.encode()}
    parameters = None
    if contents.passphrase:
        keys = json.dumps(dict(contents.keys)).encode()
        parameters, texts[KEYS] = wrap(keys, contents.passphrase, database.sha256.encode())
    members = [
        Member(name=name, size=len(text), sha256=hashlib.sha256(text).hexdigest())
        for name, text in texts.items()
    ]
    manifest = Manifest(
        format=FORMAT,
        version=contents.version,
        made_at=f"{contents.at:%Y-%m-%dT%H:%M:%SZ}",
        database=contents.database,
        server=contents.server,
        migrations=dict(contents.migrations),
        members=[*members, database],
        keys=parameters,
    )
    text = _seal(manifest.model_dump())
    size = _span(len(text)) + sum(_span(member.size) for member in manifest.members) + len(_END)
    mtime = int(contents.at.timestamp())

    def chunks() -> Iterator[bytes]:
        for name, content in {MANIFEST: text, **texts}.items():
            yield _header(name, len(content), mtime)
            yield content + _padding(len(content))
        yield _header(database.name, database.size, mtime)
        while chunk := copy.read(CHUNK_BYTES):
            yield chunk
        yield _padding(database.size) + _END

    return size, chunks()


def _sha256(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # IO is one


def _padding(size: int) -> bytes:
    return b"\0" * (-size % tarfile.BLOCKSIZE)


def _span(size: int) -> int:
    """Bytes a member of this size takes in the archive."""
    return _HEADER + size + len(_padding(size))


def _header(name: str, size: int, mtime: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, mtime, 0o600
    return entry.tobuf(tarfile.USTAR_FORMAT if size < 8**11 else tarfile.GNU_FORMAT)


def _seal(facts: dict[str, Any]) -> bytes:
    """A manifest as JSON, with the checksum of everything else in it."""
    facts = facts | {"checksum": _checksum(facts)}
    return json.dumps(facts, indent=1, sort_keys=True).encode() + b"\n"


def _checksum(facts: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in facts.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


# --- reading --------------------------------------------------------------------------------------


class Backup:
    """A backup that is open for reading, its manifest read and its length compared with it.

    Nothing of it is believed before its checksum is. Raises RestoreRefused, as does each method.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """file: from its beginning; one that can seek."""
        self._file = file
        self.manifest = self._read_manifest()
        self._texts_at = file.tell()
        self._check_length()

    def _read_manifest(self) -> Manifest:
        first = self._file.read(_HEADER)
        if len(first) < _HEADER:
            raise failures.foreign()
        entry = _entry(first, failures.foreign)
        if entry.name == _OLD_FORM:
            raise failures.older_form()
        if entry.name != MANIFEST or not entry.isreg() or entry.size > MAX_TEXT_BYTES:
            raise failures.foreign()
        text = self._take(entry.size)
        try:
            facts = json.loads(text)
            is_whole = isinstance(facts, dict) and facts.get("checksum") == _checksum(facts)
        except (ValueError, RecursionError):
            is_whole = False
        if not is_whole:
            raise failures.damaged(MANIFEST)
        if isinstance(facts.get("format"), int) and facts["format"] > FORMAT:
            raise failures.newer(str(facts.get("version"))[:40])
        try:
            manifest = Manifest.model_validate(facts)
        except ValidationError as error:
            raise failures.damaged(MANIFEST) from error
        self._check_members(manifest)
        return manifest

    @staticmethod
    def _check_members(manifest: Manifest) -> None:
        keys = [KEYS] if manifest.keys else []
        expected = [README, SETTINGS, *keys, DATABASES[manifest.database]]
        texts = manifest.members[:-1]
        if [member.name for member in manifest.members] != expected or any(
            member.size > MAX_TEXT_BYTES for member in texts
        ):
            raise failures.damaged(MANIFEST)

    def _check_length(self) -> None:
        expected = self._texts_at + len(_END)
        expected += sum(_span(member.size) for member in self.manifest.members)
        there = self._file.seek(0, os.SEEK_END)
        if there < expected:
            raise failures.truncated()
        if there > expected:
            raise failures.damaged(MANIFEST)

    def _take(self, size: int) -> bytes:
        """A small member's bytes, without what fills its last block."""
        content = self._file.read(size + len(_padding(size)))
        if len(content) < size + len(_padding(size)):
            raise failures.truncated()
        return content[:size]

    def _at(self, name: str) -> Member:
        """The member of a name, with the file at its first byte."""
        place = self._texts_at
        for member in self.manifest.members:
            if member.name == name:
                self._file.seek(place)
                header = self._file.read(_HEADER)
                entry = _entry(header, lambda: failures.damaged(name))
                if (entry.name, entry.size, entry.isreg()) != (name, member.size, True):
                    raise failures.damaged(name)
                return member
            place += _span(member.size)
        raise failures.damaged(MANIFEST)

    def text(self, name: str) -> bytes:
        """A small member's content, as it was made."""
        member = self._at(name)
        content = self._take(member.size)
        if hashlib.sha256(content).hexdigest() != member.sha256:
            raise failures.damaged(name)
        return content

    def check(self) -> None:
        """Read all of it."""
        for member in self.manifest.members[:-1]:
            self.text(member.name)
        self.copy_database(len)

    def copy_database(self, put: Callable[[bytes], object]) -> None:
        """Hand the database's copy on, a chunk at a time. That it is right is known at the end."""
        member = self._at(self.manifest.database_member.name)
        digest, left = hashlib.sha256(), member.size
        while left:
            chunk = self._file.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise failures.truncated()
            digest.update(chunk)
            put(chunk)
            left -= len(chunk)
        if digest.hexdigest() != member.sha256:
            raise failures.damaged(member.name)

    def keys(self, passphrase: str) -> dict[str, str]:
        """The keys by the names of their files; none where the backup has none, or without a
        passphrase."""
        parameters = self.manifest.keys
        if parameters is None or not passphrase:
            return {}
        bound_to = self.manifest.database_member.sha256.encode()
        content = unwrap(self.text(KEYS), parameters, passphrase, bound_to)
        keys = json.loads(content)
        return {str(name): str(text) for name, text in keys.items()}


def _entry(header: bytes, refusal: Callable[[], failures.RestoreRefused]) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise refusal() from error
