"""Deleting and blocking people: their jobs go or end with them, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from accounts import invitations, people, tokens
from accounts.models import ApiToken, Invitation
from jobs.library import choices, run
from jobs.models import Artifact, Item, Job, LibraryCopy, LibraryMode, Watch, WatchedAccount
from jobs.queue import erasure
from jobs.queue.erasure import Belongings
from jobs.states import ItemState
from jobs.watching import permission
from notices import outbox, planning, webhooks
from notices.kinds import Kind
from notices.models import Delivery, Message, Preference, PushSubscription, Webhook
from notices.outbox import News
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.notices.receiving import Browser
from tests.watched import make_watch
from webapp import offboarding

pytestmark = pytest.mark.django_db

NOTHING = Belongings(jobs=0, files=0, size_bytes=0)
STOCK = Belongings(jobs=2, files=1, size_bytes=2000)


@pytest.fixture
def ann() -> User:
    """An admin, but not the only one."""
    make_user("root", is_staff=True, is_superuser=True)
    return make_user("ann", is_staff=True, is_superuser=True)


def stock(owner: User) -> Item:
    """A job with a file and a token beside it, and a job whose line is running: that line."""
    story = make_story(make_item(make_job(owner), state=ItemState.DONE))
    make_artifact(story, content=b"x" * 2000)
    tokens.create(owner, "phone")
    return make_item(make_job(owner), state=ItemState.RUNNING)


def files(artifacts: Path) -> int:
    """How many files are in the folder."""
    return len([path for path in artifacts.glob("*/*") if path.is_file()])


def test_the_preview_counts_what_is_theirs_and_still_there(ann: User) -> None:
    bob = make_user("bob")
    for owner in (ann, bob):
        stock(owner)
    gone = make_artifact(Artifact.objects.filter(owner_id=ann.pk).get().story, content=b"gone")
    Artifact.objects.filter(pk=gone.pk).update(removed_at=timezone.now())
    invitations.create(ann)
    invitations.create(ann)
    invitations.create(None)
    Invitation.objects.filter(pk=Invitation.objects.filter(created_by=ann)[0].pk).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    LogEntry.objects.create(
        user=ann, action_flag=CHANGE, content_type=ContentType.objects.get_for_model(User)
    )
    expected = offboarding.DeletionPreview(saved=STOCK, tokens=1, invitations=1, log_entries=1)
    assert offboarding.deletion_preview(ann) == expected
    assert offboarding.deletion_preview(bob) == offboarding.DeletionPreview(
        saved=STOCK, tokens=1, invitations=0, log_entries=0
    )


@pytest.mark.django_db(transaction=True)
def test_of_the_library_nothing_is_known_though_a_run_comes_in_between(
    monkeypatch: pytest.MonkeyPatch, set_env: Callable[..., None], tmp_path: Path
) -> None:
    set_env(library_dir=tmp_path / "library", disk_min_free=0)
    bob = make_user("bob")
    stock(bob)
    choices.choose(bob.pk, LibraryMode.EVERYTHING)
    run.run()
    before = set((tmp_path / "library").rglob("*.*"))
    assert before
    real = erasure.erase_all

    def slow(owner_id: int) -> Belongings:
        run.run()
        run.run()
        return real(owner_id)

    monkeypatch.setattr(erasure, "erase_all", slow)
    offboarding.delete_data(bob)
    run.run()
    assert not LibraryCopy.objects.exists()
    assert set((tmp_path / "library").rglob("*.*")) == before


def test_of_somebody_who_saved_nothing_there_is_nothing_to_delete(ann: User) -> None:
    assert offboarding.deletion_preview(ann) == offboarding.DeletionPreview(
        saved=NOTHING, tokens=0, invitations=0, log_entries=0
    )
    assert offboarding.delete_data(ann) == NOTHING


def test_the_data_goes_and_the_account_stays(ann: User, artifacts: Path) -> None:
    stock(ann)
    stock(make_user("bob"))
    assert offboarding.delete_data(ann) == STOCK
    assert erasure.belongings(ann.pk) == NOTHING
    assert files(artifacts) == Artifact.objects.count() == 1
    ann.refresh_from_db()
    assert ann.is_active
    assert ApiToken.objects.filter(owner=ann).exists()


def test_blocking_ends_what_is_in_the_works_and_keeps_what_is_saved(
    ann: User, artifacts: Path
) -> None:
    mine, others = stock(ann), stock(make_user("bob"))
    offboarding.block(ann)
    mine.refresh_from_db()
    others.refresh_from_db()
    assert (mine.state, others.state) == (ItemState.CANCELLED, ItemState.RUNNING)
    assert erasure.belongings(ann.pk) == STOCK
    assert files(artifacts) == 2
    assert not User.objects.get(pk=ann.pk).is_active


def test_a_deleted_person_leaves_nothing_and_others_keep_theirs(ann: User, artifacts: Path) -> None:
    bob = make_user("bob")
    for owner in (ann, bob):
        stock(owner)
    pk = ann.pk
    assert offboarding.delete_user(ann) == STOCK
    assert not User.objects.filter(pk=pk).exists()
    assert set(Job.objects.values_list("owner", flat=True)) == {bob.pk}
    assert files(artifacts) == Artifact.objects.count() == 1
    assert ApiToken.objects.get().owner == bob


@pytest.mark.parametrize("act", [offboarding.block, offboarding.delete_user])
def test_the_last_admin_stays_with_all_they_saved(
    act: Callable[[User], Any], artifacts: Path
) -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    running = stock(root)
    with pytest.raises(people.LastAdmin):
        act(root)
    running.refresh_from_db()
    assert running.state == ItemState.RUNNING
    assert erasure.belongings(root.pk) == STOCK
    assert files(artifacts) == 1
    assert User.objects.get().is_active


def test_a_deletion_that_breaks_off_leaves_them_blocked_and_can_be_repeated(
    ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(owner_id: int) -> Belongings:
        raise OSError("the disk is away")

    stock(ann)
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "erase_all", fail)
        with pytest.raises(OSError, match="away"):
            offboarding.delete_user(ann)
    assert not User.objects.get(pk=ann.pk).is_active
    assert offboarding.delete_user(ann) == STOCK
    assert [user.username for user in User.objects.all()] == ["root"]


@pytest.mark.parametrize("leave", [offboarding.block, offboarding.delete_user])
def test_who_leaves_is_told_nothing_any_more(
    leave: Callable[[User], object], tmp_path: Path, set_env: Callable[..., None]
) -> None:
    set_env(data_dir=tmp_path)
    make_user("root", is_superuser=True)
    alice, bob = make_user("alice"), make_user("bob")
    for number, user in enumerate((alice, bob)):
        Browser(f"https://web.push.apple.com/{number}").subscribe(user)
        webhooks.put(user.pk, "https://hooks.example.org/a", ())
        outbox.add(News(owner_id=user.pk, kind=Kind.SAVED, key=f"job:{number}"))
    planning.plan(timezone.now())
    leave(alice)
    for model in (PushSubscription, Webhook, Preference, Message, Delivery):
        assert set(model._default_manager.values_list("owner", flat=True)) == {bob.pk}, model


def test_their_watches_go_with_their_data_and_nobody_elses() -> None:
    bob, eve = make_user("bob"), make_user("eve")
    make_watch(bob, "shared")
    make_watch(bob, "alone")
    others = make_watch(eve, "shared")
    assert offboarding.deletion_preview(bob).watches == 2
    offboarding.delete_data(bob)
    assert Watch.objects.get() == others
    assert WatchedAccount.objects.get().name == "shared"
    offboarding.delete_user(eve)
    assert not Watch.objects.exists()
    assert not WatchedAccount.objects.exists()


def test_who_is_blocked_is_not_looked_for_until_they_are_back() -> None:
    eve = make_user("eve", is_staff=True)
    make_watch(eve)
    assert permission.lookable().count() == 1
    offboarding.block(eve)
    assert permission.lookable().count() == 0
    people.unblock(eve)
    assert permission.lookable().count() == 1
