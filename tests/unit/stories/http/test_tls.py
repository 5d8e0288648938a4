"""Which certificate authorities are trusted, and how often each is there."""

import shutil
import tempfile
from pathlib import Path

import certifi
import pytest

from stories.http.media_transport import CurlMediaTransport
from stories.http.tls import CaFile
from tests.unit.stories.http.loopback import Loopback, loopback
from tests.unit.stories.http.media_exchange import Received, asking
from tests.unit.stories.http.proxied_session import say_ok, unreachable

pytestmark = pytest.mark.anyio

BEGIN = "-----BEGIN CERTIFICATE-----"


def count_files(ca_file: CaFile) -> int:
    return len(list(own_folder(ca_file).iterdir()))


def own_folder(ca_file: CaFile) -> Path:
    return Path(ca_file.folders.split(":")[0])


async def receives(server: Loopback, ca_file: CaFile) -> bytes:
    """What arrives when these authorities are trusted."""
    received = Received()
    async with CurlMediaTransport(
        proxy=server.proxy, ca_file=ca_file, connections=1, resolve=unreachable
    ) as transport:
        await transport.receive(asking(), received)
    return bytes(received.body)


def joined(path: Path, *sources: str) -> str:
    """One file of several; its path."""
    path.write_text("\n".join(Path(source).read_text() for source in sources))
    return str(path)


def count(path: str) -> int:
    """How many certificates a file holds."""
    return Path(path).read_text().count(BEGIN)


async def test_the_extra_authority_is_extra(tmp_path: Path) -> None:
    async with loopback(tmp_path, say_ok) as server:
        made = CaFile(server.ca_path)
        assert count(made.path) == 2, "and one of the public ones: curl wants a file"
        assert count_files(made) == count(certifi.where())
        assert await receives(server, made) == b"ok"
        made.close()


def test_an_authority_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(OSError, match="nowhere"):
        CaFile("/nowhere/authority.pem")


async def test_public_authorities_are_read_only_when_they_are_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that parses all of them costs 0.8 MiB for as long as it is kept."""
    async with loopback(tmp_path, say_ok) as server:
        public = joined(tmp_path / "public.pem", certifi.where(), server.ca_path)
        monkeypatch.setattr(certifi, "where", lambda: public)
        made = CaFile(None)
        assert count(made.path) == 1
        assert await receives(server, made) == b"ok", "found in the folder"
        made.close()


async def test_authorities_that_somebody_cleared_up_are_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd removes what a user left in shared memory when their last session ends."""
    async with loopback(tmp_path, say_ok) as server:
        public = joined(tmp_path / "public.pem", certifi.where(), server.ca_path)
        monkeypatch.setattr(certifi, "where", lambda: public)
        made = CaFile(None)
        shutil.rmtree(own_folder(made))
        assert await receives(server, made) == b"ok"
        made.close()
        assert not own_folder(made).exists()


def test_what_is_there_twice_is_taken_once(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(Path(certifi.where()).read_text() * 2)
    made = CaFile(str(bundle))
    assert count(made.path) == 1
    made.close()


async def test_without_room_for_a_folder_a_file_holds_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    async with loopback(tmp_path, say_ok) as server:
        made = CaFile(server.ca_path)
        usual = count(certifi.where())
        assert count(made.path) == usual + 1
        assert await receives(server, made) == b"ok"
        made.close()


def test_nothing_is_left_behind() -> None:
    made = CaFile(None)
    path, folder = made.path, own_folder(made)
    assert Path(path).exists()
    assert folder.is_dir()
    made.close()
    assert not Path(path).exists()
    assert not folder.exists()
    made.close()
