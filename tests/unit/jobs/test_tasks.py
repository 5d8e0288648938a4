"""Tasks, the doors of the worker: a claim, the work, and an end for every kind of error."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from jobs import tasks
from jobs.choices import PackOrigin
from jobs.ephemeral import progress
from jobs.housekeeping import protocol_updates, reaper, sweep
from jobs.models import Item, Package
from jobs.queue import claims, erasure, shutdown
from jobs.queue.broker import EXPIRES_AFTER
from jobs.queue.claims import Claim
from jobs.queue.dispatch import dispatch
from jobs.queue.in_hand import in_hand
from jobs.queue.look_ups import look_ups
from jobs.states import ItemState
from jobs.upstream import breaker, protocol
from jobs.zips import packing
from stories.errors import NoSuchAccount, Refused
from stories.protocol.current import built_in, current
from tests import packs
from tests.factories import make_item
from tests.unit.jobs.claims import row
from tests.unit.jobs.conftest import Broker
from tests.unit.jobs.fetching.stage import Stage, a_story, ended, listed, put_on

pytestmark = pytest.mark.django_db
S = ItemState


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Plays the events it is given to the pipeline."""
    return put_on(monkeypatch)


def fetch(stage: Stage, *script: Any) -> Item:
    item = make_item()
    stage.script = script
    tasks.fetch_item(str(item.pk))
    item.refresh_from_db()
    return item


def test_the_task_settles_what_it_claimed(stage: Stage) -> None:
    photo = a_story()
    item = fetch(stage, listed(photo), stage.file(photo), ended(photo))
    assert (item.state, item.attempt) == (S.DONE, 1)
    assert item.job.settled_at is not None


def test_a_line_goes_by_the_protocol_pack_of_the_instance(
    stage: Stage, set_env: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_env(protocol_key=packs.PUBLIC_TEXT)
    protocol.store(packs.signed(), PackOrigin.FILE)
    protocol.in_use.forget()
    assert current() is built_in()
    photo = a_story()
    fetch(stage, listed(photo), stage.file(photo), ended(photo))
    assert str(current().version) == packs.NEWER


def test_the_sweep_looks_for_a_newer_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[Any] = []
    monkeypatch.setattr(sweep, "sweep", swept.append)
    monkeypatch.setattr(protocol_updates, "run", swept.append)
    tasks.sweep()
    assert len(swept) == 2


def test_a_line_looks_for_its_list_until_it_has_it(stage: Stage) -> None:
    looking: list[int] = []

    def look() -> None:
        looking.append(look_ups._count)

    photo = a_story()
    item = fetch(stage, look, listed(photo), look, stage.file(photo), ended(photo))
    assert item.state == S.DONE
    assert looking == [1, 0]
    assert look_ups._count == 0


def test_a_line_without_a_list_looks_for_it_no_longer_than_it_lasts(stage: Stage) -> None:
    assert fetch(stage, NoSuchAccount("code 10221")).state == S.FAILED
    assert look_ups._count == 0


def test_a_message_that_waited_too_long_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_ups, "begin", lambda: None)
    item = make_item()
    assert dispatch() == 1
    tasks.fetch_item(str(item.pk))
    item.refresh_from_db()
    assert (item.state, item.sent_at) == (S.QUEUED, None)


def test_an_error_of_the_whole_item_is_its_code(stage: Stage) -> None:
    item = fetch(stage, NoSuchAccount("code 10221"))
    assert (item.state, item.error_code, item.error_detail) == (
        S.FAILED,
        "no_such_account",
        "code 10221",
    )


