"""What a member wants kept, and their key for Immich."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import QuerySet

from jobs.files import library_folder
from jobs.library import choices
from jobs.library.choices import KeyRefused
from jobs.models import LibraryChoice, LibraryCopy, LibraryMode, SendState
from notices.sealing import unseal
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_a_choice_nothing_is_kept() -> None:
    alice = make_user()
    assert choices.choice_of(alice.pk).mode == LibraryMode.NEVER
    assert not choices.is_offered(alice.pk)


@pytest.mark.parametrize("mode", LibraryMode)
def test_whoever_wants_to_be_asked_is_offered_it(mode: LibraryMode) -> None:
    alice = make_user()
    choices.choose(alice.pk, mode)
    assert choices.is_offered(alice.pk) == (mode != LibraryMode.NEVER)
    assert not choices.is_offered(make_user("bob").pk)


def test_without_a_library_nothing_is_offered(
    set_env: Callable[..., None], django_assert_num_queries: Callable[[int], object]
) -> None:
    alice = make_user()
    choices.choose(alice.pk, LibraryMode.EVERYTHING)
    set_env(library_dir=None)
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert not choices.is_offered(alice.pk)


def folder_of(member: User) -> str:
    with library_folder.held() as library:
        return choices.folder_of(member.pk, library)


def test_a_folder_is_given_once_and_kept() -> None:
    alice, other = make_user("alice"), make_user("ALICE")
    assert folder_of(alice) == "alice"
    assert folder_of(other) == "ALICE-2"
    alice.username = "renamed"
    alice.save()
    assert folder_of(alice) == "alice"


def test_a_folder_that_is_there_already_is_nobodys(library: Path) -> None:
    for name in ("Alice", "alice-2"):
        (library / name).mkdir(parents=True)
    assert folder_of(make_user("alice")) == "alice-3"


def test_a_key_is_stored_encrypted() -> None:
    alice = make_user()
    choices.set_key(alice.pk, "  0123456789abcdef  ")
    stored = LibraryChoice.objects.get().immich_key
    assert "0123456789" not in stored
    assert unseal(stored, choices.immich_use(alice.pk)) == "0123456789abcdef"


@pytest.mark.parametrize(
    "key", ["", "short", "with space in it", "line\nbreak-x", "x" * 201, "ключ" * 4]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(KeyRefused):
        choices.set_key(make_user().pk, key)


def test_with_a_key_what_is_kept_already_is_sent_and_without_it_no_more() -> None:
    alice = make_user()
    kept = LibraryCopy.objects.create(owner=alice, tiktok_id="1", position=1, state="kept")
    choices.set_key(alice.pk, "0123456789abcdef")
    there = LibraryCopy.objects.create(
        owner=alice, tiktok_id="1", position=2, state="kept", send_state=SendState.THERE
    )
    choices.set_key(alice.pk, " 0123456789abcdef")
    kept.refresh_from_db()
    there.refresh_from_db()
    assert (kept.send_state, there.send_state) == (SendState.WAITING, SendState.THERE)
    choices.remove_key(alice.pk)
    kept.refresh_from_db()
    there.refresh_from_db()
    assert (kept.send_state, there.send_state) == (SendState.NONE, SendState.THERE)
    assert LibraryChoice.objects.get().immich_key == ""


@pytest.mark.parametrize("change", ["set", "remove"])
def test_a_key_is_set_and_removed_with_its_files_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    alice = make_user()
    row = LibraryCopy.objects.create(owner=alice, tiktok_id="1", position=1, state="kept")
    if change == "remove":
        choices.set_key(alice.pk, "0123456789abcdef")
    real = QuerySet.update

    def update(rows: QuerySet[Any], **columns: Any) -> int:
        if rows.model is LibraryCopy:
            raise KeyboardInterrupt
        return real(rows, **columns)

    def act() -> None:
        if change == "set":
            choices.set_key(alice.pk, "0123456789abcdef")
        else:
            choices.remove_key(alice.pk)

    def key_and_wish() -> tuple[bool, bool]:
        row.refresh_from_db()
        return bool(choices.choice_of(alice.pk).immich_key), row.send_state == SendState.WAITING

    with monkeypatch.context() as patch:
        patch.setattr(QuerySet, "update", update)
        with pytest.raises(KeyboardInterrupt):
            act()
    assert key_and_wish() == (change == "remove", change == "remove")
    act()
    assert key_and_wish() == (change == "set", change == "set")


@pytest.mark.parametrize("old", ["another-key-0123", "unreadable", ""])
def test_with_another_key_what_is_at_immich_is_sent_as_well(old: str) -> None:
    alice = make_user()
    if old:
        choices.set_key(alice.pk, old)
    if old == "unreadable":
        LibraryChoice.objects.update(immich_key="1.AAAA")
    for state in SendState:
        LibraryCopy.objects.create(
            owner=alice, tiktok_id=state, position=1, send_state=state, asset_id="1", send_tries=5
        )
    choices.set_key(alice.pk, "0123456789abcdef")
    rows = LibraryCopy.objects.values_list("send_state", "asset_id", "send_tries")
    assert set(rows) == {(SendState.WAITING, "", 0)}


def test_another_album_is_looked_for_anew() -> None:
    alice = make_user()
    choices.set_album(alice.pk, "Stories")
    LibraryChoice.objects.update(album_id="x")
    choices.set_album(alice.pk, "Stories")
    assert LibraryChoice.objects.get().album_id == "x"
    choices.set_album(alice.pk, "Others")
    assert LibraryChoice.objects.get().album_id == ""
