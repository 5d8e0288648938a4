"""A backup file is a plain tar, and one that is not as it was made is refused with the reason."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from webapp.backups import archive
from webapp.backups.archive import Backup, Contents
from webapp.backups.failures import RestoreRefused

NOW = datetime(2026, 11, 28, 12, 5, tzinfo=UTC)
COPY = bytes(range(256)) * 40 + b"end"


def made(tmp_path: Path, **facts: Any) -> bytes:
    path = tmp_path / "copy"
    path.write_bytes(facts.pop("content", COPY))
    defaults: dict[str, Any] = {
        "version": "0.1.0", "at": NOW, "database": "sqlite", "server": 0,
        "migrations": {"jobs": ["0001_initial"]}, "readme": "read", "settings": "A=1\n",
        "keys": {"secret-key": "s" * 50}, "passphrase": "correct horse",
    }  # fmt: skip
    with path.open("rb") as copy:
        size, chunks = archive.write(Contents(copy=copy, **(defaults | facts)))
        content = b"".join(chunks)
    assert len(content) == size
    return content


def copied(backup: Backup) -> bytes:
    pieces: list[bytes] = []
    backup.copy_database(pieces.append)
    return b"".join(pieces)


def reason(content: bytes, then: Callable[[Backup], object] = Backup.check) -> str:
    with pytest.raises(RestoreRefused) as refused:
        then(Backup(io.BytesIO(content)))
    assert str(refused.value)
    return refused.value.reason


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    backup = Backup(io.BytesIO(made(tmp_path)))
    backup.check()
    assert backup.manifest.made_at == "2026-11-28T12:05:00Z"
    assert backup.manifest.migrations == {"jobs": ["0001_initial"]}
    assert backup.text("settings.txt") == b"A=1\n"
    assert backup.keys("correct horse") == {"secret-key": "s" * 50}
    assert backup.keys("") == {}
    assert copied(backup) == COPY


def test_it_is_a_tar_of_plain_files_for_others_too(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(made(tmp_path))) as tar:
        assert tar.getnames() == [
            "manifest.json", "RESTORE.txt", "settings.txt", "keys.bin", "database.sqlite3",
        ]  # fmt: skip
        assert {(member.mode, member.mtime) for member in tar} == {(0o600, NOW.timestamp())}
        database = tar.extractfile("database.sqlite3")
        assert database
        assert database.read() == COPY


def test_the_key_is_nowhere_in_it_and_without_a_passphrase_not_at_all(tmp_path: Path) -> None:
    assert b"s" * 50 not in made(tmp_path)
    bare = made(tmp_path, passphrase="")
    assert b"s" * 50 not in bare
    backup = Backup(io.BytesIO(bare))
    backup.check()
    assert backup.manifest.keys is None
    assert backup.keys("correct horse") == {}


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 3 * 1024 * 1024])
def test_every_length_fits_its_blocks(tmp_path: Path, size: int) -> None:
    backup = Backup(io.BytesIO(made(tmp_path, content=b"x" * size)))
    backup.check()
    assert len(copied(backup)) == size


def test_a_bit_anywhere_is_noticed_where_it_counts(tmp_path: Path) -> None:
    content = made(tmp_path)
    noticed = 0
    for place in range(0, len(content), 97):
        flipped = bytearray(content)
        flipped[place] ^= 0x10
        refused = None
        try:
            backup = Backup(io.BytesIO(bytes(flipped)))
            backup.check()
        except RestoreRefused as error:
            refused = error.reason
        if refused is None:  # only what fills blocks, and what nobody reads of a header, may change
            assert copied(backup) == COPY
            assert backup.text("settings.txt") == b"A=1\n"
        else:
            assert refused in {"damaged", "foreign", "truncated"}, place
            noticed += 1
    assert noticed > len(COPY) / 97


def test_wherever_it_is_cut_it_is_refused(tmp_path: Path) -> None:
    content = made(tmp_path)
    for length in [*range(0, len(content), 331), len(content) - 1]:
        assert reason(content[:length]) in {"foreign", "truncated", "damaged"}, length
    assert reason(content[:-1]) == "truncated"
    assert reason(content + b"\0") == "damaged"


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for entry, content in members:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def link(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return entry


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04" + b"\0" * 2000,
        b"\x1f\x8b" + b"\0" * 2000,
        b"SQLite format 3\0" + b"\0" * 2000,
        b"\0" * 2000,
        tar_of((tarfile.TarInfo("../manifest.json"), b"{}")),
        tar_of((tarfile.TarInfo("a" * 200), b"{}")),
        tar_of((link("manifest.json"), b"")),
    ],
)
def test_another_file_is_none_of_ours(content: bytes) -> None:
    assert reason(content) == "foreign"


def test_one_of_an_earlier_version_says_how_it_is_restored() -> None:
    content = tar_of((tarfile.TarInfo("RESTORE.txt"), b"steps"))
    assert reason(content) == "older_form"


def sealed(tmp_path: Path, **changes: Any) -> bytes:
    """A backup whose manifest says something else, with a checksum that fits."""
    content = made(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        file = tar.extractfile("manifest.json")
        assert file
        facts = json.load(file)
        rest = content[tar.getmembers()[1].offset :]
    del facts["checksum"]
    text = archive._seal(facts | changes)
    return (
        archive._header("manifest.json", len(text), 0) + text + archive._padding(len(text)) + rest
    )


def test_a_later_format_is_a_newer_version(tmp_path: Path) -> None:
    assert reason(sealed(tmp_path, format=2, version="9.1", members="?")) == "newer"


@pytest.mark.parametrize(
    "changes",
    [
        {"members": []},
        {"members": [{"name": "../secret-key", "size": 1, "sha256": "0" * 64}]},
        {"members": "all of them"},
        {"database": "oracle"},
        {"keys": {"kdf": "none"}},
        {"migrations": ["jobs"]},
        {"format": "1"},
        {"format": 0},
    ],
)
def test_a_manifest_that_makes_no_sense_is_damaged(tmp_path: Path, changes: Any) -> None:
    assert reason(sealed(tmp_path, **changes)) == "damaged"


def test_no_member_may_claim_more_than_the_file_has(tmp_path: Path) -> None:
    content = made(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        file = tar.extractfile("manifest.json")
        assert file
        members = json.load(file)["members"]
    members[-1]["size"] = 2**49
    assert reason(sealed(tmp_path, members=members)) == "truncated"
    members[-1]["size"], members[0]["size"] = len(COPY), 2**30
    assert reason(sealed(tmp_path, members=members)) == "damaged"


def test_members_that_changed_places_or_kinds_are_damaged(tmp_path: Path) -> None:
    content = bytearray(made(tmp_path))
    place = content.index(b"settings.txt\0")
    entry = tarfile.TarInfo("settings.txt")
    entry.size, entry.type, entry.linkname = 4, tarfile.SYMTYPE, "/etc/passwd"
    content[place : place + 512] = entry.tobuf(tarfile.USTAR_FORMAT)
    assert reason(bytes(content)) == "damaged"


def test_an_empty_check_reads_all_of_it(tmp_path: Path) -> None:
    content = bytearray(made(tmp_path))
    content[content.index(COPY[-300:])] ^= 1
    assert Backup(io.BytesIO(bytes(content))).manifest.version == "0.1.0"
    assert reason(bytes(content)) == "damaged"