def test_what_is_forgotten_meanwhile_leaves_no_progress(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[Any] = []
    monkeypatch.setattr(progress, "erase", dropped.append)
    photo = a_story()
    item = make_item()
    stage.script = (listed(photo), lambda: erasure.erase(item.job), stage.file(photo))
    tasks.fetch_item(str(item.pk))
    assert dropped == [item.job_id] * 2


def test_while_the_database_is_away_nothing_is_decided(stage: Stage) -> None:
    item = fetch(stage, OperationalError("database is locked"))
    assert item.state == S.RUNNING
    reaper.requeue_stalled(timezone.now() + claims.LEASE)
    item.refresh_from_db()
    assert item.state == S.QUEUED


def test_a_bug_is_an_id_for_the_reader_and_a_traceback_for_the_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    item = fetch(stage, ZeroDivisionError("secret"))
    assert (item.state, item.error_code) == (S.FAILED, "internal")
    assert item.error_detail in caplog.text
    assert len(item.error_detail) == 8
    assert "secret" not in item.error_detail
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.exc_info


def test_a_stopping_worker_releases(stage: Stage) -> None:
    item = fetch(stage, shutdown.shutdown_requested.set, None)
    assert (item.state, item.tries) == (S.QUEUED, 0)


def test_a_file_that_vanished_with_its_claim_is_no_bug(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker presumed dead comes back: its workspace is gone and the item is someone else's."""
    photo = a_story()

    def presumed_dead() -> None:
        reaper.requeue_stalled(timezone.now() + claims.LEASE)

    item = fetch(stage, listed(photo), stage.file(photo), presumed_dead, stage.file(photo), None)
    assert item.state == S.QUEUED
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_an_answer_ends_the_pause_for_everyone(stage: Stage) -> None:
    waiting = make_item(not_before=timezone.now() + timedelta(minutes=9), error_code="refused")
    breaker.open_for(Refused())
    breaker._local.ends_at = 0.0  # the pause is over; this one goes first
    fetch(stage, listed())
    waiting.refresh_from_db()
    assert waiting.not_before is None
    assert breaker.open_state() is None


def test_a_worker_going_away_passes_its_messages_on(broker: Broker) -> None:
    item = make_item()
    dispatch()
    shutdown.shutdown_requested.set()
    tasks.fetch_item(str(item.pk))
    assert row(Claim(item.pk, 0)).state == S.QUEUED
    assert dispatch() == 1
    assert broker.sent == [item.pk] * 2


# --- what is tried alone --------------------------------------------------------------------------


def test_a_line_that_was_tried_alone_is_followed_by_messages_for_the_others(
    stage: Stage, broker: Broker
) -> None:
    item = make_item(deaths=1)
    photo = a_story()
    beside: list[bool] = []

    def meanwhile() -> None:
        beside.append(in_hand.takes_more())
        broker.sent.clear()
        make_item(sent_at=timezone.now() - EXPIRES_AFTER)

    stage.script = (meanwhile, listed(photo), stage.file(photo), ended(photo))
    tasks.fetch_item(str(item.pk))
    assert beside == [False]
    assert in_hand.takes_more()
    assert Item.objects.get(pk=item.pk).deaths == 0
    assert len(broker.sent) == 1


def test_with_no_place_a_message_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_hand, "begin", lambda _patience_s=0.0: None)
    item = make_item()
    package = Package.objects.create(job=item.job, owner=item.owner)
    assert dispatch() == 2
    tasks.fetch_item(str(item.pk))
    tasks.pack_package(str(package.pk))
    for row_of in (item, package):
        row_of.refresh_from_db()
        assert (row_of.state, row_of.sent_at) == (S.QUEUED, None)


@pytest.mark.parametrize("deaths", [0, 1])
def test_a_zip_is_packed_beside_others_or_alone(
    monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    beside: list[bool] = []
    monkeypatch.setattr(packing, "run", lambda _claim: beside.append(in_hand.takes_more()))
    job = make_item(state=S.DONE).job
    package = Package.objects.create(job=job, owner=job.owner, deaths=deaths)
    tasks.pack_package(str(package.pk))
    assert beside == [not deaths]
    assert in_hand.takes_more()


def test_a_zip_whose_time_it_is_not_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_hand, "may_empty", lambda *, others_wait: not others_wait)
    item = make_item()
    package = Package.objects.create(job=item.job, owner=item.owner, deaths=1)
    assert dispatch() == 2
    tasks.pack_package(str(package.pk))
    package.refresh_from_db()
    assert (package.state, package.sent_at) == (S.QUEUED, None)


def test_the_library_task_fills_the_library(set_env: Any, tmp_path: Any) -> None:
    from jobs.library import choices
    from jobs.models import LibraryCopy, LibraryMode
    from tests.factories import make_artifact, make_story

    set_env(library_dir=tmp_path / "library")
    story = make_story()
    make_artifact(story, content=b"x")
    choices.choose(story.owner_id, LibraryMode.EVERYTHING)
    tasks.fill_library()
    assert LibraryCopy.objects.count() == 2
