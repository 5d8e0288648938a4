"""The database in which Chromium on Linux looks for further authorities."""

from __future__ import annotations

import ctypes
import ctypes.util
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from stories.browser import nss_database
from tests.fake_tiktok.authority import Authority

pytestmark = pytest.mark.skipif(
    ctypes.util.find_library("nss3") is None, reason="Chromium is not installed, nor is its NSS"
)


def make(folder: Path, pem: Path) -> subprocess.CompletedProcess[bytes]:
    """Run the program."""
    command = [sys.executable, "-I", nss_database.__file__, str(folder), str(pem)]
    return subprocess.run(command, capture_output=True, check=False)


def test_each_authority_is_in_it(tmp_path: Path) -> None:
    pem = tmp_path / "authorities.pem"
    texts = []
    for _ in range(2):
        Authority().write_to(str(pem))
        texts.append(pem.read_text())
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    pem.write_text("\n".join([*texts, broken]))
    done = make(tmp_path / "deep" / "nssdb", pem)
    assert (done.returncode, done.stderr) == (0, b"")
    with closing(sqlite3.connect(tmp_path / "deep" / "nssdb" / "cert9.db")) as database:
        labels = {row[0] for row in database.execute("SELECT a3 FROM nssPublic WHERE a3 NOT NULL")}
    assert labels >= {b"storykeep-0", b"storykeep-1"}


def test_what_goes_wrong_is_an_error(tmp_path: Path) -> None:
    assert make(tmp_path / "nssdb", tmp_path / "missing.pem").returncode
    (tmp_path / "file").touch()
    assert make(tmp_path / "file", tmp_path / "missing.pem").returncode
    with pytest.raises(OSError, match="NSS_InitReadWrite failed"):
        nss_database._check(-1, "NSS_InitReadWrite")
