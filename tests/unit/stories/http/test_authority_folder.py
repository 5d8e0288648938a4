"""Authorities by the hash of their subject, as the libraries look them up."""

import os
import shutil
import ssl
from pathlib import Path

import certifi
import pytest
import trustme

from stories.http.authority_folder import (
    AuthorityFolder,
    remove_abandoned,
    subject_hash,
)
from stories.http.tls import certificates_of


def der_of(authority: trustme.CA) -> bytes:
    return ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())


def test_every_public_authority_can_be_looked_up() -> None:
    certificates = certificates_of(Path(certifi.where()).read_text(encoding="utf-8"))
    folder = AuthorityFolder(certificates)
    assert folder.left == []
    assert len(list(Path(folder.path).iterdir())) == len(certificates)
    folder.close()
    assert not Path(folder.path).exists()


@pytest.mark.parametrize(
    ("organization", "unit"),
    [("Corner Bakery", "Ovens"), ("Bäckerei am ECK", "ÖFEN"), ("a   b ", " C\td"), ("x" * 60, "y")],
)
def test_the_library_finds_a_name_by_our_hash(tmp_path: Path, organization: str, unit: str) -> None:
    authority = trustme.CA(organization_name=organization, organization_unit_name=unit)
    der = der_of(authority)
    (tmp_path / f"{subject_hash(der):08x}.0").write_bytes(authority.cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=str(tmp_path))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("corner.bakery").configure_cert(server)
    handshake(context, server)


def handshake(client_context: ssl.SSLContext, server_context: ssl.SSLContext) -> None:
    """A TLS handshake in memory. Raises ssl.SSLError when the server is not trusted."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname="corner.bakery")
    server = server_context.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    client.do_handshake()


def test_two_of_one_name_are_both_there() -> None:
    both = [trustme.CA(), trustme.CA()]
    name = {subject_hash(der_of(authority)) for authority in both}
    certificates = [(der_of(both[0]), "first"), (der_of(both[0]), "second")]
    folder = AuthorityFolder(certificates)
    files = sorted(path.name for path in Path(folder.path).iterdir())
    assert [file.rpartition(".")[2] for file in files] == ["0", "1"]
    assert len(name) == 2, "their names differ, and so do their hashes"
    folder.close()


@pytest.mark.parametrize("cut", [0, 1, 5, 40, 100])
def test_what_cannot_be_read_is_left_to_the_file(cut: int) -> None:
    der = der_of(trustme.CA())
    for broken in (der[:cut], b"\x30\x03\x02\x01\x01", b"no certificate"):
        with pytest.raises(ValueError):  # noqa: PT011
            subject_hash(broken)
    folder = AuthorityFolder([(der[:cut], "pem")])
    assert folder.left == ["pem"]
    folder.close()


def test_a_folder_whose_process_is_gone_is_removed_and_no_other(tmp_path: Path) -> None:
    in_use = AuthorityFolder([(der_of(trustme.CA()), "pem")], parent=tmp_path)
    used = Path(in_use.path)
    for name in ("authorities-old", "authorities-young", "something-else"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    for name in ("authorities-old", used.name, "something-else"):
        os.utime(tmp_path / name, (0, 0))
    remove_abandoned(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted([used.name, "authorities-young", "something-else"])
    in_use.close()
    assert not used.exists()


def test_a_folder_that_somebody_cleared_up_is_made_again(tmp_path: Path) -> None:
    certificates = [(der_of(trustme.CA()), "pem")]
    folder = AuthorityFolder(certificates, parent=tmp_path)
    before = [path.name for path in Path(folder.path).iterdir()]
    for remove in (shutil.rmtree, empty):
        remove(folder.path)
        assert not folder.is_whole()
        folder.refill(certificates)
        assert folder.is_whole()
        assert [path.name for path in Path(folder.path).iterdir()] == before
        os.utime(folder.path, (0, 0))
        remove_abandoned(tmp_path)
        assert folder.is_whole(), "in use, as before"
    folder.close()
    assert list(tmp_path.iterdir()) == []


def empty(path: str) -> None:
    for file in Path(path).iterdir():
        file.unlink()


def test_a_folder_that_was_filled_in_part_is_filled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = [(der_of(trustme.CA(organization_name=name)), "pem") for name in ("A", "B")]
    folder = AuthorityFolder(certificates, parent=tmp_path)
    shutil.rmtree(folder.path)
    write = Path.write_text

    def full(path: Path, text: str, encoding: str) -> int:
        if list(path.parent.iterdir()):
            raise OSError(28, "No space left on device")
        return write(path, text, encoding=encoding)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space left"):
            folder.refill(certificates)
    assert not folder.is_whole()
    folder.refill(certificates)
    assert folder.is_whole()
    assert len(list(Path(folder.path).iterdir())) == 2
    folder.close()


def test_a_folder_that_others_may_write_is_not_filled(tmp_path: Path) -> None:
    certificates = [(der_of(trustme.CA()), "pem")]
    folder = AuthorityFolder(certificates, parent=tmp_path)
    shutil.rmtree(folder.path)
    Path(folder.path).mkdir()
    Path(folder.path).chmod(0o777)
    with pytest.raises(PermissionError):
        folder.refill(certificates)
    assert list(Path(folder.path).iterdir()) == []
    folder.close()
