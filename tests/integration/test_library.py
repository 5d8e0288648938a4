"""The library with real workers: filled by the clock's message, sent to an Immich, and right after
workers were killed in the middle of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from time import sleep

import pytest

from jobs.files import library_mark
from jobs.library import choices
from jobs.models import CopyRole, CopyState, LibraryCopy, LibraryMode, SendState
from jobs.queue import broker, routing
from tests import immich
from tests.factories import make_user
from tests.fake_tiktok import Account, FakeTikTok
from tests.immich import KEY
from tests.integration.conftest import Start, eventually
from tests.integration.test_queue import settled, submit


@pytest.fixture
def author(tiktok: FakeTikTok) -> Account:
    """A photo, a carousel, and a video."""
    account = tiktok.account("sample.user", nickname="Sample")
    account.photo(formats=("webp",))
    account.carousel(2)
    account.video(min_bytes=3_000_000)
    return account


def fill() -> None:
    assert broker.send_periodic(routing.FILL_LIBRARY)


def is_filled(files: int) -> bool:
    media = LibraryCopy.objects.filter(role=CopyRole.MEDIA, state=CopyState.KEPT)
    waiting = LibraryCopy.objects.filter(state=CopyState.WAITING)
    return media.count() == files and not waiting.exists()


def check(library: Path) -> None:
    """Every file is in its place, whole, once, with its sidecar; nothing else is there."""
    expected = {library_mark.SENTINEL}
    for copy in LibraryCopy.objects.filter(state=CopyState.KEPT):
        data = (library / copy.path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == copy.sha256
        expected.add(copy.path)
        if copy.role == CopyRole.MEDIA:
            expected.add(f"{copy.path}.xmp")
    found = {path.relative_to(library).as_posix() for path in library.rglob("*") if path.is_file()}
    assert found == expected


def test_what_is_saved_is_kept_and_sent(
    start_worker: Start, author: Account, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    alice = make_user("alice")
    choices.choose(alice.pk, LibraryMode.EVERYTHING)
    choices.set_key(alice.pk, KEY)
    with immich.serving() as server:
        start_worker(STORYKEEP_LIBRARY_DIR=str(library), STORYKEEP_IMMICH_URL=server.url).ready()
        settled(submit(author.name))
        fill()
        eventually(lambda: is_filled(4))
        eventually(lambda: LibraryCopy.objects.filter(send_state=SendState.THERE).count() == 4)
        fill()
        check(library)
        assert len(server.assets) == 4
        assert all(asset.sidecar for asset in server.assets.values())


def test_killed_again_and_again_it_comes_out_right(
    start_worker: Start, author: Account, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    choices.choose(make_user("alice").pk, LibraryMode.EVERYTHING)
    worker = start_worker(STORYKEEP_LIBRARY_DIR=str(library))
    worker.ready()
    settled(submit(author.name))
    for pause_s in (0.0, 0.05, 0.1, 0.2):
        fill()
        sleep(pause_s)
        worker.kill()
        # Else the rows it held would be due in ten minutes.
        LibraryCopy.objects.filter(state=CopyState.WAITING).update(not_before=None)
        worker = start_worker(STORYKEEP_LIBRARY_DIR=str(library))
        worker.ready()
    fill()
    eventually(lambda: is_filled(4))
    check(library)
