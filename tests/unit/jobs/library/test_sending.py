"""What is kept goes to Immich: once, with its sidecar, into the album, and without the key's text
being anywhere."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.library import choices, run, sending
from jobs.models import CopyRole, LibraryChoice, LibraryCopy, SendState
from jobs.queue.shutdown import shutdown_requested
from tests import immich
from tests.immich import KEY, Immich
from tests.unit.jobs.library.test_run import saved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(set_env: Callable[..., None]) -> Iterator[Immich]:
    with immich.serving() as state:
        set_env(immich_url=state.url)
        yield state


def kept(server: Immich, *, key: str = KEY, album: str = "", **facts: object) -> LibraryCopy:
    """A picture in the library, sent as far as it goes."""
    story = saved(**facts)  # type: ignore[arg-type]
    choices.set_key(story.owner_id, key)
    choices.set_album(story.owner_id, album)
    run.run()
    return LibraryCopy.objects.filter(role=CopyRole.MEDIA).latest("id")


def again() -> LibraryCopy:
    LibraryCopy.objects.update(send_not_before=None)
    run.run()
    return LibraryCopy.objects.filter(role=CopyRole.MEDIA).latest("id")


def test_a_picture_is_sent_with_its_sidecar_and_its_times(server: Immich, library: Path) -> None:
    row = kept(server)
    (asset,) = server.assets.values()
    assert row.send_state == SendState.THERE
    assert row.asset_id == asset.id
    assert asset.data == (library / row.path).read_bytes()
    assert asset.sidecar == (library / f"{row.path}.xmp").read_bytes()
    assert asset.name == row.path.rpartition("/")[2]
    assert asset.fields["deviceAssetId"] == "storykeep-74-1"
    assert asset.fields["deviceId"] == "storykeep"
    assert asset.fields["fileCreatedAt"] == "2026-11-20T14:04:00.000Z"
    assert asset.fields["fileModifiedAt"] == "2026-11-20T14:04:00.000Z"
    assert server.requests == ["POST /api/assets"]


def test_it_is_sent_once(server: Immich) -> None:
    kept(server)
    run.run()
    assert len(server.requests) == 1


def test_what_immich_has_already_counts_as_sent(server: Immich) -> None:
    row = kept(server)
    first = row.asset_id
    LibraryCopy.objects.update(send_state=SendState.WAITING, asset_id="")
    row = again()
    assert (row.send_state, row.asset_id) == (SendState.THERE, first)
    assert len(server.assets) == 1


def test_an_album_is_made_once_and_filled(server: Immich) -> None:
    kept(server, album="Stories")
    kept(server, album="Stories", tiktok_id="75", content=b"\xff\xd8\xff\xd9" * 50)
    (album,) = server.albums.values()
    assert album["albumName"] == "Stories"
    assert set(album["assets"]) == set(server.assets)
    assert server.requests.count("POST /api/albums") == 1


def test_an_album_that_was_deleted_is_made_again(server: Immich) -> None:
    kept(server, album="Stories")
    server.albums.clear()
    row = kept(server, album="Stories", tiktok_id="75", content=b"\xff\xd8\xff\xd9" * 50)
    assert row.send_state == SendState.THERE
    assert len(server.albums) == 1


def test_only_the_album_is_tried_again_where_the_album_failed(server: Immich) -> None:
    server.fail = [0, 503]
    row = kept(server, album="Stories")
    assert (row.send_state, row.send_reason) == (SendState.WAITING, "unreachable")
    assert again().send_state == SendState.THERE
    assert server.requests.count("POST /api/assets") == 1


def test_a_key_that_may_not_use_albums_sends_all_the_same(server: Immich) -> None:
    server.fail = [0, 403]
    row = kept(server, album="Stories")
    assert row.send_state == SendState.THERE
    assert LibraryChoice.objects.get().immich_error == "album_refused"
    LibraryCopy.objects.filter(role=CopyRole.MEDIA).update(send_state=SendState.WAITING)
    assert again().send_state == SendState.THERE
    assert LibraryChoice.objects.get().immich_error == ""


@pytest.mark.parametrize("fails_at", [1, 2, 3], ids=["looked for", "made", "filled"])
@pytest.mark.parametrize("status", [302, 400, 404, 413])
def test_an_album_that_is_not_to_be_had_leaves_the_file_as_sent(
    server: Immich, status: int, fails_at: int
) -> None:
    server.fail = [0] * fails_at + [status]
    row = kept(server, album="Stories")
    assert row.send_state == SendState.THERE
    assert LibraryChoice.objects.get().immich_error == "album_failed"
    kept(server, album="Stories", tiktok_id="75", content=b"\xff\xd8\xff\xd9" * 50)
    assert LibraryChoice.objects.get().immich_error == ""


def test_a_file_that_may_not_be_put_into_an_album_is_told(server: Immich) -> None:
    row = kept(server)
    server.not_mine = {row.asset_id}
    choices.set_album(row.owner_id or 0, "Stories")
    for _ in range(2):
        LibraryCopy.objects.filter(pk=row.pk).update(send_state=SendState.WAITING)
        assert again().send_state == SendState.THERE
        assert LibraryChoice.objects.get().immich_error == "album_failed"
    assert server.requests.count("POST /api/albums") == 1
    assert server.requests.count("GET /api/albums") == 1


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_an_immich_that_is_not_well_is_waited_for(server: Immich, status: int) -> None:
    server.fail = [status]
    row = kept(server)
    assert (row.send_state, row.send_reason) == (SendState.WAITING, "unreachable")
    run.run()
    assert len(server.requests) == 1
    assert again().send_state == SendState.THERE


def test_an_immich_that_is_away_is_waited_for(set_env: Callable[..., None]) -> None:
    set_env(immich_url="http://127.0.0.1:9")
    story = saved()
    choices.set_key(story.owner_id, KEY)
    run.run()
    row = LibraryCopy.objects.get(role=CopyRole.MEDIA)
    assert row.state == "kept"
    assert (row.send_state, row.send_reason) == (SendState.WAITING, "unreachable")


def test_a_key_that_is_not_taken_is_told_and_tried_rarely(server: Immich) -> None:
    row = kept(server, key="some-other-key")
    choice = LibraryChoice.objects.get()
    assert choice.immich_error == "key_refused"
    assert row.send_state == SendState.WAITING
    run.run()
    assert len(server.requests) == 1
    choices.set_key(choice.owner_id, KEY)
    assert again().send_state == SendState.THERE
    assert LibraryChoice.objects.get().immich_error == ""


@pytest.mark.parametrize("status", [302, 404])
def test_what_is_no_immich_at_all_gives_nothing_up_at_once(server: Immich, status: int) -> None:
    server.fail = [status]
    row = kept(server)
    assert (row.send_state, row.send_reason) == (SendState.WAITING, "immich_failed")
    assert again().send_state == SendState.THERE


HOUR = timedelta(hours=1)


def test_what_immich_has_no_room_for_is_sent_once_there_is_room(server: Immich) -> None:
    server.quota = 10_000
    kept(server)
    large = kept(server, tiktok_id="75", content=b"\xff\xd8\xff\xd9" * 3000)
    choice = LibraryChoice.objects.get()
    assert (large.send_state, choice.immich_error) == (SendState.WAITING, "no_room")
    asked = len(server.requests)
    run.run()
    assert len(server.requests) == asked
    for _ in range(sending.MOST_TRIES + 3):
        assert again().send_state == SendState.WAITING
    server.quota = None
    assert again().send_state == SendState.THERE
    assert LibraryChoice.objects.get().immich_error == ""


def test_a_file_that_has_no_room_does_not_keep_back_those_that_have(server: Immich) -> None:
    story = saved(tiktok_id="75", content=b"\xff\xd8\xff\xd9" * 3000)
    saved(tiktok_id="76", content=b"\xff\xd8\xff\xd9" * 3001)
    saved()
    server.quota = 10_000
    run.run()
    choices.set_key(story.owner_id, KEY)
    now = timezone.now()
    for hours in range(3):
        while sending.send_next(now + hours * 1.1 * HOUR):
            pass
    assert len(server.assets) == 1


def test_what_is_refused_for_no_reason_waits_and_is_given_up_at_last(server: Immich) -> None:
    server.fail = [400] * sending.MOST_TRIES
    row = kept(server)
    choice = LibraryChoice.objects.get()
    assert (row.send_state, choice.immich_error) == (SendState.WAITING, "not_now")
    assert row.send_not_before is not None
    assert row.send_not_before > timezone.now() + HOUR / 2
    for _ in range(sending.MOST_TRIES - 2):
        assert again().send_state == SendState.WAITING
    row = again()
    assert (row.send_state, row.send_reason) == (SendState.FAILED, "not_taken")
    assert LibraryChoice.objects.get().immich_error == ""
    again()
    assert len(server.requests) == sending.MOST_TRIES


@pytest.mark.parametrize("status", [413, 415])
def test_a_file_immich_does_not_take_is_given_up(server: Immich, status: int) -> None:
    server.fail = [status]
    row = kept(server)
    assert (row.send_state, row.send_reason) == (SendState.FAILED, "not_taken")
    again()
    assert len(server.requests) == 1


def test_an_answer_that_is_none_is_tried_a_few_times(
    server: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fail = [200] * 50
    row = kept(server)
    for _ in range(sending.MOST_TRIES):
        row = again()
    assert (row.send_state, row.send_reason) == (SendState.FAILED, "immich_failed")


def test_a_file_that_was_taken_by_a_clock_that_was_wrong_is_sent(server: Immich) -> None:
    story = saved()
    run.run()
    choices.set_key(story.owner_id, KEY)
    LibraryCopy.objects.update(send_not_before=timezone.now() + timedelta(days=30))
    run.run()
    assert len(server.assets) == 1


def test_a_file_that_was_changed_is_not_sent(server: Immich, library: Path) -> None:
    story = saved()
    run.run()
    row = LibraryCopy.objects.get(role=CopyRole.MEDIA)
    (library / row.path).write_bytes(b"another length")
    choices.set_key(story.owner_id, KEY)
    row = again()
    assert (row.send_state, row.send_reason) == (SendState.FAILED, "changed")
    assert server.requests == []


def test_a_sidecar_that_is_gone_is_not_missed(server: Immich, library: Path) -> None:
    story = saved()
    run.run()
    row = LibraryCopy.objects.get(role=CopyRole.MEDIA)
    (library / f"{row.path}.xmp").unlink()
    choices.set_key(story.owner_id, KEY)
    assert again().send_state == SendState.THERE


def test_a_key_that_cannot_be_read_any_more_is_told(server: Immich) -> None:
    story = saved()
    choices.set_key(story.owner_id, KEY)
    LibraryChoice.objects.update(immich_key="1.AAAA")
    run.run()
    assert LibraryChoice.objects.get().immich_error == "key_unreadable"
    assert server.requests == []


def test_without_a_key_or_an_immich_nothing_is_sent(
    server: Immich, set_env: Callable[..., None]
) -> None:
    saved()
    run.run()
    assert server.requests == []
    set_env(immich_url=None)
    kept(server, tiktok_id="75")
    assert server.requests == []


def test_the_key_is_in_no_log(server: Immich, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.fail = [503]
    kept(server)
    again()
    assert KEY not in caplog.text


OTHER_KEY = "a-key-of-alice-at-another-server"


def test_with_another_key_all_of_it_is_sent_anew_to_whichever_server(
    server: Immich, set_env: Callable[..., None]
) -> None:
    row = kept(server, album="Stories")
    kept(server, album="Stories", tiktok_id="75", content=b"\xff\xd8\xff\xd9" * 50)
    LibraryCopy.objects.filter(pk=row.pk).update(send_state=SendState.FAILED)
    with immich.serving() as other:
        other.keys = {OTHER_KEY}
        set_env(immich_url=other.url)
        choices.set_key(row.owner_id or 0, OTHER_KEY)
        again()
        assert len(other.assets) == 2
        rows = LibraryCopy.objects.filter(role=CopyRole.MEDIA)
        assert set(rows.values_list("asset_id", flat=True)) == set(other.assets)
        assert {row.send_state for row in rows} == {SendState.THERE}
        assert [set(album["assets"]) for album in other.albums.values()] == [set(other.assets)]


def test_a_key_that_was_removed_and_pasted_again_sends_all_of_it_again(server: Immich) -> None:
    row = kept(server)
    choices.remove_key(row.owner_id or 0)
    server.assets.clear()
    choices.set_key(row.owner_id or 0, KEY)
    assert again().asset_id in server.assets


def test_the_same_key_once_more_sends_nothing_that_is_there(server: Immich) -> None:
    row = kept(server)
    choices.set_key(row.owner_id or 0, KEY)
    assert again().send_state == SendState.THERE
    assert len(server.requests) == 1


@pytest.mark.parametrize("late", [True, False], ids=["while it is sent", "just before"])
def test_a_key_that_comes_meanwhile_is_not_taken_for_the_one_that_was_used(
    server: Immich, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    row = kept(server)
    LibraryCopy.objects.filter(pk=row.pk).update(send_state=SendState.WAITING)
    where = "_into_album" if late else "_take"
    real = getattr(sending, where)

    def then_another(*args: Any) -> Any:
        done = real(*args)
        server.keys = {OTHER_KEY}
        server.assets.clear()
        server.albums.clear()
        choices.set_key(row.owner_id or 0, OTHER_KEY)
        return done

    choices.set_album(row.owner_id or 0, "Stories")
    with monkeypatch.context() as patched:
        patched.setattr(sending, where, then_another)
        sending.send_next()
    row = again()
    assert row.send_state == SendState.THERE
    assert row.asset_id in server.assets
    assert LibraryChoice.objects.get().immich_error == ""


def test_a_key_that_is_removed_meanwhile_leaves_nothing_as_sent(
    server: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = saved()
    run.run()
    choices.set_key(story.owner_id, KEY)
    real = sending._take

    def and_removed(now: datetime) -> LibraryCopy | None:
        row = real(now)
        choices.remove_key(story.owner_id)
        return row

    monkeypatch.setattr(sending, "_take", and_removed)
    assert sending.send_next()
    row = LibraryCopy.objects.get(role=CopyRole.MEDIA)
    assert row.send_state == SendState.NONE
    assert LibraryChoice.objects.get().immich_error == ""
    assert server.requests == []


def test_what_is_sent_is_what_was_hashed(server: Immich) -> None:
    row = kept(server)
    (asset,) = server.assets.values()
    assert row.sha1 == hashlib.sha1(asset.data, usedforsecurity=False).hexdigest()


def test_what_nobody_thought_of_is_a_reason_and_a_next_try(
    server: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise RecursionError

    monkeypatch.setattr(sending, "_send", fail)
    row = kept(server)
    assert (row.send_state, row.send_reason) == (SendState.WAITING, "internal")
    assert row.send_not_before is not None
    assert row.send_not_before > timezone.now()
    for _ in range(sending.MOST_TRIES):
        row = again()
    assert (row.send_state, row.send_reason) == (SendState.FAILED, "internal")


def test_a_worker_that_is_to_end_sends_nothing_more(server: Immich) -> None:
    story = saved()
    run.run()
    choices.set_key(story.owner_id, KEY)
    shutdown_requested.set()
    try:
        run.run()
    finally:
        shutdown_requested.clear()
    row = LibraryCopy.objects.get(role=CopyRole.MEDIA)
    assert (row.send_state, row.send_not_before) == (SendState.WAITING, None)
