"""The tool that makes keys and signs packs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import packs
from tools.protocol_sign import main


@pytest.fixture
def keyfile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str]:
    """A new key's file, and its public half."""
    path = tmp_path / "key"
    assert main(["keygen", str(path)]) == 0
    return path, capsys.readouterr().out.split()[2]


def test_a_pack_signed_with_a_new_key_is_taken_by_who_trusts_it(
    tmp_path: Path, keyfile: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    key, public = keyfile
    source, out = tmp_path / "pack.json", tmp_path / "signed.json"
    source.write_bytes(packs.text())
    assert main(["sign", str(key), str(source), str(out)]) == 0
    assert main(["verify", str(out), public]) == 0
    assert packs.NEWER in capsys.readouterr().out
    assert main(["verify", str(out)]) == 1
    assert "not trusted" in capsys.readouterr().err
    assert json.loads(out.read_text())["pack"] == packs.text().decode()


def test_a_private_key_is_its_owners_alone_and_never_overwritten(
    keyfile: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = keyfile
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert main(["keygen", str(path)]) == 1
    assert path.read_bytes() == before
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (packs.text(version="2020-01-01.1"), "is not newer than"),
        (packs.text(lambda facts: facts.update(evil=1)), "evil: there is no such field"),
        (b"\xff", "it is not JSON"),
    ],
)
def test_what_no_instance_would_take_is_not_signed(
    tmp_path: Path,
    keyfile: tuple[Path, str],
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    said: str,
) -> None:
    source, out = tmp_path / "pack.json", tmp_path / "signed.json"
    source.write_bytes(content)
    assert main(["sign", str(keyfile[0]), str(source), str(out)]) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"not a key", b"QUJD", b"\xff\xfe"])
def test_a_file_without_a_private_key_is_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    key, source = tmp_path / "key", tmp_path / "pack.json"
    key.write_bytes(content)
    source.write_bytes(packs.text())
    assert main(["sign", str(key), str(source), str(tmp_path / "out")]) == 1
    assert "holds no private key" in capsys.readouterr().err
